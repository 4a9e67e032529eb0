"""Which dates of the series that a user passes in are missing for the windows that read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from darts import TimeSeries
from darts.utils.utils import n_steps_between
from torch import Tensor

from tskd._core.series import SeriesBundle
from tskd._core.time_grid import check_on_grid
from tskd._core.window_keys import WindowSpan


def check_span(series: TimeSeries, start: Any, end: Any, what: str) -> None:
    """Raise a ValueError with the missing dates if a series lacks steps of its own between `start` and `end`."""
    missing = []
    if (before := series.start_time() - series.freq) >= start:
        missing.append(_stretch(start, min(before, end), series.freq, "start"))
    if (after := series.end_time() + series.freq) <= end:
        missing.append(_stretch(max(after, start), end, series.freq, "end"))
    if missing:
        raise ValueError(
            f"{what} covers {series.start_time()} to {series.end_time()}, but the windows need {start} to {end}: "
            f"missing {' and '.join(missing)}; give them (NaN counts as missing), or cut the target to what it covers"
        )


def _stretch(first: Any, last: Any, freq: Any, where: str) -> str:
    steps = n_steps_between(end=last, start=first, freq=freq) + 1
    return f"{first} to {last} ({steps} {'step' if steps == 1 else 'steps'} at the {where})"


def check_long_enough(series: Sequence[TimeSeries], span: WindowSpan, what: str, whose: str) -> None:
    """Raise a ValueError for a series that is too short for a single window.

    Args:
        what: the argument's name, for messages.
        whose: the windows', for messages.
    """
    parts = {"lookback": span.lookback, "output_chunk_shift": span.output_shift, "horizon": span.horizon}
    needed = sum(parts.values())
    for index, item in enumerate(series):
        if len(item) < needed:
            where = what if len(series) == 1 else f"{what}[{index}]"
            sizes = ", ".join(f"{name} {steps}" for name, steps in parts.items() if steps)
            raise ValueError(
                f"{whose}: {where} has {len(item)} steps, and one window needs {needed} ({sizes}): give a longer "
                "series, or a model with a shorter lookback or horizon"
            )


def check_windows(
    data: SeriesBundle,
    keys: Tensor,
    lookback: int,
    labels: range,
    whose: str,
    sample_weight: Sequence[TimeSeries] | None = None,
) -> None:
    """Raise a ValueError with the missing dates if a series does not cover the windows `keys [N, 2]`.

    Args:
        lookback: number of steps up to the origin that a window spans.
        labels: steps of the labels, relative to the origin.
        whose: the windows', for messages.
        sample_weight: weights of the labels, one series for each target series, or None.
    """
    spans = (
        ("past_covariates", data.past_covariates, 1 - lookback, 0),
        ("future_covariates", data.future_covariates, 1 - lookback, labels[-1]),
        ("sample_weight", sample_weight, labels[0], labels[-1]),
    )
    for name, items, begin, end in spans:
        for index, covariates in enumerate(items or []):
            target = data.series[index]
            what = f"{whose}: {data.prefix}{name}" + (f"[{index}]" if len(data.series) > 1 else "")
            if name == "sample_weight" and covariates.n_components not in (1, target.n_components):
                raise ValueError(
                    f"{what} has {covariates.n_components} components, and its target {target.n_components}: give one "
                    "for all, or one for each"
                )
            check_on_grid(covariates, target, what)
            origins = keys[keys[:, 0] == index, 1]
            first, last = int(origins.min()) + begin, int(origins.max()) + end
            check_span(covariates, target.time_index[first], target.time_index[last], what)
