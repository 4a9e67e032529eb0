"""PM2.5 in Shanghai and Chengdu, two of the five Chinese cities of one archive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tskd.datasets.base import DataSet
from tskd.datasets.files import File, missing, series_of
from tskd.datasets.transforms import carry_forward, differences, logarithm

if TYPE_CHECKING:
    import pandas as pd


def _file(city: str, checksum: str) -> File:
    return File(
        f"{city}PM.csv",
        "https://archive.ics.uci.edu/dataset/394",
        checksum,
        licence="CC BY 4.0, not verified at the origin",
        manual=f"In the archive there: {city}PM20100101_20151231.csv, to be named {city}PM.csv.",
    )


SHANGHAI = _file("Shanghai", "49258afcca08ca1a5c76379c31a439cc0179f53371842f14fd6ee6127ebffc14")
CHENGDU = _file("Chengdu", "bcba1c9e513a2f0fa89101822a5a565a7640a4a221ec62c089173237f5d72a9e")
SITE = "PM_US Post"
NEIGHBOURS = {"PM_Jingan": "Jingan", "PM_Xuhui": "Xuhui"}
METEOROLOGY = ["DEWP", "HUMI", "PRES", "TEMP", "Iws"]


@dataclass(frozen=True)
class Split:
    """Time stamps of a stretch: its first, those at which validation and test part begin, and its last."""

    start: str
    validation: str
    test: str
    end: str


def shanghai() -> DataSet:
    """Hourly PM2.5; meteorology (future included) is privileged, and so is PM2.5 itself for a way point."""
    return _way_point("Shanghai", SHANGHAI, 2013)


def chengdu() -> DataSet:
    """The same in Chengdu a year later, since the year before has gaps of days there."""
    return _way_point("Chengdu", CHENGDU, 2014)


def shanghai_neighbours() -> DataSet:
    """Logarithm of PM2.5 at one site; the differences of two other sites of the city from it are privileged."""
    split = Split("2013-01-01", "2015-07-03", "2015-10-02", "2015-12-31 23:00")
    known = _parts(SHANGHAI, split, "neighbours", NEIGHBOURS)
    own, others = known["series"], known["privileged"]["neighbours"]
    return DataSet(
        name="shanghai-neighbours",
        **known
        | {
            "series": logarithm(own),
            "privileged": {"neighbours": differences(others, own)},
            "unit": "log(1 + µg/m³)",
        },
        title="PM2.5 in Shanghai, with the neighbouring sites",
        notes="The logarithm of PM2.5 at the US post; 'neighbours' is that in Jingan and Xuhui less the post's. "
        "January 2013 to June 2015 to train, 13 weeks to validate, the last 13 weeks of 2015 to test: the test parts "
        "of four folds span 52 weeks. A missing value is the last one before it; such a PM2.5 is not scored. Jingan "
        "has no value for two weeks of February 2013.",
    )


def _way_point(city: str, file: File, year: int) -> DataSet:
    split = Split(f"{year}-10-01", f"{year + 1}-02-01", f"{year + 1}-03-15", f"{year + 1}-06-30 23:00")
    return DataSet(
        name=city.lower(),
        **_parts(file, split, "met", {name: name for name in METEOROLOGY}),
        title=f"PM2.5 in {city}",
        notes=f"Measured at the US post. October {year} to January {year + 1} to train, to mid-March to validate, to "
        "June to test. A missing value is the last one before it; such a PM2.5 is not scored. 'met' is "
        f"{', '.join(METEOROLOGY)} (Iws: cumulated wind speed).",
    )


def _parts(file: File, split: Split, name: str, columns: dict[str, str]) -> dict[str, Any]:
    """What a `DataSet` takes: PM2.5 at the US post, with `columns` as the privileged series `name`."""
    import pandas as pd

    filled = _filled(file)[split.start : split.end]
    return {
        "series": series_of(filled, {SITE: "PM2.5"}),
        "privileged": {name: series_of(filled, columns)},
        "validation_start": pd.Timestamp(split.validation),
        "test_start": pd.Timestamp(split.test),
        "filled": missing(_table(file)[split.start : split.end][SITE]),
        "unit": "µg/m³",
        "source": file.address,
        "licence": file.licence,
    }


def _table(file: File) -> pd.DataFrame:
    import pandas as pd

    table = file.csv()
    table.index = pd.DatetimeIndex(pd.to_datetime(table[["year", "month", "day", "hour"]]))
    return table


def _filled(file: File) -> pd.DataFrame:
    table = _table(file)
    return carry_forward(table.drop(columns="cbwd"))
