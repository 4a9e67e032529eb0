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
from tskd.distillation.blend import Blend
from tskd.distillation.linear_probe import fit_linear_probe
from tskd.distillation.loss_sum import sum_of_losses
from tskd.distillation.model_interface import ModelInterface
from tskd.distillation.paired_loss import PairedLoss, StudentOutput
from tskd.distillation.squared_errors import squares_only, weighted_squares
from tskd.distillation.weighted_sum import (
    AspectWeights,
    DistillationTerm,
    StepWeights,
    by_label,
    check_aspects_used,
    label_share,
    label_weights,
    separate_aspects,
)
from tskd.losses import DistillationLoss, LossTerm
from tskd.weighting import Step, StepFeatures, Weighting

logger = logging.getLogger(__name__)
# least R² with which a linear probe stands in for a teacher's last layers
LEAST_R2 = 0.9


class Objective(nn.Module):
    """Σ_l c_l · Σ_k w_k · ℓ_lk of a batch; for a loss of several aspects, each part has its own weights w_k.

    Args:
        losses: copied for every teacher.
        weighting: how the teachers are combined.
        student: the student's interface.
        teachers: interfaces of the teachers by name, in order.
        like: a tensor in the shape of the labels of a few windows `[B, H, C]`.

    Attributes:
        names: of the teachers.
        pairs: every loss with every teacher; all teachers of the first loss come first.
        covers: masks `[K, H]` of the steps of the student's horizon that each teacher forecasts.

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
        self._weights = StepWeights(self.weighting)
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
        # coefficient of plain squared errors, if the losses are nothing else
        self._squares = squares_only(self.pairs, self.weighting)
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
        """Number of steps past its output chunk that the student is rolled forward."""
        return max((pair.loss.needs.ahead for pair in self.pairs), default=0)

    def fields(self, teacher: int) -> list[str]:
        """Fields of a teacher's outputs that losses read beside its forecasts."""
        return sorted({field for pair in self.pairs if pair.teacher == teacher for field in pair.fields})

    @property
    def compares(self) -> bool:
        """Whether there is a distillation loss, and not label weightings alone."""
        return any(isinstance(pair.loss, DistillationLoss) for pair in self.pairs)

    @property
    def aspects(self) -> list[Aspect]:
        """Aspects with weights of their own, in the same order in all processes."""
        return separate_aspects(self.weighting, (pair.loss for pair in self.pairs))

    def check_aspects_used(self) -> None:
        """Raise a ValueError if the weighting has weights for aspects that no loss has."""
        if self.names:
            check_aspects_used(self.weighting, (pair.loss for pair in self.pairs))

    @property
    def loss_identities(self) -> list[str]:
        """Identities of the pairs of loss and teacher; checkpoints must not contain the teachers' names."""
        teachers = self.teacher_identities
        return [f"{pair.loss!r} {teachers[pair.teacher]}" for pair in self.pairs]

    @property
    def teacher_identities(self) -> list[str]:
        """Hashes of the teachers' names, in order."""
        return [_digest(name) for name in self.names]

    @property
    def weighting_identity(self) -> str:
        """Hash of the weighting's settings, which may contain teachers' names."""
        return _digest(repr(self.weighting))

    def needing_statistics(self) -> list[int]:
        """The teachers, by number, for whose forecasts a loss needs statistics before the training."""
        return sorted({pair.teacher for pair in self.pairs if pair.loss.needs.statistics})

    def fit_statistics(self, teacher: int, windows: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Fit losses' statistics to a teacher's forecasts and the labels `[m, h, C]` of the training, in chunks."""
        chunks = list(windows)
        for pair in self.pairs:
            if pair.teacher == teacher and pair.loss.needs.statistics:
                pair.loss.fit_statistics(iter(chunks))

    def needing_probes(self) -> list[tuple[int, str]]:
        """Teachers, by number, and fields of their hidden layers for which the weighting needs a linear probe."""
        if not self.weighting.needs.linear_probe:
            return []
        probed = {
            (pair.teacher, pair.features)
            for pair in self.pairs
            if pair.features is not None and isinstance(pair.loss, DistillationLoss) and "features" in pair.loss.aspects
        }
        return sorted(probed)

    def fit_probe(self, teacher: int, field: str, windows: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Fit the linear probe of a hidden layer, and keep it if it explains the teacher's forecasts.

        Args:
            field: of the hidden layer.
            windows: features `[m, …]` and forecasts `[m, h, C]`, in chunks.
        """
        probe = fit_linear_probe(windows)
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
        """The distillation term of a step.

        Args:
            output: the student's.
            details: for each teacher, its `fields`, and `ahead`.
            sample_weight: of the labels `[B, H, 1 or C]`, or None.
        """
        weights, of_labels = self._weights(step), label_share(step)
        known = None if step.whole else step.valid.any(0)
        windows = weights.new_tensor(len(step.keys)) if known is None else known.sum().to(weights.dtype)
        # the mean of the processes' terms is then the mean over the windows of all of them
        count = step.context.mean_over_ranks(windows)
        if known is not None and not bool(known.any()):
            return DistillationTerm(None, weights, label_share=of_labels)
        aspect_weights = AspectWeights(self.weighting, step, weights, partial(self._features, output, step, details))
        total: Tensor | None
        if self._squares is not None:
            # what is not valid must not enter: 0 · NaN is NaN
            teachers = step.forecasts if step.whole else step.forecasts.where(step.present[..., None], 0)
            total = self._squares * weighted_squares(output.forecast, teachers, by_label(weights, sample_weight))
        else:
            total = sum_of_losses(self.pairs, output, step, details, sample_weight, aspect_weights)
        term = None if total is None else total / count
        labels = label_weights(self.pairs, weights, step)
        return DistillationTerm(term, weights, labels, aspect_weights.separate(), of_labels)

    @property
    def reads_errors_only(self) -> bool:
        """Whether squared errors are all that the losses read of the teachers."""
        return self._squares is not None and all(isinstance(pair.loss, DistillationLoss) for pair in self.pairs)

    def blended(self, forecast: Tensor, blend: Blend) -> Tensor:
        """The distillation term of a step for the student's forecast `[B, H, C]`, from the blend of the teachers."""
        assert self._squares is not None
        error = blend.error(forecast)
        # one operation less, and its gradient
        return error if self._squares == 1 else self._squares * error

    def _features(
        self, output: StudentOutput, step: Step, details: Sequence[Mapping[str, Tensor]], number: int
    ) -> StepFeatures:
        """Representations that a loss, by its number, compares, and forecasts of linear probes for the student's."""
        student, teachers, probed = [], [], []
        for pair in self.pairs:
            if pair.number != number:
                continue
            loss, k = pair.loss, pair.teacher
            assert isinstance(loss, DistillationLoss) and pair.features is not None
            valid = step.valid[k][:, None, None]
            of_student, of_teacher = loss.representations(pair.pair(output, step, details, lambda values: values))
            student.append(of_student)
            teachers.append(of_teacher.where(valid, 0))
            key = _key(k, pair.features)
            if key in self._probes:
                forecasts = step.forecasts.new_zeros(step.forecasts.shape[1:])
                forecasts[:, pair.span] = self._probes[key](of_student).to(forecasts)
                probed.append(forecasts.where(valid, 0))
        return StepFeatures(student, teachers, torch.stack(probed) if len(probed) == len(self.names) else None)


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def _key(teacher: int, field: str) -> str:
    # names of modules must not contain dots
    return f"{teacher} {field.replace('.', '/')}"
