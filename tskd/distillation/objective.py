"""The distillation term of a step: losses × teachers, weighted, averaged over what is valid."""

from __future__ import annotations

import copy
import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from tskd._core.aspects import Aspect
from tskd._core.darts.capabilities import covered, shared_steps
from tskd._core.layers import FEATURES, Layer
from tskd.distillation.linear_probe import fit_linear_probe
from tskd.distillation.model_interface import ModelInterface
from tskd.distillation.paired_loss import PairedLoss, StudentOutput, Take
from tskd.distillation.weighted_sum import (
    AspectWeights,
    DistillationTerm,
    check_not_idle,
    label_weights,
    of_steps,
    reduced,
    weighed_apart,
)
from tskd.losses import DistillationLoss, LabelWeighting, LossTerm
from tskd.weighting import Step, StepFeatures, Weighting

logger = logging.getLogger(__name__)
# share of its forecasts' variance from which on a teacher's read-out is taken for its last layers
LEAST_R2 = 0.9


class Objective(nn.Module):
    """Σ_l c_l · Σ_k w_k · ℓ_lk of a batch; of a loss of several aspects, each part with the weights of its own.

    Args:
        losses: every teacher gets a copy of each.
        names: the teachers, in order.
        weighting: combines them.
    """

    # known from `set_up` on
    _student: ModelInterface

    def __init__(self, losses: Sequence[LossTerm], names: Sequence[str], weighting: Weighting) -> None:
        super().__init__()
        self._copies = nn.ModuleList(copy.deepcopy(loss) for loss in losses if loss.weight for _ in names)
        self._names = list(names)
        # of each teacher, the part of the student's horizon that it forecasts
        self._spans: list[slice] = []
        # one for each copy
        self._compared: list[PairedLoss] = []
        # by teacher and layer
        self._probes = nn.ModuleDict()
        self.weighting = copy.deepcopy(weighting)
        self.weighting.set_up(self._names)

    def set_up(self, student: ModelInterface, teachers: Sequence[ModelInterface], like: Tensor) -> None:
        """Make what the losses train.

        Args:
            like: labels of a few windows `[B, H, C]`, for their shape.

        Raises:
            ValueError: a loss is not defined for these models.
        """
        self._student, self._compared = student, []
        self._spans = [shared_steps(student.horizon, teacher.horizon) for teacher in teachers]
        for loss, k in self._pairs():
            span = self._spans[k]
            try:
                compared = PairedLoss.of(loss, student, teachers[k], k, span)
                loss.set_up(compared.probe(like[:, span]))
            except ValueError as error:
                raise ValueError(f"{loss!r}, teacher {self._names[k]!r}: {error}") from None
            self._compared.append(compared)

    def covers(self) -> Tensor:
        """Which steps of the student's horizon each teacher forecasts `[K, H]`."""
        return covered(self._spans, len(self._student.horizon))

    @property
    def student_layers(self) -> dict[str, Layer]:
        """The student's hidden layers that a loss compares, by path."""
        paths = [one.layers[0] for one in self._compared if one.layers is not None]
        return {path: self._student.layers[path] for path in paths}

    @property
    def student_heads(self) -> Sequence[str]:
        """The student's last linear layers, if the weighting asks for gradients with respect to them."""
        return self._student.heads

    @property
    def ahead(self) -> int:
        """Steps past its output chunk that the student is rolled."""
        return max((loss.needs.ahead for loss, _ in self._pairs()), default=0)

    def extra(self, teacher: int) -> list[str]:
        """Fields that the losses read of a teacher beside its forecasts."""
        return sorted({field for one in self._compared if one.number == teacher for field in one.fields})

    @property
    def compares(self) -> bool:
        """Whether it has a term at all, and not label weights alone."""
        return any(isinstance(loss, DistillationLoss) for loss, _ in self._pairs())

    @property
    def aspects(self) -> list[Aspect]:
        """What steps may weigh apart, the same in all processes."""
        return weighed_apart(self.weighting, (loss for loss, _ in self._pairs()))

    def check_not_idle(self) -> None:
        """Raise a ValueError if the weighting is to weigh apart what no loss has."""
        if self._names:
            check_not_idle(self.weighting, (loss for loss, _ in self._pairs()))

    @property
    def described(self) -> dict[str, Any]:
        """What its state is of, as text that does not name the teachers, since it stands in files: loss and teacher of
        every copy, the teachers in order, and the weighting, whose settings may be by name."""
        teachers = [_digest(name) for name in self._names]
        losses = [f"{loss!r} {teachers[k]}" for loss, k in self._pairs()]
        return {"losses": losses, "teachers": teachers, "weighting": _digest(repr(self.weighting))}

    def learns_from(self) -> list[int]:
        """The teachers of whose forecasts a loss wants statistics before the training."""
        return sorted({k for loss, k in self._pairs() if loss.needs.statistics})

    def fit_statistics(self, teacher: int, known: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Give the losses one teacher's forecasts and the labels `[m, H, C]` of the training windows, in chunks."""
        chunks = list(known)
        for loss, k in self._pairs():
            if k == teacher and loss.needs.statistics:
                loss.fit_statistics(iter(chunks))

    def probes_teachers(self) -> list[tuple[int, str]]:
        """Teachers, and fields of their hidden layers, of which the weighting wants to know what their last layers make
        of them."""
        if not self.weighting.needs.linear_probe:
            return []
        found = {
            (one.number, one.features)
            for one, loss in zip(self._compared, self._copies, strict=True)
            if one.features is not None and isinstance(loss, DistillationLoss) and "features" in loss.aspects
        }
        return sorted(found)

    def fit_linear_probe(self, teacher: int, field: str, known: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Find out what a teacher's last layers make of a hidden layer, from chunks of its features `[m, …]` and of its
        forecasts `[m, h, C]`."""
        found = fit_linear_probe(known)
        if found.r2 >= LEAST_R2:
            self._probes[_key(teacher, field)] = found
            return
        logger.warning(
            "teacher %r: %s of layer %r (R² %.2f, less than %s): the features of all teachers are weighed as their "
            "forecasts are",
            self._names[teacher],
            found.doubt,
            field.removeprefix(FEATURES),
            found.r2,
            LEAST_R2,
        )

    def _pairs(self) -> Iterator[tuple[LossTerm, int]]:
        """Every loss with the number of the teacher that it compares with."""
        for index, loss in enumerate(self._copies):
            assert isinstance(loss, LossTerm)
            yield loss, index % len(self._names)

    def forward(
        self, said: StudentOutput, step: Step, details: Sequence[Mapping[str, Tensor]], sample_weight: Tensor | None
    ) -> DistillationTerm:
        """The term for what the student said, labels' sample weights `[B, H, 1 or C]` applied.

        Args:
            details: of each teacher, the `extra` fields, and `ahead`.
        """
        weights = self.weighting(step)
        known = step.valid.any(0)
        # the mean of what the processes have is then that over the windows of all of them
        count = step.context.mean_over_ranks(known.sum().to(weights.dtype))
        if not bool(known.any()):
            return DistillationTerm(None, weights)
        total: Tensor | None = None
        aspect_weights = AspectWeights(self.weighting, step, weights, partial(self._features, said, step, details))
        for index, (compared, loss) in enumerate(zip(self._compared, self._copies, strict=True)):
            if not isinstance(loss, DistillationLoss):
                continue
            k, ahead = compared.number, bool(loss.needs.ahead)
            usable = step.valid[k] if said.rolled is None or not ahead else step.valid[k] & said.rolled
            if int(usable.sum()) < max(loss.least, 1):
                continue
            # what is not valid must not enter at all: 0 · NaN is NaN, and a relation would mix it with the rest
            take = _rows(usable)
            pair = compared.pair(said, step, details, take)
            # what comes after the horizon is weighed as its last step; every teacher that says it forecasts that too
            span = slice(-1, None) if ahead else compared.span
            given = None if sample_weight is None else take(sample_weight)[:, span]
            # a teacher of a part of the horizon has a say in that part
            share = 1.0 if ahead else (span.stop - span.start) / step.target.shape[1]
            for chosen, values in aspect_weights.parts(loss, pair, index - k):
                part = loss.weight * share * reduced(values, take(of_steps(chosen[k], span)), given)
                whole = part if bool(usable.all()) else part.new_zeros(len(usable)).index_put((usable,), part)
                total = whole if total is None else total + whole
        labels = label_weights(self._label_weightings(), self._spans, weights, step)
        return DistillationTerm(
            None if total is None else total[known].sum() / count, weights, labels, aspect_weights.apart()
        )

    def _features(
        self, said: StudentOutput, step: Step, details: Sequence[Mapping[str, Tensor]], first: int
    ) -> StepFeatures:
        """What one loss, whose copies start with this one, compares of hidden layers."""
        student, teachers, read = [], [], []
        for k in range(len(self._names)):
            compared, loss = self._compared[first + k], self._copies[first + k]
            assert isinstance(loss, DistillationLoss) and compared.features is not None
            valid = step.valid[k][:, None, None]
            ours, theirs = loss.representations(compared.pair(said, step, details, lambda values: values))
            student.append(ours)
            teachers.append(theirs.where(valid, 0))
            key = _key(k, compared.features)
            if key in self._probes:
                forecasts = step.forecasts.new_zeros(step.forecasts.shape[1:])
                forecasts[:, compared.span] = self._probes[key](ours).to(forecasts)
                read.append(forecasts.where(valid, 0))
        return StepFeatures(student, teachers, torch.stack(read) if len(read) == len(self._names) else None)

    def _label_weightings(self) -> list[list[LabelWeighting]]:
        """Each as its copies, one a teacher."""
        copies = [one for one in self._copies if isinstance(one, LabelWeighting)]
        count = len(self._names)
        return [copies[first : first + count] for first in range(0, len(copies), count)]


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def _key(teacher: int, field: str) -> str:
    # no dots in the names of modules
    return f"{teacher} {field.replace('.', '/')}"


def _rows(usable: Tensor) -> Take:
    if bool(usable.all()):
        return lambda values: values
    return lambda values: values[usable]
