"""The benchmark of noisy labels: folds, closed forms, GARCH, ratios and what is written."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import torch


def using(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("script", names, indirect=True)


@using("noisy_folds")
def test_no_test_stretch_overlaps_another_or_a_training_part(script: ModuleType) -> None:
    numbers = np.arange(5030.0)
    days = script.Days(numbers, -numbers)
    tested: list[float] = []
    for number in range(script.FOLDS):
        found = script.fold(days, number, 1000)
        train, test = script.Windows.of(found.train), script.Windows.of(found.test)
        assert train.labels.shape == (1000, 5) and test.labels.shape == (126, 5) and test.past.shape == (126, 22)
        assert train.labels.max() + 1 == test.labels.min()
        assert (test.past[:, -1] + 1 == test.labels[:, 0]).all() and (test.ranges == -test.labels).all()
        tested += np.unique(test.labels).tolist()
    assert len(tested) == len(set(tested)) == 30 * 130 and tested[-1] == 5029
    with pytest.raises(ValueError, match="are wanted, of 5030"):
        script.fold(days, 0, 1200)


@using("noisy_garch")
def test_the_variance_goes_on_as_the_recursion_says(script: ModuleType) -> None:
    model = script.Garch(omega=0.1, alpha=0.2, beta=0.7, last=1.5)
    found = script.ahead(model, 2.0, np.array([0.5]))
    # .1 + .2·4 + .7·1.5, then .1 + .9 times the one before; after .5: .1 + .2·.25 + .7·1.95
    np.testing.assert_allclose(found[0, :3], [1.95, 1.855, 1.7695])
    np.testing.assert_allclose(found[1, :2], [1.515, 1.4635])
    assert found.shape == (2, 5)


@using("noisy_garch")
def test_the_forecast_is_that_of_the_package(script: ModuleType) -> None:
    arch = pytest.importorskip("arch", reason="arch is not installed")
    rng = np.random.default_rng(0)
    returns = rng.normal(size=400) * np.exp(np.sin(np.arange(400) / 30))
    model, variances = script.fit(np.abs(returns[:300]))
    assert len(variances) == 300 and variances[-1] == model.last
    whole = arch.arch_model(returns, mean="Zero", rescale=False).fix([model.omega, model.alpha, model.beta])
    expected = whole.forecast(horizon=5, start=350, reindex=False).variance.iloc[0].to_numpy()
    # the package starts from the variance of all days, which 300 days later is forgotten
    np.testing.assert_allclose(script.ahead(model, returns[299], returns[300:351])[-1], expected, rtol=1e-4)


@using("noisy_garch")
def test_a_garch_of_no_news_forecasts_the_mean_return(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    folds = importlib.import_module("noisy_folds")
    days = folds.Days(np.abs(np.random.default_rng(1).normal(size=800)), np.ones(800))
    fold = folds.Fold(folds.cut(days, 0, 600), folds.cut(days, 578, 730))
    constant = script.Garch(omega=4.0, alpha=0.0, beta=0.0, last=4.0)
    monkeypatch.setattr(script, "fit", lambda returns: (constant, np.full(600, 4.0)))
    found = script.forecasts(fold, "absolute")
    np.testing.assert_allclose(found["garch"], np.full((126, 5), 2 * np.sqrt(2 / np.pi)))
    np.testing.assert_allclose(found["garch, scaled"], np.full((126, 5), days.labels[:600].mean()))


@using("noisy_linear")
def test_a_ridge_is_that_of_the_normal_equations(script: ModuleType) -> None:
    rng = np.random.default_rng(0)
    inputs, targets, asked = rng.normal(size=(40, 3)), rng.normal(size=(40, 2)), rng.normal(size=(7, 3))
    mean, deviation = inputs.mean(0), inputs.std(0)
    scaled, penalty = (inputs - mean) / deviation, 4
    weights = np.linalg.solve(
        scaled.T @ scaled + 40 * script.PENALTIES[penalty] * np.eye(3), scaled.T @ (targets - targets.mean(0))
    )
    expected = targets.mean(0) + (asked - mean) / deviation @ weights
    np.testing.assert_allclose(script.Ridge(inputs).forecasts(targets, asked, penalty), expected)


@using("noisy_linear")
def test_held_out_windows_share_no_label_with_those_fitted_on(script: ModuleType) -> None:
    covered: list[int] = []
    for fitted, held_out in script.parts(120, 7):
        assert np.abs(fitted[:, None] - held_out).min() == 7
        covered += held_out.tolist()
    assert covered == list(range(120))


@using("noisy_linear")
def test_the_candidate_that_predicts_the_labels_is_chosen(script: ModuleType) -> None:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(200, 2))
    truth = inputs @ np.array([[1.0], [-1.0]])
    labels = truth + rng.normal(size=truth.shape)
    candidates = [script.Candidate(rng.normal(size=truth.shape)), script.Candidate(truth), script.Candidate(-truth)]
    assert script.chosen(inputs, labels, candidates)[0] == 1


@using("noisy_linear")
def test_labels_are_smoothed_within_their_part(script: ModuleType) -> None:
    assert script.smoothed(np.array([1.0, 4.0, 1.0, 0.0]), 1).tolist() == pytest.approx([2.5, 2, 5 / 3, 0.5])


@using("noisy_linear")
def test_a_teacher_of_ranges_gains_where_labels_are_noise_and_a_placebo_does_not(script: ModuleType) -> None:
    """Volatility that goes on; the label is it times |N(0, 1)|, the range twice it, and a little noise."""
    folds = importlib.import_module("noisy_folds")
    ratios = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        level = np.zeros(450)
        for day in range(1, 450):
            level[day] = 0.95 * level[day - 1] + 0.2 * rng.normal()
        labels = np.exp(level) * np.abs(rng.normal(size=450))
        days = folds.Days(labels, 2 * np.exp(level) * rng.uniform(0.9, 1.1, 450))
        errors = script.errors(folds.Fold(folds.cut(days, 0, 276), folds.cut(days, 254, 406)))
        arms = [errors[f"ridge, {arm}"] for arm in ("privileged", "placebo", "self-distilled")]
        ratios.append(np.log(np.array(arms) / errors["ridge, alone"]))
    privileged, placebo, equal = np.exp(np.mean(ratios, axis=0))
    assert privileged < 0.99 < placebo and abs(equal - 1) < 0.01


@using("noisy_linear")
def test_ranges_that_say_what_labels_say_teach_no_more(script: ModuleType) -> None:
    folds = importlib.import_module("noisy_folds")
    labels = np.abs(np.random.default_rng(0).normal(size=450))
    days = folds.Days(labels, 3 * labels)
    fold = folds.Fold(folds.cut(days, 0, 276), folds.cut(days, 254, 406))
    errors, later = script.errors(fold), script.errors_afterwards(fold)
    assert later["ridge, smoothed ranges"] == pytest.approx(errors["ridge, smoothed"])
    # a teacher that reads the labels themselves gives them back, but for its penalty
    assert errors["teacher"] < 0.01 * errors["training mean"]
    assert later["ridge, hardly regularised, privileged"] == pytest.approx(later["ridge, hardly regularised"], rel=1e-2)
    assert later["ridge, hardly regularised"] > errors["ridge, alone"]


@using("noisy_networks")
def test_a_network_is_judged_by_labels_that_it_was_not_fitted_on(script: ModuleType) -> None:
    days = importlib.import_module("noisy_folds").Days(np.arange(126.0), np.arange(126.0))
    assert script.windows_in(days) == 100
    earlier, later = script.divided(days)
    assert script.windows_in(later) == 20
    assert earlier.labels[-1] + 1 == later.labels[22] and later.labels[-1] == 125


@using("noisy_networks")
def test_every_arm_of_a_network_is_scored(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    folds = importlib.import_module("noisy_folds")
    monkeypatch.setattr(script, "EPOCHS", {60: 1})
    monkeypatch.setattr(script, "DECAYS", (0.1,))
    values = np.abs(np.random.default_rng(0).normal(size=200))
    days = folds.Days(values, 2 * values)
    found = script.errors(folds.Fold(folds.cut(days, 0, 86), folds.cut(days, 64, 120)), "DLinear", 0)
    assert list(found) == [f"DLinear, {arm}" for arm in script.ARMS]
    assert len(set(found.values())) == 5 and np.isfinite(list(found.values())).all()


@using("noisy_networks")
def test_the_answers_of_smoothed_labels_are_they(script: ModuleType) -> None:
    values = np.random.default_rng(0).normal(size=80)
    target, shown = script.series(values), script.series(script.smoothed(values, 2))
    teacher = script.teacher("smoothed").fit(target, privileged={"smoothed": shown})
    keys = torch.tensor([[0, 30], [0, 74]])
    answers, known = teacher.predictor([target], privileged={"smoothed": [shown]}).forecasts(keys)
    assert known.all()
    expected = np.stack([shown.values()[31:36], shown.values()[75:80]])
    np.testing.assert_allclose(answers.numpy(), expected, rtol=1e-5)


@using("noisy_tables")
def test_a_ratio_is_a_geometric_mean_and_its_interval_widens_with_its_folds_apart(script: ModuleType) -> None:
    same = script.interval(np.log(np.full(30, 0.9)))
    assert same == pytest.approx((0.9, 0.9, 0.9))
    apart = script.interval(np.log(np.tile([0.81, 0.81, 0.81, 1.0, 1.0, 1.0], 5)))
    assert apart.ratio == pytest.approx(0.9) and apart.low < 0.87 and apart.high > 0.93
    assert str(script.Ratio(0.9, 0.85, 0.95)).startswith("**") and not str(script.Ratio(0.9, 0.8, 1.1)).startswith("*")
    assert np.isnan(script.interval(np.zeros(5)).low)


def rows(effects: dict[str, float]) -> pd.DataFrame:
    """Errors of 30 folds of both indices, a little apart from their effects."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        [
            {"index": index, "label": "absolute", "windows": 250, "fold": fold, "seed": 0, "arm": arm}
            | {"error": effect * float(np.exp(0.01 * rng.normal()))}
            for index in ("sp500", "nasdaq")
            for fold in range(30)
            for arm, effect in effects.items()
        ]
    )


ARMS = ("privileged", "self-distilled", "placebo", "smoothed")


@using("noisy_tables")
@pytest.mark.parametrize(
    ("garch", "smoothed", "said"),
    [
        (1.0, 1.0, "a gain by privilege, worth having."),
        (0.9, 1.0, "a gain by privilege, not shown to be worth having."),
        (1.0, 0.9, "no gain by privilege is shown."),
    ],
)
def test_a_gain_is_claimed_if_every_control_is_beaten(
    script: ModuleType, garch: float, smoothed: float, said: str
) -> None:
    effects = dict(zip((f"ridge, {arm}" for arm in ARMS), (0.95, 1.0, 1.2, smoothed), strict=True))
    found = script.table(rows({"ridge, alone": 1.0, "har, alone": 1.0, "garch": garch, "garch, scaled": 1.0} | effects))
    assert all(line.endswith(said) for line in script.outcome(found).splitlines())
    ratio = found[(found.arm == "ridge, privileged") & (found.against == "ridge, placebo")].ratio
    assert ratio.tolist() == pytest.approx([0.95 / 1.2] * 2, rel=0.01)


@using("noisy")
def test_what_is_finished_is_not_computed_again(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = next(iter(script.cells(["closed"], 1)))
    assert script.result(cell, tmp_path, compute=False) is None
    monkeypatch.setattr(script.Cell, "errors", lambda self: {"garch": 1.25})
    assert script.result(cell, tmp_path, compute=True) == {"garch": 1.25}
    monkeypatch.setattr(script.Cell, "errors", lambda self: {"garch": 2.0})
    assert script.result(cell, tmp_path, compute=True) == {"garch": 1.25}
    assert [path.name for path in tmp_path.iterdir()] == ["closed-sp500-absolute-120-00-0.json"]
    names = [one.name for one in script.cells(["closed", "DLinear", "TiDE"], 2)]
    assert len(names) == len(set(names)) == 4 * 2 * 30 * 2 + 2 * 2 * 2 * 30 * 2
    assert len(list(script.cells(["afterwards"], 1))) == 4 * 2 * 30 * 2
