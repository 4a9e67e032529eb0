"""Matching the student's own continuation past its output chunk."""

from __future__ import annotations

from torch import Tensor

from tskd._core.checks import check_whole
from tskd.losses._numerics import per_window
from tskd.losses.base import DistillationLoss, Needs, StudentTeacherPair
from tskd.losses.output_kd import Metric, check_metric, distance


class AutoregressiveKD(DistillationLoss):
    """Distance from the teacher in the steps that follow the student's output chunk.

    To forecast more steps than its output chunk, a darts model goes on from its own forecasts, and errors accumulate.
    This term trains for that: the student is rolled forward on its own forecasts, as `predict(output chunk + steps)`
    does, and matched there to a teacher that forecasts these steps directly, with gradients through the whole roll.
    Training on own outputs is due to Bengio et al. (2015, arXiv:1506.03099); here the target is the teacher, not the
    label.

    The roll reads the covariates that `predict` would, of which past ones must then be known ahead; windows whose
    covariates end before have no term. It costs one forward pass for every further output chunk. The term is `[B]`.

    Args:
        steps: number of steps past its output chunk. The teacher's horizon must include them: give it an
            `output_chunk_length` of at least the student's plus `steps`.
        metric: `"mse"`, `"mae"` or `"huber"`, see `OutputKD`.
        weight: coefficient of the term.

    Raises:
        ValueError: an argument out of its range; (at the start of fit) a teacher whose horizon ends before.
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
        # of several such losses, the student is rolled as far as the one with the most steps needs
        student, teacher = (values[:, : self.steps] for values in pair.ahead)
        return per_window(distance(self.metric, student, teacher))
