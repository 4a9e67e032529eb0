"""Inner products of gradients, of darts' own networks, against automatic differentiation; and what they leave alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import pytest
import torch
from darts.models import NLinearModel, TCNModel, TiDEModel
from torch import Tensor, nn

from tests.helpers.networks import MODELS, NORMALISED, OPTIONS, SERIES, B, C, H, L, N, made, network_of
from tests.helpers.scripted import Scripted
from tests.helpers.series import walk
from tskd import DistilledModel
from tskd._core.darts.dataset import TorchTrainingBatch
from tskd._core.darts.forward import ModuleStage, network_output, point_forecast
from tskd._core.head_gradients import head_gram, last_linear, parameter_gram, recording
from tskd.weighting import AEKD, Step, Uniform, WeightingNeeds


def said(network: Any, batch: TorchTrainingBatch) -> Tensor:
    return point_forecast(network, network_output(network, batch, ModuleStage.TRAIN).prediction)


def trainable(module: nn.Module) -> list[nn.Parameter]:
    return [p for p in module.parameters() if p.requires_grad]


def differentiated(forecast: Tensor, parameters: Sequence[Tensor], cotangents: Tensor) -> Tensor:
    """Inner products of the gradients that a backward pass for each cotangent gives."""
    rows = []
    for cotangent in cotangents.to(forecast):
        found = torch.autograd.grad((forecast * cotangent).sum(), parameters, retain_graph=True, allow_unused=True)
        rows.append(torch.cat([one.flatten() for one in found if one is not None]).double())
    return torch.stack(rows) @ torch.stack(rows).T


def assert_products(found: Tensor, expected: Tensor, tolerance: float) -> None:
    length = expected.diagonal().sqrt()
    size = torch.outer(length, length)
    assert found.dtype == torch.float64 and bool((size > 0).all())
    torch.testing.assert_close(found / size, expected / size, rtol=0, atol=tolerance)


COTANGENTS = torch.randn(N, B, H, C, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
PRECISIONS = [(torch.float64, 1e-13), (torch.float32, 3e-7)]


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS, ids=["float64", "float32"])
@pytest.mark.parametrize("name", MODELS)
def test_products_are_those_of_backward_passes(name: str, dtype: torch.dtype, tolerance: float) -> None:
    """In training: what dropout has switched off is off in all of them."""
    model, heads = MODELS[name]
    network, batch = network_of(model, dtype)
    assert last_linear(network, lambda: said(network, batch)) == heads
    with recording(network, heads) as calls:
        forecast = said(network, batch)
    of_heads = [p for path in heads for p in trainable(network.get_submodule(path))]
    expected = differentiated(forecast, of_heads, COTANGENTS)
    assert_products(head_gram(forecast, calls, COTANGENTS), expected, tolerance)
    expected = differentiated(forecast, trainable(network), COTANGENTS)
    assert_products(parameter_gram(forecast, trainable(network), COTANGENTS), expected, tolerance)


class Twice(nn.Module):
    """Applies one layer twice, and changes what another puts out in place; a third leads nowhere, a fourth is fixed."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.twice, self.changed = nn.Linear(L, 5), nn.Linear(5, H, bias=False), nn.Linear(5, H)
        self.aside, self.fixed = nn.Linear(5, H), nn.Linear(H, H).requires_grad_(False)
        self.changed.bias.requires_grad_(False)
        self.double()

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.first(inputs.transpose(1, 2)).tanh()
        self.aside(hidden)
        changed = self.changed(hidden).mul_(2).relu_()
        return self.fixed(self.twice(hidden) + self.twice(hidden.flip(0)) + changed).transpose(1, 2)


def test_a_layer_may_be_used_twice_be_changed_in_place_or_be_fixed() -> None:
    network = Twice()
    inputs = torch.randn(B, L, C, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    heads = last_linear(network, lambda: network(inputs))
    assert heads == ["twice", "changed"]
    with recording(network, heads) as calls:
        forecast = network(inputs)
    assert [call.layer for call in calls] == [network.changed, network.twice, network.twice]
    expected = differentiated(forecast, [network.twice.weight, network.changed.weight], COTANGENTS)
    assert_products(head_gram(forecast, calls, COTANGENTS), expected, 1e-13)
    # when they are no longer listened to, nothing is kept
    network(inputs)
    assert len(calls) == 3


def test_layers_that_lead_nowhere_have_no_gradient() -> None:
    network = Twice()
    inputs = torch.randn(B, L, C, dtype=torch.float64)
    with recording(network, ["twice", "changed", "aside"]) as calls:
        forecast = network(inputs)
    expected = differentiated(forecast, [network.twice.weight, network.changed.weight], COTANGENTS)
    assert_products(head_gram(forecast, calls, COTANGENTS), expected, 1e-13)


class Curious(Uniform):
    """Asks for products, and does nothing with them."""

    given: ClassVar[list[Any]] = []

    def __init__(self, space: Any) -> None:
        super().__init__()
        self.space = space

    @property
    def needs(self) -> WeightingNeeds:
        return WeightingNeeds(gram=self.space)

    def scores(self, step: Step) -> Tensor:
        self.given.append(step.context.gram)
        if step.context.gram is not None:
            assert bool(step.context.gram(step.student - step.forecasts).isfinite().all())
        return super().scores(step)


def teachers() -> list[Scripted]:
    scripts = {"high": lambda y, _: y + 1, "less": lambda y, _: 0.5 * y}
    asked = NLinearModel(L, H, **(OPTIONS | {"n_epochs": 1})).fit(SERIES)
    return [Scripted(asked, script, name) for name, script in scripts.items()]


def distilled(student: Any, weighting: Any) -> Any:
    DistilledModel(student, teachers(), weighting=weighting, balance=0.8).fit(SERIES, val_series=walk(40, C, seed=3))
    return student


@pytest.mark.parametrize("space", ["head", "parameters"])
def test_asking_for_products_leaves_the_training_as_it_is(space: str) -> None:
    """Graph, gradients, randomness (dropout) and running statistics: the student is bit-identical."""
    plain, asked = (
        distilled(made(TiDEModel, hidden_size=5, dropout=0.2, **NORMALISED), one) for one in map(Curious, (None, space))
    )
    expected, found = plain.model.state_dict(), asked.model.state_dict()
    assert all(torch.equal(value, found[name]) for name, value in expected.items())


def test_nobody_who_does_not_ask_gets_them() -> None:
    Curious.given.clear()
    distilled(made(NLinearModel), Curious(None))
    assert Curious.given and all(one is None for one in Curious.given)


def test_of_a_linear_student_head_and_parameters_are_the_same() -> None:
    logged = {
        space: distilled(made(NLinearModel, const_init=False), AEKD(cap=1.0, space=space)).trainer.callback_metrics
        for space in ("output", "head", "parameters")
    }
    weights = {space: float(metrics["weight/high"]) for space, metrics in logged.items()}
    assert weights["head"] == pytest.approx(weights["parameters"], abs=1e-4)
    assert abs(weights["head"] - weights["output"]) > 1e-3


def test_a_student_without_a_linear_layer_is_refused_before_anything_is_trained() -> None:
    student = TCNModel(L, H, **OPTIONS)
    message = (
        r"AEKD\(space='head'\) asks for gradients of the student's last linear layer, and a TCNModel has none that is "
        "trained and leads to its forecast"
    )
    with pytest.raises(ValueError, match=message):
        distilled(student, AEKD(space="head"))
    assert student.model is None
    assert distilled(student, AEKD(space="parameters")).model is not None
