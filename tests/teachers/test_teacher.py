"""Teachers of every kind: what they are shown, and that their forecasts stand with the right window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from darts import TimeSeries
from darts.models import (
    BlockRNNModel,
    LinearRegressionModel,
    NaiveEnsembleModel,
    RandomForestModel,
    RegressionEnsembleModel,
    TiDEModel,
)
from darts.utils.likelihood_models import GaussianLikelihood, QuantileRegression
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.models import fast, tiny_chronos
from tests.helpers.series import walk
from tskd import DistilledModel, Teacher
from tskd._core.model_inputs import ModelInputs
from tskd._core.window_keys import WindowSpan, training_keys
from tskd.privileged import CostlySensors, FutureHorizon, WayPoint
from tskd.teachers import network as networks

NETWORK: dict[str, Any] = fast(batch_size=16)
SERIES = [walk(60), walk(45, seed=1, start="2020-01-01 06:00")]
LAB = [walk(90, seed=5, start="2019-12-31 20:00", name="lab"), walk(90, seed=6, start="2019-12-31 20:00", name="lab")]


def lightgbm(**kwargs: Any) -> Any:
    pytest.importorskip("lightgbm", reason="lightgbm is not installed")
    from darts.models import LightGBMModel

    return LightGBMModel(min_child_samples=2, n_estimators=5, verbose=-1, **kwargs)


def xgboost(**kwargs: Any) -> Any:
    pytest.importorskip("xgboost", reason="xgboost is not installed")
    from darts.models import XGBModel

    return XGBModel(n_estimators=5, **kwargs)


def catboost(**kwargs: Any) -> Any:
    pytest.importorskip("catboost", reason="catboost is not installed: pip install 'tskd[trees]'")
    from darts.models import CatBoostModel

    return CatBoostModel(n_estimators=5, allow_writing_files=False, **kwargs)


def ensemble(**kwargs: Any) -> Any:
    return NaiveEnsembleModel([LinearRegressionModel(**kwargs), RandomForestModel(n_estimators=3, **kwargs)])


def stacked(**kwargs: Any) -> Any:
    return RegressionEnsembleModel(
        [LinearRegressionModel(**kwargs), RandomForestModel(n_estimators=3, **kwargs)], regression_train_n_points=12
    )


@pytest.mark.parametrize(
    "make", [LinearRegressionModel, RandomForestModel, lightgbm, xgboost, catboost, ensemble, stacked]
)
@pytest.mark.parametrize("shift", [0, 2])
def test_other_global_models_say_what_darts_historical_forecasts_say(make: Any, shift: int) -> None:
    if make is stacked and shift:
        pytest.skip("darts fits no regression ensemble with output_chunk_shift")
    model = make(lags=5, lags_past_covariates=3, output_chunk_length=4, output_chunk_shift=shift)
    teacher = Teacher(model, CostlySensors("lab"), name="trees").fit(SERIES, privileged={"lab": LAB})
    asked = teacher.predictor(SERIES, privileged={"lab": LAB})
    keys = training_keys([60, 45], WindowSpan(5, 4, shift)).unique(dim=0)
    keys = keys[torch.randperm(len(keys), generator=torch.Generator().manual_seed(0))]
    values, covered = asked.forecasts(keys)
    assert bool(covered.all())
    renamed = [lab.with_columns_renamed("lab0", "CostlySensors:lab:lab0").astype("float32") for lab in LAB]
    darts = teacher.model.historical_forecasts(
        SERIES, renamed, forecast_horizon=4, retrain=False, last_points_only=False, verbose=False
    )
    for (index, origin), forecast in zip(keys.tolist(), values.numpy(), strict=True):
        first = SERIES[index].time_index[origin + shift + 1]
        expected = next(f for f in darts[index] if f.start_time() == first)
        np.testing.assert_array_equal(forecast, expected.values())


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_forecasts_stand_with_their_windows_however_they_are_asked(data: st.DataObject) -> None:
    lengths = data.draw(st.lists(st.integers(14, 30), min_size=1, max_size=3))
    lookback, shift = data.draw(st.integers(1, 6)), data.draw(st.integers(0, 2))
    series = [walk(n, seed=i) for i, n in enumerate(lengths)]
    # each window's forecast is its own last value: lag -1 passed through
    model = LinearRegressionModel(lags=lookback, output_chunk_length=3, output_chunk_shift=shift)
    model.fit(series)
    teacher = Teacher(model)
    keys = training_keys(lengths, WindowSpan(lookback, 3, shift))
    order = torch.tensor(data.draw(st.permutations(range(len(keys)))))
    values, covered = teacher.predictor(series).forecasts(keys[order])
    assert bool(covered.all())
    for (index, origin), forecast in zip(keys[order].tolist(), values.numpy(), strict=True):
        expected = model.predict(3, series[index][: origin + 1])
        np.testing.assert_allclose(forecast, expected.values(), rtol=1e-5, atol=1e-6)


def teacher_of(model: Any, series: Any = SERIES) -> Teacher:
    return Teacher(model).fit(series)


@pytest.mark.parametrize("lookback", [4, 12])
@pytest.mark.parametrize(("horizon", "shift"), [(5, 0), (8, 0), (7, 1)])
def test_teachers_of_another_shape_are_aligned_on_the_origin(lookback: int, horizon: int, shift: int) -> None:
    """With α = 1 a student of the teacher's weights on the shared steps would not move; here: knowledge by hand."""
    from tskd._core.windows import Windows
    from tskd.teachers.output_cache import OutputCache
    from tskd.teachers.outputs import OutputSource, StudentWindows, collect_outputs

    student = TiDEModel(8, 3, output_chunk_shift=2, **NETWORK)
    teacher = teacher_of(TiDEModel(lookback, horizon, output_chunk_shift=shift, **NETWORK))
    DistilledModel(student, teacher)
    windows = Windows.of(ModelInputs(SERIES), WindowSpan(8, 3, 2))
    keys = training_keys([60, 45], WindowSpan(8, 3, 2))
    like = windows.gather(keys[:1])["future_target"]
    source = OutputSource("teacher", teacher.horizon, teacher.predictor(SERIES))
    knowledge = collect_outputs([source], StudentWindows(keys, range(3, 6), like), OutputCache())
    forecasts, valid = knowledge.of(keys)
    for row, (index, origin) in enumerate(keys.tolist()):
        assert bool(valid[0, row]) == (origin >= lookback - 1)
        if valid[0, row]:
            known = SERIES[index][: origin + 1]
            expected = teacher.model.predict(horizon, known).values()[2 - shift : 5 - shift]
            np.testing.assert_allclose(forecasts[0, row].numpy(), expected, rtol=1e-4, atol=1e-5)


def test_a_teacher_that_does_not_see_the_inputs_answers_to_the_privileged_part_alone() -> None:
    covariates = [walk(90, seed=8, start="2019-12-31 20:00", name="open") for _ in SERIES]
    source = WayPoint("lab", 2)
    teacher = Teacher(TiDEModel(6, 4, **NETWORK), source, sees_inputs=False)
    fitted = teacher.fit(SERIES, covariates, privileged={"lab": LAB})
    keys = training_keys([60, 45], WindowSpan(6, 4)).unique(dim=0)
    before = fitted.predictor(SERIES, covariates, privileged={"lab": LAB}).forecasts(keys)[0]
    others = [s.with_values(s.values() * -3 + 1) for s in SERIES]
    changed = [c.with_values(c.values() + 9) for c in covariates]
    torch.testing.assert_close(fitted.predictor(others, changed, privileged={"lab": LAB}).forecasts(keys)[0], before)
    moved = LAB[0].values()
    step = int((SERIES[0].time_index[20 + 2] - LAB[0].start_time()) / LAB[0].freq)
    moved[step] += 5
    after = fitted.predictor(SERIES, covariates, privileged={"lab": [LAB[0].with_values(moved), LAB[1]]}).forecasts(
        keys
    )[0]
    differs = [key for key, a, b in zip(keys.tolist(), before, after, strict=True) if not torch.equal(a, b)]
    assert differs == [[0, 20]]


def test_what_cannot_do_without_the_inputs_is_refused() -> None:
    with pytest.raises(ValueError, match="sees neither inputs nor privileged"):
        Teacher(TiDEModel(6, 4), sees_inputs=False)
    with pytest.raises(ValueError, match="use_reversible_instance_norm"):
        Teacher(TiDEModel(6, 4, use_reversible_instance_norm=True), WayPoint("lab", 2), sees_inputs=False)
    with pytest.raises(ValueError, match="give lags=None"):
        Teacher(LinearRegressionModel(lags=2, lags_past_covariates=2), CostlySensors("lab"), sees_inputs=False)


def test_trees_are_refused_steps_that_they_would_read_though_hidden() -> None:
    model = LinearRegressionModel(lags=5, lags_future_covariates=[0, 1, 2, 3], output_chunk_length=4)
    with pytest.raises(ValueError, match=r"at steps \[3, 4\] after the origin"):
        Teacher(model, FutureHorizon("lab", end=2)).fit(SERIES, privileged={"lab": LAB})
    model = LinearRegressionModel(lags=5, lags_future_covariates=[0, 1], output_chunk_length=4)
    assert Teacher(model, FutureHorizon("lab", end=2)).fit(SERIES, privileged={"lab": LAB}).fitted


@pytest.mark.parametrize("likelihood", [GaussianLikelihood(), QuantileRegression([0.1, 0.5, 0.9])])
def test_probabilistic_networks_are_asked_for_mean_and_spread(likelihood: Any) -> None:
    teacher = teacher_of(TiDEModel(6, 4, likelihood=likelihood, **NETWORK))
    keys = torch.tensor([[0, 20], [1, 11]])
    (_, found), *_ = teacher.predictor(SERIES).outputs(keys)
    for row, (index, origin) in enumerate(keys.tolist()):
        known = SERIES[index][: origin + 1]
        parameters = teacher.model.predict(4, known, predict_likelihood_parameters=True).values()
        if isinstance(likelihood, GaussianLikelihood):
            mean, spread = parameters[:, 0], parameters[:, 1]
        else:
            mean, spread = parameters[:, 1], (parameters[:, 2] - parameters[:, 0]) / 2.563103
        np.testing.assert_allclose(found["forecasts"][row, :, 0].numpy(), mean, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(found["spread"][row, :, 0].numpy(), spread, rtol=1e-4, atol=1e-5)


def test_probabilistic_trees_are_asked_by_samples() -> None:
    model = LinearRegressionModel(lags=5, output_chunk_length=2, likelihood="quantile", quantiles=[0.1, 0.5, 0.9])
    teacher = teacher_of(model)
    keys = torch.tensor([[0, 30]])
    (_, found), *_ = teacher.predictor(SERIES).outputs(keys)
    exact = teacher.model.predict(2, SERIES[0][:31], predict_likelihood_parameters=True).values()
    assert bool((found["spread"] > 0).all())
    assert np.all(found["forecasts"][0, :, 0].numpy() > exact[:, 0])
    assert np.all(found["forecasts"][0, :, 0].numpy() < exact[:, 2])


def test_hidden_layers_are_given_on_request() -> None:
    teacher = teacher_of(BlockRNNModel(6, 4, hidden_dim=5, **NETWORK))
    keys = torch.tensor([[0, 20], [1, 11], [0, 9]])
    (_, found), *_ = teacher.predictor(SERIES).outputs(keys, ["features.rnn"])
    assert found["features.rnn"].shape == (3, 6, 5)
    window = torch.from_numpy(SERIES[1].values()[6:12]).float()[None]
    network = teacher.model.model.eval()
    torch.testing.assert_close(found["features.rnn"][1], network.rnn(window)[0][0].detach())


def test_a_foundation_model_teaches_by_forecasts_and_features(tmp_path: Path) -> None:
    teacher = Teacher(tiny_chronos(tmp_path / "chronos"), FutureHorizon("lab")).fit(SERIES, privileged={"lab": LAB})
    keys = training_keys([60, 45], WindowSpan(8, 4)).unique(dim=0)
    values, covered = teacher.predictor(SERIES, privileged={"lab": LAB}).forecasts(keys)
    assert bool(covered.all())
    renamed = [lab.with_columns_renamed("lab0", "FutureHorizon:lab:lab0") for lab in LAB]
    darts = teacher.model.historical_forecasts(
        SERIES, future_covariates=renamed, forecast_horizon=4, retrain=False, last_points_only=False, verbose=False
    )
    expected = {(i, f.start_time()): f.values() for i, fs in enumerate(darts) for f in fs}
    for (index, origin), forecast in zip(keys.tolist(), values.numpy(), strict=True):
        darts_forecast = expected[index, SERIES[index].time_index[origin + 1]]
        np.testing.assert_allclose(forecast, darts_forecast, rtol=1e-5, atol=1e-5)
    student = TiDEModel(8, 4, **NETWORK)
    DistilledModel(student, teacher).fit(SERIES, privileged={"lab": LAB})
    (_, found), *_ = teacher.predictor(SERIES, privileged={"lab": LAB}).outputs(keys[:3], ["features.encoder"])
    assert found["features.encoder"].shape[-1] == 16
    with pytest.raises(TypeError, match="cannot be a student"):
        DistilledModel(tiny_chronos(tmp_path / "other"), teacher)
    with pytest.raises(TypeError, match="cannot be a student"):
        DistilledModel(tiny_chronos(tmp_path / "tuned", enable_finetuning=True), teacher)


def test_a_fine_tuned_foundation_model_is_what_darts_makes_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuning: dict[str, Any] = {"enable_finetuning": True, "n_epochs": 1, "batch_size": 7}
    teacher = Teacher(tiny_chronos(tmp_path / "one", **tuning), CostlySensors("lab"))
    teacher = teacher.fit(SERIES, privileged={"lab": LAB})
    renamed = [lab.with_columns_renamed("lab0", "CostlySensors:lab:lab0").astype("float32") for lab in LAB]
    plain = tiny_chronos(tmp_path / "two", **tuning).fit(SERIES, renamed)
    expected = plain.model.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in teacher.model.model.state_dict().items())
    untuned = tiny_chronos(tmp_path / "three").fit(SERIES, renamed).model.state_dict()
    assert any(not torch.equal(value, untuned[name]) for name, value in expected.items())
    sizes = []
    answer = networks.model_outputs

    def counted(model: Any, slots: Any, *args: Any, **kwargs: Any) -> Any:
        sizes.append(len(slots["past_target"]))
        return answer(model, slots, *args, **kwargs)

    monkeypatch.setattr(networks, "model_outputs", counted)
    teacher.predictor(SERIES, privileged={"lab": LAB}).forecasts(
        torch.tensor([[0, origin] for origin in range(10, 30)])
    )
    # Chronos-2 needs memory for the square of a batch
    assert sizes == [7, 7, 6]


def test_an_archive_teacher_is_asked_about_these_windows() -> None:
    elsewhere = [walk(80, seed=21), walk(80, seed=22)]
    archive = Teacher(TiDEModel(6, 4, **NETWORK), name="archive").fit(elsewhere)
    weights = {k: v.clone() for k, v in archive.model.model.state_dict().items()}
    model = DistilledModel(TiDEModel(6, 4, **NETWORK), archive, balance=1.0).fit(SERIES)
    assert model.teachers[0] is archive
    assert all(torch.equal(v, weights[k]) for k, v in archive.model.model.state_dict().items())
    forecasts = archive.historical_forecasts(SERIES[0])
    single: TimeSeries = forecasts[5]
    known = SERIES[0].drop_after(single.start_time())
    np.testing.assert_allclose(single.values(), archive.model.predict(4, known).values(), rtol=1e-4, atol=1e-5)


def test_a_teacher_of_other_components_gives_those_of_the_student(tmp_path: Path) -> None:
    channels = [walk(60, 3, name="z"), walk(45, 3, seed=1, name="z", start="2020-01-01 06:00")]
    students = [c["z1"] for c in channels]
    longer = [walk(80, 3, seed=9, name="z", start="2019-12-31 20:00")[:4].append(c) for c in channels[:1]]
    given = {"channels": [*longer, channels[1]]}
    teacher = Teacher(TiDEModel(6, 4, **NETWORK), target="channels", name="wide").fit(students, privileged=given)
    keys = training_keys([60, 45], WindowSpan(6, 4)).unique(dim=0)
    values, covered = teacher.predictor(students, privileged=given).forecasts(keys)
    assert bool(covered.all()) and values.shape == (len(keys), 4, 1)
    for row in (0, 17, len(keys) - 1):
        index, origin = keys[row].tolist()
        expected = teacher.model.predict(4, channels[index][: origin + 1])["z1"]
        np.testing.assert_allclose(values[row].numpy(), expected.values(), rtol=1e-4, atol=1e-5)
    moved = [c.with_values(c.values() + 7 * (np.arange(len(c)) > 20)[:, None].astype("float32")) for c in channels]
    early = keys[keys[:, 1] <= 20]
    again = teacher.predictor([c["z1"] for c in moved], privileged={"channels": moved}).forecasts(early)[0]
    assert torch.equal(again, teacher.predictor(students, privileged=given).forecasts(early)[0])
    model = DistilledModel(TiDEModel(6, 4, **NETWORK), teacher).fit(students, privileged=given)
    model.save(tmp_path / "model")
    loaded = DistilledModel.load(tmp_path / "model").teachers[0]
    assert torch.equal(loaded.predictor(students, privileged=given).forecasts(keys)[0], values)
    with pytest.raises(ValueError, match=r"lacks \['z9'\]"):
        renamed = [s.with_columns_renamed("z1", "z9") for s in students]
        Teacher(TiDEModel(6, 4), target="channels").fit(renamed, privileged=given)


def test_trees_are_refused_privileged_steps_beyond_their_horizon() -> None:
    for source in (WayPoint("lab", 1), FutureHorizon("lab")):
        model = LinearRegressionModel(lags=5, lags_future_covariates=[0, 5], output_chunk_length=2)
        with pytest.raises(ValueError, match=r"at steps \[6\] after the origin"):
            Teacher(model, source).fit(SERIES, privileged={"lab": LAB})


def test_a_fitted_teacher_is_never_left_to_the_covariates_it_kept() -> None:
    own, other = walk(60, name="open"), walk(60, seed=3)
    teacher = Teacher(LinearRegressionModel(lags=3, lags_past_covariates=3, output_chunk_length=2)).fit(other, own)
    with pytest.raises(ValueError, match=r"past_covariates \['open0'\], but is given none"):
        teacher.predictor(SERIES[0])


def test_a_blind_teacher_sees_no_static_covariates_and_no_foundation_model_is_blind(tmp_path: Path) -> None:
    frames = [pd.DataFrame({"place": [value]}) for value in (0.0, 9.0)]
    first, second = (SERIES[0].with_static_covariates(frame) for frame in frames)
    blind = Teacher(TiDEModel(6, 4, **NETWORK), CostlySensors("lab"), sees_inputs=False)
    fitted = blind.fit(first, privileged={"lab": LAB[0]})
    keys = torch.tensor([[0, 20]])
    found = [fitted.predictor(s, privileged={"lab": LAB[0]}).forecasts(keys)[0] for s in (first, second)]
    assert torch.equal(*found)
    for tuning in (False, True):
        chronos = tiny_chronos(tmp_path / f"chronos {tuning}", enable_finetuning=tuning)
        with pytest.raises(ValueError, match="normalises by the target's past"):
            Teacher(chronos, FutureHorizon("lab"), sees_inputs=False)


def test_a_single_quantile_has_no_spread() -> None:
    teacher = teacher_of(TiDEModel(6, 4, likelihood=QuantileRegression([0.5]), **NETWORK))
    (_, found), *_ = teacher.predictor(SERIES).outputs(torch.tensor([[0, 20]]))
    assert set(found) == {"forecasts"}


def test_a_series_too_short_for_a_tree_teacher_is_left_out() -> None:
    teacher = teacher_of(LinearRegressionModel(lags=12, output_chunk_length=4), SERIES[0])
    _, covered = teacher.predictor([SERIES[0], SERIES[1][:10]]).forecasts(torch.tensor([[0, 20], [1, 5]]))
    assert covered.tolist() == [True, False]


def test_asking_changes_no_random_state() -> None:
    model = NaiveEnsembleModel([TiDEModel(6, 4, **NETWORK), TiDEModel(6, 4, **NETWORK)]).fit(SERIES[0])
    before = [member._random_instance.get_state()[1].copy() for member in model.forecasting_models]
    Teacher(model).historical_forecasts(SERIES[0])
    after = [member._random_instance.get_state()[1] for member in model.forecasting_models]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
