"""What of a model can be distilled beside its forecasts, found out before any training: hidden layers, a likelihood."""

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
from tskd.teachers.network import model_windows
from tskd.teachers.spec import TeacherSpec


@dataclass(frozen=True)
class ModelInterface:
    """What one model offers to losses and weightings.

    Attributes:
        kind: its class.
        horizon: steps after the origin that it forecasts.
        layers: its hidden layers by path; none for a model that is no network.
        hidden: path of its last hidden representation, if its class is known to have one.
        likelihood: darts'; None for a model of point forecasts.
        rigid: why it cannot be rolled forward; empty if it can.
        folds: whether there are several models, one for each fold.
        heads: its last linear layers, if a weighting needs them.
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
        """The path of a layer that exists; of the usual one for `"auto"`.

        Args:
            whose: `"student"` or `"teacher"`, for messages.

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


@dataclass(frozen=True)
class Probing:
    """What is to be found out of models, by an untrained copy where they are not fitted.

    Attributes:
        sampling: which windows they are trained on.
        inside: whether a loss compares hidden layers or distributions.
        heads: whether a weighting needs the student's last linear layers.
    """

    sampling: WindowSampling
    inside: bool
    heads: bool = False


def student_interface(student: Any, inputs: ModelInputs, probing: Probing, soft_sensor: bool = False) -> ModelInterface:
    """The interface of a student.

    Args:
        inputs: its series and covariates.
        soft_sensor: whether it does not see the target's own past.
    """
    rigid = ""
    if soft_sensor:
        rigid = "a soft sensor does not read its own forecasts; there is nothing to roll"
    elif student.output_chunk_shift:
        rigid = "a student with output_chunk_shift cannot be rolled forward"
    found = ModelInterface(type(student).__name__, horizon_of(student), rigid=rigid)
    if not probing.inside and not probing.heads:
        return found
    # in training, where the target's past is not hidden
    return _probed(found, student, replace(inputs, visible={}), probing, training=True)


def teacher_interface(teacher: TeacherSpec, inputs: ModelInputs, probing: Probing) -> ModelInterface:
    """The interface of a teacher, fitted or not."""
    found = ModelInterface(type(teacher.model).__name__, teacher.horizon)
    if not teacher.is_network or not probing.inside:
        return found
    probed = _probed(found, teacher.model, inputs, replace(probing, heads=False))
    return replace(probed, folds=teacher.cross_fit is not None)


def _probed(
    found: ModelInterface, model: Any, inputs: ModelInputs, probing: Probing, training: bool = False
) -> ModelInterface:
    if not is_fitted(model):
        model = untrained_copy(model, **inputs.arguments(), **probing.sampling.arguments())
    network = model.model
    window = model_windows(model, inputs).one()
    return replace(
        found,
        layers=hidden_layers(network, window, training) if probing.inside else {},
        hidden=last_hidden_layer(model, network),
        likelihood=network.likelihood,
        heads=output_layers(network, window) if probing.heads else (),
    )
