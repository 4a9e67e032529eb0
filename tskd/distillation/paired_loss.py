"""What a loss compares of the student and of one teacher: found out before the training, and taken out of each step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from tskd._core.layers import FEATURES
from tskd.distillation.model_interface import ModelInterface
from tskd.losses import LossTerm, Needs, StudentTeacherPair
from tskd.teachers.network import PARAMETERS
from tskd.teachers.outputs import AHEAD
from tskd.weighting import Step

# chooses windows of values that have them first
Take = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class StudentOutput:
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
class PairedLoss:
    """What one loss compares of the student and of one teacher.

    Attributes:
        needs: of the loss.
        student: what it shows.
        teacher: what it shows.
        number: of the teacher.
        span: the part of the student's horizon that the teacher forecasts.
        layers: of student and teacher, by path, if the loss compares hidden layers.
    """

    needs: Needs
    student: ModelInterface
    teacher: ModelInterface
    number: int
    span: slice
    layers: tuple[str, str] | None

    @classmethod
    def of(
        cls, loss: LossTerm, student: ModelInterface, teacher: ModelInterface, number: int, span: slice
    ) -> PairedLoss:
        """Raises a ValueError for layers that there are not, or that cannot be compared."""
        needs, layers = loss.needs, None
        if needs.layers is not None:
            layers = student.layer(needs.layers[0], "student"), teacher.layer(needs.layers[1], "teacher")
            if needs.basis and teacher.folds:
                raise ValueError(
                    "it is cross-fitted, and each fold has features of its own: compare relations, as FeatureKD("
                    "projector=None, loss=SampleRelation()) does"
                )
        return cls(needs, student, teacher, number, span, layers)

    @property
    def features(self) -> str | None:
        """The field of the teacher's hidden layer."""
        return None if self.layers is None else FEATURES + self.layers[1]

    @property
    def fields(self) -> list[str]:
        """What is read of the teacher beside its forecasts, within the horizon."""
        wanted = (self.features, PARAMETERS if self.needs.likelihood else None)
        return [field for field in wanted if field is not None]

    def probe(self, like: Tensor) -> StudentTeacherPair:
        """A comparison of the real shapes, whose values mean nothing.

        Args:
            like: labels of a few windows `[B, h, C]`, over the span.

        Raises:
            ValueError: student or teacher do not show what is compared.
        """
        features = predictive = ahead = None
        if self.layers is not None:
            shapes = self.student.layers[self.layers[0]].shape, self.teacher.layers[self.layers[1]].shape
            features = like.new_zeros(len(like), *shapes[0]), like.new_zeros(len(like), *shapes[1])
        if self.needs.likelihood:
            # of unlike parameters: some divergences are known for equal ones only
            predictive = self.student.predictive(like, "student"), self.teacher.predictive(like + 1, "teacher")
        if self.needs.ahead:
            self._check_long_enough()
            ahead = (like.new_zeros(len(like), self.needs.ahead, like.shape[2]),) * 2
        return StudentTeacherPair(like, like, like, features, predictive, ahead)

    def _check_long_enough(self) -> None:
        self.student.check_can_roll()
        own, theirs, more = self.student.horizon[-1], self.teacher.horizon[-1], self.needs.ahead
        if theirs < own + more:
            raise ValueError(
                f"it forecasts {theirs} steps, and {more} more than the student's {own} are compared: give it an "
                f"output_chunk_length of {own + more}"
            )

    def pair(
        self, output: StudentOutput, step: Step, details: Sequence[Mapping[str, Tensor]], take: Take
    ) -> StudentTeacherPair:
        """The two in some windows of a step.

        Args:
            details: of each teacher, its `fields`, and `ahead`.
        """
        given: dict[str, Any] = {"within": (self.span.start, step.target.shape[1])}
        theirs = details[self.number]
        if self.layers is not None:
            given["features"] = take(output.features[self.layers[0]]), take(theirs[FEATURES + self.layers[1]])
        if self.needs.likelihood:
            assert output.prediction is not None
            outputs = take(output.prediction)[:, self.span], take(theirs[PARAMETERS])
            given["predictive"] = self.student.read(outputs[0]), self.teacher.read(outputs[1])
        if self.needs.ahead:
            assert output.ahead is not None
            given["ahead"] = take(output.ahead), take(theirs[AHEAD])
        forecasts = output.forecast, step.forecasts[self.number], step.target
        student, teacher, target = (take(values)[:, self.span] for values in forecasts)
        return StudentTeacherPair(student, teacher, target, **given)
