"""Hidden layers of a network, and the capture of their outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tskd._core.suggest import closest

LISTED = 15
FEATURES = "features."


@dataclass(frozen=True)
class Layer:
    """A layer whose output has an axis of windows.

    Attributes:
        axis: of the windows in the output.
        shape: of the output for one window.
        channels_first: whether time is its last axis.
    """

    axis: int
    shape: tuple[int, ...]
    channels_first: bool = False

    def of(self, output: Tensor, windows: int) -> Tensor:
        """The output with windows first, and time before units: `[B, *shape]`."""
        first = output.movedim(self.axis, 0)
        parted = first if len(first) == windows else first.unflatten(0, (windows, -1))
        return parted.transpose(1, 2) if self.channels_first else parted


def find(network: nn.Module, run: Callable[[int], Any], channels_first: bool = False) -> dict[str, Layer]:
    """The layers of a network by path, in the order in which they finish.

    Args:
        run: runs the network on a number of windows. What grows with their number is taken to be over windows.
        channels_first: whether the network's layers have time last.
    """
    shapes = []
    for windows in (2, 3):
        outputs: dict[str, Tensor] = {}
        paths = [path for path, _ in network.named_modules() if path]
        with torch.no_grad(), _hooks(network, paths, outputs):
            run(windows)
        shapes.append({path: tuple(output.shape) for path, output in outputs.items()})
    found = {}
    for path, two in shapes[0].items():
        three = shapes[1].get(path, ())
        axes = [axis for axis, (a, b) in enumerate(zip(two, three, strict=False)) if a != b]
        if len(two) == len(three) and len(axes) == 1 and 3 * two[axes[0]] == 2 * three[axes[0]]:
            rest = two[: axes[0]] + two[axes[0] + 1 :]
            shape = rest if two[axes[0]] == 2 else (two[axes[0]] // 2, *rest)
            last = channels_first and len(shape) == 2
            found[path] = Layer(axes[0], shape[::-1] if last else shape, last)
    return found


@contextmanager
def listening(network: nn.Module, layers: Mapping[str, Layer], windows: int) -> Iterator[dict[str, Tensor]]:
    """A dictionary that a forward pass fills with these layers' outputs, windows first."""
    outputs: dict[str, Tensor] = {}
    found: dict[str, Tensor] = {}
    with _hooks(network, list(layers), outputs):
        yield found
    found.update({path: layers[path].of(output, windows) for path, output in outputs.items()})


def unknown(path: str, layers: Mapping[str, Layer]) -> str:
    """The rest of a message about an unknown layer: the closest path, and those there are."""
    near = closest(path, layers, cutoff=0.8)
    hint = f"did you mean {near!r}? " if near else ""
    # the outer ones first, which are more often looked for
    outer = sorted(layers, key=lambda one: one.count("."))
    listed = sorted(outer[:LISTED], key=list(layers).index)
    some = ", ".join(f"{one} {list(layers[one].shape)}" for one in listed)
    more = f", and {len(layers) - LISTED} more within these" if len(layers) > LISTED else ""
    return f"{hint}There are, with the shape for one window: {some}{more}"


@contextmanager
def _hooks(network: nn.Module, paths: Sequence[str], outputs: dict[str, Tensor]) -> Iterator[None]:
    def keep(path: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            first = output if isinstance(output, Tensor) else _first(output)
            if first is not None:
                outputs[path] = first

        return hook

    with ExitStack() as stack:
        for path in paths:
            handle = network.get_submodule(path).register_forward_hook(keep(path))
            stack.callback(handle.remove)
        yield


def _first(output: Any) -> Tensor | None:
    try:
        found = output[0]
    except (TypeError, KeyError, IndexError):
        return None
    return found if isinstance(found, Tensor) else None
