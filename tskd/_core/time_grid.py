"""Steps between series on one time grid."""

from __future__ import annotations

from darts import TimeSeries
from darts.utils.utils import n_steps_between


def steps_between(earlier: TimeSeries, later: TimeSeries) -> int:
    """Steps from the start of one series to that of another on the same time grid; negative if the second is earlier.

    Raises:
        ValueError: the frequencies differ, or the stamps do not lie on one grid.
    """
    if earlier.freq != later.freq:
        raise ValueError(
            f"frequencies differ: {earlier.freq_str!r} (components {list(earlier.components)}) and "
            f"{later.freq_str!r} (components {list(later.components)})"
        )
    start, stop = earlier.start_time(), later.start_time()
    steps = n_steps_between(end=stop, start=start, freq=earlier.freq)
    if start + steps * earlier.freq != stop:
        raise ValueError(f"the time stamps {start} and {stop} do not lie on one grid of {earlier.freq_str!r}")
    return steps
