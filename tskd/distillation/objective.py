"""The distillation term of a training step: losses × teachers, weighted, averaged over the valid windows."""

from __future__ import annotations

import copy
import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from tskd._core.aspects import Aspect
from tskd._core.layers import FEATURES, Layer
from tskd._core.window_keys import covered_steps, shared_steps
from tskd.distillation.linear_probe import fit_linear_probe
from tskd.distillation.model_interface import ModelInterface
from tskd.distillation.paired_loss import PairedLoss, StudentOutput, Take
from tskd.distillation.weighted_sum import (
    AspectWeights,
    DistillationTerm,
    check_aspects_used,
    label_weights,
    of_steps,
    reduced,
    separate_aspects,
)
from tskd.losses import DistillationLoss, LossTerm
from tskd.weighting import Step, StepFeatures, Weighting

logger = logging.getLogger(__name__)
# share of its forecasts' variance from which on a linear probe is taken for a teacher's last layers
LEAST_R2 = 0.9


class Objective(nn.Module):
    """Σ_l c_l · Σ_k w_k · ℓ_lk of a batch; of a loss of several aspects, each part with weights of its own.

    Args:
        losses: every teacher gets a copy of each.
        weighting: combines the teachers.
        student: the student's interface.
        teachers: interfaces of the teachers by name, in order.
        like: labels of a few windows `[B, H, C]`, for their shape.

    Attributes:
        names: the teachers.
        pairs: every loss with every teacher, teachers first.
        covers: which steps of the student's horizon each teacher forecasts `[K, H]`.

    Raises:
        ValueError: a loss is not defined for these models, or the weighting does not fit the teachers.
    """

    def __init__(
        self,
        losses: Sequence[LossTerm],
        weighting: Weighting,
        student: ModelInterface,
        teachers: Mapping[str, ModelInterface],
        like: Tensor,
    ) -> None:
        super().__init__()
        self.names = list(teachers)
        self.weighting = copy.deepcopy(weighting)
        self.weighting.set_up(self.names)
        self._student = student
        spans = [shared_steps(student.horizon, teacher.horizon) for teacher in teachers.values()]
        self.covers = covered_steps(spans, len(student.horizon))
        self.pairs: list[PairedLoss] = []
        for number, loss in enumerate(loss for loss in losses if loss.weight):
            for k, (name, teacher) in enumerate(teachers.items()):
                own = copy.deepcopy(loss)
                try:
                    pair = PairedLoss.of(own, (number, k), (student, teacher), spans[k])
                    own.set_up(pair.probe(like[:, spans[k]]))
                except ValueError as error:
                    raise ValueError(f"{loss!r}, teacher {name!r}: {error}") from None
                self.pairs.append(pair)
        # checkpoints name the trained parts of losses by their place in this list
        self._copies = nn.ModuleList(pair.loss for pair in self.pairs)
        # by teacher and layer
        self._probes = nn.ModuleDict()

    @property
    def student_layers(self) -> dict[str, Layer]:
        """The student's hidden layers that a loss compares, by path."""
        paths = [pair.layers[0] for pair in self.pairs if pair.layers is not None]
        return {path: self._student.layers[path] for path in paths}

    @property
    def student_heads(self) -> Sequence[str]:
        """The student's last linear layers, if the weighting needs gradients with respect to them."""
        return self._student.heads

    @property
    def ahead(self) -> int:
        """Steps past its output chunk that the student is rolled."""
        return max((pair.loss.needs.ahead for pair in self.pairs), default=0)

    def fields(self, teacher: int) -> list[str]:
        """Fields of a teacher's outputs that the losses read beside its forecasts."""
        return sorted({field for pair in self.pairs if pair.teacher == teacher for field in pair.fields})

    @property
    def compares(self) -> bool:
        """Whether it has a term at all, and not label weights alone."""
        return any(isinstance(pair.loss, DistillationLoss) for pair in self.pairs)

    @property
    def aspects(self) -> list[Aspect]:
        """Aspects with weights of their own, the same in all processes."""
        return separate_aspects(self.weighting, (pair.loss for pair in self.pairs))

    def check_aspects_used(self) -> None:
        """Raise a ValueError if the weighting has weights for aspects of which no loss has one."""
        if self.names:
            check_aspects_used(self.weighting, (pair.loss for pair in self.pairs))

    @property
    def loss_identities(self) -> list[str]:
        """Names of the pairs of loss and teacher for checkpoints, in which teachers must not be named."""
        teachers = self.teacher_identities
        return [f"{pair.loss!r} {teachers[pair.teacher]}" for pair in self.pairs]

    @property
    def teacher_identities(self) -> list[str]:
        """Digests of the teachers' names, in order."""
        return [_digest(name) for name in self.names]

    @property
    def weighting_identity(self) -> str:
        """Digest of the weighting's settings, which may be by name."""
        return _digest(repr(self.weighting))

    def needing_statistics(self) -> list[int]:
        """The teachers of whose forecasts a loss needs statistics before the training."""
        return sorted({pair.teacher for pair in self.pairs if pair.loss.needs.statistics})

    def fit_statistics(self, teacher: int, known: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Give the losses one teacher's forecasts and the labels `[m, H, C]` of the training windows, in chunks."""
        chunks = list(known)
        for pair in self.pairs:
            if pair.teacher == teacher and pair.loss.needs.statistics:
                pair.loss.fit_statistics(iter(chunks))

    def needing_probes(self) -> list[tuple[int, str]]:
        """Teachers, and fields of their hidden layers, of which the weighting needs a linear probe."""
        if not self.weighting.needs.linear_probe:
            return []
        found = {
            (pair.teacher, pair.features)
            for pair in self.pairs
            if pair.features is not None and isinstance(pair.loss, DistillationLoss) and "features" in pair.loss.aspects
        }
        return sorted(found)

    def fit_probe(self, teacher: int, field: str, known: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Fit a teacher's forecasts by a linear map of a hidden layer.

        Args:
            field: of the hidden layer.
            known: its features `[m, …]` and its forecasts `[m, h, C]`, in chunks.
        """
        probe = fit_linear_probe(known)
        if probe.r2 >= LEAST_R2:
            self._probes[_key(teacher, field)] = probe
            return
        logger.warning(
            "teacher %r: %s of layer %r (R² %.2f, less than %s): the features of all teachers are weighed as their "
            "forecasts are",
            self.names[teacher],
            probe.doubt,
            field.removeprefix(FEATURES),
            probe.r2,
            LEAST_R2,
        )

    def forward(
        self,
        output: StudentOutput,
        step: Step,
        details: Sequence[Mapping[str, Tensor]],
        sample_weight: Tensor | None = None,
    ) -> DistillationTerm:
        """The term for the student's outputs, with sample weights of the labels `[B, H, 1 or C]` applied.

        Args:
            details: of each teacher, its `fields`, and `ahead`.
        """
        weights = self.weighting(step)
        known = step.valid.any(0)
        # the mean of the processes' terms is then the mean over the windows of all of them
        count = step.context.mean_over_ranks(known.sum().to(weights.dtype))
        if not bool(known.any()):
            return DistillationTerm(None, weights)
        total: Tensor | None = None
        aspect_weights = AspectWeights(self.weighting, step, weights, partial(self._features, output, step, details))
        for pair in self.pairs:
            loss, k = pair.loss, pair.teacher
            if not isinstance(loss, DistillationLoss):
                continue
            ahead = bool(loss.needs.ahead)
            usable = step.valid[k] if output.rolled is None or not ahead else step.valid[k] & output.rolled
            if int(usable.sum()) < max(loss.least, 1):
                continue
            # what is not valid must not enter at all: 0 · NaN is NaN, and a relation would mix it with the rest
            take = _rows(usable)
            # steps past the horizon are weighed as its last step, which every teacher that forecasts them has
            span = slice(-1, None) if ahead else pair.span
            given = None if sample_weight is None else take(sample_weight)[:, span]
            # a teacher of a part of the horizon counts in that part
            share = 1.0 if ahead else (span.stop - span.start) / step.target.shape[1]
            for chosen, values in aspect_weights.parts(loss, pair.pair(output, step, details, take), pair.number):
                part = loss.weight * share * reduced(values, take(of_steps(chosen[k], span)), given)
                whole = part if bool(usable.all()) else part.new_zeros(len(usable)).index_put((usable,), part)
                total = whole if total is None else total + whole
        labels = label_weights(self.pairs, weights, step)
        term = None if total is None else total[known].sum() / count
        return DistillationTerm(term, weights, labels, aspect_weights.separate())

    def _features(
        self, output: StudentOutput, step: Step, details: Sequence[Mapping[str, Tensor]], number: int
    ) -> StepFeatures:
        """What one loss, by its number, compares of hidden layers."""
        student, teachers, read = [], [], []
        for pair in self.pairs:
            if pair.number != number:
                continue
            loss, k = pair.loss, pair.teacher
            assert isinstance(loss, DistillationLoss) and pair.features is not None
            valid = step.valid[k][:, None, None]
            ours, theirs = loss.representations(pair.pair(output, step, details, lambda values: values))
            student.append(ours)
            teachers.append(theirs.where(valid, 0))
            key = _key(k, pair.features)
            if key in self._probes:
                forecasts = step.forecasts.new_zeros(step.forecasts.shape[1:])
                forecasts[:, pair.span] = self._probes[key](ours).to(forecasts)
                read.append(forecasts.where(valid, 0))
        return StepFeatures(student, teachers, torch.stack(read) if len(read) == len(self.names) else None)


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def _key(teacher: int, field: str) -> str:
    # no dots in the names of modules
    return f"{teacher} {field.replace('.', '/')}"


def _rows(usable: Tensor) -> Take:
    if bool(usable.all()):
        return lambda values: values
    return lambda values: values[usable]
