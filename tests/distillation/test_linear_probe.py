"""Teachers' last layers as they show in features and forecasts, and weights by what they make of the student's."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from darts.models import BlockRNNModel, TiDEModel
from darts.utils.likelihood_models import GaussianLikelihood
from torch import Tensor

from tests.helpers.models import fast
from tests.helpers.series import QUIET, walk
from tests.helpers.steps import draw, make_step
from tskd import DistilledModel, Teacher
from tskd._core.layers import Layer
from tskd.distillation import linear_probe as readout
from tskd.distillation.linear_probe import LinearProbe, fit_linear_probe
from tskd.distillation.model_interface import ModelInterface
from tskd.distillation.objective import Objective
from tskd.distillation.paired_loss import StudentOutput
from tskd.losses import AttentionTransfer, FeatureKD, LevelShapeKD, LikelihoodKD, OutputKD, SampleRelation
from tskd.weighting import CAMKD, DEMKD, Step, Weighting


@pytest.mark.parametrize("shape", [(5,), (4, 3), (40, 3)], ids=["units", "positions", "more units than windows"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_linear_head_is_found(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    """Features are of few directions where there are more units than windows."""
    count = torch.Size(shape).numel()
    basis = draw(min(count, 6), count, seed=1)
    features = (draw(100, len(basis)) @ basis).unflatten(1, shape)
    head, bias = draw(count, 8, seed=2), 1e3 * draw(8, seed=3)
    said = (features.flatten(1) @ head + bias).unflatten(1, (4, 2))
    found = fit_linear_probe(zip(features.to(dtype).split(30), said.to(dtype).split(30), strict=True))
    assert found.r2 == pytest.approx(1, abs=1e-6) and found.weight.dtype is dtype
    new = (draw(10, len(basis), seed=4) @ basis).unflatten(1, shape)
    expected = (new.flatten(1) @ head + bias).unflatten(1, (4, 2))
    scale = expected.sub(bias.unflatten(0, (4, 2))).abs().max().item()
    assert (found(new.to(dtype)) - expected).abs().max().item() < (1e-3 if dtype is torch.float32 else 1e-4) * scale


def test_what_no_affine_map_explains_shows_in_windows_held_apart() -> None:
    features, noise = draw(500, 3), draw(500, 1, 1, seed=1)
    linear = features.sum(1)[:, None, None]
    # R² of what is half noise, and of a square, which is uncorrelated
    assert LinearProbe(features, linear + linear.std() * noise).r2 == pytest.approx(0.5, abs=0.1)
    assert LinearProbe(features, features[:, :1, None].square()).r2 < 0.05
    # as many units as windows fit anything, and explain nothing
    assert LinearProbe(draw(500, 400, seed=2), noise).r2 < 0.05
    # mean over what varies, whatever its units
    both = torch.cat([1e6 * linear, features[:, :1, None].square(), torch.ones(500, 1, 1)], 2)
    assert LinearProbe(features, both).r2 == pytest.approx(0.5, abs=0.05)


def test_what_cannot_be_known_is_never_taken_for_a_head() -> None:
    assert LinearProbe(draw(24, 2), draw(24, 1, 1)).r2 == -torch.inf
    assert LinearProbe(draw(0, 2), draw(0, 1, 1)).r2 == -torch.inf
    assert LinearProbe(draw(50, 2), torch.ones(50, 1, 1)).r2 == -torch.inf
    constant = torch.cat([draw(50, 1), torch.full((50, 1), 3.0)], 1)
    assert LinearProbe(constant, constant[:, :1, None]).r2 == pytest.approx(1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_is_constant_to_within_rounding_is_constant(dtype: torch.dtype) -> None:
    """A component of 1000 ± the last bit, which nothing explains, beside one that is linear; units do not matter."""
    features = draw(500, 3)
    ulp = 500 * torch.finfo(dtype).eps
    flat = 1000 + ulp * draw(500, 1, 1, seed=1).sign()
    for unit in (1.0, 1e-6):
        both = unit * torch.cat([features.sum(1)[:, None, None], flat], 2).to(dtype)
        assert both[..., 1].unique().numel() > 1
        assert LinearProbe(features, both).r2 == pytest.approx(1, abs=1e-6)
        assert LinearProbe(features, both[..., 1:]).r2 == -torch.inf
    # what varies by a hundred times more does so
    found = LinearProbe(features, 1000 + 100 * ulp * features[:, :1, None]).r2
    assert found > 0.99


def test_too_few_windows_are_named_as_such() -> None:
    """A linear head of 60 units that vary freely shows in 500 windows, and in 60 or 100 of them it does not."""
    features, head = draw(500, 60), draw(60, 4, seed=1)
    said = (features @ head)[..., None]
    assert LinearProbe(features, said).r2 > 0.999
    for windows in (24, 60):
        found = LinearProbe(features[:windows], said[:windows])
        assert found.r2 < 0.9 and found.doubt == f"there are too few windows ({windows}) for the 60 units"
    # half as many again: a head shows, and what is none may still fit
    assert "too few windows (100)" in LinearProbe(features[:100], features[:100, :1, None].square()).doubt
    assert "no affine" in LinearProbe(features, features[:, :1, None].square()).doubt


def test_the_log_says_that_windows_are_too_few(caplog: pytest.LogCaptureFixture) -> None:
    found = objective(CAMKD(features=True), [FeatureKD()], [2, 3, 40])
    features = draw(30, 40)
    with caplog.at_level(logging.WARNING, "tskd.distillation.objective"):
        found.fit_probe(2, "features.h", [(features, (features @ draw(40, 2, seed=1))[..., None])])
    (record,) = caplog.records
    expected = "teacher 't2': there are too few windows (30) for the 40 units of layer 'h' (R² "
    assert record.getMessage().startswith(expected)


def test_large_layers_are_read_out_from_fewer_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 90 windows of 10 numbers, in chunks of 7, every second one is used where 500 may be, every fourth of 250."""
    features = draw(90, 8)
    said = (features @ draw(8, 2, seed=1))[..., None] + draw(90, 2, 1, seed=2)
    known = list(zip(features.split(7), said.split(7), strict=True))
    for most, every in ((900, 1), (899, 2), (500, 2), (250, 4)):
        monkeypatch.setattr(readout, "LARGEST", most)
        found, expected = fit_linear_probe(known), LinearProbe(features[::every], said[::every])
        assert found.r2 == expected.r2
        torch.testing.assert_close(found.weight, expected.weight, equal_nan=True)
    # one window is more than may be: there is one
    monkeypatch.setattr(readout, "LARGEST", 9)
    assert fit_linear_probe(known).r2 == -torch.inf


def test_a_map_that_would_be_too_large_is_not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    features = draw(90, 8)
    said = (features @ draw(8, 2, seed=1))[..., None]
    monkeypatch.setattr(readout, "LARGEST_MAP", 16)
    assert LinearProbe(features, said).r2 > 0.999
    monkeypatch.setattr(readout, "LARGEST_MAP", 15)
    found = LinearProbe(features, said)
    assert found.r2 == -torch.inf and not found.weight.numel()
    assert found.doubt == "a map to its 2 forecasts would be too large for the 8 units"


def objective(weighting: Weighting, losses: list[Any], units: list[int]) -> Objective:
    """Over two steps, of teachers with so many units in layer `h`; the student has 2."""
    names = [f"t{k}" for k in range(len(units))]
    student, *teachers = (
        ModelInterface("TiDEModel", range(1, 3), {"h": Layer(0, (size,))}, "h") for size in (2, *units)
    )
    named = dict(zip(names, teachers, strict=True))
    return Objective(losses, weighting, student, named, torch.zeros(3, 2, 1, dtype=torch.float64))


HEADS = [draw(2, 2, seed=11), draw(3, 2, seed=12), draw(4, 2, seed=13)]


def told(windows: int = 6) -> tuple[StudentOutput, Step, list[dict[str, Tensor]]]:
    """A step of three teachers whose forecasts are their features times `HEADS` plus their number."""
    features = [draw(windows, len(head), seed=20 + k) for k, head in enumerate(HEADS)]
    forecasts = torch.stack(
        [(f @ head + k)[..., None] for k, (f, head) in enumerate(zip(features, HEADS, strict=True))]
    )
    labels = draw(windows, 2, 1, seed=30)
    valid = torch.ones(3, windows).bool()
    valid[0, 1] = valid[:, 2] = False
    step = make_step(forecasts.where(valid[:, :, None, None], 0), valid, target=labels)
    return StudentOutput(labels, features={"h": draw(windows, 2, seed=31)}), step, [{"features.h": f} for f in features]


def with_heads(found: Objective, wrong: int | None = None) -> Objective:
    for k, field in found.needing_probes():
        features = draw(60, len(HEADS[k]), seed=40 + k)
        said = features @ HEADS[k] + k if k != wrong else features.square() @ HEADS[k]
        found.fit_probe(k, field, [(features, said[..., None])])
    return found


def projected(found: Objective, said: StudentOutput, k: int) -> Tensor:
    regressor = found._copies[k].regressor.units  # type: ignore[union-attr]
    return regressor(said.features["h"]).detach()  # type: ignore[operator]


@pytest.mark.parametrize(("mode", "temperature"), [("paper", 1.0), ("softmin", 0.5)])
def test_features_are_weighed_by_what_the_teachers_heads_make_of_the_students(mode: Any, temperature: float) -> None:
    """w_k = (1 − softmax(r)_k)/(K − 1), r_k the error of head k on the projected features over the mean of all."""
    torch.manual_seed(0)
    weighting = CAMKD(mode, temperature, features=True)
    found = with_heads(objective(weighting, [FeatureKD(weight=2.0), OutputKD()], [2, 3, 4]))
    assert found.needing_probes() == [(0, "features.h"), (1, "features.h"), (2, "features.h")]
    said, step, details = told()
    outcome = found(said, step, details, None)
    read = torch.stack([projected(found, said, k) @ HEADS[k] + k for k in range(3)])[..., None]
    valid = step.valid
    errors = (read - step.target).square()
    scale = (errors * valid[:, :, None, None]).sum((0, 1)) / valid.sum()
    r = (errors / scale).mean((2, 3)) / temperature
    weights = torch.zeros(3, 6, dtype=torch.float64)
    for b in range(6):
        mine = torch.nonzero(valid[:, b])[:, 0]
        if len(mine):
            one = torch.softmax(r[mine, b], 0)
            weights[mine, b] = (1 - one) / (len(mine) - 1) if mode == "paper" else torch.softmax(-r[mine, b], 0)
    known = valid.any(0)
    torch.testing.assert_close(outcome.aspects["features"].double(), weights, rtol=1e-4, atol=1e-5)
    distances = torch.stack([(projected(found, said, k) - details[k]["features.h"]).square().mean(1) for k in range(3)])
    own = found.weighting(step)
    forecasts = (step.student - step.forecasts).square().mean((2, 3))
    expected = (2 * weights * distances + own * forecasts).sum(0)[known].mean()
    assert outcome.term is not None and not torch.allclose(weights, own, atol=0.05)
    torch.testing.assert_close(outcome.term, expected, rtol=1e-4, atol=1e-5)


def test_without_a_head_the_confidence_of_forecasts_is_used(caplog: pytest.LogCaptureFixture) -> None:
    torch.manual_seed(0)
    with caplog.at_level(logging.WARNING, "tskd.distillation.objective"):
        found = with_heads(objective(CAMKD(features=True), [FeatureKD()], [2, 3, 4]), wrong=1)
    (record,) = caplog.records
    message = "teacher 't1': its forecasts are no affine function of layer 'h' (R² "
    assert record.getMessage().startswith(message) and "weighed as their forecasts are" in record.getMessage()
    said, step, details = told()
    found.weighting.errors = draw(3, 2, 1, seed=7).exp()
    outcome = found(said, step, details, None)
    torch.testing.assert_close(outcome.aspects["features"], outcome.weights)


@pytest.mark.parametrize("weighting", [CAMKD(features=True), DEMKD(features=True)], ids=str)
def test_relations_and_maps_of_features_have_the_weights_of_forecasts(weighting: Weighting) -> None:
    found = objective(weighting, [FeatureKD(projector=None, loss=SampleRelation()), OutputKD()], [2, 3, 4])
    assert found.needing_probes() == [] and found(*told(), None).aspects == {}
    assert AttentionTransfer().aspects == ("forecast",) and FeatureKD().aspects == ("features",)


def test_each_layer_has_weights_of_its_own_and_a_nan_teacher_none() -> None:
    torch.manual_seed(0)
    losses = [FeatureKD(), FeatureKD(projector="mlp"), FeatureKD(loss=LevelShapeKD())]
    found = objective(DEMKD(features=True), losses, [2, 3, 4])
    said, step, details = told()
    for k, valid in enumerate(step.valid):
        details[k]["features.h"][~valid] = torch.nan
    outcome = found(said, step, details, None)
    compared = [found._features(said, step, details, number) for number in range(3)]
    each = [found.weighting.weights_of(replace(step, features=features), "features") for features in compared]
    assert not torch.allclose(each[0], each[1])
    assert all(bool((one[~step.valid] == 0).all()) and bool(one.isfinite().all()) for one in each)
    torch.testing.assert_close(outcome.aspects["features"], torch.stack(each).mean(0))
    assert outcome.term is not None
    outcome.term.backward()
    assert all(bool(p.grad.isfinite().all()) for p in found.parameters() if p.grad is not None)


L, H = 8, 4
COMMON: dict[str, Any] = fast(n_epochs=2, batch_size=16)
SERIES = walk(120, 2)


def teacher(name: str, **kwargs: Any) -> Teacher:
    return Teacher(BlockRNNModel(L, H, model="LSTM", hidden_dim=6, **(COMMON | kwargs)), name=name)


def followed(student: Any) -> dict[str, float]:
    return {n: float(v) for n, v in student.trainer.callback_metrics.items() if n.startswith("weight/")}


@pytest.mark.parametrize("weighting", [CAMKD(features=True), DEMKD(features=True)], ids=str)
@pytest.mark.parametrize("val", [None, walk(60, 2, seed=3)], ids=["training part", "validation part"])
def test_features_are_weighed_in_a_fit(weighting: Weighting, val: Any, caplog: pytest.LogCaptureFixture) -> None:
    student = TiDEModel(L, H, hidden_size=8, **COMMON)
    losses = [OutputKD(), FeatureKD(weight=0.1)]
    with caplog.at_level(logging.WARNING, "tskd.distillation.objective"):
        model = DistilledModel(student, [teacher("a"), teacher("b", random_state=5)], losses, weighting=weighting)
        model.fit(SERIES, val_series=val)
    # an LSTM's forecast is linear in what its last layer is given
    assert not caplog.records
    logged = followed(student)
    assert set(logged) == {"weight/a", "weight/b", "weight/features/a", "weight/features/b"}
    assert logged["weight/features/a"] + logged["weight/features/b"] == pytest.approx(1, abs=1e-5)
    assert logged["weight/features/a"] != pytest.approx(logged["weight/a"], abs=1e-4)


def test_means_and_spreads_are_weighed_in_a_fit() -> None:
    likelihood = {"likelihood": GaussianLikelihood()}
    student = BlockRNNModel(L, H, model="LSTM", hidden_dim=4, **(COMMON | likelihood))
    teachers = [teacher("a", **likelihood), teacher("b", **likelihood, n_epochs=6)]
    DistilledModel(student, teachers, LikelihoodKD(), weighting=DEMKD(decoupled=True)).fit(SERIES)
    logged = followed(student)
    assert set(logged) == {f"weight/{aspect}{name}" for aspect in ("", "spread/") for name in "ab"}
    assert logged["weight/spread/a"] != pytest.approx(logged["weight/a"], abs=1e-4)


@pytest.mark.parametrize(
    "weighting", [CAMKD(features=True), DEMKD(decoupled=True, features=True)], ids=lambda w: type(w).__name__
)
def test_a_training_goes_on_with_the_same_weights(weighting: Weighting, tmp_path: Path) -> None:
    quiet = {k: v for k, v in QUIET.items() if k != "enable_checkpointing"}
    losses = [LevelShapeKD(), FeatureKD(weight=0.1)]
    teachers = [teacher(name, random_state=k).fit(SERIES) for k, name in enumerate("ab")]

    def student(name: str) -> Any:
        kept = {"model_name": name, "work_dir": str(tmp_path), "save_checkpoints": True, "force_reset": True}
        own = {"pl_trainer_kwargs": quiet, "batch_size": 10**6, "dropout": 0.0}
        return TiDEModel(L, H, hidden_size=8, **(COMMON | own | kept))

    whole = student("whole")
    DistilledModel(whole, teachers, losses, weighting=weighting).fit(SERIES, epochs=4)
    DistilledModel(student("half"), teachers, losses, weighting=weighting).fit(SERIES, epochs=2)
    (path,) = (tmp_path / "half" / "checkpoints").glob("last*.ckpt")
    own = torch.load(path, weights_only=False)["distillation"]["state_dict"]
    assert not any("read_outs" in name for name in own)
    assert any(name.endswith("weighting.level") for name in own) == ("decoupled" in repr(weighting))
    again = TiDEModel.load_from_checkpoint("half", work_dir=str(tmp_path), best=False)
    DistilledModel(again, teachers, losses, weighting=weighting).fit(SERIES, epochs=4)
    for name, value in whole.model.state_dict().items():
        torch.testing.assert_close(again.model.state_dict()[name], value)
    assert followed(again) == pytest.approx(followed(whole))
