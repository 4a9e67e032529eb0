"""The information that goes with the tables of a case, from its plan."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from tskd.experiment.config.any_teacher import AnyTeacherConfig
from tskd.experiment.config.arm import Arm, candidate_label
from tskd.experiment.config.distribution import ForecastDistribution
from tskd.experiment.config.experiment import ExperimentConfig
from tskd.experiment.config.labels import labels_text
from tskd.experiment.config.plain import reproducible
from tskd.experiment.config.teacher import TeacherConfig
from tskd.experiment.controls.registry import controls_of
from tskd.experiment.data.folds import FoldSize
from tskd.experiment.data.summary import DataSummary
from tskd.experiment.results.experiment_info import (
    ArmInfo,
    CellCounts,
    DataInfo,
    DistributionInfo,
    ExperimentInfo,
    PendingCell,
    TeacherInfo,
    WindowCounts,
)
from tskd.experiment.run.case_plan import CasePlan, DataDescription
from tskd.experiment.run.cell import Cell
from tskd.experiment.run.provenance import commit, versions


def last_of(places: Iterable[FoldSize]) -> FoldSize:
    """The last fold, and of it the largest size."""
    return max(places, key=lambda place: (place.fold, np.inf if place.size is None else place.size))


def describe_case(
    plan: CasePlan,
    summaries: Mapping[FoldSize, DataSummary],
    cells: CellCounts,
    pending: Sequence[PendingCell],
    found: Sequence[Cell],
    used: Sequence[Cell],
) -> ExperimentInfo:
    """What an experiment is, what its data are, and how far it is.

    Args:
        plan: of the case.
        summaries: of the data of those folds and sizes that have results.
        cells: how many there are.
        pending: what is still to be computed.
        found: all cells that are finished.
        used: those that are in the tables.
    """
    experiment = plan.experiment
    last = summaries[last_of(summaries)]
    return ExperimentInfo(
        name=experiment.name,
        command=None,
        config=plan.configured.to_yaml(),
        reproducible=reproducible(plan.configured),
        alone=experiment.alone.name,
        student=str(experiment.student),
        soft_sensor=experiment.soft_sensor,
        lookback=experiment.chunk_lengths(experiment.student)[0],
        horizon=experiment.steps[1],
        scored=experiment.steps,
        seeds=experiment.seeds,
        folds=experiment.folds,
        sizes=experiment.sizes,
        labels=labels_text(experiment.labels),
        controls=plan.expanded.controls,
        not_applicable=plan.expanded.not_applicable,
        examples=len(last.examples),
        teachers=tuple(_teacher(name, teacher) for name, teacher in experiment.teachers.items()),
        arms=tuple(_arm(experiment, arm) for arm in experiment.arms if not arm.oracle),
        bounds=tuple(arm.name for arm in experiment.arms if arm.oracle),
        data=_data(plan.data, last),
        case=plan.case,
        cells=cells,
        pending=tuple(pending),
        versions=versions(),
        commit=commit(),
        fingerprint=plan.fingerprint,
        seconds=round(sum({cell.key: cell.seconds for cell in found}.values()), 1),
        distribution=_scored(experiment.distribution),
        warnings=tuple(dict.fromkeys(warning for cell in used for warning in _warnings(cell))),
    )


def _scored(found: ForecastDistribution | None) -> DistributionInfo | None:
    if found is None:
        return None
    return DistributionInfo(levels=found.levels, nominal=found.nominal, point=found.point)


def _teacher(name: str, teacher: AnyTeacherConfig) -> TeacherInfo:
    return TeacherInfo(
        name=name,
        model=str(teacher.model if isinstance(teacher, TeacherConfig) else teacher),
        privileged=tuple(map(str, teacher.privileged)),
        sees_inputs=teacher.sees_inputs,
        cross_fit=None if teacher.cross_fit is None else teacher.cross_fit.folds,
        archive=teacher.archive,
    )


def _arm(experiment: ExperimentConfig, arm: Arm) -> ArmInfo:
    privileged = experiment.is_privileged(arm)
    return ArmInfo(
        name=arm.name,
        teachers=arm.teachers,
        losses=tuple(map(str, arm.losses)),
        weighting=str(arm.weighting),
        candidates=tuple(map(candidate_label, arm.candidates)),
        placebo=arm.placebo,
        archive=arm.archive,
        privileged=privileged,
        controls=tuple(controls_of(experiment, arm)) if privileged else (),
    )


def _data(description: DataDescription, last: DataSummary) -> DataInfo:
    windows = WindowCounts(
        training=last.training,
        validation=last.validation,
        test=last.test,
        labelled=last.training_labelled,
        validation_labelled=last.validation_labelled,
        scored=len(last.scored),
    )
    counts = {"not_scored": last.not_scored, "incomplete": last.incomplete}
    return DataInfo(**dataclasses.asdict(description), windows=windows, **counts)


def _warnings(cell: Cell) -> list[str]:
    label = f"{'teacher' if cell.kind == 'teacher' else 'arm'} {cell.name!r}, seed {cell.seed}"
    return [f"{label}: {message}" for message in cell.warnings]
