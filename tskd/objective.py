"""The distillation term of a step: losses × teachers, weighted, averaged over what is valid."""

from __future__ import annotations

import copy
import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from tskd.aspects import Aspect
from tskd.knowledge import AHEAD
from tskd.layers import FEATURES, Layer
from tskd.losses import Comparison, DistillationLoss, LabelWeighting, LossTerm
from tskd.networks import PARAMETERS
from tskd.probing import Shown
from tskd.reach import covered, shared_steps
from tskd.readout import read_out
from tskd.weighing import Weigher, refuse_idle, weighed_apart
from tskd.weighting import Hint, Step, Weighting

logger = logging.getLogger(__name__)
# share of its forecasts' variance from which on a teacher's read-out is taken for its last layers
LEAST_R2 = 0.9


@dataclass(frozen=True)
class Said:
    """What the student says of the B windows of a step, with gradient.

    Attributes:
        forecast: `[B, H, C]`.
        prediction: the network's whole output over the horizon `[B, H, C, P]`.
        features: of hidden layers, by path `[B, …]`.
        ahead: its own continuation `[B, A, C]`, if a loss asks for it; 0 where its inputs do not exist.
        rolled: where they do `[B]`.
    """

    forecast: Tensor
    prediction: Tensor | None = None
    features: Mapping[str, Tensor] = field(default_factory=dict)
    ahead: Tensor | None = None
    rolled: Tensor | None = None


@dataclass(frozen=True)
class Outcome:
    """The term of a step, and what is worth logging of it.

    Attributes:
        term: scalar, of which the mean over all processes counts; None where no teacher has a forecast of any window of
            the batch, or there is no loss.
        weights: `[K, B]` or up to `[K, B, H, C]`, 0 in windows without a valid teacher.
        labels: how much each label counts in the student's own loss `[B, H, C]`; None for all alike.
        aspects: weights `[K, B]` of what was weighed apart, means over steps and components; none where nothing was.
    """

    term: Tensor | None
    weights: Tensor
    labels: Tensor | None = None
    aspects: Mapping[Aspect, Tensor] = field(default_factory=dict)


class Objective(nn.Module):
    """Σ_l c_l · Σ_k w_k · ℓ_lk of a batch; of a loss of several aspects, each part with the weights of its own.

    Args:
        losses: every teacher gets a copy of each.
        names: the teachers, in order.
        weighting: combines them.
    """

    def __init__(self, losses: Sequence[LossTerm], names: Sequence[str], weighting: Weighting) -> None:
        super().__init__()
        self._copies = nn.ModuleList(copy.deepcopy(loss) for loss in losses if loss.weight for _ in names)
        self._names = list(names)
        self._shown: list[Shown] = []
        # of each teacher, the part of the student's horizon that it forecasts
        self._spans: list[slice] = []
        # of each copy, the layers of student and teacher that it compares
        self._layers: list[tuple[str, str] | None] = [None] * len(self._copies)
        # by teacher and layer
        self._read_outs = nn.ModuleDict()
        self.weighting = copy.deepcopy(weighting)
        self.weighting.set_up(self._names)

    def set_up(self, student: Shown, teachers: Sequence[Shown], like: Tensor) -> None:
        """Make what the losses train.

        Args:
            like: labels of a few windows `[B, H, C]`, for their shape.

        Raises:
            ValueError: a loss is not defined for these models.
        """
        self._shown = [student, *teachers]
        self._spans = [shared_steps(student.horizon, teacher.horizon) for teacher in teachers]
        for index, (loss, k) in enumerate(self._pairs()):
            try:
                loss.set_up(self._probe(index, loss, teachers[k], like[:, self._spans[k]]))
            except ValueError as error:
                raise ValueError(f"{loss!r}, teacher {self._names[k]!r}: {error}") from None

    def covers(self) -> Tensor:
        """Which steps of the student's horizon each teacher forecasts `[K, H]`."""
        return covered(self._spans, len(self._shown[0].horizon))

    @property
    def student_layers(self) -> dict[str, Layer]:
        """The student's hidden layers that a loss compares, by path."""
        return {pair[0]: self._shown[0].layers[pair[0]] for pair in self._layers if pair is not None}

    @property
    def student_heads(self) -> Sequence[str]:
        """The student's last linear layers, if the weighting asks for gradients with respect to them."""
        return self._shown[0].heads

    @property
    def ahead(self) -> int:
        """Steps past its output chunk that the student is rolled."""
        return max((loss.needs.ahead for loss, _ in self._pairs()), default=0)

    def extra(self, teacher: int) -> list[str]:
        """Fields that the losses read of a teacher beside its forecasts."""
        found = set()
        for index, (loss, k) in enumerate(self._pairs()):
            pair = self._layers[index]
            if k == teacher and pair is not None:
                found.add(FEATURES + pair[1])
            if k == teacher and loss.needs.likelihood:
                found.add(PARAMETERS)
        return sorted(found)

    @property
    def compares(self) -> bool:
        """Whether it has a term at all, and not label weights alone."""
        return any(isinstance(loss, DistillationLoss) for loss, _ in self._pairs())

    @property
    def aspects(self) -> list[Aspect]:
        """What steps may weigh apart, the same in all processes."""
        return weighed_apart(self.weighting, (loss for loss, _ in self._pairs()))

    def refuse_idle(self) -> None:
        """Raise a ValueError if the weighting is to weigh apart what no loss has."""
        if self._names:
            refuse_idle(self.weighting, (loss for loss, _ in self._pairs()))

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

    def learn(self, teacher: int, known: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Give the losses one teacher's forecasts and the labels `[m, H, C]` of the training windows, in chunks."""
        chunks = list(known)
        for loss, k in self._pairs():
            if k == teacher and loss.needs.statistics:
                loss.learn(iter(chunks))

    def reads_out(self) -> list[tuple[int, str]]:
        """Teachers, and fields of their hidden layers, of which the weighting wants to know what their last layers make
        of them."""
        if not self.weighting.reads_out:
            return []
        found = {
            (k, FEATURES + layers[1])
            for (loss, k), layers in zip(self._pairs(), self._layers, strict=True)
            if layers is not None and isinstance(loss, DistillationLoss) and "features" in loss.aspects
        }
        return sorted(found)

    def read_out(self, teacher: int, field: str, known: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Find out what a teacher's last layers make of a hidden layer, from chunks of its features `[m, …]` and of its
        forecasts `[m, h, C]`."""
        found = read_out(known)
        if found.r2 >= LEAST_R2:
            self._read_outs[_key(teacher, field)] = found
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

    def _probe(self, index: int, loss: LossTerm, teacher: Shown, like: Tensor) -> Comparison:
        student, needs = self._shown[0], loss.needs
        features = predictive = ahead = None
        if needs.layers is not None:
            paths = student.layer(needs.layers[0], "student"), teacher.layer(needs.layers[1], "teacher")
            if needs.basis and teacher.folds:
                raise ValueError(
                    "it is cross-fitted, and each fold has features of its own: compare relations, as FeatureKD("
                    "projector=None, loss=SampleRelation()) does"
                )
            self._layers[index] = paths
            shapes = student.layers[paths[0]].shape, teacher.layers[paths[1]].shape
            features = like.new_zeros(len(like), *shapes[0]), like.new_zeros(len(like), *shapes[1])
        if needs.likelihood:
            # of unlike parameters: some divergences are known for equal ones only
            predictive = student.predictive(like, "student"), teacher.predictive(like + 1, "teacher")
        if needs.ahead:
            student.refuse_rolling()
            last = student.horizon[-1] + needs.ahead
            if teacher.horizon[-1] < last:
                raise ValueError(
                    f"it forecasts {teacher.horizon[-1]} steps, and {needs.ahead} more than the student's "
                    f"{student.horizon[-1]} are compared: give it an output_chunk_length of {last}"
                )
            ahead = (like.new_zeros(len(like), needs.ahead, like.shape[2]),) * 2
        return Comparison(like, like, like, features, predictive, ahead)

    def forward(
        self, said: Said, step: Step, details: Sequence[Mapping[str, Tensor]], sample_weight: Tensor | None
    ) -> Outcome:
        """The term for what the student said, labels' sample weights `[B, H, 1 or C]` applied.

        Args:
            details: of each teacher, the `extra` fields, and `ahead`.
        """
        weights = self.weighting(step)
        known = step.valid.any(0)
        # the mean of what the processes have is then that over the windows of all of them
        count = step.over_ranks(known.sum().to(weights.dtype))
        if not bool(known.any()):
            return Outcome(None, weights)
        total: Tensor | None = None
        weigher = Weigher(self.weighting, step, weights, partial(self._hint, said, step, details))
        for index, (loss, k) in enumerate(self._pairs()):
            if not isinstance(loss, DistillationLoss):
                continue
            usable = step.valid[k] if said.rolled is None or not loss.needs.ahead else step.valid[k] & said.rolled
            if int(usable.sum()) < max(loss.least, 1):
                continue
            # what is not valid must not enter at all: 0 · NaN is NaN, and a relation would mix it with the rest
            take = _rows(usable)
            pair = self._comparison(index, loss, k, said, step, details, take)
            # what comes after the horizon is weighed as its last step; every teacher that says it forecasts that too
            span = slice(-1, None) if loss.needs.ahead else self._spans[k]
            given = None if sample_weight is None else take(sample_weight)[:, span]
            # a teacher of a part of the horizon has a say in that part
            share = 1.0 if loss.needs.ahead else (span.stop - span.start) / step.target.shape[1]
            for chosen, values in weigher.parts(loss, pair, index - k):
                own = chosen[k] if chosen.dim() == 2 else chosen[k][:, span]
                part = loss.weight * share * _reduce(values, take(own), given)
                whole = part if bool(usable.all()) else part.new_zeros(len(usable)).index_put((usable,), part)
                total = whole if total is None else total + whole
        labels = self._labels(weights, step)
        return Outcome(None if total is None else total[known].sum() / count, weights, labels, weigher.apart())

    def _comparison(
        self,
        index: int,
        loss: DistillationLoss,
        k: int,
        said: Said,
        step: Step,
        details: Sequence[Mapping[str, Tensor]],
        take: Any,
    ) -> Comparison:
        span = self._spans[k]
        given: dict[str, Any] = {"within": (span.start, step.target.shape[1])}
        layers = self._layers[index]
        if layers is not None:
            theirs = take(details[k][FEATURES + layers[1]])
            given["features"] = take(said.features[layers[0]]), theirs
        if loss.needs.likelihood:
            assert said.prediction is not None
            outputs = take(said.prediction)[:, span], take(details[k][PARAMETERS])
            sides = (self._shown[0], self._shown[1 + k])
            given["predictive"] = tuple(shown.read(output) for shown, output in zip(sides, outputs, strict=True))
        if loss.needs.ahead:
            assert said.ahead is not None
            given["ahead"] = take(said.ahead), take(details[k][AHEAD])
        three = (take(values)[:, span] for values in (said.forecast, step.forecasts[k], step.target))
        return Comparison(*three, **given)

    def _hint(self, said: Said, step: Step, details: Sequence[Mapping[str, Tensor]], first: int) -> Hint:
        """What one loss, whose copies start with this one, compares of hidden layers."""
        student, teachers, read = [], [], []
        for k in range(len(self._names)):
            loss = self._copies[first + k]
            assert isinstance(loss, DistillationLoss)
            pair = self._comparison(first + k, loss, k, said, step, details, lambda values: values)
            ours, theirs = loss.representations(pair)
            student.append(ours)
            teachers.append(theirs.where(step.valid[k][:, None, None], 0))
            layers = self._layers[first + k]
            assert layers is not None
            key = _key(k, FEATURES + layers[1])
            if key in self._read_outs:
                forecasts = step.forecasts.new_zeros(step.forecasts.shape[1:])
                forecasts[:, self._spans[k]] = self._read_outs[key](ours).to(forecasts)
                read.append(forecasts.where(step.valid[k][:, None, None], 0))
        return Hint(student, teachers, torch.stack(read) if len(read) == len(self._names) else None)

    def _labels(self, weights: Tensor, step: Step) -> Tensor | None:
        found: Tensor | None = None
        count = len(self._names)
        for first in range(0, len(self._copies), count):
            if not isinstance(self._copies[first], LabelWeighting):
                continue
            # in windows without a teacher the weights are 0, and the labels count in full
            less = torch.zeros_like(step.target)
            for k, span in enumerate(self._spans):
                doubt = 1 - self._copies[first + k](step.forecasts[k][:, span], step.target[:, span])
                own = weights[k] if weights.dim() == 2 else weights[k][:, span]
                less[:, span] += _by_step(own) * doubt.where(_by_step(step.valid[k]), 0)
            found = (1 - less) if found is None else found * (1 - less)
        return found


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def _key(teacher: int, field: str) -> str:
    # no dots in the names of modules
    return f"{teacher} {field.replace('.', '/')}"


def _rows(usable: Tensor) -> Any:
    if bool(usable.all()):
        return lambda values: values
    return lambda values: values[usable]


def _by_step(values: Tensor) -> Tensor:
    """`[B]`, `[B, H]` or `[B, H, C]` in a shape that goes with `[B, H, C]`."""
    return values.reshape(values.shape + (1,) * (3 - values.dim()))


def _reduce(values: Tensor, weights: Tensor, sample_weight: Tensor | None) -> Tensor:
    """Weighted values as one number a window `[B]`; what is given per step and component is averaged over them."""
    if values.dim() == 1:
        per_window = values * _per_window(weights)
        return per_window if sample_weight is None else per_window * _per_window(sample_weight)
    product = values * _by_step(weights)
    product = product if sample_weight is None else product * sample_weight
    return product.flatten(1).mean(1)


def _per_window(values: Tensor) -> Tensor:
    return values if values.dim() == 1 else values.flatten(1).mean(1)
