"""Training where labels, inputs or privileged values are missing, against least squares on what is there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from darts import TimeSeries

from tests.helpers.closed_form import LBFGS, H, L, forecasts, linear, noise, scripted, windows
from tskd import DistilledModel

SERIES = noise(160, 2)
LAB = noise(160, 1, seed=7, name="lab")


def punched(series: TimeSeries, share: float, seed: int = 5, value: float = np.nan) -> TimeSeries:
    """The series with a random share of its values replaced, each component by itself."""
    values = series.values().copy()
    values[np.random.default_rng(seed).random(values.shape) < share] = value
    return series.with_values(values)


def cut(series: TimeSeries, start: int, end: int, component: int | None = None, value: float = np.nan) -> TimeSeries:
    values = series.values().copy()
    values[start:end, slice(None) if component is None else component] = value
    return series.with_values(values)


def least_squares(inputs: np.ndarray, target: np.ndarray, weights: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Fitted values at some inputs `[N, H, C]`, with a weight for every label; those of weight 0 may be anything."""
    fitted = np.empty((len(at), *target.shape[1:]))
    for h, c in np.ndindex(target.shape[1:]):
        rows = weights[:, h, c] > 0
        root = np.sqrt(weights[rows, h, c])
        fitted[:, h, c] = at @ np.linalg.lstsq(root[:, None] * inputs[rows], root * target[rows, h, c], rcond=None)[0]
    return fitted


def complete_windows(series: TimeSeries) -> tuple[np.ndarray, np.ndarray]:
    inputs, labels = windows(series)
    usable = np.isfinite(inputs).all(1)
    return inputs[usable], labels[usable]


def exact() -> Any:
    """A linear student that is trained until nothing changes any more."""
    return linear(optimizer_kwargs=LBFGS | {"history_size": 60, "tolerance_change": 0})


def test_without_a_teacher_training_is_least_squares_on_the_labels_that_exist() -> None:
    gappy = punched(SERIES, 0.06)
    inputs, labels = complete_windows(gappy)
    known = np.isfinite(labels)
    assert 0.5 < known.mean() < 1 and known.any((1, 2)).all()

    student = exact()
    model = DistilledModel(student, balance=0).fit(gappy)

    expected = least_squares(inputs, labels, known.astype(float), windows(SERIES)[0])
    assert np.abs(forecasts(student, SERIES) - expected).max() < 1e-6
    listed = len(SERIES) - L - H + 1
    assert model.windows is not None
    assert (model.windows.labels, model.windows.incomplete) == (len(inputs), listed - len(inputs))


@pytest.mark.parametrize("alpha", [0.3, 1.0])
def test_with_a_teacher_it_is_the_regression_on_blends_and_on_the_teacher_alone(alpha: float) -> None:
    """Every step counts once: with both, the blended target; with one, that, by its share in the balance."""
    gappy = punched(SERIES, 0.06)
    inputs, labels = complete_windows(gappy)
    usable = np.isfinite(windows(gappy)[0]).all(1)
    teacher = scripted(SERIES, lambda y, _: torch.sin(y))
    # forecasts of a script on the series without gaps, by origin
    soft = np.sin(windows(SERIES)[1])[usable]
    answers = {origin: value for origin, value in enumerate(np.sin(windows(SERIES)[1]), start=L - 1)}
    teacher.answer = lambda y, keys: torch.tensor(np.array([answers[int(origin)] for origin in keys[:, 1]]))
    known = np.isfinite(labels)

    student = exact()
    DistilledModel(student, teacher, balance=alpha).fit(gappy)

    target = np.where(known, alpha * soft + (1 - alpha) * np.nan_to_num(labels), soft)
    weights = np.where(known, 1.0, alpha)
    expected = least_squares(inputs, target, weights, windows(SERIES)[0])
    assert np.abs(forecasts(student, SERIES) - expected).max() < 1e-6
