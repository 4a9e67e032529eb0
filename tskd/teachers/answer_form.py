"""What the numbers of a given forecast are: a point, mean and standard deviation, or quantiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from torch import Tensor

from tskd._core.darts.likelihoods import gaussian_likelihood, gaussian_output, quantile_likelihood, quantile_spread
from tskd.teachers.network import PARAMETERS


@dataclass(frozen=True)
class AnswerForm:
    """The meaning of the last axis of given forecasts `[…, P]`.

    Attributes:
        gaussian: whether it holds mean and standard deviation (P = 2).
        levels: of the quantiles that it holds, ascending, the median among them (P = Q); empty for others. With
            neither, it holds a point (P = 1).
    """

    gaussian: bool = False
    levels: tuple[float, ...] = ()

    @property
    def size(self) -> int:
        """P."""
        return len(self.levels) or 1 + self.gaussian

    @property
    def likelihood(self) -> Any:
        """darts' likelihood of the distribution; None for points, and quantiles not symmetric about the median."""
        if self.gaussian:
            return gaussian_likelihood()
        return quantile_likelihood(self.levels) if self.levels else None

    def outputs(self, values: Tensor, fields: Sequence[str]) -> dict[str, Tensor]:
        """A teacher's outputs, see `ModelPredictor.outputs`, from given forecasts `[m, H, C, P]`."""
        if self.levels:
            found = {"forecasts": values[..., self.levels.index(0.5)]}
            spread = quantile_spread(values, self.levels)
            found |= {} if spread is None else {"spread": spread}
        else:
            found = {"forecasts": values[..., 0]}
            found |= {"spread": values[..., 1]} if self.gaussian else {}
        if PARAMETERS in fields:
            found[PARAMETERS] = gaussian_output(values[..., 0], values[..., 1]) if self.gaussian else values
        return found

    def description(self) -> dict[str, Any]:
        """The form as JSON can hold it."""
        return asdict(self)

    @classmethod
    def described(cls, description: Mapping[str, Any]) -> Self:
        """The form that `description` was called on."""
        return cls(description["gaussian"], tuple(description["levels"]))
