"""The sum of all losses between the student and its teachers in a training step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from tskd.distillation.paired_loss import PairedLoss, StudentOutput, Take
from tskd.distillation.weighted_sum import AspectWeights, of_steps, reduced
from tskd.losses import DistillationLoss
from tskd.weighting import Step


def sum_of_losses(
    pairs: Sequence[PairedLoss],
    output: StudentOutput,
    step: Step,
    details: Sequence[Mapping[str, Tensor]],
    sample_weight: Tensor | None,
    weights: AspectWeights,
) -> Tensor | None:
    """The weighted losses summed over the windows; None if no loss has a value in any.

    Args:
        pairs: of losses and teachers.
        output: the student's.
        step: teacher forecasts and labels.
        details: for each teacher, its further outputs.
        sample_weight: of the labels `[B, H, 1 or C]`, or None.
        weights: of the teachers, for each aspect of the losses.
    """
    total: Tensor | None = None
    for pair in pairs:
        loss, k = pair.loss, pair.teacher
        if not isinstance(loss, DistillationLoss):
            continue
        ahead = bool(loss.needs.ahead)
        usable = step.valid[k] if output.rolled is None or not ahead else step.valid[k] & output.rolled
        every = (step.whole and not ahead) or bool(usable.all())
        if (len(usable) if every else int(usable.sum())) < max(loss.least, 1):
            continue
        # invalid windows must not enter: 0 · NaN is NaN, and a relational loss would mix them with the others
        take = _rows(usable, every)
        # steps past the horizon have the weights of its last step, which every teacher that forecasts them covers
        span = slice(-1, None) if ahead else pair.span
        label_weight = None if sample_weight is None else take(sample_weight)[:, span]
        # a teacher that forecasts a part of the horizon counts in that part only
        share = 1.0 if ahead else (span.stop - span.start) / step.target.shape[1]
        for chosen, values in weights.parts(loss, pair.pair(output, step, details, take), pair.number):
            part = loss.weight * share * reduced(values, take(of_steps(chosen[k], span)), label_weight).sum()
            total = part if total is None else total + part
    return total


def _rows(usable: Tensor, every: bool) -> Take:
    if every:
        return lambda values: values
    return lambda values: values[usable]
