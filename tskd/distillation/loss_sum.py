"""The sum of all losses between the student and its teachers in a training step."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cached_property
from itertools import groupby

import torch
from torch import Tensor

from tskd.distillation.paired_loss import PairedLoss, StudentOutput, Take
from tskd.distillation.weighted_sum import AspectWeights, of_steps, reduced
from tskd.losses import DistillationLoss, Needs, StudentTeacherPair
from tskd.weighting import Step

# most values of all teachers that are compared at once: more leave the caches, and take longer than one by one
AT_ONCE = 2**17


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
        pairs: of losses and teachers, those of one loss in sequence.
        output: the student's.
        step: teacher forecasts and labels.
        details: for each teacher, its further outputs.
        sample_weight: of the labels `[B, H, 1 or C]`, or None.
        weights: of the teachers, for each aspect of the losses.
    """
    total: Tensor | None = None
    every: EveryTeacher | None = None
    for number, group in groupby(pairs, lambda pair: pair.number):
        own = list(group)
        loss = own[0].loss
        if not isinstance(loss, DistillationLoss):
            continue
        if comparable_at_once(own, step):
            every = EveryTeacher.of(output, step) if every is None else every
            label_weight = None if sample_weight is None else _for_each(sample_weight, len(own))
            found = [
                loss.weight * reduced(values, chosen.flatten(0, 1), label_weight).sum()
                for chosen, values in weights.parts(loss, every, number)
            ]
        else:
            found = [part for pair in own for part in _of_one(pair, output, step, details, sample_weight, weights)]
        for part in found:
            total = part if total is None else total + part
    return total


def comparable_at_once(pairs: Sequence[PairedLoss], step: Step) -> bool:
    """Whether a loss can be asked for all its teachers at once, their windows one after the other.

    So it is where all are there, and the term of a window depends on two forecasts and labels: not on other windows,
    nor on what a teacher's copy of the loss has learnt.
    """
    loss = pairs[0].loss
    assert isinstance(loss, DistillationLoss)
    whole = step.whole and all(pair.span == slice(0, step.target.shape[1]) for pair in pairs)
    by_window = loss.least <= 1 and loss.needs == Needs() and not loss.state_dict()
    return whole and by_window and len(pairs) > 1 and step.forecasts.numel() <= AT_ONCE


class EveryTeacher(StudentTeacherPair):
    """The student beside each of K teachers, whose windows follow one another: `[K·B, H, C]`.

    The student's forecasts and the labels are repeated when a loss reads them: many read a view of the student only.
    """

    # the student's forecast and the labels [B, H, C]; None in a copy, in which a loss has put something else
    _own_student: Tensor | None = None
    _own_target: Tensor | None = None

    @classmethod
    def of(cls, output: StudentOutput, step: Step) -> EveryTeacher:
        """Those of a step."""
        pair = cls.__new__(cls)
        labelled = None if step.labelled is None else _for_each(step.labelled, len(step.forecasts))
        vars(pair).update(teacher=step.forecasts.flatten(0, 1), labelled=labelled, views=output.views)
        vars(pair).update(_own_student=output.forecast, _own_target=step.target)
        return pair

    @cached_property
    def student(self) -> Tensor:
        return self._repeated(self._own_student)

    @cached_property
    def target(self) -> Tensor:
        return self._repeated(self._own_target)

    def of_student(self, view: Callable[..., Tensor], *arguments: Hashable) -> Tensor:
        """See `StudentTeacherPair.of_student`."""
        own = self._own_student
        if own is None:
            return super().of_student(view, *arguments)
        found = StudentTeacherPair(own, own, own, views=self.views).of_student(view, *arguments)
        return _for_each(found, len(self.teacher) // len(own))

    def _repeated(self, values: Tensor | None) -> Tensor:
        assert values is not None
        # it is kept, whatever the loss that reads it first does without gradient
        with torch.inference_mode(False), torch.enable_grad():
            return _for_each(values, len(self.teacher) // len(values))


def _for_each(values: Tensor, teachers: int) -> Tensor:
    return values.repeat(teachers, *[1] * (values.dim() - 1))


def _of_one(
    pair: PairedLoss,
    output: StudentOutput,
    step: Step,
    details: Sequence[Mapping[str, Tensor]],
    sample_weight: Tensor | None,
    weights: AspectWeights,
) -> list[Tensor]:
    """The parts of a loss against one teacher, weighted and summed over its windows; none if these are too few."""
    loss, k = pair.loss, pair.teacher
    assert isinstance(loss, DistillationLoss)
    ahead = bool(loss.needs.ahead)
    usable = step.valid[k] if output.rolled is None or not ahead else step.valid[k] & output.rolled
    every = (step.whole and not ahead) or bool(usable.all())
    if (len(usable) if every else int(usable.sum())) < max(loss.least, 1):
        return []
    # invalid windows must not enter: 0 · NaN is NaN, and a relational loss would mix them with the others
    take = _rows(usable, every)
    # steps past the horizon have the weights of its last step, which every teacher that forecasts them covers
    span = slice(-1, None) if ahead else pair.span
    label_weight = None if sample_weight is None else take(sample_weight)[:, span]
    # a teacher that forecasts a part of the horizon counts in that part only
    share = 1.0 if ahead else (span.stop - span.start) / step.target.shape[1]
    return [
        loss.weight * share * reduced(values, take(of_steps(chosen[k], span)), label_weight).sum()
        for chosen, values in weights.parts(loss, pair.pair(output, step, details, take), pair.number)
    ]


def _rows(usable: Tensor, every: bool) -> Take:
    if every:
        return lambda values: values
    return lambda values: values[usable]
