"""A step and a calibration set to test weightings with, and transformations of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tskd.weighting.calibration_set import CalibrationSet, CalibrationWindows
from tskd.weighting.step_inputs import Step, StepContext, StepFeatures


@dataclass(frozen=True)
class WeightingCase:
    """One step, and the calibration set before it.

    Attributes:
        names: the teachers.
        step: with `covers [K, H]`.
        chunks: of the calibration set.
        held_out: whether the calibration set is the validation part.
        slopes: derivatives of the student's forecast with respect to P parameters `[B, H, C, P]`, in float64, if the
            step's context has a `gram`.
    """

    names: list[str]
    step: Step
    chunks: tuple[CalibrationWindows, ...]
    held_out: bool = True
    slopes: Tensor | None = None

    def __str__(self) -> str:
        size = " × ".join(map(str, self.step.forecasts.shape))
        return f"[K, B, H, C] = {size}, {self.step.forecasts.dtype}, valid {self.step.valid.int().tolist()}"

    @property
    def calibration(self) -> CalibrationSet:
        """The calibration set, with a student that repeats the last value."""

        def student(windows: CalibrationWindows) -> Tensor:
            return windows.inputs["past_target"][:, -1:].expand_as(windows.target).clone()

        return CalibrationSet(self.held_out, lambda: iter(self.chunks), student)

    @property
    def usable(self) -> Tensor:
        """Where a teacher has a forecast `[K, B, H, 1]`."""
        return self.step.valid[:, :, None, None] & self.step.covers[:, None, :, None]

    def teachers_in(self, order: Sequence[int]) -> WeightingCase:
        """The same teachers in another order."""
        rows = list(order)
        step = replace(
            self.step,
            forecasts=self.step.forecasts[rows],
            valid=self.step.valid[rows],
            covers=self.step.covers[rows],
            spread=None if self.step.spread is None else self.step.spread[rows],
            features=_features(
                self.step.features, lambda values: [values[k] for k in rows], lambda forecasts: forecasts[rows]
            ),
        )
        chunks = [
            replace(one, forecasts=one.forecasts[rows], valid=one.valid[rows], spread=one.spread[rows])
            for one in self.chunks
        ]
        return replace(self, names=[self.names[k] for k in rows], step=step, chunks=tuple(chunks))

    def with_slopes(self, slopes: Tensor) -> WeightingCase:
        """The same forecast of another student."""

        def gram(cotangents: Tensor) -> Tensor:
            gradients = torch.einsum("nbhc,bhcp->np", cotangents.double(), slopes)
            return gradients @ gradients.T

        return replace(self, slopes=slopes, step=replace(self.step, context=StepContext(gram=gram)))

    def windows_in(self, rows: Tensor) -> WeightingCase:
        """Some windows of the step, in this order."""
        case = self if self.slopes is None else self.with_slopes(self.slopes[rows])
        return replace(
            case,
            step=replace(
                case.step,
                forecasts=self.step.forecasts[:, rows],
                valid=self.step.valid[:, rows],
                student=self.step.student[rows],
                target=self.step.target[rows],
                keys=self.step.keys[rows],
                spread=None if self.step.spread is None else self.step.spread[:, rows],
                features=_features(
                    self.step.features, lambda values: [v[rows] for v in values], lambda forecasts: forecasts[:, rows]
                ),
            ),
        )

    def in_units(self, scale: float, level: float) -> WeightingCase:
        """The same in other units of the target: scale · value + level."""

        def moved(values: Tensor) -> Tensor:
            return scale * values + level

        spread = self.step.spread
        case = self if self.slopes is None else self.with_slopes(scale * self.slopes)
        step = replace(
            case.step,
            forecasts=moved(self.step.forecasts).where(self.usable, 0),
            student=moved(self.step.student),
            target=moved(self.step.target),
            spread=None if spread is None else scale * spread,
            features=_features(
                self.step.features,
                # hidden layers have units of their own
                lambda values: [(1 + k) * moved(v) for k, v in enumerate(values)],
                lambda forecasts: moved(forecasts).where(self.usable, 0),
            ),
        )
        chunks = [
            replace(
                one,
                inputs={**one.inputs, "past_target": moved(one.inputs["past_target"])},
                forecasts=moved(one.forecasts).where(one.valid[:, :, None, None], 0),
                spread=scale * one.spread,
                target=moved(one.target),
            )
            for one in self.chunks
        ]
        return replace(case, step=step, chunks=tuple(chunks))

    def filled(self, invalid: float = 0, elsewhere: float = 0) -> WeightingCase:
        """Other numbers where a teacher has no forecast.

        Args:
            invalid: number in windows in which the teacher is not valid.
            elsewhere: number at steps that the teacher does not forecast.
        """
        valid = self.step.valid[:, :, None, None]
        forecasts = self.step.forecasts.where(self.usable, elsewhere).where(valid, invalid)
        chunks = [
            replace(one, forecasts=one.forecasts.where(one.valid[:, :, None, None], invalid)) for one in self.chunks
        ]
        features = _features(
            self.step.features,
            lambda values: [v.where(ok[:, None, None], invalid) for v, ok in zip(values, self.step.valid, strict=True)],
            lambda forecasts: forecasts.where(self.usable, elsewhere).where(valid, invalid),
        )
        return replace(self, step=replace(self.step, forecasts=forecasts, features=features), chunks=tuple(chunks))

    def without_teachers(self) -> WeightingCase:
        """No teacher is valid anywhere in the calibration set."""
        chunks = [
            replace(one, forecasts=torch.zeros_like(one.forecasts), valid=torch.zeros_like(one.valid))
            for one in self.chunks
        ]
        return replace(self, chunks=tuple(chunks))

    def with_features(self, alike: bool = False) -> WeightingCase:
        """With hidden layers to compare, mixed from the forecasts of student and teachers.

        Args:
            alike: whether all have the same number of units.
        """
        step = self.step

        def hidden(values: Tensor, units: int) -> Tensor:
            flat = values.flatten(1)
            angles = torch.arange(1, 1 + 3 * units * flat.shape[1]).to(flat).reshape(-1, flat.shape[1])
            return (flat @ angles.sin().T).unflatten(1, (3, units))

        units = [1 if alike else 1 + k % 3 for k in range(len(self.names))]
        ours = [hidden(step.student, count) for count in units]
        theirs = [hidden(forecast, count) for forecast, count in zip(step.forecasts, units, strict=True)]
        theirs = [v.where(ok[:, None, None], 0) for v, ok in zip(theirs, step.valid, strict=True)]
        features = StepFeatures(ours, theirs, ((step.student + step.forecasts) / 2).where(self.usable, 0))
        return replace(self, step=replace(step, features=features))

    def perfect(self) -> WeightingCase:
        """The first teacher forecasts the labels, with a spread of 0."""

        def exact(forecasts: Tensor, target: Tensor) -> Tensor:
            return torch.cat([target[None], forecasts[1:]])

        def certain(spread: Tensor) -> Tensor:
            return torch.cat([spread[:1] * 0, spread[1:]])

        step, spread = self.step, self.step.spread
        features = _features(step.features, list, lambda forecasts: exact(forecasts, step.target).where(self.usable, 0))
        if features is not None:
            # the student's hidden layer is that of the perfect teacher
            features = replace(features, student=[features.teachers[0], *features.student[1:]])
        step = replace(
            step,
            forecasts=exact(step.forecasts, step.target).where(self.usable, 0),
            spread=None if spread is None else certain(spread),
            features=features,
        )
        chunks = [
            replace(
                one,
                forecasts=exact(one.forecasts, one.target).where(one.valid[:, :, None, None], 0),
                spread=certain(one.spread),
            )
            for one in self.chunks
        ]
        return replace(self, step=step, chunks=tuple(chunks))


def _features(
    features: StepFeatures | None,
    layers: Callable[[Sequence[Tensor]], list[Tensor]],
    forecasts: Callable[[Tensor], Tensor],
) -> StepFeatures | None:
    """Features with other layers and other forecasts of the probes."""
    if features is None:
        return None
    probe = None if features.probe_forecasts is None else forecasts(features.probe_forecasts)
    return StepFeatures(layers(features.student), layers(features.teachers), probe)
