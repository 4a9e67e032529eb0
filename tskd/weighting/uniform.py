"""All teachers alike."""

from torch import Tensor

from tskd.weighting.base import Weighting
from tskd.weighting.step import Step


class Uniform(Weighting):
    """Every valid teacher of a window has the same weight, 1/K.

    With an MSE loss the student then learns the mean of the teachers' forecasts: Σ w_k (s − t_k)² has the gradient of
    (s − Σ w_k t_k)². Weights per window `[K, B]`.
    """

    def scores(self, step: Step) -> Tensor:
        return step.valid.to(step.forecasts.dtype)
