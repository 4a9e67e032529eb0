"""Weather at Jena."""

from __future__ import annotations

from tskd.datasets.base import DataSet
from tskd.datasets.files import File, missing, series_of
from tskd.datasets.filling import carry_forward

JENA = File(
    "weather.csv",
    "https://www.bgc-jena.mpg.de/wetter/",
    "34ee981d07313e51da2a50bb600072c8ae4a69cb4b0651f4cb93a069d7a2ba63",
)
NOTHING = -9999
# not the other temperatures, vapour pressures and densities: they hold the temperature itself
METEOROLOGY = {"p": "pressure", "rh": "humidity", "wv": "wind", "rain": "rain", "SWDR": "radiation"}


def weather_future() -> DataSet:
    """Hourly air temperature; pressure, humidity, wind, rain and radiation, thus those to come, are privileged."""
    import numpy as np
    import pandas as pd

    table = JENA.csv(index_col="date", parse_dates=True, encoding_errors="replace")
    table.columns = table.columns.str.split(" (", regex=False).str[0]
    table = table[~table.index.duplicated(keep="first")].replace(NOTHING, np.nan).asfreq("10min")
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
        licence="not stated at the origin",
        notes="The ten-minute value at each full hour. March to June 2020 to train, to mid-August to validate, to "
        "November to test. Of a stamp given twice the first row is kept; -9999 and a gap (2020-05-29, 09:40 to 11:00) "
        "count as missing; a missing value is the last one before it, and such a temperature is not scored. 'met' "
        "leaves out all that the temperature can be worked out from.",
    )
