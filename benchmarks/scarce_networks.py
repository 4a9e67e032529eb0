"""Network students of the benchmark of scarce labels, by the public interface."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import numpy as np
import pandas as pd
from darts import TimeSeries
from darts.models import DLinearModel, TiDEModel
from scarce_cells import LOOKBACK, SMOOTH_GAP, SMOOTH_WIDTH, Cell, Part, begun, family_of, placebo
from scarce_data import DAY, FAMILIES, Scheme, parts, readings
from scarce_ridge import held_out, smoothed
from small_networks import QUIET, SMALL_TIDE

from tskd import DistilledModel, Reconstruction, Teacher

SCHEMES = tuple(Scheme(kind, days) for days in (14, 30) for kind in ("block", "scattered"))
LABORATORY_SCHEMES = (Scheme("block", 30), Scheme("every 25 h"))
FOLDS, SEEDS = 2, 1
BATCH, STEPS, CHECKS = 256, 100, 4
STUDENTS: dict[str, tuple[Any, dict[str, Any]]] = {
    "DLinear": (DLinearModel, {"kernel_size": 5}),
    "TiDE": (TiDEModel, SMALL_TIDE),
}


def network_cells() -> Iterator[Cell]:
    """The cells of network students, those of the latest fold first."""
    for seed in range(SEEDS):
        for fold in range(FOLDS):
            for place in range(2):
                for family in FAMILIES:
                    if family.name == "gases":
                        continue
                    for scheme in LABORATORY_SCHEMES if family.laboratory else SCHEMES:
                        for student in STUDENTS:
                            yield Cell(family.name, family.networks[place], fold, scheme, student, seed)


@dataclass(frozen=True, eq=False)
class Training:
    """What a student is trained on.

    Attributes:
        labels: `[N]`, NaN where there is none.
        privileged: what its teacher reads `[N, M]`, or without `reconstruction` a teacher's answers `[N, 1]`; None
            without a teacher.
        reconstruction: reads the series "read".
        siblings: labels and covariates of other series, pooled.
    """

    labels: np.ndarray
    privileged: np.ndarray | None = None
    reconstruction: Reconstruction | None = None
    siblings: tuple[tuple[np.ndarray, TimeSeries], ...] = ()

    def without(self, rows: np.ndarray) -> Training:
        """The same without labels and answers in some rows `[N]`."""
        privileged = None if self.privileged is None else np.where(rows[:, None], np.nan, self.privileged)
        siblings = tuple((np.where(rows, np.nan, labels), covariates) for labels, covariates in self.siblings)
        return replace(self, labels=np.where(rows, np.nan, self.labels), privileged=privileged, siblings=siblings)


@dataclass(frozen=True, eq=False)
class Task:
    """A network student's cell.

    Attributes:
        cell: of the table.
        times: of the training part, from as many hours before it as the first forecast reads.
        before: number of these hours.
        covariates: what the student reads, over training and test part.
        truth: over training and test part, in units of the labels.
        held: the middle fifth of the labelled rows, and the rows near one `[N]`.
    """

    cell: Cell
    times: pd.DatetimeIndex
    before: int
    covariates: TimeSeries
    truth: pd.Series
    held: tuple[np.ndarray, np.ndarray]
    test: pd.DatetimeIndex

    def series(self, values: np.ndarray) -> TimeSeries:
        """Values of the training part `[N]` or `[N, M]`, after missing ones."""
        table = values.reshape(len(values), -1)
        whole = np.concatenate([np.full((self.before, table.shape[1]), np.nan), table])
        return TimeSeries.from_times_and_values(self.times, whole.astype(np.float32))

    def error(self, training: Training) -> float:
        """Test error with the number of steps that is best on the held-out labels, trained again on all of them."""
        inside, near = self.held
        model, trial = self._blank(training), training.without(near)
        held = self.times[self.before :][inside]
        errors = []
        for _ in range(CHECKS):
            self._fit(model, trial)
            errors.append(self._squares(model, held))
        best = int(np.argmin(errors)) + 1
        model = self._blank(training)
        for _ in range(best):
            self._fit(model, training)
        return self._squares(model, self.test)

    def _blank(self, training: Training) -> DistilledModel:
        kind, settings = STUDENTS[self.cell.student]
        student = kind(
            input_chunk_length=LOOKBACK,
            output_chunk_length=1,
            output_chunk_shift=family_of(self.cell).horizon - 1,
            batch_size=BATCH,
            optimizer_kwargs={"lr": 3e-3},
            random_state=self.cell.seed,
            pl_trainer_kwargs=QUIET,
            **settings,
        )
        if training.privileged is None:
            return DistilledModel(student, balance=0.0, soft_sensor=True)
        given = Teacher.from_series(self.series(training.privileged[:, :1]), name="given")
        return DistilledModel(student, training.reconstruction or given, balance=0.5, soft_sensor=True)

    def _fit(self, model: DistilledModel, training: Training) -> None:
        """Train for another `STEPS` steps, or a few more: whole epochs."""
        several = [(training.labels, self.covariates), *training.siblings]
        known = sum(int(np.isfinite(labels).sum()) for labels, _ in several)
        if training.privileged is not None:
            known = int((np.isfinite(training.labels) | np.isfinite(training.privileged).all(1)).sum())
        privileged = None
        if training.privileged is not None and training.reconstruction is not None:
            privileged = {"read": [self.series(training.privileged)]}
        model.fit(
            [self.series(labels) for labels, _ in several],
            past_covariates=[covariates for _, covariates in several],
            privileged=privileged,
            epochs=ceil(STEPS / ceil(known / BATCH)),
            verbose=False,
        )

    def _squares(self, model: DistilledModel, hours: pd.DatetimeIndex) -> float:
        """Mean squared error of the forecasts of some hours."""
        covariates = self.covariates.slice(hours[0] - self.before * self.covariates.freq, hours[-1])
        blank = TimeSeries.from_times_and_values(covariates.time_index, np.zeros((len(covariates), 1), np.float32))
        forecasts = model.historical_forecasts(
            blank, past_covariates=covariates, retrain=False, last_points_only=True, verbose=False
        )
        found = pd.Series(forecasts.values()[:, 0], forecasts.time_index)
        return float(np.square(found.reindex(hours) - self.truth.reindex(hours)).mean())


def network_row(cell: Cell) -> dict[str, Any]:
    """Test errors of all arms of a cell."""
    part, students, row = begun(cell)
    task, trainings = prepared(cell, part, students.labels)
    row["mse linear"] = students.alone().error
    for name, training in trainings.items():
        try:
            row[f"mse {name}"] = task.error(training)
        except ValueError as error:
            row["failures"] += f"{name}: {error}; "
    return row


def prepared(cell: Cell, part: Part, labels: np.ndarray) -> tuple[Task, Mapping[str, Training]]:
    """The task of a cell, and what each arm is trained on; targets in units of the labels `[N]`."""
    family, data = family_of(cell), readings(cell.family, cell.series)
    train, test = parts(family, cell.fold, len(data.target))
    before = LOOKBACK - 1 + family.horizon
    level, scale = float(np.nanmean(labels)), float(np.nanstd(labels))
    read = slice(train.start - before, test.stop)
    angle = 2 * np.pi * data.times[read].hour.to_numpy() / DAY
    mean, spread = np.nanmean(data.inputs[train], axis=0), np.nanstd(data.inputs[train], axis=0)
    spread[spread == 0] = 1

    def covariates(inputs: np.ndarray) -> TimeSeries:
        values = np.column_stack([(inputs[read] - mean) / spread, np.sin(angle), np.cos(angle)])
        return TimeSeries.from_times_and_values(data.times[read], values.astype(np.float32))

    task = Task(
        cell,
        data.times[train.start - before : train.stop],
        before,
        covariates(data.inputs),
        pd.Series((data.target - level) / scale, data.times),
        held_out(np.isfinite(labels), LOOKBACK)[2],
        data.times[test][np.isfinite(data.target[test])],
    )
    own, truth = (labels - level) / scale, (part.truth - level) / scale
    ridge = Reconstruction("read", "ridge")
    trainings = {
        "labels": Training(own),
        "privileged": Training(own, part.privileged, ridge),
        "one neighbour": Training(own, part.privileged, Reconstruction("read", "one-neighbour")),
        "placebo": Training(own, placebo(part), ridge),
        "self-trained": Training(own, np.where(part.usable[:, None], part.x, np.nan), ridge),
        "smoothed": Training(own, smoothed(own, SMOOTH_GAP, SMOOTH_WIDTH)[:, None]),
    }
    if data.siblings:
        others = tuple(((target[train] - level) / scale, covariates(inputs)) for target, inputs in data.siblings)
        trainings["pooled"] = Training(own, siblings=others)
    trainings["oracle"] = Training(truth)
    return task, trainings
