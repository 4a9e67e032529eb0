"""A loss between the student and one teacher, and the selection of its inputs from a training step."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from tskd._core.layers import FEATURES
from tskd.distillation.model_interface import ModelInterface
from tskd.losses import LossTerm, StudentTeacherPair
from tskd.teachers.network import PARAMETERS
from tskd.teachers.outputs import AHEAD
from tskd.weighting import Step

# selects windows of a tensor whose first axis they are
Take = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class StudentOutput:
    """The student's outputs for the B windows of a step, with gradient.

    Attributes:
        forecast: `[B, H, C]`.
        prediction: the network's whole output over the horizon `[B, H, C, P]`.
        features: of hidden layers, by path `[B, …]`.
        ahead: forecasts past its output chunk `[B, A, C]`, if a loss needs them; 0 where their inputs do not exist.
        rolled: true where these inputs exist `[B]`.
        views: of the forecast, which losses of several teachers share.
    """

    forecast: Tensor
    prediction: Tensor | None = None
    features: Mapping[str, Tensor] = field(default_factory=dict)
    ahead: Tensor | None = None
    rolled: Tensor | None = None
    views: dict[Hashable, tuple[Tensor, Tensor]] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, eq=False)
class PairedLoss:
    """A loss between the student and one teacher.

    Attributes:
        loss: this teacher's own copy.
        number: index of the loss.
        teacher: index of the teacher.
        interfaces: of student and teacher.
        span: the part of the student's horizon that the teacher forecasts.
        layers: paths of the layers of student and teacher, if the loss compares hidden layers.
    """

    loss: LossTerm
    number: int
    teacher: int
    interfaces: tuple[ModelInterface, ModelInterface]
    span: slice
    layers: tuple[str, str] | None = None

    @classmethod
    def of(
        cls, loss: LossTerm, numbers: tuple[int, int], interfaces: tuple[ModelInterface, ModelInterface], span: slice
    ) -> PairedLoss:
        """Pair a loss with a teacher.

        Args:
            numbers: indices of loss and teacher.

        Raises:
            ValueError: layers do not exist, or cannot be compared.
        """
        needs, layers = loss.needs, None
        if needs.layers is not None:
            student, teacher = interfaces
            layers = student.layer(needs.layers[0], "student"), teacher.layer(needs.layers[1], "teacher")
            if needs.basis and teacher.folds:
                raise ValueError(
                    "it is cross-fitted, and each fold has features of its own: compare relations, as FeatureKD("
                    "projector=None, loss=SampleRelation()) does"
                )
        return cls(loss, *numbers, interfaces, span, layers)

    @property
    def features(self) -> str | None:
        """The field of the teacher's hidden layer; None if the loss compares none."""
        return None if self.layers is None else FEATURES + self.layers[1]

    @property
    def fields(self) -> list[str]:
        """Fields of the teacher's outputs that the loss reads beside forecasts."""
        fields = (self.features, PARAMETERS if self.loss.needs.likelihood else None)
        return [field for field in fields if field is not None]

    def probe(self, like: Tensor) -> StudentTeacherPair:
        """A pair in the shapes of training, with arbitrary values, to set up the loss.

        Args:
            like: a tensor in the shape of the labels of a few windows `[B, h, C]`, over the span.

        Raises:
            ValueError: student or teacher do not offer what the loss compares.
        """
        needs, (student, teacher) = self.loss.needs, self.interfaces
        features = predictive = ahead = None
        if self.layers is not None:
            shapes = student.layers[self.layers[0]].shape, teacher.layers[self.layers[1]].shape
            features = like.new_zeros(len(like), *shapes[0]), like.new_zeros(len(like), *shapes[1])
        if needs.likelihood:
            # with unlike parameters: some divergences are implemented for equal ones only
            predictive = student.predictive(like, "student"), teacher.predictive(like + 1, "teacher")
        if needs.ahead:
            self._check_long_enough()
            ahead = (like.new_zeros(len(like), needs.ahead, like.shape[2]),) * 2
        return StudentTeacherPair(like, like, like, features, predictive, ahead)

    def pair(
        self, output: StudentOutput, step: Step, details: Sequence[Mapping[str, Tensor]], take: Take
    ) -> StudentTeacherPair:
        """The inputs of the loss for some windows of a step.

        Args:
            output: the student's.
            step: teacher forecasts and labels.
            details: for each teacher, its `fields`, and `ahead`.
            take: selects the windows.
        """
        horizon = step.target.shape[1]
        arguments: dict[str, Any] = {"within": (self.span.start, horizon), "views": output.views}
        teacher_details, needs = details[self.teacher], self.loss.needs
        if self.layers is not None:
            features = output.features[self.layers[0]], teacher_details[FEATURES + self.layers[1]]
            arguments["features"] = take(features[0]), take(features[1])
        if needs.likelihood:
            assert output.prediction is not None
            outputs = take(output.prediction)[:, self.span], take(teacher_details[PARAMETERS])
            arguments["predictive"] = self.interfaces[0].read(outputs[0]), self.interfaces[1].read(outputs[1])
        if needs.ahead:
            assert output.ahead is not None
            arguments["ahead"] = take(output.ahead), take(teacher_details[AHEAD])
        if step.labelled is not None:
            arguments["labelled"] = take(step.labelled)[:, self.span]
        forecasts = output.forecast, step.forecasts[self.teacher], step.target
        # the same tensor where it is all of it: losses know its views again
        student, teacher, target = (_steps(take(values), self.span) for values in forecasts)
        return StudentTeacherPair(student, teacher, target, **arguments)

    def _check_long_enough(self) -> None:
        student, teacher = self.interfaces
        student.check_can_roll()
        own, theirs, more = student.horizon[-1], teacher.horizon[-1], self.loss.needs.ahead
        if theirs < own + more:
            raise ValueError(
                f"it forecasts {theirs} steps, and {more} more than the student's {own} are compared: give it an "
                f"output_chunk_length of {own + more}"
            )


def _steps(values: Tensor, span: slice) -> Tensor:
    return values if span == slice(0, values.shape[1]) else values[:, span]
