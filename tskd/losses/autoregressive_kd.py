"""Matching the student's own continuation past its output chunk."""

from __future__ import annotations

from torch import Tensor

from tskd._core.checks import check_whole
from tskd.losses._numerics import per_window
from tskd.losses.base import DistillationLoss, Needs, StudentTeacherPair
from tskd.losses.output_kd import Metric, check_metric, distance


class AutoregressiveKD(DistillationLoss):
    """Distance from the teacher in the steps that follow the student's output chunk.

    Asked for more steps than its output chunk, a darts model goes on from its own forecasts, and its errors pile up. In
    this term it does so in training: it is rolled forward on its own forecasts, exactly as `predict(output chunk +
    steps)` does, and matched there to a teacher that forecasts these steps directly. The gradient runs through the
    whole roll. (Training on own outputs is the cure of Bengio et al. 2015, arXiv:1506.03099; here the target is the
    teacher, not the label.)

    The roll reads what `predict` would: covariates as far as it goes, of which past ones must then be known ahead.
    Windows whose covariates end before have no term. Costs one forward pass for every further output chunk.

    Args:
        steps: how far past its output chunk the student is rolled. The teacher's horizon must include them: give it an
            `output_chunk_length` of at least the student's plus `steps`.
        metric: `"mse"`, `"mae"` or `"huber"`, see `OutputKD`.
        weight: coefficient of the term.

    Returns (forward): `[B]`.
    """

    def __init__(self, steps: int, metric: Metric = "mse", weight: float = 1.0) -> None:
        super().__init__(weight)
        check_whole(steps, 1, "steps", "a number of steps")
        check_metric(metric)
        self.steps = steps
        self.metric = metric

    @property
    def needs(self) -> Needs:
        return Needs(ahead=self.steps)

    def forward(self, pair: StudentTeacherPair) -> Tensor:
        assert pair.ahead is not None
        # of several such losses, the one with the most steps says how far the student is rolled
        student, teacher = (values[:, : self.steps] for values in pair.ahead)
        return per_window(distance(self.metric, student, teacher))
