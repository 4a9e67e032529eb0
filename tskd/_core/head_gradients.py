"""Inner products of gradients of a network's forecast, within the graph of a step, which is left as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge

from tskd._core.distributed import OverRanks, alone


@dataclass(frozen=True)
class Call:
    """One use of a linear layer.

    Attributes:
        layer: the layer.
        inputs: its inputs, detached `[N, in]`: N = B, or B times the steps to which it is applied.
        output: where its output `[N, out]` is in the graph.
    """

    layer: nn.Linear
    inputs: Tensor
    output: GradientEdge


def last_linear(network: nn.Module, run: Callable[[], Tensor]) -> list[str]:
    """Paths of the trainable linear layers from which the forecast is reached without another one: those of several
    branches whose outputs are added, or of several blocks.

    Args:
        run: runs the network once, with gradient, and returns what it forecasts.
    """
    trainable = [
        path
        for path, module in network.named_modules()
        if isinstance(module, nn.Linear) and module.weight.requires_grad
    ]
    paths = {network.get_submodule(path): path for path in trainable}
    with recording(network, trainable) as calls:
        forecast = run()
    ends = {call.output.node: paths[call.layer] for call in calls}
    found, seen = set(), set()
    waiting = [forecast.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node in ends:
            found.add(ends[node])
        else:
            waiting += [following for following, _ in node.next_functions]
    return [path for path in trainable if path in found]


@contextmanager
def recording(network: nn.Module, paths: Sequence[str]) -> Iterator[list[Call]]:
    """A list that a forward pass fills with the calls of these linear layers."""
    calls: list[Call] = []

    def keep(module: nn.Module, inputs: Any, output: Tensor) -> None:
        assert isinstance(module, nn.Linear)
        if output.requires_grad:
            calls.append(Call(module, inputs[0].detach().flatten(0, -2), get_gradient_edge(_unchanged(output))))

    with ExitStack() as stack:
        for path in paths:
            handle = network.get_submodule(path).register_forward_hook(keep)
            stack.callback(handle.remove)
        yield calls


def parameter_gram(
    forecast: Tensor, parameters: Sequence[Tensor], cotangents: Tensor, over_ranks: OverRanks = alone
) -> Tensor:
    """Inner products `[n, n]`, in float64, of the gradients of ⟨forecast, c⟩ with respect to the parameters, for each
    of n cotangents c `[n, B, H, C]`: n backward passes.

    Of processes that train together, those of the means of their gradients.

    Nothing is accumulated in the parameters, no random number is drawn, and the graph can be used again.
    """
    gram = cotangents.new_zeros(len(cotangents), len(cotangents), dtype=torch.float64)
    for gradients in _pulled_back(forecast, parameters, cotangents):
        if gradients is not None:
            rows = over_ranks(gradients.flatten(1).double())
            gram += rows @ rows.T
    return gram


def head_gram(forecast: Tensor, calls: Sequence[Call], cotangents: Tensor, over_ranks: OverRanks = alone) -> Tensor:
    """The same with respect to the weights and biases of linear layers, from these calls of them.

    With cotangents d `[N, out]` at the output of a layer of inputs x `[N, in]`, the gradient is dᵀx of the weight and
    dᵀ1 of the bias. What is pulled back through the graph is what leads from the layers to the forecast.
    """
    pulled = _pulled_back(forecast, [call.output for call in calls], cotangents)
    found: dict[nn.Linear, list[tuple[Tensor, Tensor]]] = {}
    for call, gradients in zip(calls, pulled, strict=True):
        if gradients is not None:
            found.setdefault(call.layer, []).append((gradients.flatten(1, -2).double(), call.inputs.double()))
    gram = cotangents.new_zeros(len(cotangents), len(cotangents), dtype=torch.float64)
    for layer, used in found.items():
        at_output, inputs = torch.cat([one for one, _ in used], 1), torch.cat([one for _, one in used])
        if layer.bias is not None and layer.bias.requires_grad:
            inputs = torch.cat([inputs, inputs.new_ones(len(inputs), 1)], 1)
        gram += _outer_gram(at_output, inputs, over_ranks)
    return gram


def _unchanged(output: Tensor) -> Tensor:
    """The same numbers, where what changes the output in place does not cut them off: that a view is of."""
    base = output._base
    alike = base is not None and base.shape[-1] == output.shape[-1] and base.numel() == output.numel()
    return base if base is not None and alike and base.is_contiguous() and output.is_contiguous() else output


def _outer_gram(cotangents: Tensor, inputs: Tensor, over_ranks: OverRanks) -> Tensor:
    """Inner products `[n, n]` of dᵀx, for n cotangents d `[n, N, out]` and inputs x `[N, in]`."""
    count, rows, out = cotangents.shape
    width = inputs.shape[1]
    if over_ranks is alone and rows * (width + count * out) < count * out * width:
        # ⟨dᵀx, eᵀx⟩ = ⟨d, xxᵀe⟩: fewer products where there are fewer rows than units
        return cotangents.flatten(1) @ (inputs @ inputs.T @ cotangents).flatten(1).T
    gradients = over_ranks((cotangents.transpose(1, 2) @ inputs).flatten(1))
    return gradients @ gradients.T


def _pulled_back(forecast: Tensor, inputs: Sequence[Any], cotangents: Tensor) -> list[Tensor | None]:
    """Gradients `[n, …]` of ⟨forecast, c⟩ with respect to each input, for n cotangents c; None where it does not lead
    to the forecast."""
    pulled = [
        torch.autograd.grad(forecast, inputs, cotangent, retain_graph=True, allow_unused=True)
        for cotangent in cotangents.to(forecast)
    ]
    return [None if gradients[0] is None else torch.stack(gradients) for gradients in zip(*pulled, strict=True)]
