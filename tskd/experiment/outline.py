"""What a study comes to: the blocks of each case and their cells, if its data hold what it reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tskd.datasets import ArchiveSeries, DataSet
from tskd.experiment.config import Experiment
from tskd.experiment.errors import ConfigError
from tskd.experiment.plan import Block, Planned, blocks, planned
from tskd.experiment.preparation import prepare
from tskd.experiment.specs import MODEL, nearest
from tskd.experiment.work import loaded

if TYPE_CHECKING:
    from tskd.experiment.study import Study


@dataclass(frozen=True)
class Outline:
    """One case of a study: `blocks`, each with its cells."""

    case: str
    experiment: Experiment
    fingerprint: str
    blocks: Sequence[tuple[Block, Sequence[Planned]]]


def outline(study: Study) -> list[Outline]:
    """All cases. Raises ConfigError for data that are not there or lack what is read."""
    found, every = [], blocks(study)
    for case, experiment in study.cases.items():
        try:
            data, fingerprint = loaded(experiment)
        except (FileNotFoundError, ImportError, ValueError) as error:
            raise ConfigError(str(error)) from error
        check(experiment, data)
        own = [(block, planned(block, fingerprint)) for block in every if block.case == case]
        found.append(Outline(case, experiment, fingerprint, own))
    return found


def check(experiment: Experiment, data: DataSet) -> None:
    """Raise a ConfigError for data that do not hold what the experiment reads."""
    for name, teacher in experiment.teachers.items():
        if teacher.archive and not data.archive:
            raise ConfigError(f"teacher {name!r}: data set {data.name!r} has no archive to fit it on.")
        rows: list[tuple[str, DataSet | ArchiveSeries]] = [(f"data set {data.name!r}", data)]
        rows += [(f"archive series {item.name!r}", item) for item in data.archive if teacher.archive]
        for source in teacher.sources():
            for where, item in rows:
                if source.name is not None and source.name not in item.privileged:
                    raise ConfigError(
                        f"teacher {name!r}: {where} has no privileged series {source.name!r}. "
                        f"{nearest(source.name, item.privileged)}"
                    )
    if experiment.soft_sensor:
        _refuse_blind(experiment, data)
    try:
        prepare(data, experiment.chunk_lengths(experiment.student)[0], experiment.steps, experiment.longest)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _refuse_blind(experiment: Experiment, data: DataSet) -> None:
    student = experiment.student.build(MODEL)
    readable = [slot for slot in ("past_covariates", "future_covariates") if getattr(student, f"supports_{slot}")]
    if not any(getattr(data, slot) is not None for slot in readable):
        raise ConfigError(
            f"soft_sensor: the student reads {' and '.join(readable) or 'no covariates'}, and data set {data.name!r} "
            "has none: it would see nothing at all."
        )
