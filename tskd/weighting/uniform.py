"""Equal weights."""

from torch import Tensor

from tskd.weighting.base import Variation, Weighting
from tskd.weighting.step_inputs import Step


class Uniform(Weighting):
    """Every valid teacher of a window has the same weight, 1/K. Weights `[K, B]`.

    With an MSE loss the student then learns the mean of the teachers' forecasts: Σ w_k (s − t_k)² has the gradient of
    (s − Σ w_k t_k)².
    """

    @property
    def varies(self) -> Variation:
        return "never"

    def scores(self, step: Step) -> Tensor:
        return step.valid.to(step.forecasts.dtype)
