"""Energy that a house's appliances use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tskd.datasets.base import DataSet
from tskd.datasets.files import File, series_of

if TYPE_CHECKING:
    import pandas as pd

HOUSE = File(
    "energydata_complete.csv",
    "https://archive.ics.uci.edu/static/public/374/appliances+energy+prediction.zip",
    "2820bf712ad0275cb18b85a05250926100d8e65ebb9f4d2d016ca91ea152a25d",
    licence="CC BY 4.0",
)
ENERGY = {"Appliances": "energy"}
ROOMS = [f"{reading}{room}" for room in range(1, 10) for reading in ("T", "RH_")]
WEATHER = ["T_out", "Press_mm_hg", "RH_out", "Windspeed", "Visibility", "Tdewpoint"]
NOISE = {"rv1": "noise"}
_NOTE = (
    "12 January to April 2016 to train, two weeks to validate, two weeks to 26 May to test: the test parts of four "
    "folds span eight weeks. Nothing is missing."
)


def appliances() -> DataSet:
    """Energy every ten minutes; the rooms' climate, the weather (future included) and noise are privileged."""
    table = _table()
    return DataSet(
        name="appliances",
        series=series_of(table, ENERGY),
        privileged={
            "rooms": series_of(table, ROOMS),
            "weather": series_of(table, WEATHER),
            "noise": series_of(table, NOISE),
        },
        **_common(),
        title="Energy of a house's appliances, with its rooms' climate",
        unit="Wh in ten minutes",
        notes="'rooms' is temperature and humidity at nine places (6 is outside the building); 'weather' is that of an "
        "airport, read every full hour and interpolated between: a value at ten past holds what is read at the next "
        "full hour, so it is for teachers only. 'noise' are random numbers, a negative control: no teacher can gain by "
        f"them (the file has them twice, as rv1 and rv2). {_NOTE}",
    )


def appliances_fine() -> DataSet:
    """Energy every hour; that of every ten minutes is privileged, and adds up to it."""
    ten = _table()
    hourly: pd.DataFrame = ten[list(ENERGY)].resample("1h").sum()
    return DataSet(
        name="appliances-fine",
        series=series_of(hourly, ENERGY),
        privileged={"fine": series_of(ten, ENERGY)},
        **_common(),
        title="Energy of a house's appliances, with its ten minutes",
        unit="Wh",
        notes=f"Sums over an hour, labelled by its start. {_NOTE}",
    )


def _table() -> pd.DataFrame:
    """Whole days."""
    return HOUSE.csv(index_col="date", parse_dates=True)["2016-01-12":"2016-05-26"]


def _common() -> dict[str, Any]:
    import pandas as pd

    return {
        "validation_start": pd.Timestamp("2016-04-29"),
        "test_start": pd.Timestamp("2016-05-13"),
        "source": HOUSE.address,
        "licence": HOUSE.licence,
    }
