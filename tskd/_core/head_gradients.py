"""Inner products of gradients of a network's forecast, taken within the graph of a training step."""

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
    """One call of a linear layer in a forward pass.

    Attributes:
        layer: the layer.
        inputs: its inputs, detached `[N, in]`: N = B, or B times the steps to which it is applied.
        output: its output `[N, out]` in the graph.
    """

    layer: nn.Linear
    inputs: Tensor
    output: GradientEdge


def last_linear(network: nn.Module, run: Callable[[], Tensor]) -> list[str]:
    """Paths of the last trainable linear layers: those with no other one between them and the forecast.

    There are several if the outputs of branches or blocks are added.

    Args:
        run: runs the network once, with gradient, and returns its forecast.
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
    last, seen = set(), set()
    waiting = [forecast.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node in ends:
            last.add(ends[node])
        else:
            waiting += [following for following, _ in node.next_functions]
    return [path for path in trainable if path in last]


@contextmanager
def recording(network: nn.Module, paths: Sequence[str]) -> Iterator[list[Call]]:
    """Record the calls of linear layers in the block's forward passes, in a list that grows with each call."""
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
    """Inner products of gradients of ⟨forecast, c⟩ with respect to parameters, for n cotangents c: n backward passes.

    In distributed training, gradients are averaged over the processes first. Nothing is accumulated in the parameters,
    no random number is drawn, and the graph can be used again.

    Args:
        cotangents: `[n, B, H, C]`.

    Returns:
        `[n, n]`, in float64.
    """
    gram = cotangents.new_zeros(len(cotangents), len(cotangents), dtype=torch.float64)
    for gradients in _pulled_back(forecast, parameters, cotangents):
        if gradients is not None:
            rows = over_ranks(gradients.flatten(1).double())
            gram += rows @ rows.T
    return gram


def head_gram(forecast: Tensor, calls: Sequence[Call], cotangents: Tensor, over_ranks: OverRanks = alone) -> Tensor:
    """`parameter_gram` for the weights and biases of linear layers, computed from their recorded calls.

    With cotangents d `[N, out]` at the output of a layer with inputs x `[N, in]`, the gradient is dᵀx for the weight
    and dᵀ1 for the bias, so that only the graph between these layers and the forecast is traversed.
    """
    pulled = _pulled_back(forecast, [call.output for call in calls], cotangents)
    by_layer: dict[nn.Linear, list[tuple[Tensor, Tensor]]] = {}
    for call, gradients in zip(calls, pulled, strict=True):
        if gradients is not None:
            by_layer.setdefault(call.layer, []).append((gradients.flatten(1, -2).double(), call.inputs.double()))
    gram = cotangents.new_zeros(len(cotangents), len(cotangents), dtype=torch.float64)
    for layer, used in by_layer.items():
        at_output, inputs = torch.cat([one for one, _ in used], 1), torch.cat([one for _, one in used])
        if layer.bias is not None and layer.bias.requires_grad:
            inputs = torch.cat([inputs, inputs.new_ones(len(inputs), 1)], 1)
        gram += _outer_gram(at_output, inputs, over_ranks)
    return gram


def _unchanged(output: Tensor) -> Tensor:
    """The output, or the tensor of the same values that it is a view of: operations in place replace a view's node."""
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
    """Gradients `[n, …]` of ⟨forecast, c⟩ with respect to each input, for n cotangents c; None where the forecast
    does not depend on the input."""
    pulled = [
        torch.autograd.grad(forecast, inputs, cotangent, retain_graph=True, allow_unused=True)
        for cotangent in cotangents.to(forecast)
    ]
    return [None if gradients[0] is None else torch.stack(gradients) for gradients in zip(*pulled, strict=True)]
