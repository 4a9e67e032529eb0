"""Air quality beside a road in Italy: cheap sensors and reference analysers at the same place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tskd.datasets.base import DataSet
from tskd.datasets.files import File, missing, series_of
from tskd.datasets.transforms import carry_forward

if TYPE_CHECKING:
    import pandas as pd

AIR = File(
    "AirQualityUCI.csv",
    "https://archive.ics.uci.edu/static/public/360/air+quality.zip",
    "13277ae5d8581e80b7be09d47c7d3d06fe9b8e957078f2cf6e859f955e62f996",
    licence="CC BY 4.0; its page adds: for research, not for commerce",
)
MISSING_VALUE = -200
TARGET = {"NO2(GT)": "NO2"}
# not NMHC(GT), of which nine tenths are missing, nor C6H6(GT), which is a function of the sensor PT08.S2(NMHC)
ANALYSERS = {"CO(GT)": "CO", "NOx(GT)": "NOx"}
SENSORS = ["PT08.S1(CO)", "PT08.S2(NMHC)", "PT08.S3(NOx)", "PT08.S4(NO2)", "PT08.S5(O3)", "T", "RH", "AH"]


def air_quality() -> DataSet:
    """NO2 from cheap sensors; its own past and two other pollutants, all by reference analysers, are privileged."""
    import pandas as pd

    raw = _table()
    filled = carry_forward(raw)
    return DataSet(
        name="air-quality",
        series=series_of(filled, TARGET),
        privileged={"own": series_of(filled, TARGET), "analysers": series_of(filled, ANALYSERS)},
        past_covariates=series_of(filled, SENSORS),
        validation_start=pd.Timestamp("2004-12-16"),
        test_start=pd.Timestamp("2005-02-01"),
        filled=missing(raw["NO2(GT)"]),
        title="NO2 beside a road in Italy, from cheap sensors",
        unit="µg/m³",
        source=AIR.address,
        licence=AIR.licence,
        notes="For a soft sensor: 'own' is NO2 itself and 'analysers' are CO and NOx, by reference analysers; the "
        "student has five metal-oxide sensors, temperature and humidity. March to mid-December 2004 to train, to "
        "January to validate, February to April 2005 to test. -200 means missing (NO2 17.5 %, for up to a week at a "
        "stretch; sensors 4 %); a missing value is the last one before it, and such a NO2 is not scored. The sensors "
        "drift strongly over the year, so the test part differs from what was trained on. Left out: NMHC(GT), nine "
        "tenths missing, and C6H6(GT), a function of the sensor PT08.S2(NMHC).",
    )


def _table() -> pd.DataFrame:
    """Every hour, with NaN for missing values; the empty rows and columns of the file are left out."""
    import numpy as np
    import pandas as pd

    table = AIR.csv(sep=";", decimal=",").dropna(how="all")
    table.index = pd.DatetimeIndex(pd.to_datetime(table["Date"] + " " + table["Time"], format="%d/%m/%Y %H.%M.%S"))
    return table[[*TARGET, *ANALYSERS, *SENSORS]].replace(MISSING_VALUE, np.nan)
