"""The derivative that MMKD learns from, on darts' networks as it is used, against exact ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from darts import TimeSeries
from darts.models import NLinearModel, TCNModel
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from tests.helpers.networks import MODELS, B, C, H, L, made, network_of
from tests.helpers.scripted import Scripted
from tests.helpers.series import QUIET, walk
from tskd import DistilledModel
from tskd._core.darts.dataset import TorchTrainingBatch
from tskd._core.darts.forward import ModuleStage, network_forecast, point_forecast
from tskd._core.darts.training_step import evaluation_loss
from tskd.weighting import MMKD
from tskd.weighting.mmkd import directional

K = 3
NETWORKS = {name: model for name, (model, _) in MODELS.items()} | {"TCN": made(TCNModel, dropout=0.2)}


def drawn(*shape: int, seed: int, dtype: torch.dtype) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


@contextmanager
def differentiable_twice() -> Iterator[None]:
    """The fast kernels of attention and LSTM have no second derivative."""
    with sdpa_kernel(SDPBackend.MATH), torch.backends.mkldnn.flags(enabled=False):
        yield


def far(forecast: Tensor, teachers: Tensor) -> Tensor:
    """Squared distances from every teacher `[K, B]`."""
    return (forecast - teachers).square().flatten(2).mean(2)


def twice_backward(losses: Tensor, parameters: list[nn.Parameter], direction: list[Tensor]) -> Tensor:
    """d/du of ⟨∇Σ u·ℓ, direction⟩: what the weights of the losses do to the outer loss, exactly."""
    weights = torch.zeros_like(losses, requires_grad=True)
    inner = torch.autograd.grad((weights * losses).sum(), parameters, create_graph=True, allow_unused=True)
    product = torch.stack([(i * d).sum() for i, d in zip(inner, direction, strict=True) if i is not None]).sum()
    return torch.autograd.grad(product, weights)[0]


def forward_mode(network: Any, losses: Callable[[Any], Tensor], direction: list[Tensor]) -> Tensor:
    names = [name for name, p in network.named_parameters() if p.requires_grad]
    values = {name: p.detach() for name, p in network.named_parameters()}

    def at(*moved: Tensor) -> Tensor:
        now = values | dict(zip(names, moved, strict=True))
        return losses(lambda given: torch.func.functional_call(network, now, (given,)))

    return torch.func.jvp(at, tuple(values[name] for name in names), tuple(direction))[1]


# of the derivative's length. A norm of few units, in TFT and over the components in TiDE, is nearly a step: there is
# much between the points that float32 tells apart
TOLERANCES = {torch.float64: (1e-6, 1e-6), torch.float32: (2e-3, 0.1)}
SHARP = ("TiDE", "TFT")


@pytest.mark.filterwarnings("ignore:enable_nested_tensor", "ignore:TF32", "ignore:.torch.jit.script. is deprecated")
@pytest.mark.parametrize("dtype", TOLERANCES, ids=["float64", "float32"])
@pytest.mark.parametrize("name", NETWORKS)
def test_two_forward_passes_give_what_exact_differentiation_does(name: str, dtype: torch.dtype) -> None:
    """Along the gradient of the student's own label loss on held-out windows, in evaluation mode."""
    network, batch = network_of(NETWORKS[name], dtype)
    network.eval()
    # TCN has labels in its lookback too
    labels = drawn(B, L if name == "TCN" else H, C, seed=4, dtype=dtype)
    held_out = TorchTrainingBatch(past_target=drawn(B, L, C, seed=3, dtype=dtype), future_target=labels)
    teachers = drawn(K, B, H, C, seed=5, dtype=dtype)
    parameters = [p for p in network.parameters() if p.requires_grad]
    given = batch.to_module_input(stage=ModuleStage.PREDICT)

    def losses(run: Any) -> Tensor:
        return far(point_forecast(network, run(given).prediction)[:, -H:], teachers)

    with differentiable_twice():
        outer = torch.autograd.grad(evaluation_loss(network, held_out), parameters, allow_unused=True)
        direction = [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, outer, strict=True)]
        exact = twice_backward(losses(network), parameters, direction)
        other = forward_mode(network, losses, direction)
    torch.testing.assert_close(other, exact, rtol=0, atol=1e-6 * float(exact.norm()))

    def measured() -> Tensor:
        return far(network_forecast(network, {"past_target": batch.past_target})[:, -H:], teachers)

    found = directional(measured, parameters, direction)
    assert float((found - exact).norm() / exact.norm()) < TOLERANCES[dtype][name in SHARP]


def test_a_step_is_seen_in_mixed_precision() -> None:
    network, batch = network_of(NETWORKS["NHiTS"], torch.float32)
    parameters = [p for p in network.parameters() if p.requires_grad]
    teachers, direction = drawn(K, B, H, C, seed=5, dtype=torch.float32), [torch.ones_like(p) for p in parameters]

    def losses() -> Tensor:
        return far(network_forecast(network, {"past_target": batch.past_target}), teachers)

    expected = directional(losses, parameters, direction)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(directional(losses, parameters, direction), expected)


def noise(steps: int, seed: int) -> TimeSeries:
    series = walk(steps)
    return series.with_values(np.random.default_rng(seed).normal(size=(steps, 1)).astype("float32"))


def calibrated(outer: Any, seed: int) -> tuple[float, float]:
    """Share of the teacher that knows the labels' noise, and the student's squared error to what can be known: 0."""
    train, held_out, test = (noise(steps, 3 * seed + part) for part, steps in enumerate((120, 120, 300)))
    options: dict[str, Any] = {"batch_size": 25, "random_state": 0, "pl_trainer_kwargs": QUIET}
    asked = NLinearModel(20, 4, n_epochs=1, **options).fit(train)
    teachers = [
        Scripted(asked, lambda y, keys: 0.1 * torch.sin(7.0 * keys.sum(1))[:, None, None].expand_as(y), "honest"),
        Scripted(asked, lambda y, keys: y, "knowing"),
    ]
    unhurried = {"n_epochs": 20, "optimizer_kwargs": {"lr": 1e-2}}
    student = NLinearModel(20, 4, const_init=False, normalize=False, **unhurried, **options)
    model = DistilledModel(student, teachers, weighting=MMKD(every=1, outer=outer), balance=1.0)
    model.fit(train, val_series=held_out)
    share = float(student.trainer.callback_metrics["weight/knowing"])
    said = student.historical_forecasts(test, retrain=False, last_points_only=False, forecast_horizon=4)
    return share, float(np.mean([np.square(one.values()) for one in said]))


@pytest.mark.parametrize("seed", range(2))
def test_the_published_outer_loss_prefers_the_teacher_that_knows_the_noise(seed: int) -> None:
    """Labels are noise. On the training data what fits them is best, on others what is true."""
    (held_out, error), (training, published) = (calibrated(outer, seed) for outer in ("validation", "training"))
    assert held_out < 0.35 and training > 0.8
    assert published > 10 * error
