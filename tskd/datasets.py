"""Named data sets: the series a deployed model has, the privileged series beside it, and the split.

A data set is one function that returns a `DataSet`, and one line in `_LOADERS`. Values are in the units of the source:
scaling is the experiment's business, from the training part alone.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from darts import TimeSeries


@dataclass(frozen=True)
class DataSet:
    """A forecasting task with privileged information, split in time.

    The training part ends before `validation_start`, the validation part before `test_start`; both are time stamps of
    `series`. `filled` lists the time stamps of `series` whose value rests on anything but measurements: models may
    read them, no error is counted there. A component of a privileged series that bears the name of a target component
    is the same quantity, and is scaled alike.
    """

    name: str
    series: TimeSeries
    validation_start: pd.Timestamp
    test_start: pd.Timestamp
    privileged: Mapping[str, TimeSeries] = field(default_factory=dict)
    past_covariates: TimeSeries | None = None
    future_covariates: TimeSeries | None = None
    filled: frozenset[pd.Timestamp] = frozenset()
    title: str = ""
    unit: str = ""
    source: str = ""
    licence: str = ""
    notes: str = ""

    def __post_init__(self) -> None:
        first: Any = self.series.start_time()
        last: Any = self.series.end_time()
        if not first < self.validation_start < self.test_start <= last:
            raise ValueError(
                f"data set {self.name!r}: the split must lie in order inside the series, {first} < validation_start "
                f"({self.validation_start}) < test_start ({self.test_start}) <= {last}."
            )


def names() -> list[str]:
    """Names that `load` accepts, sorted."""
    return sorted(_LOADERS)


def load(name: str) -> DataSet:
    """The data set called `name`. Raises ValueError, with the nearest name, if there is none."""
    if name not in _LOADERS:
        near = difflib.get_close_matches(name, _LOADERS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"There is no data set {name!r}; there are: {', '.join(names())}.{hint}")
    return _LOADERS[name]()


def _co2() -> DataSet:
    """Weekly CO2 at Mauna Loa, as change over four weeks: four-week means to deploy, single weeks as privilege.

    The level trends far out of its training range; its change does not, and a forecast of changes adds up to one of the
    level. The four-week means of the weekly changes are the changes of the four-week means. A mean is labelled by the
    first of its weeks. The first year is left out: its gaps have no year before them to be filled from.
    """
    import pandas as pd
    from darts import TimeSeries
    from statsmodels.datasets import co2

    year, weeks = 52, 4
    raw = pd.DataFrame(co2.load_pandas().data)["co2"].asfreq("W-SAT")
    level, measured = fill_from_past(raw.to_numpy(), period=year), raw.notna().to_numpy()
    steps = (len(raw) - year) // weeks
    used = slice(year, year + steps * weeks)
    before = slice(used.start - weeks, used.stop - weeks)
    change, known = level[used] - level[before], measured[used] & measured[before]

    fine_times = raw.index[used]
    times = pd.date_range(fine_times[0], periods=steps, freq=f"{weeks}W-SAT")
    coarse = change.reshape(steps, weeks).mean(axis=1)
    complete = known.reshape(steps, weeks).sum(axis=1) == weeks
    return DataSet(
        name="co2",
        series=TimeSeries.from_times_and_values(times, coarse.astype("float32"), columns=["co2"]),
        privileged={
            "weekly": TimeSeries.from_times_and_values(fine_times, change.astype("float32"), columns=["co2"]),
        },
        validation_start=times[times >= pd.Timestamp("1979-01-01")][0],
        test_start=times[times >= pd.Timestamp("1985-01-01")][0],
        filled=frozenset(times[~complete]),
        title="Atmospheric CO2 at Mauna Loa, 1959 to 2001: change from one four-week mean to the next",
        unit="ppm in four weeks",
        source="Keeling and Whorf (2004), CDIAC; shipped with statsmodels as statsmodels.datasets.co2",
        licence="public domain",
        notes="A week without a measurement takes the value of 52 weeks before plus the last change over 52 weeks that "
        "was known by then, so gaps are filled from the past alone. A four-week mean that rests on such a week is not "
        "scored.",
    )


def fill_from_past(values: np.ndarray, period: int) -> np.ndarray:
    """`values` [T] with its NaN filled from earlier steps only; the first value must not be NaN.

    A gap at i becomes x[i-period] + (x[j] - x[j-period]), j the last measured step before i that has a measured or
    filled value a period before it; as long as there is none, the last value is carried forward.
    """
    import numpy as np

    if np.isnan(values[0]):
        raise ValueError("The first value is NaN: there is no past to fill it from. Cut the series before it.")
    filled = np.array(values, dtype="float64")
    change = np.nan
    for i, gap in enumerate(np.isnan(filled)):
        if not gap:
            change = filled[i] - filled[i - period] if i >= period else np.nan
        elif np.isnan(change):
            filled[i] = filled[i - 1]
        else:
            filled[i] = filled[i - period] + change
    return filled


_LOADERS: dict[str, Callable[[], DataSet]] = {"co2": _co2}
