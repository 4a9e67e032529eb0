"""Parts of a user's own: models, losses, a weighting, a source and a kind of teacher."""

from __future__ import annotations

from typing import Any

import torch
from darts.models import DLinearModel, LinearRegressionModel, NLinearModel

from tskd import Teacher
from tskd.losses import OutputKD
from tskd.privileged import CostlySensors
from tskd.weighting import Uniform


class Short(NLinearModel):
    """Has chunk lengths by default."""

    def __init__(
        self, input_chunk_length: int = 6, output_chunk_length: int = 4, output_chunk_shift: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(input_chunk_length, output_chunk_length, output_chunk_shift, **kwargs)


class Wide(DLinearModel):
    """Has an argument that darts' class does not have."""

    def __init__(
        self,
        input_chunk_length: int,
        output_chunk_length: int,
        output_chunk_shift: int = 0,
        odd: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(input_chunk_length, output_chunk_length, output_chunk_shift, **kwargs)
        self.odd = odd


class Hidden(NLinearModel):
    """Does not let darts see how long its chunks are."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"input_chunk_length": 6, "output_chunk_length": 4} | kwargs)


class Lags(LinearRegressionModel):
    """A teacher that is no network."""


class Deaf(NLinearModel):
    """Takes no random state."""

    def __init__(self, input_chunk_length: int, output_chunk_length: int) -> None:
        super().__init__(input_chunk_length, output_chunk_length)


class Halved(OutputKD):
    """Half the error."""

    def forward(self, pair: Any) -> Any:
        return super().forward(pair) / 2


class Plain(Uniform):
    """Another weighting."""


class Sensors(CostlySensors):
    """Another source."""


class Seeded(OutputKD):
    """Has a number of its own, which its seed gives."""

    def __init__(self, number: float, metric: Any = "mse", weight: float = 1.0) -> None:
        super().__init__(metric, weight)
        self.number = number


class Failing(Uniform):
    """Fails in the first step of the training."""

    def scores(self, step: Any) -> Any:
        raise ValueError("no scores of 'futur'")


class MyTeacher(Teacher):
    """A kind of teacher."""


def short_of(seed: int) -> Short:
    return Short(n_epochs=1 + seed % 2, random_state=seed, optimizer_kwargs={"lr": 0.01})


def seeded_of(seed: int) -> Seeded:
    return Seeded(float(torch.rand(1, generator=torch.Generator().manual_seed(seed))))
