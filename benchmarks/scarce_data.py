"""Series, folds and label schemes of the benchmark of scarce labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from math import gcd

import numpy as np
import pandas as pd

from tskd.datasets.air_quality import AIR
from tskd.datasets.beijing import BEIJING
from tskd.datasets.electricity import ETTH1, ETTH2, LOADS
from tskd.datasets.five_cities import SHANGHAI
from tskd.datasets.weather import JENA

DAY = 24
METEOROLOGY = {"beijing": ["TEMP", "PRES", "DEWP", "RAIN", "WSPM"], "shanghai": ["DEWP", "HUMI", "PRES", "TEMP", "Iws"]}
SENSORS = ["PT08.S1(CO)", "PT08.S2(NMHC)", "PT08.S3(NOx)", "PT08.S4(NO2)", "PT08.S5(O3)", "T", "RH", "AH"]
GASES = {"CO": "CO(GT)", "NOx": "NOx(GT)", "NO2": "NO2(GT)"}
SITES = {"US Post": "PM_US Post", "Jingan": "PM_Jingan", "Xuhui": "PM_Xuhui"}
CHEAP = ["p", "rh", "wv", "rain"]
RADIATION = ["SWDR", "PAR", "max. PAR"]
TRANSFORMERS = {"ETTh1": ETTH1, "ETTh2": ETTH2}
# hours that a gap of the student's inputs is filled for, from the value before it
CARRIED = 24


@dataclass(frozen=True, eq=False)
class Readings:
    """One target, hour by hour.

    Attributes:
        target: `[T]`, NaN where it was not measured.
        inputs: what a deployed student reads `[T, P]`.
        privileged: what a teacher reads `[T, M]`, NaN where missing.
        siblings: target and inputs of other series of its kind.
    """

    times: pd.DatetimeIndex
    target: np.ndarray
    inputs: np.ndarray
    privileged: np.ndarray
    siblings: tuple[tuple[np.ndarray, np.ndarray], ...] = ()


@dataclass(frozen=True)
class Family:
    """Series of one kind.

    Attributes:
        horizon: hours from the forecast origin to the hour that is forecast.
        train, test, step: days of the training part, of the test part after it, and from one fold's test part to the
            next one's; the last fold ends with the data.
        networks: those of the series, by name, that network students learn too.
    """

    name: str
    series: tuple[str, ...]
    horizon: int
    train: int
    test: int
    folds: int
    step: int
    networks: tuple[str, ...]
    laboratory: bool = False


FAMILIES = (
    Family(
        "beijing",
        ("Aotizhongxin", "Dingling", "Guanyuan", "Huairou", "Shunyi", "Wanliu"),
        24,
        240,
        60,
        6,
        200,
        ("Aotizhongxin", "Huairou"),
    ),
    Family("shanghai", ("US Post", "Jingan", "Xuhui"), 24, 240, 60, 4, 195, ("US Post", "Jingan")),
    Family("gases", ("CO", "NOx", "NO2"), 24, 180, 30, 6, 35, ("CO", "NO2"), laboratory=True),
    Family("gases, next hour", ("CO", "NOx", "NO2"), 1, 180, 30, 6, 35, ("CO", "NO2"), laboratory=True),
    Family("weather", ("temperature", "co2"), 24, 180, 30, 6, 31, ("temperature", "co2")),
    Family("oil temperature", ("ETTh1", "ETTh2"), 24, 240, 60, 6, 80, ("ETTh1", "ETTh2")),
)
DAYS = (7, 14, 30, 60, 120)
LABORATORY_DAYS = (14, 30)
# at 3 and 4 o'clock the analysers are calibrated: next to nothing was measured
LABORATORY_HOURS = (1, 7, 13, 19)


@dataclass(frozen=True)
class Scheme:
    """Which hours of a training part have a label.

    Attributes:
        kind: `"block"`, the last `days`; `"scattered"`, as many labels, every k-th hour; `"daily"`, one a day at
            `hour` in the whole part; `"every 25 h"`, in the whole part.
    """

    kind: str
    days: int = 0
    hour: int = 0

    @property
    def name(self) -> str:
        return f"daily at {self.hour}" if self.kind == "daily" else self.kind


def schemes(family: Family) -> Iterator[Scheme]:
    """The label schemes of a family; one that would leave no hour without a label is left out."""
    if family.laboratory:
        yield from (Scheme("daily", hour=hour) for hour in LABORATORY_HOURS)
        yield Scheme("every 25 h")
        yield from (Scheme("block", days) for days in LABORATORY_DAYS)
        return
    for days in DAYS:
        yield Scheme("block", days)
        if spacing(family.train * DAY, days * DAY) > 1:
            yield Scheme("scattered", days)


def spacing(hours: int, labels: int) -> int:
    """The largest k, so that every k-th of some hours gives so many labels, at eight or more hours of the day."""
    return max(k for k in range(1, hours // labels + 1) if gcd(k, DAY) <= 3)


def labelled(scheme: Scheme, hours: np.ndarray) -> np.ndarray:
    """The hours of a training part that have a label `[T]`.

    Args:
        hours: hour of the day `[T]`, one hour after the other.
    """
    total = len(hours)
    back = np.arange(total)[::-1]
    if scheme.kind == "block":
        return back < scheme.days * DAY
    if scheme.kind == "daily":
        return hours == scheme.hour
    if scheme.kind == "every 25 h":
        return back % 25 == 0
    k = spacing(total, scheme.days * DAY)
    return (back % k == 0) & (back < k * scheme.days * DAY)


def parts(family: Family, fold: int, total: int) -> tuple[slice, slice]:
    """Hours of the training and the test part of a fold, 0 the latest."""
    start = total - (family.test + fold * family.step) * DAY
    if start < family.train * DAY:
        raise ValueError(f"fold {fold} of {family.name} begins before the data")
    return slice(start - family.train * DAY, start), slice(start, start + family.test * DAY)


@cache
def readings(family: str, series: str) -> Readings:
    """The data of one target."""
    return {
        "beijing": _beijing,
        "shanghai": _shanghai,
        "gases": _gases,
        "gases, next hour": _gases,
        "weather": _weather,
        "oil temperature": _oil_temperature,
    }[family](series)


def _beijing(station: str) -> Readings:
    tables = _stations()
    own, others = tables[station], {name: table for name, table in tables.items() if name != station}

    def pair(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        return _log(table["PM2.5"]), _carried(table[METEOROLOGY["beijing"]])

    siblings = tuple(pair(table) for table in others.values())
    neighbours = np.stack([target for target, _ in siblings], axis=1)
    return Readings(own.index, *pair(own), neighbours, siblings)


@cache
def _stations() -> dict[str, pd.DataFrame]:
    table = BEIJING.parquet()
    return {str(name): rows.set_index("datetime").asfreq("h") for name, rows in table.groupby("station", observed=True)}


def _shanghai(site: str) -> Readings:
    table = SHANGHAI.csv()
    table.index = pd.DatetimeIndex(pd.to_datetime(table[["year", "month", "day", "hour"]]))
    table = table.asfreq("h")["2013-01-01":]
    inputs = _carried(table[METEOROLOGY["shanghai"]])
    others = [_log(table[column]) for name, column in SITES.items() if name != site]
    siblings = tuple((target, inputs) for target in others)
    return Readings(table.index, _log(table[SITES[site]]), inputs, np.stack(others, axis=1), siblings)


def _gases(gas: str) -> Readings:
    table = AIR.csv(sep=";", decimal=",").dropna(how="all")
    table.index = pd.DatetimeIndex(pd.to_datetime(table["Date"] + " " + table["Time"], format="%d/%m/%Y %H.%M.%S"))
    table = table[[*GASES.values(), *SENSORS]].replace(-200, np.nan).asfreq("h")
    others = [column for name, column in GASES.items() if name != gas]
    return Readings(table.index, table[GASES[gas]].to_numpy(), _carried(table[SENSORS]), table[others].to_numpy())


def _weather(target: str) -> Readings:
    table = JENA.csv(index_col="date", parse_dates=True, encoding_errors="replace")
    table.columns = table.columns.str.split(" (", regex=False).str[0]
    table = table[~table.index.duplicated(keep="first")].replace(-9999, np.nan).asfreq("10min")
    table = table[table.index.minute == 0].asfreq("h")
    column, costly = {"temperature": ("T", [*RADIATION, "OT"]), "co2": ("OT", [*RADIATION, "T"])}[target]
    return Readings(table.index, table[column].to_numpy(), _carried(table[CHEAP]), table[costly].to_numpy())


def _oil_temperature(transformer: str) -> Readings:
    tables = {name: file.csv(index_col="date", parse_dates=True).asfreq("h") for name, file in TRANSFORMERS.items()}
    own = tables.pop(transformer)
    (other,) = tables.values()
    privileged = np.column_stack([other["OT"], own[LOADS]])
    siblings = ((other["OT"].to_numpy(), _carried(other[LOADS])),)
    return Readings(own.index, own["OT"].to_numpy(), _carried(own[LOADS]), privileged, siblings)


def _log(column: pd.Series) -> np.ndarray:
    return np.log1p(column.to_numpy(dtype=np.float64))


def _carried(table: pd.DataFrame) -> np.ndarray:
    return table.ffill(limit=CARRIED).to_numpy(dtype=np.float64)
