"""The specification of a teacher: its model, and which inputs it may read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from darts import TimeSeries
from torch import Tensor

from tskd._core.darts.capabilities import horizon_of, is_torch_model, lookback_of, window_span
from tskd._core.window_keys import WindowSampling, training_keys
from tskd.privileged import Source
from tskd.teachers.crossfit import CrossFit


@dataclass(frozen=True, eq=False)
class TeacherSpec:
    """The specification of a teacher, fitted or not.

    Attributes:
        model: a darts global model.
        sources: sources of privileged information.
        name: for messages, logs and weights by name.
        sees_inputs: whether it reads the deployable inputs too.
        target: name of the privileged series that it forecasts in place of the student's target, or None.
        cross_fit: plan of its cross-fitting, or None.
    """

    model: Any
    sources: tuple[Source, ...]
    name: str
    sees_inputs: bool = True
    target: str | None = None
    cross_fit: CrossFit | None = None

    @property
    def is_network(self) -> bool:
        """Whether the model is one of darts' torch models."""
        return is_torch_model(self.model)

    @property
    def series_names(self) -> list[str]:
        """Names of the privileged series that its sources read or that it forecasts."""
        read = [*(source.name for source in self.sources), self.target]
        return list(dict.fromkeys(name for name in read if name is not None))

    @property
    def horizon(self) -> range:
        """Steps after the origin that the model forecasts."""
        return horizon_of(self.model)

    @property
    def lookback(self) -> int:
        """Number of steps up to the origin that the model reads."""
        return lookback_of(self.model)

    def training_keys(self, targets: Sequence[TimeSeries], sampling: WindowSampling) -> Tensor:
        """Keys `[N, 2]` of its training windows of some target series."""
        return training_keys([len(target) for target in targets], window_span(self.model), sampling)

    def arguments(self) -> str:
        """The arguments of the teacher as text; of the model, its class."""
        parts = [type(self.model).__name__]
        parts += [f"privileged={list(self.sources)}"] if self.sources else []
        parts += [f"name={self.name!r}"]
        parts += [] if self.sees_inputs else ["sees_inputs=False"]
        parts += [] if self.target is None else [f"target={self.target!r}"]
        parts += [] if self.cross_fit is None else [f"cross_fit={self.cross_fit}"]
        return ", ".join(parts)
