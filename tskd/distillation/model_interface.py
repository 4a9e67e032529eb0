"""What a model offers to losses and weightings beside forecasts (hidden layers, a likelihood), before any training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor

from tskd._core import layers
from tskd._core.darts.capabilities import horizon_of, is_fitted
from tskd._core.darts.fit import untrained_copy
from tskd._core.darts.forward import predictive_distribution
from tskd._core.darts.inspect import hidden_layers, last_hidden_layer, output_layers
from tskd._core.layers import Layer
from tskd._core.model_inputs import ModelInputs
from tskd._core.window_keys import WindowSampling
from tskd.losses import Predictive
from tskd.teachers.base import BaseTeacher
from tskd.teachers.network import model_windows


@dataclass(frozen=True)
class ModelInterface:
    """What one model, student or teacher, offers to losses and weightings.

    Attributes:
        kind: name of its class.
        horizon: steps after the origin that it forecasts.
        layers: its hidden layers by path; empty unless it is a torch model that a loss looks into.
        hidden: path of its last hidden representation; None if that is not known for its class.
        likelihood: darts' likelihood; None for a model with point forecasts.
        rigid: reason why it cannot be rolled forward; empty if it can.
        folds: whether there are several models, one for each fold.
        heads: paths of its last linear layers, if a weighting needs them.
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
        """Check the path of a hidden layer, or find that of the last hidden representation for `"auto"`.

        Args:
            whose: `"student"` or `"teacher"`, for messages.

        Raises:
            ValueError: there is no such layer.
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
        """A predictive distribution of its likelihood, in the shape of labels `[B, H, C]`.

        Raises:
            ValueError: the model has no likelihood.
        """
        if self.likelihood is None and not self.layers:
            raise ValueError(
                f"the {whose}, a {self.kind}, is no network: distributions of networks alone can be compared"
            )
        if self.likelihood is None:
            raise ValueError(f"the {whose}, a {self.kind}, forecasts points: give it a likelihood")
        return self.read(like.unsqueeze(-1).expand(*like.shape, self.likelihood.num_parameters))

    def read(self, output: Tensor) -> Predictive:
        """The predictive distribution in a network's output `[B, H, C, P]`."""
        return Predictive(*predictive_distribution(self.likelihood, output))

    def check_can_roll(self) -> None:
        """Raise a ValueError if the model cannot be rolled forward."""
        if self.rigid:
            raise ValueError(self.rigid)


@dataclass(frozen=True)
class Probing:
    """Which properties of networks to look up; an unfitted model needs an untrained copy for them.

    Attributes:
        sampling: of the training windows.
        inside: whether a loss compares hidden layers or distributions.
        heads: whether a weighting needs the student's last linear layers.
    """

    sampling: WindowSampling
    inside: bool
    heads: bool = False


def student_interface(student: Any, inputs: ModelInputs, probing: Probing, soft_sensor: bool = False) -> ModelInterface:
    """The interface of a student.

    Args:
        inputs: the student's.
        probing: which properties to look up.
        soft_sensor: whether the target's own past is hidden from it.
    """
    rigid = ""
    if soft_sensor:
        rigid = "a soft sensor does not read its own forecasts; there is nothing to roll"
    elif student.output_chunk_shift:
        rigid = "a student with output_chunk_shift cannot be rolled forward"
    interface = ModelInterface(type(student).__name__, horizon_of(student), rigid=rigid)
    if not probing.inside and not probing.heads:
        return interface
    # as in training, with nothing hidden
    return _probed(interface, student, replace(inputs, visible={}), probing, training=True)


def teacher_interface(teacher: BaseTeacher, inputs: ModelInputs, probing: Probing) -> ModelInterface:
    """The interface of a teacher, fitted or not."""
    interface = ModelInterface(teacher.kind, teacher.horizon, likelihood=teacher.likelihood)
    if not teacher.is_network or not probing.inside:
        return interface
    probed = _probed(interface, teacher.models[0], inputs, replace(probing, heads=False))
    return replace(probed, folds=teacher.cross_fit is not None)


def _probed(
    interface: ModelInterface, model: Any, inputs: ModelInputs, probing: Probing, training: bool = False
) -> ModelInterface:
    """The interface with the properties of the model's network, or of that of an untrained copy."""
    if not is_fitted(model):
        model = untrained_copy(model, **inputs.arguments(), **probing.sampling.arguments())
    network = model.model
    window = model_windows(model, inputs).one()
    return replace(
        interface,
        layers=hidden_layers(network, window, training) if probing.inside else {},
        hidden=last_hidden_layer(model, network),
        likelihood=network.likelihood,
        heads=output_layers(network, window) if probing.heads else (),
    )
