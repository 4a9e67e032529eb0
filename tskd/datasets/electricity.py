"""Electricity: two transformers' oil temperature (ETT) and the load of Spain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tskd.datasets.base import DataSet
from tskd.datasets.files import File, missing, series_of
from tskd.datasets.transforms import carry_forward

if TYPE_CHECKING:
    import pandas as pd

_ETT = "https://raw.githubusercontent.com/zhouhaoyi/ETDataset/main/ETT-small/"


def _file(name: str, checksum: str) -> File:
    licence = "CC BY-ND 4.0: the files may be passed on unchanged only"
    return File(f"{name}.csv", f"{_ETT}{name}.csv", checksum, licence, darts=f"{name}Dataset")


ETTH1 = _file("ETTh1", "f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066")
ETTH2 = _file("ETTh2", "a3dc2c597b9218c7ce1cd55eb77b283fd459a1d09d753063f944967dd6b9218b")
ETTM1 = _file("ETTm1", "6ce1759b1a18e3328421d5d75fadcb316c449fcd7cec32820c8dafda71986c9e")
ETTM2 = _file("ETTm2", "db973ca252c6410a30d0469b13d696cf919648d0f3fd588c60f03fdbdbadd1fd")
SPAIN = File(
    "spain_energy.csv",
    "https://www.kaggle.com/datasets/nicholasjhana/energy-consumption-generation-prices-and-weather",
    "14cd13e020d87af0ab49db8e0f1e4d308320ec5b8d2dec23bab4d27c75c7733a",
    licence="not verified",
    manual="With an account there: energy_dataset.csv, to be named spain_energy.csv.",
)
LOADS = ["HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL"]
ADVANCE = {
    "total load forecast": "load forecast",
    "forecast solar day ahead": "solar forecast",
    "forecast wind onshore day ahead": "wind forecast",
    "price day ahead": "price day ahead",
}


def ett_loads() -> DataSet:
    """Oil temperature of a transformer from its six loads; its own past is what only the teacher sees."""
    return DataSet(
        **_ett("ett-loads"),
        privileged={"own": _oil(_stretch(ETTH1))},
        past_covariates=series_of(_stretch(ETTH1), LOADS),
        title="Oil temperature of a transformer (ETTh1) from its loads",
        notes="For a soft sensor: the temperature's own past, 'own', is privileged; the six loads are the student's. "
        + _ETT_NOTE,
    )


def ett_fine() -> DataSet:
    """Hourly oil temperature of a transformer; its quarter hours are privileged."""
    return DataSet(
        **_ett("ett-fine"),
        privileged={"fine": _oil(_stretch(ETTM1))},
        title="Oil temperature of a transformer (ETTh1), with its quarter hours (ETTm1)",
        notes="An hourly value is the quarter-hourly one at its stamp, in every row: a point sample, not a mean. "
        + _ETT_NOTE,
    )


def ett_all() -> DataSet:
    """Hourly oil temperature of a transformer; its quarter hours and the loads, past and to come, are privileged."""
    hourly = _stretch(ETTH1)
    return DataSet(
        **_ett("ett-all"),
        privileged={"fine": _oil(_stretch(ETTM1)), "loads": series_of(hourly, LOADS)},
        title="Oil temperature of a transformer (ETTh1), with its quarter hours and its loads",
        notes=_ETT_NOTE,
    )


def etth1() -> DataSet:
    """Oil temperature and loads of a transformer, hourly, with the split of the common benchmark."""
    return _benchmark("etth1", ETTH1, 24)


def etth2() -> DataSet:
    """The same of another transformer."""
    return _benchmark("etth2", ETTH2, 24)


def ettm1() -> DataSet:
    """The first transformer in quarter hours."""
    return _benchmark("ettm1", ETTM1, 96)


def ettm2() -> DataSet:
    """The second transformer in quarter hours."""
    return _benchmark("ettm2", ETTM2, 96)


def spain_load() -> DataSet:
    """Hourly load of Spain; what was forecast the day before for load, sun, wind and price is privileged."""
    import pandas as pd

    table = SPAIN.csv()
    table.index = pd.DatetimeIndex(pd.to_datetime(table["time"], utc=True)).tz_localize(None)
    raw = table["2017-01-01":"2017-10-14"]
    filled = carry_forward(table)["2017-01-01":"2017-10-14"]
    return DataSet(
        name="spain-load",
        series=series_of(filled, {"total load actual": "load"}),
        privileged={"forecast": series_of(filled, ADVANCE)},
        validation_start=pd.Timestamp("2017-06-01"),
        test_start=pd.Timestamp("2017-07-15"),
        filled=missing(raw["total load actual"]),
        title="Load of Spain, with day-ahead forecasts",
        unit="MW",
        source=SPAIN.address,
        licence=SPAIN.licence,
        notes="Times are UTC. January to May 2017 to train, to mid-July to validate, to mid-October to test. A missing "
        "value is the last one before it; such a load is not scored.",
    )


_ETT_NOTE = "From July 2016 on: 150 days to train, the next 50 to validate, the next 100 to test; nothing is missing."


def _benchmark(name: str, file: File, day: int) -> DataSet:
    table = file.csv(index_col="date", parse_dates=True).iloc[: 20 * 30 * day]
    series = series_of(table, [*LOADS, "OT"])
    return DataSet(
        name=name,
        series=series,
        validation_start=series.time_index[12 * 30 * day],
        test_start=series.time_index[16 * 30 * day],
        title=f"Loads and oil temperature of a transformer ({file.name.removesuffix('.csv')})",
        unit="mixed",
        source=file.address,
        licence=file.licence,
        notes="12 months of 30 days to train, 4 to validate, 4 to test; nothing is missing.",
    )


def _ett(name: str) -> dict[str, Any]:
    series = _oil(_stretch(ETTH1))
    return {
        "name": name,
        "series": series,
        "validation_start": series.time_index[150 * 24],
        "test_start": series.time_index[200 * 24],
        "unit": "°C",
        "source": _ETT,
        "licence": ETTH1.licence,
    }


def _stretch(file: File) -> pd.DataFrame:
    """300 days, from July 2016 on."""
    return file.csv(index_col="date", parse_dates=True)["2016-07-01":"2017-04-26"]


def _oil(table: pd.DataFrame) -> Any:
    return series_of(table, ["OT"])
