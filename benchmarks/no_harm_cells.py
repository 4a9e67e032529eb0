"""Cells of the benchmark of harm: teachers, what each balance trusts them, and errors of linear students."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from darts import TimeSeries
from darts.models import LinearRegressionModel, NLinearModel
from no_harm_data import pooled, source

from tskd import DistilledModel, Reconstruction, Teacher
from tskd._core.rng import isolated_randomness
from tskd._core.series import SeriesBundle
from tskd._core.window_keys import WindowSpan, training_keys, unique
from tskd.balance import AutoBalance
from tskd.distillation.expected.chosen_balance import BalanceChoice, choice_of
from tskd.distillation.expected.held_out import HeldOut
from tskd.distillation.fit_options import FitOptions
from tskd.distillation.preflight import prepare
from tskd.privileged import CostlySensors

LOOKBACK = 24
# windows of the test part, and steps of the archive per window of the training part
TEST, ARCHIVE = 400, 3
PENALTIES = np.logspace(-4, 2, 13)
FIXED = (0.25, 0.5, 1.0)
GRID = (0.0, 0.25, 0.5, 1.0)
HINDSIGHT = np.linspace(0, 1, 11)
GOOD = ("self", "privileged", "reconstruction", "archive")
USELESS = ("constant", "shifted", "noise", "reversed", "amplified", "other", "wrong")


@dataclass(frozen=True)
class Group:
    """Cells that share their data: one for each teacher.

    Attributes:
        name: of the source, or of series of one kind.
        horizon: steps that are forecast.
        windows: of the training part.
        fold: 0 the latest.
        labels: `"all"`, `"block"` (the last sixth) or `"scattered"` (every seventh step).
    """

    name: str
    horizon: int
    windows: int
    fold: int
    labels: str = "all"
    pooled: bool = False

    @property
    def key(self) -> str:
        kind = "pooled" if self.pooled else self.labels
        return f"{self.name}_{self.horizon}_{self.windows}_{self.fold}_{kind}".replace(" ", "-")


@dataclass(frozen=True, eq=False)
class Part:
    """One series of a group: archive, training and test part, one after the other.

    Attributes:
        values, labels: of the target `[T]`, with all values, and with NaN where a label is hidden.
        privileged: `[T, M]`.
        inputs: of a soft sensor, where labels are few `[T, P]`; else `[T, 0]`.
        other: another series `[T]`.
        start, end: of the training part; the archive lies before, the test part after it.
    """

    values: np.ndarray
    labels: np.ndarray
    privileged: np.ndarray
    inputs: np.ndarray
    other: np.ndarray
    start: int
    end: int
    freq: str

    def series(self, values: np.ndarray, name: str, first: int, end: int) -> TimeSeries:
        values = values.reshape(len(values), -1)[first:end]
        times = pd.date_range("2001-01-01", periods=first + len(values), freq=self.freq)[first:]
        columns = [f"{name}{number}" for number in range(values.shape[1])]
        return TimeSeries.from_times_and_values(times, values, columns=columns)


def parts_of(group: Group) -> list[Part]:
    """The series of a group, standardised by their training part.

    Raises:
        ValueError: the data are too short for the fold.
    """
    if group.pooled:
        table, freq = pooled(group.name)
        columns = [(table[:, number], np.delete(table, number, 1)) for number in range(table.shape[1])]
        return [_part(group, target, others, others[:, -1], freq) for target, others in columns]
    found = source(group.name)
    return [_part(group, found.target, found.privileged, found.other, found.freq)]


def _part(group: Group, target: np.ndarray, privileged: np.ndarray, other: np.ndarray, freq: str) -> Part:
    train = group.windows + LOOKBACK + group.horizon - 1
    test = min(TEST, len(target) // 6)
    end = len(target) - test - group.horizon - group.fold * max(train // 2, test)
    first = max(0, end - train - ARCHIVE * group.windows)
    if end - train < LOOKBACK + 2 * group.horizon + group.windows // 2:
        raise ValueError(f"{group.name} has too few steps for fold {group.fold}")
    rows = slice(first, end + test + group.horizon)
    start, stop = end - train - first, end - first
    target, other = _standardised(target[rows], start, stop), _standardised(other[rows], start, stop)
    labels, steps = target.copy(), np.arange(len(target))
    if group.labels == "block":
        labels[(steps >= start) & (steps < stop - train // 6)] = np.nan
    elif group.labels == "scattered":
        labels[(steps >= start) & (steps < stop) & ((stop - 1 - steps) % 7 > 0)] = np.nan
    # half of what is known of the same time is at hand in use
    seen = 0 if group.labels == "all" else privileged.shape[1] // 2
    inputs, privileged = np.split(privileged[rows], [seen], axis=1)
    return Part(target, labels, privileged, inputs, other, start, stop, freq)


def _standardised(values: np.ndarray, start: int, stop: int) -> np.ndarray:
    own = values[start:stop]
    return (values - own.mean()) / max(own.std(), 1e-9)


def teachers(group: Group, parts: Sequence[Part], end: int | None = None) -> Mapping[str, Any]:
    """Teachers by name, unfitted but for the archive's and those from outside.

    Args:
        end: of the training part, if it is cut short.
    """
    horizon, rng = group.horizon, np.random.default_rng(group.fold)
    few = {"lags": None, "sees_inputs": False} if group.labels != "all" else {"lags": LOOKBACK, "sees_inputs": True}
    privileged = LinearRegressionModel(few["lags"], LOOKBACK, output_chunk_length=horizon)

    def given(name: str, values: Sequence[np.ndarray]) -> Any:
        answers = [part.series(v, "y", part.start, end or part.end) for part, v in zip(parts, values, strict=True)]
        return Teacher.from_series(answers, name=name)

    found: dict[str, Any] = {
        "privileged": Teacher(
            privileged, CostlySensors("z"), "privileged", sees_inputs=few["sees_inputs"], cross_fit=4
        ),
        "reconstruction": Reconstruction("z", name="reconstruction"),
        "reversed": Reconstruction("reversed", name="reversed"),
        "constant": given("constant", [np.full(len(part.values), 0.5) for part in parts]),
        "shifted": given("shifted", [part.values + 1 for part in parts]),
        "noise": given("noise", [rng.normal(size=len(part.values)) for part in parts]),
        "amplified": given("amplified", [3 * part.values for part in parts]),
        "other": given("other", [part.other for part in parts]),
        "wrong": given("wrong", [-part.values for part in parts]),
    }
    if group.labels == "all":
        model = LinearRegressionModel(LOOKBACK, output_chunk_length=horizon)
        found["self"] = Teacher(model, name="self", cross_fit=4)
        archive = [part.series(part.values, "y", 0, part.start) for part in parts]
        if min(map(len, archive)) > 2 * (LOOKBACK + horizon):
            found["archive"] = Teacher(model.untrained_model(), name="archive").fit(archive)
    return {name: found[name] for name in (*GOOD, *USELESS) if name in found}


@dataclass(frozen=True, eq=False)
class Judged:
    """What is known of one teacher after its fit.

    Attributes:
        answers: for the training windows `[N, H]`, NaN where there is none.
        choices: of the prudent and the bold automatic balance.
        held_out: that they follow from; None if nothing was chosen.
    """

    answers: np.ndarray
    choices: Mapping[str, BalanceChoice]
    held_out: HeldOut | None = None


def judge(group: Group, parts: Sequence[Part], teacher: Any, end: int | None = None, choose: bool = True) -> Judged:
    """Fit a teacher, and let `AutoBalance` choose, by what `DistilledModel.fit` calls."""
    cut = [replace(part, end=end or part.end) for part in parts]
    labels = [part.series(part.labels, "y", part.start, part.end) for part in cut]
    hidden = {"z": [part.series(part.privileged, "z", part.start, part.end) for part in cut]}
    hidden["reversed"] = [series.with_values(series.values()[::-1].copy()) for series in hidden["z"]]
    blind, balance = group.labels != "all", AutoBalance()
    x = [part.series(part.inputs, "x", part.start, part.end) for part in cut] if blind else None
    student = NLinearModel(LOOKBACK, group.horizon, normalize=False)
    model = DistilledModel(student, teacher, balance=balance, soft_sensor=blind)
    recipe = model._recipe()
    train = SeriesBundle.of(labels, x).with_privileged(
        {name: hidden[name] for name in recipe.series_names}, recipe.series_names
    )
    with isolated_randomness(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("tskd").setLevel(logging.ERROR)
        prepared = prepare(recipe, train, None, FitOptions(), {})
        fitted = [one.fit(prepared.options, prepared.student.series) for one in prepared.teachers]
        choices: dict[str, BalanceChoice] = {}
        held_out = None
        if choose:
            held_out = HeldOut.of(prepared, fitted, balance.folds)
            choices = {rule: choice_of(held_out, recipe.names, rule == "bold") for rule in ("prudent", "bold")}
        span = WindowSpan(LOOKBACK, group.horizon)
        keys = unique(training_keys([part.end - part.start for part in cut], span))
        answers, _ = fitted[0][1].forecasts(keys)
    values = answers[..., 0].double().numpy()
    values = np.broadcast_to(values, (len(keys), group.horizon)) if values.shape[1] == 1 else values
    return Judged(values, choices, held_out)
