"""PM2.5 in Shanghai."""

from __future__ import annotations

from tskd.datasets.base import DataSet
from tskd.datasets.files import File, missing, series_of
from tskd.datasets.filling import carry_forward

SHANGHAI = File(
    "ShanghaiPM.csv",
    "https://archive.ics.uci.edu/dataset/394",
    "49258afcca08ca1a5c76379c31a439cc0179f53371842f14fd6ee6127ebffc14",
)
METEOROLOGY = ["DEWP", "HUMI", "PRES", "TEMP", "Iws"]


def shanghai() -> DataSet:
    """Hourly PM2.5; meteorology, thus that to come, is privileged, and so is PM2.5 itself for a way point."""
    import pandas as pd

    table = SHANGHAI.csv()
    table.index = pd.DatetimeIndex(pd.to_datetime(table[["year", "month", "day", "hour"]]))
    stretch = slice("2013-10-01", "2014-06-30 23:00")
    filled = carry_forward(table[[*METEOROLOGY, "PM_US Post"]])[stretch]
    return DataSet(
        name="shanghai",
        series=series_of(filled, {"PM_US Post": "PM2.5"}),
        privileged={"met": series_of(filled, METEOROLOGY)},
        validation_start=pd.Timestamp("2014-02-01"),
        test_start=pd.Timestamp("2014-03-15"),
        filled=missing(table[stretch]["PM_US Post"]),
        title="PM2.5 in Shanghai",
        unit="µg/m³",
        source=SHANGHAI.address,
        licence="CC BY 4.0, not verified at the origin",
        notes="Measured at the US post. October 2013 to January 2014 to train, to mid-March to validate, to June to "
        "test. A missing value is the last one before it; such a PM2.5 is not scored. 'met' is "
        f"{', '.join(METEOROLOGY)} (Iws: cumulated wind speed).",
    )
