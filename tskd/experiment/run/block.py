"""The fits of one block: the student alone, every teacher once, and every candidate of every arm."""

from __future__ import annotations

import tempfile
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from darts.models.forecasting.torch_forecasting_model import TorchForecastingModel

from tskd.datasets import DataSet
from tskd.distillation.model import DistilledModel
from tskd.experiment.config.arm import Arm, tuned_by
from tskd.experiment.config.errors import RunError
from tskd.experiment.config.objects import BALANCE, LOSS, MODEL, TEACHER, WEIGHTING, Role, Spec, make
from tskd.experiment.config.quiet import TRAINER, quiet
from tskd.experiment.config.teacher import inputs_of, with_inputs
from tskd.experiment.controls.placebo import archive_placebo, placebo
from tskd.experiment.data.fit_arguments import FitData
from tskd.experiment.data.folds import cut
from tskd.experiment.data.preparation import DataPart, Prepared, fingerprint, prepare
from tskd.experiment.run.forecast import Forecasts, of_student, of_teacher
from tskd.experiment.run.plan import Block, Planned, shown, teacher_key, teachers_of
from tskd.experiment.run.scoring import Score, mean, score
from tskd.experiment.run.teacher_store import Fitted, load_teacher, save_teacher
from tskd.privileged import Source
from tskd.teachers.teacher import Teacher


@dataclass(frozen=True)
class Cell:
    """One fit and its errors on the z-scored scale.

    `key`, `kind`, `name` and `candidate` are those of what was planned. `mse`, `mae` [W] and `step_mse`, `step_mae` [H]
    are of the test windows (NaN where nothing is scored), `validation_mse` of the validation windows; `forecasts`
    [E, H] of the first component are of the example windows. `seconds` are of the fit, without those of the teachers;
    `weights` is `DistilledModel.history`: one entry an epoch, none for other models.
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


class BlockRun:
    """Everything that one block trains: the same seed gives every arm's student the same initial weights and batches.

    Args:
        data: the data set of the block's experiment, whole.
        models: folder of fitted teachers, which are looked up there by their key before they are fitted, and saved
            there; None for one that is gone with this object.

    Raises:
        ValueError: the data leave some part without a window.
    """

    def __init__(self, block: Block, data: DataSet, models: Path | None = None) -> None:
        self.block = block
        self.experiment = experiment = block.experiment
        self.seed = seed = block.seed
        # all candidates of an arm learn from the same answers, and some teachers answer slowly
        self._answers = tempfile.TemporaryDirectory(prefix="tskd-")
        self.models = models or Path(self._answers.name) / "models"
        self.fingerprint = fingerprint(data)
        data = cut(experiment, data, block.fold, block.size)
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
        self.supply = FitData(self.prepared, readable, lookback)
        self._teachers: dict[tuple[str, bool], Fitted] = {}

    def cell(self, planned: Planned) -> Cell:
        """Fit and score one cell. The numbers do not depend on which cells were computed before.

        Raises:
            RunError: the student's forecasts are not all finite.
        """
        if planned.kind == "teacher":
            fitted = self.fitted(*self._named[planned.name])
            with quiet() as warned:
                scores = self._scores(lambda part: of_teacher(fitted.teacher, part, self.supply.covariates(part)))
            return self._cell(planned, scores, fitted.seconds, [*fitted.warnings, *warned])
        arm = next(arm for arm in self.experiment.arms if arm.name == planned.name)
        lesson = planned.resolved["lesson"] is not None
        for name in arm.teachers if lesson else ():
            self.fitted(name, arm.placebo)
        blind, began = self.experiment.soft_sensor, time.perf_counter()
        with quiet() as warned:
            model = self.distilled(arm, planned.candidate) if lesson else self.plain(arm, planned.candidate)
            seconds = time.perf_counter() - began
            scores = self._scores(lambda part: of_student(model, part, self.supply.covariates(part), blind))
        weights = tuple(model.history) if lesson else ()
        return self._cell(planned, scores, seconds, warned, weights)

    def plain(self, arm: Arm, candidate: int = 0) -> Any:
        """The student of an arm that learns from labels alone, by darts' own training, with one candidate for its
        settings. Balance 0 is the student alone."""
        spec = self.experiment.student
        if arm.students:
            spec = tuned_by(spec, arm.students[candidate])
        student: Any = _model(spec, self.seed)
        if self.experiment.soft_sensor:
            student = DistilledModel(student, soft_sensor=True)
        for number, rows in enumerate(self.supply.rows(spec, arm.archive)):
            if number:
                # callbacks hold what they saw: early stopping would measure this fit by the best of the one before
                darts_model = getattr(student, "student", student)
                darts_model.trainer_params["callbacks"] = _model(spec, self.seed).trainer_params["callbacks"]
            student = student.fit(**rows)
        return student

    def teacher(self, name: str, shuffled: bool = False) -> Teacher:
        """The fitted teacher, or its placebo."""
        return self.fitted(name, shuffled).teacher

    def fitted(self, name: str, shuffled: bool = False) -> Fitted:
        """A teacher with what is known of its fit; fitted when first asked for."""
        shuffled = shuffled and self.experiment.has_privilege(name)
        if (name, shuffled) not in self._teachers:
            self._teachers[name, shuffled] = self._saved(name, shuffled) or self._fit(name, shuffled)
        return self._teachers[name, shuffled]

    def _saved(self, name: str, shuffled: bool) -> Fitted | None:
        with quiet():
            return load_teacher(self.models, self._key(name, shuffled), self._unfitted(name, shuffled))

    def _fit(self, name: str, shuffled: bool) -> Fitted:
        config = self.experiment.teachers[name]
        by = None if config.taught_by is None else self.teacher(config.taught_by, shuffled)
        began = time.perf_counter()
        with quiet() as warned:
            unfitted = self._unfitted(name, shuffled)
            data = self.supply.training(config.model, unfitted.names, lookback=unfitted.lookback)
            if by is not None and by.names:
                theirs = {label: self.prepared.train.privileged[label] for label in by.names}
                data["privileged"] = data.get("privileged", {}) | theirs
            if config.archive:
                data |= self.supply.archive(unfitted.names)
            teacher = unfitted.fit(**data, taught_by=by)
        fitted = Fitted(teacher, time.perf_counter() - began, tuple(warned))
        with quiet():
            save_teacher(self.models, self._key(name, shuffled), fitted)
        # as every other process will have it
        return self._saved(name, shuffled) or fitted

    def _unfitted(self, name: str, shuffled: bool) -> Teacher:
        config = self.experiment.teachers[name]
        # with the student's own seed, a teacher like the student would be its twin and teach it nothing
        model = _model(config.model, zlib.crc32(f"{name} {self.seed}".encode()), TEACHER)
        inputs = inputs_of(model, self.supply.slots) if self.experiment.soft_sensor else None
        return config.teacher(name, model, self._sources[name, shuffled], inputs)

    def _key(self, name: str, shuffled: bool) -> str:
        return teacher_key(self.block, self.fingerprint, name, shuffled)

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
        judged = model.weighting.needs.calibration or model.weighting.needs.validation
        data = self.supply.training(self.experiment.student, names, judged)
        return model.fit(**data, cache=self._answers.name, verbose=False)

    def _student(self) -> TorchForecastingModel:
        return _model(self.experiment.student, self.seed)

    @cached_property
    def _named(self) -> dict[str, tuple[str, bool]]:
        return {shown(*teacher): teacher for teacher in teachers_of(self.experiment)}

    def _scores(self, forecasts: Callable[[DataPart], Forecasts]) -> tuple[Score, Score]:
        """Of the validation and the test part."""
        first = self.experiment.steps[0]
        held_out, test = (
            score(forecasts(part), part, first) for part in (self.prepared.validation, self.prepared.test)
        )
        return held_out, test

    def _cell(
        self,
        planned: Planned,
        scores: tuple[Score, Score],
        seconds: float,
        warnings: Sequence[str],
        weights: tuple[dict[str, Any], ...] = (),
    ) -> Cell:
        held_out, test = scores
        if planned.kind == "student" and not (held_out.whole and test.whole):
            raise RunError("the student's forecasts are not all finite; lower its learning rate.")
        return Cell(
            key=planned.key,
            kind=planned.kind,
            name=planned.name,
            fold=self.block.fold,
            size=self.block.size,
            seed=self.seed,
            candidate=planned.candidate,
            seconds=seconds,
            validation_mse=float(mean(held_out.mse, axis=0)),
            mse=test.mse,
            mae=test.mae,
            step_mse=test.step_mse,
            step_mae=test.step_mae,
            forecasts=test.forecasts,
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
