"""Training where labels, inputs or privileged values are missing, against least squares on what is there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from darts import TimeSeries
from darts.models import DLinearModel, LinearRegressionModel

from tests.helpers.closed_form import LBFGS, H, L, forecasts, linear, noise, scripted, windows
from tests.helpers.models import fast
from tskd import DistilledModel, Reconstruction, Teacher

SERIES = noise(160, 2)
LAB = noise(160, 1, seed=7, name="lab")


def punched(series: TimeSeries, share: float) -> TimeSeries:
    """The series without a random share of its values, of each component by itself."""
    values = series.values().copy()
    values[np.random.default_rng(5).random(values.shape) < share] = np.nan
    return series.with_values(values)


def cut(series: TimeSeries, start: int, end: int) -> TimeSeries:
    """The series without the values of some steps."""
    values = series.values().copy()
    values[start:end] = np.nan
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


def test_a_reconstruction_that_is_asked_to_fills_the_past_and_never_the_labels() -> None:
    """Least squares of the true labels on lookbacks whose gaps are filled; without being asked, those are left out."""
    gappy = cut(punched(SERIES, 0.05), 40, 70)
    lab = SERIES.map(lambda values: values + np.sin(np.arange(values.size)).reshape(values.shape) / 9)
    longer = lab.append_values(np.full((5, 2, 1), 1e3))
    filled = Reconstruction("lab").fit(gappy, {"lab": lab}).filled(gappy, {"lab": lab})[0]
    assert np.isfinite(filled.values()).all()
    inputs, _ = windows(filled)
    _, labels = windows(gappy)
    known = np.isfinite(labels)

    students = {}
    for fills in (True, False):
        students[fills] = exact()
        model = DistilledModel(students[fills], Reconstruction("lab", fills_past=fills), balance=0)
        # a privileged value after the end of training is never read
        model.fit(gappy, privileged={"lab": longer})
        assert model.windows is not None
        assert (model.windows.incomplete == 0) is fills
        assert model.windows.used == int(known.any((1, 2)).sum()) if fills else len(complete_windows(gappy)[0])

    expected = least_squares(inputs, labels, known.astype(float), windows(SERIES)[0])
    assert np.abs(forecasts(students[True], SERIES) - expected).max() < 1e-6
    assert np.abs(forecasts(students[False], SERIES) - expected).max() > 1e-3
    with pytest.raises(ValueError, match=r"series has missing values at 2020-01-03 17:00:00, .* and 2 more steps"):
        model.predict(H, series=gappy[:70])


def test_a_soft_sensor_has_no_past_to_fill() -> None:
    with pytest.raises(ValueError, match="teacher 'Reconstruction' has fills_past=True: a soft sensor sees no past"):
        DistilledModel(exact(), Reconstruction("lab", fills_past=True), soft_sensor=True)


def test_a_teacher_that_is_silent_wherever_labels_are_missing_is_warned_of() -> None:
    gappy = cut(SERIES, 0, 120)
    teacher = Teacher(LinearRegressionModel(lags=4, output_chunk_length=H), name="plain")
    student = DLinearModel(L, H, **fast())
    with pytest.warns(UserWarning, match="teacher 'plain' is silent in all 113 windows without a label"):
        model = DistilledModel(student, teacher, soft_sensor=True)
        model.fit(gappy, past_covariates=LAB)
    assert model.windows is not None and model.windows.teachers == 0


def test_a_validation_part_whose_every_past_has_a_gap_is_filled_too() -> None:
    """Without privileged values of the validation part, no window of it is left."""
    gaps = np.arange(len(SERIES))[:, None, None] % L == 0
    gappy = SERIES.map(lambda values: np.where(gaps, np.nan, values))
    assert not len(complete_windows(gappy)[0])
    student = DLinearModel(L, H, **fast())
    model = DistilledModel(student, Reconstruction("lab", fills_past=True), balance=0)
    data = {"privileged": {"lab": SERIES}, "val_series": gappy}
    model.fit(cut(SERIES, 40, 43), **data, val_privileged={"lab": SERIES})
    assert np.isfinite(float(student.trainer.callback_metrics["val_loss"]))

    with pytest.raises(ValueError, match="no validation window has all inputs of the student"):
        DistilledModel(DLinearModel(L, H, **fast()), Reconstruction("lab", fills_past=True), balance=0).fit(
            cut(SERIES, 40, 43), **data
        )


def test_a_teacher_that_was_fitted_on_few_labels_keeps_darts_own_step() -> None:
    model = DistilledModel(DLinearModel(L, H, **fast()), Teacher(DLinearModel(L, H, **fast())), balance=0.5)
    model.fit(punched(SERIES, 0.05))
    assert "_train_val_step" not in vars(model.teachers[0].models[0].model)
