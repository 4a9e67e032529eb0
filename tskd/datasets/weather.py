"""Weather at Jena."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tskd.datasets.base import DataSet
from tskd.datasets.files import File, missing, series_of
from tskd.datasets.transforms import carry_forward

if TYPE_CHECKING:
    import pandas as pd

JENA = File(
    "weather.csv",
    "https://www.bgc-jena.mpg.de/wetter/",
    "34ee981d07313e51da2a50bb600072c8ae4a69cb4b0651f4cb93a069d7a2ba63",
    licence="not stated at the origin",
    manual="The benchmark's weather.csv, of 2020, is in the bundle that https://github.com/thuml/Autoformer links.",
)
MISSING_VALUE = -9999
# not the other temperatures, vapour pressures and densities: they hold the temperature itself
METEOROLOGY = {"p": "pressure", "rh": "humidity", "wv": "wind", "rain": "rain", "SWDR": "radiation"}
CHEAP = {"p": "pressure", "rh": "humidity", "wv": "wind", "rain": "rain"}
RADIATION = {"SWDR": "short-wave", "PAR": "active", "max. PAR": "most active"}
CARBON_DIOXIDE = {"OT": "co2"}


def weather_future() -> DataSet:
    """Hourly air temperature; pressure, humidity, wind, rain and radiation, future included, are privileged."""
    import pandas as pd

    table = _table()
    stretch = pd.date_range("2020-03-01", "2020-11-30 23:00", freq="h")
    filled = carry_forward(table).reindex(stretch)
    return DataSet(
        name="weather-future",
        series=series_of(filled, {"T": "temperature"}),
        privileged={"met": series_of(filled, METEOROLOGY)},
        validation_start=pd.Timestamp("2020-07-01"),
        test_start=pd.Timestamp("2020-08-15"),
        filled=missing(table["T"].reindex(stretch)),
        title="Air temperature at Jena, with other meteorology",
        unit="°C",
        source=JENA.address,
        licence=JENA.licence,
        notes=f"{_STRETCH} {_GAPS} 'met' leaves out all that the temperature can be worked out from.",
    )


def weather_all() -> DataSet:
    """As `weather_future`, with the temperature of every ten minutes privileged as well."""
    data = weather_future()
    ten = carry_forward(_table())["2020-03-01":"2020-11-30 23:50"]
    fine = series_of(ten, {"T": "temperature"})
    return replace(data, name="weather-all", privileged={**data.privileged, "fine": fine})


def weather_costly() -> DataSet:
    """Hourly air temperature from cheap instruments; radiation and carbon dioxide, by costly ones, are privileged."""
    data = weather_future()
    filled = carry_forward(_table()).reindex(data.series.time_index)
    return replace(
        data,
        name="weather-costly",
        privileged={"radiation": series_of(filled, RADIATION), "co2": series_of(filled, CARBON_DIOXIDE)},
        past_covariates=series_of(filled, CHEAP),
        title="Air temperature at Jena, with radiation and carbon dioxide",
        notes=f"{_STRETCH} {_GAPS} The student has {', '.join(CHEAP.values())}; 'radiation' is short-wave and "
        "photosynthetically active, 'co2' is carbon dioxide (OT in the file).",
    )


def weather() -> DataSet:
    """Twenty-one readings every ten minutes, with the split of the common benchmark."""
    table = _table()
    series = series_of(carry_forward(table), list(table.columns))
    validation, test = (series.time_index[int(len(series) * share)] for share in (0.7, 0.8))
    return DataSet(
        name="weather",
        series=series,
        validation_start=validation,
        test_start=test,
        filled=frozenset(table.index[table.isna().any(axis=1)]),
        title="Weather at Jena",
        unit="mixed",
        source=JENA.address,
        licence=JENA.licence,
        notes=f"70 % to train, 10 % to validate, 20 % to test. {_GAPS} The common benchmark keeps -9999 as a value, "
        "and has no gap: figures differ.",
    )


_STRETCH = (
    "The ten-minute value at each full hour. March to June 2020 to train, to mid-August to validate, to November to "
    "test."
)
_GAPS = (
    "Of a stamp given twice the first row is kept; -9999 and a gap (2020-05-29, 09:40 to 11:00) count as missing; a "
    "missing value is the last one before it, and such a step is not scored."
)


def _table() -> pd.DataFrame:
    """Every ten minutes; what is missing is NaN."""
    import numpy as np

    table = JENA.csv(index_col="date", parse_dates=True, encoding_errors="replace")
    table.columns = table.columns.str.split(" (", regex=False).str[0]
    return table[~table.index.duplicated(keep="first")].replace(MISSING_VALUE, np.nan).asfreq("10min")
