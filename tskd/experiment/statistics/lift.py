"""Net privileged lift: what an arm gains over the best of the controls without privileged information."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from tskd.experiment.statistics.intervals import Comparison, compare


def lift(
    arm: np.ndarray,
    controls: Mapping[str, np.ndarray],
    block: int,
    *,
    name: str = "arm",
    segments: Sequence[int] | None = None,
    other_class: Collection[str] = (),
) -> Comparison:
    """The arm against the best control: a relative error below zero is a lift.

    The best control is the one whose mean error, over the seeds and windows that it shares with the arm, is the lowest
    against the arm's (the first of equals). That it was chosen after the fact works against the arm, and is no part of
    the interval.

    Args:
        arm: errors `[seeds, W]`.
        controls: errors of each, by name.
        block: windows in a block, as in `compare`.
        name: of the arm.
        segments: as in `compare`.
        other_class: controls that are no students of the arm's class, whose errors may part from its for long.

    Raises:
        ValueError: there is no control, or `compare` cannot compare.
    """
    if not controls:
        raise ValueError(f"Nothing tells a lift of {name!r}: there is no control.")
    comparisons = [
        compare(
            *(arm, errors, block),
            segments=segments,
            names=(name, control),
            same_model_class=control not in other_class,
        )
        for control, errors in controls.items()
    ]
    return max(comparisons, key=lambda comparison: comparison.relative)


def net_lift(comparison: Comparison) -> tuple[float, float, float]:
    """Error of the baseline over that of the arm, minus one, and its 95 % interval: a gain is above zero.

    The interval's upper end is infinite where the comparison's lower end is at or below -1.
    """
    over = [1 + comparison.relative, 1 + comparison.high, 1 + comparison.low]
    value, low, high = (1 / ratio - 1 if not ratio <= 0 else np.inf for ratio in over)
    return value, low, high
