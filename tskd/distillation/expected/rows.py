"""The windows of a fit as rows of regressions: inputs and labels side by side, in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from darts import TimeSeries
from torch import Tensor

from tskd._core.darts.capabilities import window_span
from tskd._core.time_grid import steps_between
from tskd._core.window_keys import unique
from tskd._core.windows import CHUNK, INPUT_SLOTS, Windows
from tskd.distillation.preflight import PreparedFit

# most windows with labels, and as many without, that a regression is fitted to
MOST_ROWS = 4096
# most numbers that are forecast for a window: evenly spaced steps and components
MOST_OUTPUTS = 512
MOST_STEPS = 24
# most inputs; beyond, random projections of them
MOST_INPUTS = 512


@dataclass(frozen=True, eq=False)
class Rows:
    """Some windows of the training part that have all inputs of the student.

    The past of the target is relative to its last value, and so are labels and answers: a regression that shrinks to 0
    then forecasts this value.

    Attributes:
        keys: `[N, 2]`, those with a label first.
        at: step of the origin on a time axis that all series share `[N]`.
        inputs: of variance 1 `[N, D]`.
        labels: in standard deviations of their component `[N, Q]`, NaN where missing; Q some steps and components.
        first, last: steps after the origin of the first label and the last.
        level, scale: what is subtracted from values of the target `[N, Q]`, and by what they are then divided `[Q]`.
        outputs: steps and components of the Q numbers.
        stands_for: number of windows that each row stands for `[N]`.
    """

    keys: Tensor
    at: np.ndarray
    inputs: np.ndarray
    labels: np.ndarray
    first: int
    last: int
    level: np.ndarray
    scale: np.ndarray
    outputs: tuple[np.ndarray, np.ndarray]
    stands_for: np.ndarray

    @classmethod
    def of(cls, prepared: PreparedFit) -> Rows:
        """The rows of a fit.

        Raises:
            ValueError: no window has all inputs, or none of those a label.
        """
        student, horizon = prepared.student, prepared.recipe.horizon
        windows = Windows.of(student, window_span(prepared.recipe.student))
        if prepared.recipe.soft_sensor:
            windows = windows.without("past_target")
        assert student.keys is not None
        keys = unique(student.keys)
        keys = keys[windows.covers(keys)]
        labelled = windows.has_labels(keys)
        if not bool(labelled.any()):
            raise ValueError("no window has all inputs of the student, and a label")
        groups = [keys[labelled], keys[~labelled]]
        thinned = [_spaced(group) for group in groups]
        counts = [np.full(len(few), len(group) / max(len(few), 1)) for few, group in zip(thinned, groups, strict=True)]
        keys = torch.cat(thinned)
        outputs = _outputs(len(horizon), student.series[0].n_components)
        inputs, labels, level = _gathered(windows, keys, outputs)
        labels = labels - level
        scale = _scale(labels, outputs[1])
        at = steps_of_series(student.series)[keys[:, 0].numpy()] + keys[:, 1].numpy()
        return cls(
            keys,
            at,
            standardised(inputs),
            labels / scale,
            horizon[0],
            horizon[-1],
            level,
            scale,
            outputs,
            np.concatenate(counts),
        )

    @property
    def labelled(self) -> np.ndarray:
        """Windows with a label `[N]`."""
        return np.isfinite(self.labels).any(1)

    @property
    def values(self) -> np.ndarray:
        """The labels in the units of the target `[N, Q]`, NaN where missing."""
        return self.labels * self.scale + self.level

    def answers(self, forecasts: np.ndarray, span: slice) -> np.ndarray:
        """Forecasts of a teacher as the labels are `[N, Q]`, NaN where there is none.

        Args:
            forecasts: `[N, h, C]`, of the steps `span` of the student's horizon.
        """
        steps, components = self.outputs
        inside = (steps >= span.start) & (steps < span.stop)
        found = np.full(self.labels.shape, np.nan)
        found[:, inside] = forecasts[:, steps[inside] - span.start, components[inside]]
        return self.relative(found)

    def relative(self, values: np.ndarray) -> np.ndarray:
        """Values of the target `[N, Q]` as the labels are."""
        return (values - self.level) / self.scale


def _spaced(keys: Tensor) -> Tensor:
    chosen = torch.linspace(0, len(keys) - 1, min(len(keys), MOST_ROWS)).long()
    return keys[chosen]


def _outputs(horizon: int, components: int) -> tuple[np.ndarray, np.ndarray]:
    steps = np.unique(np.linspace(0, horizon - 1, min(horizon, MOST_STEPS)).round().astype(int))
    most = max(1, MOST_OUTPUTS // len(steps))
    chosen = np.unique(np.linspace(0, components - 1, min(components, most)).round().astype(int))
    grid = np.meshgrid(steps, chosen, indexing="ij")
    return grid[0].ravel(), grid[1].ravel()


def _gathered(
    windows: Windows, keys: Tensor, outputs: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs `[N, D]`, labels `[N, Q]` and the last value of the target's past `[N, Q]`, 0 where it is hidden."""
    inputs, labels, levels = [], [], []
    steps, components = outputs
    for part in keys.split(CHUNK):
        slots = windows.gather(part)
        found = inputs_of(slots)
        level = np.zeros((len(part), len(steps)))
        if "past_target" in found:
            past = found["past_target"]
            last = past[:, -1:]
            level = last[:, 0].numpy()[:, components]
            found["past_target"] = torch.cat([past[:, :-1] - last, last], dim=1)
        inputs.append(flattened(found))
        values = slots["future_target"].double()
        if "labelled" in slots:
            values = values.where(slots["labelled"], torch.nan)
        labels.append(values.numpy()[:, steps, components])
        levels.append(level)
    return np.concatenate(inputs), np.concatenate(labels), np.concatenate(levels)


def _scale(labels: np.ndarray, components: np.ndarray) -> np.ndarray:
    """Standard deviation of each label's component `[Q]`; 1 for constant ones."""
    scale = np.ones(len(components))
    for component in np.unique(components):
        values = labels[:, components == component]
        deviation = np.nanstd(values) if np.isfinite(values).any() else 0.0
        scale[components == component] = deviation if deviation > 0 else 1.0
    return scale


def inputs_of(slots: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inputs among the slots of some windows, in double precision."""
    return {name: slots[name].double() for name in INPUT_SLOTS if name in slots}


def flattened(slots: Mapping[str, Tensor]) -> np.ndarray:
    """Inputs `[B, …]` side by side `[B, D]`: of more than 512 numbers, as many random projections."""
    flat = torch.cat([values.flatten(1) for values in slots.values()], dim=1).numpy()
    if flat.shape[1] > MOST_INPUTS:
        # the same ones in every chunk
        flat = flat @ np.random.default_rng(0).normal(size=(flat.shape[1], MOST_INPUTS))
    return flat


def covered_inputs(windows: Windows, keys: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """The windows of `keys [N, 2]` that have all inputs of a model, by number `[n]`, and these, of variance 1 `[n, D]`.

    Args:
        windows: of the model.
    """
    covered = torch.nonzero(windows.covers(keys))[:, 0]
    if not windows.slots or not len(covered):
        return np.zeros(0, dtype=int), np.zeros((0, 0))
    parts = [flattened(inputs_of(windows.gather(some, labels=False))) for some in keys[covered].split(CHUNK)]
    return covered.numpy(), standardised(np.concatenate(parts))


def standardised(inputs: np.ndarray) -> np.ndarray:
    """Inputs `[N, D]` of mean 0 and variance 1; constant ones are 0."""
    deviation = inputs.std(0)
    return (inputs - inputs.mean(0)) / np.where(deviation > 1e-9 * np.abs(inputs).max(0), deviation, np.inf)


def steps_of_series(series: Sequence[TimeSeries]) -> np.ndarray:
    """The first step of each series on a common time axis `[series]`; one after the other, if they share none."""
    try:
        first = min(series, key=lambda one: one.start_time())
        return np.array([steps_between(first, one) for one in series])
    except (ValueError, TypeError):
        lengths = np.array([len(one) for one in series])
        return np.cumsum(lengths) - lengths
