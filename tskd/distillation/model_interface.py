"""What models show beside their forecasts, found out before any training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor

from tskd._core import layers
from tskd._core.darts.capabilities import horizon_of, is_fitted, is_torch_model
from tskd._core.darts.fit import untrained_copy
from tskd._core.darts.forward import predictive_distribution
from tskd._core.darts.inspect import hidden_layers, last_hidden_layer, output_layers
from tskd._core.layers import Layer
from tskd.losses import Predictive
from tskd.teachers import network as networks
from tskd.teachers.inputs import View, arguments_of
from tskd.teachers.teacher import Teacher


@dataclass(frozen=True)
class ModelInterface:
    """What one model shows.

    Attributes:
        kind: its class.
        horizon: steps after the origin that it forecasts.
        layers: its hidden layers by path; none for a model that is no network.
        hidden: path of its last hidden representation, if its class is known to have one.
        likelihood: darts'; None for a model of point forecasts.
        rigid: why it cannot be rolled forward; empty if it can.
        folds: whether it is several, one for each fold.
        heads: its last linear layers, if they are asked for.
    """

    kind: str
    horizon: range
    layers: Mapping[str, Layer] = field(default_factory=dict)
    hidden: str | None = None
    likelihood: Any = None
    rigid: str = ""
    folds: bool = False
    heads: Sequence[str] = ()

    def layer(self, path: str, whose: str) -> str:
        """The path of a layer that there is; of the usual one for `"auto"`.

        Raises:
            ValueError: there is none.
        """
        if not self.layers:
            raise ValueError(f"the {whose}, a {self.kind}, is no network and has no hidden layers")
        if path == "auto":
            if self.hidden is None:
                raise ValueError(
                    f"the {whose}, a {self.kind}, has no hidden representation that is known; name a layer. "
                    f"{layers.unknown(path, self.layers)}"
                )
            return self.hidden
        if path not in self.layers:
            raise ValueError(f"the {whose}, a {self.kind}, has no layer {path!r}; {layers.unknown(path, self.layers)}")
        return path

    def predictive(self, like: Tensor, whose: str) -> Predictive:
        """A forecast of its likelihood, in the shape of labels `[B, H, C]`.

        Raises:
            ValueError: it has none.
        """
        if not self.layers:
            raise ValueError(f"the {whose}, a {self.kind}, is no network; of such, distributions are not compared")
        if self.likelihood is None:
            raise ValueError(f"the {whose}, a {self.kind}, forecasts points: give it a likelihood")
        return self.read(like.unsqueeze(-1).expand(*like.shape, self.likelihood.num_parameters))

    def read(self, output: Tensor) -> Predictive:
        """The forecast in a network's output `[B, H, C, P]`."""
        return Predictive(*predictive_distribution(self.likelihood, output))

    def check_can_roll(self) -> None:
        """Raise a ValueError if it cannot be rolled forward."""
        if self.rigid:
            raise ValueError(self.rigid)


def student_interface(
    student: Any,
    arguments: Mapping[str, Any],
    rows: Mapping[str, Any],
    soft_sensor: bool,
    inside: bool,
    heads: bool = False,
) -> ModelInterface:
    """What a student shows.

    Args:
        arguments: its series and covariates, lists or None.
        rows: darts' `stride` and `max_samples_per_ts`.
        inside: whether a loss looks into the networks.
        heads: whether its last linear layers are wanted.
    """
    rigid = ""
    if soft_sensor:
        rigid = "a soft sensor does not read its own forecasts; there is nothing to roll"
    elif student.output_chunk_shift:
        rigid = "a student with output_chunk_shift cannot be rolled forward"
    view = View(arguments["past_covariates"], arguments["future_covariates"])
    return _shown(student, arguments, view, rows, rigid, inside, heads, training=True)


def teacher_interface(
    teacher: Teacher, given: Mapping[str, Any], privileged: Mapping[str, Any], rows: Mapping[str, Any], inside: bool
) -> ModelInterface:
    """What a teacher shows, fitted or not; arguments as for a student."""
    if not is_torch_model(teacher.model) or not inside:
        return ModelInterface(type(teacher.model).__name__, teacher.horizon)
    arguments, view = arguments_of(teacher, **given, privileged=privileged, what="privileged")
    shown = _shown(teacher.model, arguments, view, rows, "", inside)
    return replace(shown, folds=teacher.cross_fit is not None)


def _shown(
    model: Any,
    arguments: Mapping[str, Any],
    view: View,
    rows: Mapping[str, Any],
    rigid: str,
    inside: bool,
    heads: bool = False,
    training: bool = False,
) -> ModelInterface:
    kind, horizon = type(model).__name__, horizon_of(model)
    if not inside and not heads:
        return ModelInterface(kind, horizon, rigid=rigid)
    if not is_fitted(model):
        model = untrained_copy(model, **arguments, **rows)
    network = model.model
    window = networks.windows(model, arguments, view).one()
    last = output_layers(network, window) if heads else ()
    found = hidden_layers(network, window, training) if inside else {}
    return ModelInterface(
        kind, horizon, found, last_hidden_layer(model, network), network.likelihood, rigid, heads=last
    )
