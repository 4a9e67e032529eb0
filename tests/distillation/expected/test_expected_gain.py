"""What is expected before a student is trained: figures by independent formulas, and words that follow from them."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from darts import TimeSeries
from darts.models import LinearRegressionModel, NLinearModel, TiDEModel
from scipy.stats import t

from tests.helpers.models import fast
from tests.helpers.series import moving_average, walk
from tskd import DistilledModel, Reconstruction, Teacher, expected_gain
from tskd.balance import AutoBalance
from tskd.distillation.expected.canonical import canonical_correlations
from tskd.distillation.expected.effective_size import effective_windows, parameters
from tskd.distillation.expected.predicted_change import PredictedChange
from tskd.distillation.expected.stacking import BlockSums
from tskd.distillation.expected.verdict import Facts, verdict
from tskd.privileged import CostlySensors

L, H, N = 30, 4, 420


@pytest.fixture(autouse=True)
def _quiet_darts(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, logger="darts")


def signal() -> np.ndarray:
    values = np.random.default_rng(1).normal(size=N)
    for step in range(1, N):
        values[step] += 0.9 * values[step - 1]
    return values


SIGNAL = signal()
NOISE = np.random.default_rng(2)
Y = walk(N, dtype="float64").with_values((SIGNAL + 1.5 * NOISE.normal(size=N))[:, None])
SENSOR = walk(N, 2, name="z", dtype="float64").with_values(
    np.stack([SIGNAL + 0.1 * NOISE.normal(size=N), NOISE.normal(size=N)], axis=1)
)


def student(kind: Any = NLinearModel) -> Any:
    return kind(L, H, **fast())


def given(values: np.ndarray, name: str = "given") -> Any:
    return Teacher.from_series(Y.with_values(values[:, None]), name=name)


def test_a_good_teacher_and_a_wrong_one_are_told_apart() -> None:
    model = DistilledModel(student(), [given(SIGNAL, "clean"), given(-Y.values()[:, 0], "wrong")], balance=0.5)
    found = expected_gain(model, Y)
    clean, wrong = found.teachers
    assert (clean.name, wrong.name) == ("clean", "wrong")
    assert clean.best_change.change < -0.01 and clean.explained > 0.5 > 0 > wrong.explained
    assert wrong.change.change > 0.03 and wrong.best_balance < 0.1
    # half of the balance each
    assert clean.balance == wrong.balance == 0.25
    assert found.table().index.tolist() == ["clean", "wrong"]
    assert found.table().change["clean"] == clean.change.change
    assert max(map(len, str(found).splitlines()[:2])) <= 100


def test_it_says_what_an_automatic_balance_does() -> None:
    model = DistilledModel(student(), [given(SIGNAL, "clean"), Reconstruction("z")], balance=AutoBalance())
    found = expected_gain(model, Y, privileged={"z": SENSOR})
    fitted = DistilledModel(student(), model.teachers, balance=AutoBalance()).fit(
        Y, privileged={"z": SENSOR}, verbose=False
    )
    chosen = fitted.chosen_balance
    assert chosen is not None and chosen.alpha > 0
    assert {one.name: one.balance for one in found.teachers} == pytest.approx(chosen.shares)
    assert found.change == chosen.expected
    assert "expected change of the error" in str(chosen)


def test_nothing_is_trained_or_changed() -> None:
    network = Teacher(TiDEModel(L, H, **fast()), CostlySensors("z"), "network", cross_fit=3)
    model = DistilledModel(student(TiDEModel), [network, Teacher(LinearRegressionModel(3, output_chunk_length=H))])
    found = expected_gain(model, Y, privileged={"z": SENSOR})
    assert not network.fitted and not model.student.epochs_trained and not any(one.fitted for one in model.teachers)
    assert model.student.model is None
    assert found.teachers[0].explained > 0 and np.isfinite(found.change.low)


def test_a_cross_fitted_network_is_stood_in_for_as_the_fit_would() -> None:
    """Fitted or not, folds are the same, and so are the answers of its stand-in."""
    teacher = Teacher(TiDEModel(8, H, **fast()), CostlySensors("z"), "network", cross_fit=3)
    model = DistilledModel(student(), teacher)
    fitted = DistilledModel(student(), teacher.fit(Y, privileged={"z": SENSOR}))
    before, after = (expected_gain(one, Y, privileged={"z": SENSOR}) for one in (model, fitted))
    assert before.teachers == after.teachers
    plain = DistilledModel(student(), Teacher(TiDEModel(8, H, **fast()), CostlySensors("z"), "network"))
    assert expected_gain(plain, Y, privileged={"z": SENSOR}).teachers != before.teachers


def test_only_the_training_part_counts() -> None:
    early = Y[:360]
    other = SENSOR.with_values(np.where(np.arange(N)[:, None] < 360, SENSOR.values(), 1e4))
    model = DistilledModel(student(), Reconstruction("z"))
    one, two = (expected_gain(model, early, privileged={"z": z}) for z in (SENSOR, other))
    assert one == two


def sums_of(mean: float, blocks: int = 9) -> BlockSums:
    """Of a teacher that students agree with by `mean`, in blocks of which no two are alike."""
    rng = np.random.default_rng(3)
    errors, products, squares = rng.uniform(8, 12, blocks), rng.normal(mean, 0.4, blocks), rng.uniform(1, 2, blocks)
    return BlockSums(errors, products[:, None], squares[:, None, None])


@pytest.mark.parametrize(
    ("mean", "signs"), [(4, (-1, -1, -1)), (0.3, (-1, -1, 1)), (-0.2, (-1, 1, 1)), (-9, (1, 1, 1))]
)
def test_prediction_and_interval_by_hand(mean: float, signs: tuple[int, int, int]) -> None:
    """A gain, two of which no sign can be told, and a harm: the ends that are one are known by their order alone."""
    sums = sums_of(mean)
    found = PredictedChange.of(sums, np.array([0.4]))
    mixed = sums.errors - 0.8 * sums.products[:, 0] + 0.16 * sums.gram[:, 0, 0]
    ratio = mixed.sum() / sums.errors.sum()
    spread = np.sqrt(9 / 8 * np.square(mixed - ratio * sums.errors).sum()) / sums.errors.sum()
    factor = np.exp(3.2 * t.ppf(0.975, 8) * spread / ratio)
    low, high = ratio / factor - 1, ratio * factor - 1
    assert found.change == pytest.approx(ratio - 1)
    assert (np.sign(low), np.sign(ratio - 1), np.sign(high)) == signs
    assert found.low == pytest.approx(low / 3 if signs[0] > 0 else low)
    assert found.high == pytest.approx(3 * high if signs[2] > 0 else high)


def test_no_interval_of_no_trust_and_of_few_blocks() -> None:
    nothing = PredictedChange.of(sums_of(1.0), np.zeros(1))
    assert (nothing.change, nothing.low, nothing.high) == (0, 0, 0)
    few = PredictedChange.of(sums_of(1.0, blocks=4), np.ones(1))
    assert np.isnan(few.low) and str(few).endswith("%")


@pytest.mark.parametrize("smooth", [1, 5, 12])
def test_overlapping_windows_count_as_what_they_are_worth(smooth: int) -> None:
    """Moving averages over k steps: the variance of their mean is that of n/k independent values."""
    values = np.stack([moving_average(4000, seed, smooth) for seed in range(6)], axis=1)
    values[100:140, 2] = np.nan
    origins = np.column_stack([np.zeros(4000, dtype=int), np.arange(4000)])
    mixed = np.random.default_rng(0).permutation(4000)
    assert effective_windows(values[mixed], origins[mixed]) == pytest.approx(4000 / smooth, rel=0.15)


def test_two_series_are_worth_twice_one_and_stride_is_seen() -> None:
    one = moving_average(3000, 1, 6)[:, None]
    origins = np.column_stack([np.zeros(3000, dtype=int), 50 + np.arange(3000)])
    both = np.concatenate([one, moving_average(3000, 2, 6)[:, None]])
    single = effective_windows(one, origins)
    twice = np.concatenate([origins, origins + np.array([1, 0])])
    assert effective_windows(both, twice) == pytest.approx(2 * single, rel=0.2)
    assert effective_windows(one[::6], origins[::6]) == pytest.approx(500, rel=0.1)


def test_parameters_of_a_ridge_regression_are_the_trace_of_its_hat_matrix() -> None:
    x = np.random.default_rng(4).normal(size=(40, 7)) @ np.diag([3, 2, 1, 1, 0.5, 0.2, 0.1])
    centred = x - x.mean(0)
    hat = centred @ np.linalg.solve(centred.T @ centred + 5 * np.eye(7), centred.T)
    assert parameters(x, 5.0) == pytest.approx(1 + np.trace(hat))


def test_canonical_correlations_are_those_of_statsmodels() -> None:
    rng = np.random.default_rng(5)
    a = rng.normal(size=(300, 4))
    b = np.column_stack([a[:, 0] + rng.normal(size=300), a[:, 1] * 3, rng.normal(size=300)])
    expected = sm.multivariate.CanCorr(a, b).cancorr
    assert canonical_correlations(a, b, 10) == pytest.approx(expected)
    # of the first components alone
    assert len(canonical_correlations(a, b, 2)) == 2


def test_the_share_of_estimation_and_the_rows_are_those_of_a_tuned_regression() -> None:
    found = expected_gain(DistilledModel(student(), given(SIGNAL)), Y)
    assert found.windows == found.labelled == N - L - H + 1
    assert 1 < found.parameters <= L + 1
    assert found.windows / 12 < found.effective_windows < found.windows
    assert found.estimation_share == pytest.approx((found.parameters - 1) / (found.effective_windows - 1))
    # noise of the label, 1.5² of 1.5² + 1/(1 − .81), and what a step or four take from the signal
    assert 0.3 < found.unexplained < 0.9


@pytest.mark.parametrize(("every", "noise"), [(5, 0.1), (15, 1.5)], ids=["folds have fewer labels", "shrunken student"])
def test_what_estimation_costs_in_theory_is_not_told_as_a_bound(every: int, noise: float) -> None:
    """It is of all labels and of a student without bias; held-out errors are of fewer labels, and of a shrunken one."""
    draws, row = np.random.default_rng(4), np.arange(N)
    inputs = walk(N, 2, name="x", dtype="float64").with_values(draws.normal(size=(N, 2)))
    clean = sum(np.roll(inputs.values()[:, 0], lag) * 0.8**lag for lag in range(1, 9))
    labels = np.where(row % every == 4, clean + noise * draws.normal(size=N), np.nan)
    model = DistilledModel(NLinearModel(8, 1, **fast()), given(clean), balance=0.9, soft_sensor=True)
    found = expected_gain(model, Y.with_values(labels[:, None]), past_covariates=inputs)
    assert 0 < found.estimation_share < -found.change.change
    assert found.estimation_share == found.table().estimation_share.item()
    text = " ".join(str(found).split())
    assert f"in theory, {found.estimation_share:.0%} of that comes from estimating so many." in text
    assert "at most" not in text


def test_few_labels_of_one_stretch() -> None:
    known = np.arange(N) >= 330
    inputs = SENSOR.with_values(SENSOR.values() * np.where(known, 0.2, 2.0)[:, None])
    series = Y.with_values(np.where(known, inputs.values()[:, 0] + 0.02 * NOISE.normal(size=N), np.nan)[:, None])
    model = DistilledModel(NLinearModel(2, H, **fast()), Reconstruction("z"), soft_sensor=True)
    found = expected_gain(model, series, past_covariates=inputs, privileged={"z": inputs})
    assert found.labelled < 100 < found.windows
    assert found.coverage > 2 and found.teachers[0].explained > 0.7 and found.neighbour > 0.5
    assert "one neighbour" in found.verdict


def test_series_of_several_targets_are_siblings() -> None:
    parts = [Y[:200], Y[200:]]
    answers = [Y.with_values(SIGNAL[:, None])[:200], Y.with_values(SIGNAL[:, None])[200:]]
    found = expected_gain(DistilledModel(student(), Teacher.from_series(answers, name="clean")), parts)
    assert found.siblings == 1


FACTS = Facts(
    change=PredictedChange(-0.05, -0.08, -0.02),
    rows_per_parameter=8,
    coverage=1,
    siblings=0,
    neighbour=0.1,
    explained=0.6,
    effective_blocks=300,
    linear=False,
    linear_is_as_good=False,
    elsewhere=False,
    gain=True,
)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "A gain is expected: error -5.0% [-8.0%, -2.0%]. Try first: AutoBalance()"),
        ({"change": PredictedChange(0.05, 0.02, 0.08)}, "Harm is expected"),
        ({"change": PredictedChange(0.0, -0.02, 0.02)}, "No gain can be told"),
        ({"change": PredictedChange(0.0, 0.0, 0.0)}, "Teachers have no share"),
        ({"effective_blocks": 40}, "worth 40 effective blocks"),
        ({"coverage": 3, "explained": 0.9, "neighbour": 0.8}, "one neighbour"),
        ({"coverage": 3, "explained": 0.9}, "a reconstruction"),
        ({"coverage": 3}, "scattered"),
        ({"elsewhere": True}, "older data"),
        ({"linear_is_as_good": True}, "a tuned linear model, which"),
        ({"siblings": 3}, "pooled"),
        ({"rows_per_parameter": 80}, "more training steps"),
        ({"gain": False}, "Try first: a tuned linear model."),
        ({"contained": 1.0}, "[-8.0%, -2.0%]. Try first: AutoBalance()"),
        ({"contained": 1.0, "linear": True}, "tells a linear student nothing new. Try first: a tuned student"),
        ({"contained": 0.99, "linear": True}, "[-8.0%, -2.0%]. Try first: AutoBalance()"),
        ({"contained": 1.0, "linear": True, "coverage": 1.3}, "[-8.0%, -2.0%]. Try first: AutoBalance()"),
        ({"gain": False, "linear": True}, "weight decay"),
    ],
)
def test_words_follow_from_figures(changes: dict[str, Any], said: str) -> None:
    assert said in verdict(replace(FACTS, **changes))


def test_what_it_refuses() -> None:
    with pytest.raises(ValueError, match="no teachers"):
        expected_gain(DistilledModel(student()), Y)
    with pytest.raises(ValueError, match="too few for folds"):
        expected_gain(DistilledModel(student(), given(SIGNAL)), Y[: L + H + 3])


def test_the_stretch_of_a_series_that_a_user_passes_is_not_changed() -> None:
    before: TimeSeries = Y.copy()
    expected_gain(DistilledModel(student(), given(SIGNAL)), Y)
    assert before == Y
