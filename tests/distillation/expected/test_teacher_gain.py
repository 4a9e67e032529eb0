"""What is said of one teacher: its overlap with the student's inputs, its share at a balance, and words for it."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from darts import TimeSeries
from darts.models import LinearRegressionModel, NLinearModel, TiDEModel
from sklearn.linear_model import Ridge, RidgeCV

from tests.helpers.models import fast
from tests.helpers.series import walk
from tskd import DistilledModel, ExpectedGain, Reconstruction, Teacher, expected_gain
from tskd.balance import AutoBalance, ScheduledBalance
from tskd.distillation.expected.canonical import canonical_correlations, contained
from tskd.distillation.expected.gain_text import WIDTH, percent
from tskd.distillation.expected.stacking import BlockSums
from tskd.distillation.expected.teacher_gain import best_share
from tskd.privileged import CostlySensors
from tskd.weighting import Fixed

L, H = 6, 2
# two series of unequal lengths and starts, two components of unequal scale, two sensors
LENGTHS, STARTS = (300, 190), ("2020-01-01", "2020-01-05")


@pytest.fixture(autouse=True)
def _quiet_darts(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, logger="darts")


def autoregression(length: int, components: int, rng: np.random.Generator) -> np.ndarray:
    values = rng.normal(size=(length, components))
    for step in range(1, length):
        values[step] += 0.9 * values[step - 1]
    return values


def made(number: int) -> tuple[TimeSeries, TimeSeries, np.ndarray]:
    """Two targets, noisy measurements of two autoregressions, a sensor of each (the second one is poor), and what the
    targets measure."""
    rng, length = np.random.default_rng(10 + number), LENGTHS[number]
    signal = autoregression(length, 2, rng)
    target = (signal + 1.2 * rng.normal(size=(length, 2))) * [1, 20] + [0, 300]
    sensor = signal + np.array([0.1, 2]) * rng.normal(size=(length, 2))
    base = walk(length, 2, start=STARTS[number], dtype="float64")
    named = walk(length, 2, name="z", start=STARTS[number], dtype="float64")
    return base.with_values(target), named.with_values(sensor), signal * [1, 20] + [0, 300]


TARGETS, SENSORS, SIGNALS = (list(items) for items in zip(made(0), made(1), strict=True))
PRIVILEGED = {"z": SENSORS}


def student(kind: Any = NLinearModel, lookback: int = L) -> Any:
    return kind(lookback, H, **fast())


def linear(name: str, lags: int = L, sensor: bool = False, **kwargs: Any) -> Any:
    sources = CostlySensors("z", until=0) if sensor else None
    lagged = {"lags_past_covariates": [-3, -1]} if sensor else {}
    return Teacher(LinearRegressionModel(lags, output_chunk_length=H, **lagged), sources, name, **kwargs)


def expected(teachers: Any, balance: Any = 0.5, kind: Any = NLinearModel, **kwargs: Any) -> ExpectedGain:
    teachers = teachers if isinstance(teachers, list) else [teachers]
    needed = PRIVILEGED if any(teacher.names for teacher in teachers) else None
    return expected_gain(DistilledModel(student(kind), teachers, balance=balance, **kwargs), TARGETS, privileged=needed)


def given(values: list[np.ndarray], name: str = "given") -> Any:
    series = [target.with_values(one) for target, one in zip(TARGETS, values, strict=True)]
    return Teacher.from_series(series, name=name)


def lagged(series: list[TimeSeries], lags: list[int]) -> np.ndarray:
    """Values at some lags, -1 the origin, of all windows with labels, one series after the other."""
    parts = []
    for one in series:
        values = one.values()
        parts += [
            np.concatenate([values[origin + 1 + lag] for lag in lags]) for origin in range(L - 1, len(values) - H)
        ]
    return np.array(parts)


def ahead(series: list[TimeSeries]) -> np.ndarray:
    """Values at the steps of the horizon, of the same windows."""
    parts = [(one.values(), range(L - 1, len(one) - H)) for one in series]
    return np.array([values[origin + 1 : origin + 1 + H].ravel() for values, origins in parts for origin in origins])


def standardised(values: np.ndarray) -> np.ndarray:
    return (values - values.mean(0)) / values.std(0)


def test_correlations_are_those_of_what_a_regression_reads() -> None:
    """By the singular values of whitened lag matrices; the lag between those that are read does not count."""
    found = expected(linear("sensors", lags=2, sensor=True)).teachers[0]
    past = lagged(TARGETS, list(range(-L, 0)))
    # relative to the last value is the same span, but other principal components: here all 12 are kept
    reads = standardised(np.hstack([lagged(TARGETS, [-2, -1]), lagged(SENSORS, [-3, -1])]))
    white = [np.linalg.svd(part - part.mean(0), full_matrices=False)[0] for part in (past, reads)]
    assert found.overlap.of == "inputs"
    assert found.correlations == pytest.approx(np.linalg.svd(white[0].T @ white[1], compute_uv=False), abs=1e-9)
    # the target's two lags are both the student's
    assert found.correlations[:4] == pytest.approx([1, 1, 1, 1]) and found.correlations[4] < 0.99
    assert 0.3 < found.overlap.contained < 0.95


def test_a_network_reads_its_windows_and_hidden_steps_are_none_of_them() -> None:
    sensors = CostlySensors("z", until=0)
    blind = Teacher(TiDEModel(L, H, **fast()), sensors, "blind", sees_inputs=False)
    seeing = Teacher(TiDEModel(L, H, **fast()), sensors, "seeing")
    found = expected([blind, seeing])
    past, reads = lagged(TARGETS, list(range(-L, 0))), lagged(SENSORS, list(range(-L, 0)))
    assert found.teachers[0].correlations == pytest.approx(canonical_correlations(past, standardised(reads), 20))
    assert found.teachers[0].overlap.contained < 0.9
    assert found.teachers[1].overlap.contained == pytest.approx(1)


def test_what_does_not_read_windows_is_compared_by_its_answers() -> None:
    found = expected([Reconstruction("z"), given([one.values() for one in SENSORS])])
    assert [one.overlap.of for one in found.teachers] == ["answers", "answers"]
    assert all(0.2 < one.correlations[0] < 1 and np.isnan(one.overlap.contained) for one in found.teachers)
    # answers are relative to the last value of the target's past, in standard deviations of such labels
    answers = ahead(SENSORS) - np.tile(lagged(TARGETS, [-1]), H)
    labels = (ahead(TARGETS) - np.tile(lagged(TARGETS, [-1]), H)).reshape(-1, 2)
    by_hand = canonical_correlations(lagged(TARGETS, [*range(-L, 0)]), answers / np.tile(labels.std(0), H), 20)
    assert found.teachers[1].correlations == pytest.approx(by_hand)


def test_the_contained_share_is_the_adjusted_r2_of_least_squares() -> None:
    rng = np.random.default_rng(0)
    others = rng.normal(size=(60, 5)) * [1, 10, 100, 1, 1]
    own = np.column_stack([others[:, 0] + rng.normal(size=60), rng.normal(size=60)])
    fits = [sm.OLS(column, sm.add_constant(others)).fit() for column in own.T]
    total = own.var(0).sum()
    by_hand = sum(fit.rsquared_adj * column.var() for fit, column in zip(fits, own.T, strict=True)) / total
    assert contained(own, others) == pytest.approx(by_hand)
    assert contained(others[:, :2] @ [[1, 2], [3, 4]], others) == pytest.approx(1)
    assert np.isnan(contained(own[:11], others[:11])) and not np.isnan(contained(own[:12], others[:12]))
    assert np.isnan(contained(np.ones((60, 2)), others))


def test_a_nested_teacher_tells_a_linear_student_nothing() -> None:
    both = expected([linear("nested"), linear("shorter", lags=2)])
    nested, shorter = both.teachers
    assert nested.overlap.contained == pytest.approx(1) and shorter.overlap.contained < 0.9
    said = "contains the student's inputs"
    assert said in nested.verdict and said not in shorter.verdict
    assert nested.change.low < 0 < nested.change.high and abs(nested.change.change) < 0.02
    # the two together are not nested
    assert said not in both.verdict and said in expected(linear("nested")).verdict


def test_older_data_are_those_that_a_teacher_was_fitted_on_elsewhere() -> None:
    older = [walk(260, 2, seed=5, start="2018-01-01", dtype="float64")] * 2
    elsewhere, here = linear("elsewhere").fit(older), linear("here").fit(TARGETS)
    assert "older data" in expected(elsewhere).verdict
    assert "older data" not in expected(here).verdict
    both = expected([elsewhere, here])
    assert ["older data" in one.verdict for one in both.teachers] == [True, False]
    # what it learned from is not the student's
    assert "contains" not in both.teachers[0].verdict and "contains" in both.teachers[1].verdict


def test_useless_teachers_get_no_share_and_no_gain() -> None:
    rng = np.random.default_rng(3)
    noise = given([rng.normal(size=(length, 2)) * [1, 20] + [0, 300] for length in LENGTHS], "noise")
    trusting, believing = expected(noise, AutoBalance()), expected(noise, 1.0)
    assert trusting.teachers[0].balance == trusting.change.change == 0
    assert trusting.verdict.startswith("Teachers have no share")
    assert believing.verdict.startswith("No gain can be told") and believing.change.change > 0.1
    assert believing.best_balance < 0.2 and "AutoBalance" not in believing.verdict


def test_scattered_labels_come_first_where_one_stretch_does_not_cover_the_rest() -> None:
    known = [np.arange(length) >= length - 90 for length in LENGTHS]
    few = [one.with_values(np.where(k[:, None], one.values(), np.nan)) for one, k in zip(TARGETS, known, strict=True)]
    inputs = [
        one.with_values(one.values() * np.where(k[:, None], 0.2, 3.0)) for one, k in zip(SENSORS, known, strict=True)
    ]
    poor = Teacher.from_series([one[::1] * 0 for one in TARGETS], name="constant")
    model = DistilledModel(student(lookback=2), poor, soft_sensor=True)
    found = expected_gain(model, few, past_covariates=inputs)
    assert found.coverage > 2 and found.labelled < found.windows / 2
    assert "Try first: labels scattered over the history" in found.verdict


def test_a_balance_is_a_larger_share_where_windows_have_no_label() -> None:
    """α weighs teachers in all windows, 1 − α labels in those that have one."""
    hidden = [np.arange(length) % 7 >= 3 for length in LENGTHS]
    few = [one.with_values(np.where(k[:, None], np.nan, one.values())) for one, k in zip(TARGETS, hidden, strict=True)]
    model = DistilledModel(student(), given([one.values() for one in TARGETS]), balance=0.3, soft_sensor=True)
    found = expected_gain(model, few, past_covariates=SENSORS)
    answers = labels = 0
    for k in hidden:
        for origin in range(L - 1, len(k) - H):
            answers += H
            labels += int((~k[origin + 1 : origin + 1 + H]).sum())
    assert labels < answers / 2
    share = 0.3 * answers / (0.3 * answers + 0.7 * labels)
    assert found.teachers[0].balance == pytest.approx(share, rel=1e-3)
    everywhere = expected_gain(model, TARGETS, past_covariates=SENSORS)
    assert everywhere.teachers[0].balance == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("balance", "weighting", "shares"),
    [
        (0.6, None, [0.3, 0.3]),
        (0.6, Fixed({"b": 3, "a": 1}), [0.15, 0.45]),
        (0.6, Fixed([2, 1]), [0.4, 0.2]),
        (ScheduledBalance(0.8, warm_up=3), None, [0.4, 0.4]),
        (ScheduledBalance(0.8, hold=2, decay=2, final=0.2), None, [0.1, 0.1]),
    ],
)
def test_shares_are_those_of_the_last_epoch_and_of_given_weights(balance: Any, weighting: Any, shares: Any) -> None:
    answers = [one.values() for one in TARGETS]
    found = expected([given(answers, "a"), given(answers, "b")], balance, weighting=weighting)
    assert [one.balance for one in found.teachers] == pytest.approx(shares)


def test_the_best_share_of_given_weights_minimises_the_held_out_error() -> None:
    rng = np.random.default_rng(4)
    errors = rng.normal(size=(50, 1))
    differences = np.stack([errors + 0.5 * rng.normal(size=(50, 1)), rng.normal(size=(50, 1))])
    sums, weights = BlockSums.of(errors, differences, np.arange(50) // 5), np.array([0.7, 0.3])
    mixed = np.tensordot(weights, differences, 1)
    tried = {share: np.square(errors - share * mixed).sum() for share in np.linspace(0, 1, 21)}
    assert best_share(sums, weights) == pytest.approx(min(tried, key=lambda share: tried[share]))
    assert 0 < best_share(sums, weights) < 1


def windows(values: np.ndarray, answers: np.ndarray, lookback: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs of variance 1, labels and answers of a univariate series, relative to the last value of the past."""
    at = np.arange(lookback - 1, len(values) - H)
    past = np.stack([values[origin + 1 - lookback : origin + 1] for origin in at])
    last = past[:, -1:]
    targets = [np.stack([one[origin + 1 : origin + 1 + H] for origin in at]) - last for one in (values, answers)]
    return standardised(np.hstack([past[:, :-1] - last, last])), *targets


@pytest.mark.parametrize(("sign", "noise", "alpha"), [(1, 0, 1.0), (-1, 1.5, 0.5)])
def test_the_interval_holds_what_ridge_students_realise_on_data_that_follow(
    sign: int, noise: float, alpha: float
) -> None:
    """Students of labels and of blends with a teacher's answers, by scikit-learn, judged on ten times as much data."""
    rng, count, lookback = np.random.default_rng(6), 500, 12
    signal = autoregression(11 * count, 1, rng)[:, 0]
    values = signal + 1.5 * rng.normal(size=len(signal))
    answers = sign * (signal + noise * rng.normal(size=len(signal)))
    series = walk(count, dtype="float64").with_values(values[:count, None])
    teacher = Teacher.from_series(series.with_values(answers[:count, None]), name="given")
    found = expected_gain(DistilledModel(student(lookback=lookback), teacher, balance=alpha), series)
    inputs, labels, told = windows(values[:count], answers[:count], lookback)
    later, truth, _ = windows(values[count:], answers[count:], lookback)
    penalty = RidgeCV(alphas=len(inputs) * 10.0 ** np.arange(-4, 2.5, 0.5)).fit(inputs, labels).alpha_
    errors = [
        np.square(truth - Ridge(penalty).fit(inputs, target).predict(later)).mean()
        for target in (labels, (1 - alpha) * labels + alpha * told)
    ]
    realised = errors[1] / errors[0] - 1
    assert found.change.low < realised < found.change.high
    assert found.change.change == pytest.approx(realised, abs=0.02, rel=0.25)


def test_the_text_is_aligned_and_fits_a_terminal() -> None:
    rng = np.random.default_rng(8)
    wild = given([1e4 * rng.normal(size=(length, 2)) for length in LENGTHS], "a name that is far too long for a column")
    found = expected([wild, linear("short")])
    lines = str(found).splitlines()
    assert max(map(len, lines)) <= WIDTH <= 80
    head = next(number for number, line in enumerate(lines) if line.startswith("teacher "))
    rows = lines[head : head + 4]
    assert rows[1].startswith("a name") and "…" in rows[1] and rows[2].startswith("short ")
    assert rows[3].startswith("together ") and re.search(r" 0\.50 ", rows[3])
    # numbers end where their head does
    end = rows[0].index("trust") + len("trust")
    assert all(re.fullmatch(r".* \d\.\d\d", row[:end]) for row in rows[1:])
    assert "together" not in str(expected(linear("short")))
    assert [percent(value) for value in (-0.0123, 9.9, 10.5, 1e5)] == ["-1.2%", "+990.0%", "+1050%", ">+99999%"]


def test_the_table_has_a_row_for_each_teacher() -> None:
    found = expected([linear("one"), Reconstruction("z", name="two")])
    table = found.table()
    assert table.index.tolist() == ["one", "two"] and table.index.name == "teacher"
    assert table.correlation_of.tolist() == ["inputs", "answers"]
    assert (table.rows_per_parameter == found.effective_windows / found.parameters).all()
    for one in found.teachers:
        row = table.loc[one.name]
        assert (row.low, row.change, row.high) == (one.change.low, one.change.change, one.change.high)
        assert (row.best_low, row.best_high) == (one.best_change.low, one.best_change.high)
        assert row.explained == 1 - one.unexplained and row.verdict == one.verdict
    assert replace(found) == found


def test_a_fit_logs_the_change_that_its_automatic_balance_predicts(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="tskd")
    model = DistilledModel(student(), given(SIGNALS), balance=AutoBalance())
    before = expected_gain(model, TARGETS)
    caplog.clear()
    model.fit(TARGETS, verbose=False)
    said = [record.getMessage() for record in caplog.records if "expected change of the error" in record.getMessage()]
    assert len(said) == 1 and said[0].endswith(f"expected change of the error {before.change}")
    assert before.change.change < 0
