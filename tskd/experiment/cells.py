"""The fits of one block: the student alone, every teacher once, and every candidate of every arm."""

from __future__ import annotations

import tempfile
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
from darts import TimeSeries
from darts.models.forecasting.torch_forecasting_model import TorchForecastingModel

from tskd import DistilledModel, Teacher
from tskd.datasets import DataSet
from tskd.experiment.config import Arm, tuned_by
from tskd.experiment.errors import RunError
from tskd.experiment.placebo import archive_placebo, placebo
from tskd.experiment.plan import Block, Planned, has_placebo, shown, teachers_of
from tskd.experiment.preparation import Part, Prepared, examples, prepare
from tskd.experiment.quiet import TRAINER, quiet
from tskd.experiment.scoring import aligned, errors, mean
from tskd.experiment.specs import BALANCE, LOSS, MODEL, TEACHER, WEIGHTING, Role, Spec, make
from tskd.experiment.supply import Supply
from tskd.experiment.teachers import inputs_of, with_inputs
from tskd.privileged import Source


@dataclass(frozen=True)
class Cell:
    """One fit and its errors on the z-scored scale.

    `key`, `kind`, `name` and `candidate` are those of what was planned. `mse`, `mae` [W] and `step_mse`, `step_mae` [H]
    are of the test windows (NaN where nothing is scored), `validation_mse` of the validation windows; `forecasts`
    [E, H, C] are of the example windows. `seconds` are of the fit, without those of the teachers; `weights` is
    `DistilledModel.history`: one entry an epoch, none for other models.
    """

    key: str
    kind: str
    name: str
    fold: int
    size: int | None
    seed: int
    candidate: int
    seconds: float
    validation_mse: float
    mse: np.ndarray
    mae: np.ndarray
    step_mse: np.ndarray
    step_mae: np.ndarray
    forecasts: np.ndarray
    warnings: tuple[str, ...] = ()
    weights: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Fitted:
    """A fitted teacher, how long that took, and what it was warned of."""

    teacher: Teacher
    seconds: float
    warnings: tuple[str, ...]


class BlockRun:
    """Everything that one block trains: the same seed gives every arm's student the same initial weights and batches.

    Args:
        data: the data set of the block's experiment, whole.
        models: folder of fitted teachers, which are looked up there by their key before they are fitted, and saved
            there; None to keep them in memory alone.

    Raises:
        ValueError: the data leave some part without a window.
    """

    def __init__(self, block: Block, data: DataSet, models: Path | None = None) -> None:
        self.block = block
        self.experiment = experiment = block.experiment
        self.seed = seed = block.seed
        self.models = models
        readable = experiment.readable
        if experiment.soft_sensor:
            data = with_inputs(data, readable)
        self._sources: dict[tuple[str, bool], list[Source]] = {}
        privileged = dict(data.privileged)
        archive = [dict(item.privileged) for item in data.archive]
        for name, shuffled in teachers_of(experiment):
            sources = experiment.teachers[name].sources()
            if shuffled:
                for number, item in enumerate(data.archive if experiment.teachers[name].archive else ()):
                    for source in sources:
                        archive[number] |= archive_placebo(source, item, data, seed)
                replaced = [placebo(source, data, seed) for source in sources]
                sources = [source for source, _ in replaced]
                for _, series in replaced:
                    privileged |= series
            self._sources[name, shuffled] = sources
        items = tuple(replace(item, privileged=p) for item, p in zip(data.archive, archive, strict=True))
        lookback, _ = experiment.chunk_lengths(experiment.student)
        whole = replace(data, privileged=privileged, archive=items)
        self.prepared: Prepared = prepare(whole, lookback, experiment.steps, experiment.longest)
        self.supply = Supply(self.prepared, readable, lookback)
        self._teachers: dict[tuple[str, bool], Fitted] = {}
        # all candidates of an arm learn from the same answers, and some teachers answer slowly
        self._answers = tempfile.TemporaryDirectory(prefix="tskd-")

    def cell(self, planned: Planned) -> Cell:
        """Fit and score one cell. The numbers do not depend on which cells were computed before.

        Raises:
            RunError: the student's forecasts are not all finite.
        """
        if planned.kind == "teacher":
            fitted = self.fitted(*self._named[planned.name])
            with quiet() as warned:
                forecasts = [self._teacher_forecasts(fitted.teacher, part) for part in self._scored]
            return self._cell(planned, forecasts, fitted.seconds, [*fitted.warnings, *warned])
        arm = next(arm for arm in self.experiment.arms if arm.name == planned.name)
        lesson = planned.resolved["lesson"] is not None
        for name in arm.teachers if lesson else ():
            self.fitted(name, arm.placebo)
        began = time.perf_counter()
        with quiet() as warned:
            model = self.distilled(arm, planned.candidate) if lesson else self.plain(arm, planned.candidate)
            seconds = time.perf_counter() - began
            forecasts = [self._student_forecasts(model, part) for part in self._scored]
        weights = tuple(getattr(model, "history", ())) if lesson else ()
        return self._cell(planned, forecasts, seconds, warned, weights)

    @cached_property
    def alone(self) -> Any:
        """The student trained by darts itself. Balance 0 is this very student, so no arm trains it again."""
        return self._plain(self.experiment.student)

    def plain(self, arm: Arm, candidate: int) -> Any:
        """The student of an arm that learns from labels alone, with one candidate for its settings."""
        settings = arm.students[candidate] if arm.students else {}
        return self._plain(tuned_by(self.experiment.student, settings)) if settings else self.alone

    def teacher(self, name: str, shuffled: bool = False) -> Teacher:
        """The fitted teacher, or its placebo."""
        return self.fitted(name, shuffled).teacher

    def fitted(self, name: str, shuffled: bool = False) -> Fitted:
        """A teacher with what is known of its fit; fitted when first asked for."""
        key = (name, shuffled and has_placebo(self.experiment, name))
        if key not in self._teachers:
            by = self.experiment.teachers[name].taught_by
            said = None if by is None else self.teacher(by, shuffled)
            began = time.perf_counter()
            with quiet() as warned:
                teacher = self._fit(*key, said)
            self._teachers[key] = Fitted(teacher, time.perf_counter() - began, tuple(warned))
        return self._teachers[key]

    def distilled(self, arm: Arm, candidate: int) -> DistilledModel:
        """The student of an arm, with one candidate for the balance."""
        balance = arm.balance[candidate]
        model = DistilledModel(
            student=self._student(),
            teachers=[self.teacher(name, arm.placebo) for name in arm.teachers],
            losses=[make(loss, LOSS) for loss in arm.losses],
            weighting=make(arm.weighting, WEIGHTING),
            balance=balance if isinstance(balance, float) else make(balance, BALANCE),
            soft_sensor=self.experiment.soft_sensor,
        )
        names = dict.fromkeys(name for teacher in model.teachers for name in teacher.names)
        judged = model.weighting.judges or model.weighting.needs_validation
        data = self.supply.training(self.experiment.student, names, judged)
        return model.fit(**data, cache=self._answers.name, verbose=False)

    def _fit(self, name: str, shuffled: bool, by: Teacher | None) -> Teacher:
        config = self.experiment.teachers[name]
        # with the student's own seed, a teacher like the student would be its twin and teach it nothing
        model = _model(config.model, zlib.crc32(f"{name} {self.seed}".encode()), TEACHER)
        inputs = inputs_of(model, self.supply.slots) if self.experiment.soft_sensor else None
        unfitted = config.teacher(name, model, self._sources[name, shuffled], inputs)
        data = self.supply.training(config.model, [*unfitted.names, *(() if by is None else by.names)])
        if config.archive:
            data |= self.supply.archive(unfitted.names)
        return unfitted.fit(**data, taught_by=by)

    def _plain(self, spec: Spec) -> Any:
        student, data = _model(spec, self.seed), self.supply.training(spec)
        if self.experiment.soft_sensor:
            return DistilledModel(student, soft_sensor=True).fit(**data)
        return student.fit(**data)

    def _student(self) -> TorchForecastingModel:
        return _model(self.experiment.student, self.seed)

    def _student_forecasts(self, model: Any, part: Part) -> Sequence[TimeSeries]:
        return model.historical_forecasts(
            part.series,
            **self.supply.covariates(part),
            forecast_horizon=part.truth.shape[1],
            start=part.starts[0],
            stride=1,
            retrain=False,
            last_points_only=False,
        )

    def _teacher_forecasts(self, teacher: Teacher, part: Part) -> Sequence[TimeSeries]:
        known = {name: part.privileged[name] for name in teacher.names}
        answers = teacher.historical_forecasts(part.series, **self.supply.covariates(part), privileged=known)
        # of a lookback shorter than the part reaches back, there are earlier ones
        return [answer for answer in cast("list[TimeSeries]", answers) if answer.start_time() >= part.starts[0]]

    @cached_property
    def _named(self) -> dict[str, tuple[str, bool]]:
        return {shown(*teacher): teacher for teacher in teachers_of(self.experiment)}

    @property
    def _scored(self) -> tuple[Part, Part]:
        return self.prepared.validation, self.prepared.test

    def _cell(
        self,
        planned: Planned,
        forecasts: Sequence[Sequence[TimeSeries]],
        seconds: float,
        warnings: Sequence[str],
        weights: tuple[dict[str, Any], ...] = (),
    ) -> Cell:
        held_out, test = (aligned(found, part) for found, part in zip(forecasts, self._scored, strict=True))
        if planned.kind == "student" and not (np.isfinite(held_out).all() and np.isfinite(test).all()):
            raise RunError("the student's forecasts are not all finite; lower its learning rate.")
        validation = errors(held_out, self.prepared.validation)[0]
        squared, absolute = errors(test, self.prepared.test)
        return Cell(
            key=planned.key,
            kind=planned.kind,
            name=planned.name,
            fold=self.block.fold,
            size=self.block.size,
            seed=self.seed,
            candidate=planned.candidate,
            seconds=seconds,
            validation_mse=float(mean(mean(validation, axis=(1, 2)), axis=0)),
            mse=mean(squared, axis=(1, 2)),
            mae=mean(absolute, axis=(1, 2)),
            step_mse=mean(squared, axis=(0, 2)),
            step_mae=mean(absolute, axis=(0, 2)),
            forecasts=test[examples(len(test))],
            warnings=tuple(dict.fromkeys(warnings)),
            weights=weights,
        )


def _model(spec: Spec, seed: int, role: Role = MODEL) -> Any:
    members = spec.kwargs.get("forecasting_models")
    if members is not None:
        # an ensemble has no random state of its own
        seeded = [_model(Spec.model_validate(member), seed, role) for member in members]
        return spec.model_copy(update={"kwargs": {**spec.kwargs, "forecasting_models": seeded}}).build(role)
    kwargs = {**spec.kwargs, "random_state": seed}
    if issubclass(role.allowed(spec.class_), TorchForecastingModel):
        kwargs["pl_trainer_kwargs"] = {**TRAINER, **spec.kwargs.get("pl_trainer_kwargs", {})}
    return spec.model_copy(update={"kwargs": kwargs}).build(role)
