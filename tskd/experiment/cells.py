"""The fits of one seed: the student alone, every teacher once, and every candidate of every arm."""

from __future__ import annotations

import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, cast

import numpy as np
from darts import TimeSeries
from darts.models.forecasting.torch_forecasting_model import TorchForecastingModel

from tskd import DistilledModel, Teacher
from tskd.datasets import DataSet
from tskd.experiment.config import Arm, Experiment, tuned_by
from tskd.experiment.errors import RunError
from tskd.experiment.placebo import archive_placebo, placebo
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

    `kind` is "student" or "teacher", `name` that of the arm or teacher, `candidate` the position in the arm's list of
    balances. `mse`, `mae` [W] and `step_mse`, `step_mae` [H] are of the test windows (NaN where nothing is scored),
    `validation_mse` of the validation windows; `forecasts` [E, H, C] are of the example windows.
    """

    kind: str
    name: str
    seed: int
    candidate: int
    seconds: float
    validation_mse: float
    mse: np.ndarray
    mae: np.ndarray
    step_mse: np.ndarray
    step_mae: np.ndarray
    forecasts: np.ndarray
    warnings: tuple[str, ...]


def teachers_of(experiment: Experiment) -> list[tuple[str, bool]]:
    """The teachers to fit, as name and whether it is the placebo: all as they are, and those of the placebo arms."""
    shuffled = (
        link for arm in experiment.arms if arm.placebo for name in arm.teachers for link in _chain(experiment, name)
    )
    return [(name, False) for name in experiment.teachers] + [
        (name, True) for name in dict.fromkeys(shuffled) if experiment.teachers[name].privileged
    ]


def _chain(experiment: Experiment, name: str) -> Iterator[str]:
    """A teacher, the one that teaches it, and so on."""
    link: str | None = name
    while link is not None:
        yield link
        link = experiment.teachers[link].taught_by


def planned(experiment: Experiment) -> int:
    """Number of cells of one seed."""
    return len(teachers_of(experiment)) + sum(len(arm.candidates) for arm in experiment.arms)


class SeedRun:
    """Everything that one seed trains: the same seed gives every arm's student the same initial weights and batches."""

    def __init__(self, experiment: Experiment, data: DataSet, seed: int) -> None:
        self.experiment = experiment
        self.seed = seed
        readable = [slot for slot in ("past", "future") if getattr(self._student(), f"supports_{slot}_covariates")]
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
        self.prepared: Prepared = prepare(whole, lookback, experiment.steps, experiment.lookback)
        self.supply = Supply(self.prepared, readable, lookback)
        self._teachers: dict[tuple[str, bool], Teacher] = {}
        # all candidates of an arm learn from the same answers, and some teachers answer slowly
        self._answers = tempfile.TemporaryDirectory(prefix="tskd-")

    def cells(self) -> Iterator[Cell]:
        """All fits of the seed, each as soon as it is done."""
        alone = self._cell("student", self.experiment.alone.name, 0, lambda: self.alone, self._student_forecasts)
        yield alone
        for name, shuffled in teachers_of(self.experiment):
            yield self._cell(
                "teacher",
                f"{name} (placebo)" if shuffled else name,
                0,
                partial(self.teacher, name, shuffled),
                self._teacher_forecasts,
            )
        for arm in self.experiment.arms:
            for candidate, settings in enumerate(arm.students):
                tuned = partial(self._plain, tuned_by(self.experiment.student, settings))
                yield self._cell("student", arm.name, candidate, tuned, self._student_forecasts)
            for candidate, balance in enumerate(arm.balance if arm.teachers else ()):
                if balance == 0:
                    yield replace(alone, name=arm.name, candidate=candidate, seconds=0.0)
                    continue
                yield self._cell(
                    "student",
                    arm.name,
                    candidate,
                    partial(self.distilled, arm, candidate),
                    self._student_forecasts,
                )

    @cached_property
    def alone(self) -> Any:
        """The student trained by darts itself. Balance 0 is this very student, so no arm trains it again."""
        return self._plain(self.experiment.student)

    def teacher(self, name: str, shuffled: bool = False) -> Teacher:
        """The fitted teacher, or its placebo; fitted when first asked for."""
        config = self.experiment.teachers[name]
        key = (name, shuffled and bool(config.privileged))
        if key not in self._teachers:
            # with the student's own seed, a teacher like the student would be its twin and teach it nothing
            model = _model(config.model, zlib.crc32(f"{name} {self.seed}".encode()), TEACHER)
            inputs = inputs_of(model, self.supply.slots) if self.experiment.soft_sensor else None
            unfitted = config.teacher(name, model, self._sources[key], inputs)
            by = None if config.taught_by is None else self.teacher(config.taught_by, shuffled)
            data = self.supply.training(config.model, [*unfitted.names, *(() if by is None else by.names)])
            if config.archive:
                data |= self.supply.archive(unfitted.names)
            self._teachers[key] = unfitted.fit(**data, taught_by=by)
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

    def _cell(self, kind: str, name: str, candidate: int, fit: Callable[[], Any], forecast: Callable[..., Any]) -> Cell:
        began = time.perf_counter()
        label = f"{'arm' if kind == 'student' else 'teacher'} {name!r}, seed {self.seed}"
        try:
            with quiet() as warned:
                model = fit()
                seconds = time.perf_counter() - began
                held_out, test = (
                    aligned(forecast(model, part), part) for part in (self.prepared.validation, self.prepared.test)
                )
        except Exception as error:
            raise RunError(f"{label} failed: {type(error).__name__}: {error}") from error
        if kind == "student" and not (np.isfinite(held_out).all() and np.isfinite(test).all()):
            raise RunError(f"{label}: the student's forecasts are not all finite; lower its learning rate.")
        validation = errors(held_out, self.prepared.validation)[0]
        squared, absolute = errors(test, self.prepared.test)
        return Cell(
            kind=kind,
            name=name,
            seed=self.seed,
            candidate=candidate,
            seconds=seconds,
            validation_mse=float(mean(mean(validation, axis=(1, 2)), axis=0)),
            mse=mean(squared, axis=(1, 2)),
            mae=mean(absolute, axis=(1, 2)),
            step_mse=mean(squared, axis=(0, 2)),
            step_mae=mean(absolute, axis=(0, 2)),
            forecasts=test[examples(len(test))],
            warnings=tuple(f"{label}: {message}" for message in warned),
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
