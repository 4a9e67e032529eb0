"""Carbon dioxide at Mauna Loa: what ships with statsmodels and needs no file."""

from __future__ import annotations

from tskd.datasets.base import DataSet
from tskd.datasets.transforms import fill_from_past


def co2() -> DataSet:
    """Weekly CO2 at Mauna Loa, as change over four weeks: four-week means to deploy, single weeks as privilege.

    The level trends far out of its training range; its change does not, and a forecast of changes adds up to one of the
    level. The four-week means of the weekly changes are the changes of the four-week means. A mean is labelled by the
    first of its weeks. The first year is left out: its gaps have no year before them to be filled from.
    """
    import pandas as pd
    from darts import TimeSeries
    from statsmodels.datasets import co2 as table

    year, weeks = 52, 4
    raw = pd.DataFrame(table.load_pandas().data)["co2"].asfreq("W-SAT")
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
