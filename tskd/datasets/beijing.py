"""Air quality at twelve stations of Beijing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tskd.datasets.base import ArchiveSeries, DataSet
from tskd.datasets.files import File, missing, series_of
from tskd.datasets.filling import carry_forward

if TYPE_CHECKING:
    import pandas as pd

BEIJING = File(
    "beijing_multisite_air.parquet",
    "https://archive.ics.uci.edu/static/public/501/beijing+multi+site+air+quality+data.zip",
    "aca495a95853e574dfffe940381c11b89c465be1ae01edd602715ae7026bc1e9",
)
STATION, TARGET = "Aotizhongxin", "PM2.5"
GASES = ["SO2", "NO2", "CO", "O3", "PM10"]
METEOROLOGY = ["TEMP", "PRES", "DEWP", "RAIN", "WSPM"]
START, VALIDATION, TEST, END = "2015-10-01", "2016-02-01", "2016-03-15", "2016-06-30 23:00"
_NOTE = (
    f"Station {STATION}, hourly: October 2015 to January 2016 to train, to mid-March to validate, to June to test. A "
    "missing value is the last one before it; such a PM2.5 is not scored. The wind's direction is left out."
)


def met() -> DataSet:
    """PM2.5 of one station from meteorology; its own past and five other pollutants there are privileged."""
    raw, filled = _tables()
    own = _met(filled[STATION])
    return DataSet(
        name="beijing-met",
        **own,
        **_common(raw),
        archive=tuple(
            ArchiveSeries(name, **_met(_training(table))) for name, table in filled.items() if name != STATION
        ),
        title="PM2.5 in Beijing from meteorology",
        notes=f"For a soft sensor: 'own' is PM2.5 itself, 'gases' are {', '.join(GASES)}. {_NOTE} The archive is the "
        "training stretch of the eleven other stations.",
    )


def neighbours() -> DataSet:
    """PM2.5 of one station from its past and meteorology; PM2.5 of the eleven other stations is privileged."""
    raw, filled = _tables()
    return DataSet(
        name="beijing-neighbours",
        series=series_of(filled[STATION], [TARGET]),
        privileged={"neighbours": _others(filled, STATION)},
        past_covariates=series_of(filled[STATION], METEOROLOGY),
        **_common(raw),
        title="PM2.5 in Beijing, with the neighbouring stations",
        notes=f"'neighbours' is PM2.5 at the eleven other stations. {_NOTE}",
    )


def _met(table: pd.DataFrame) -> dict[str, Any]:
    return {
        "series": series_of(table, [TARGET]),
        "privileged": {"own": series_of(table, [TARGET]), "gases": series_of(table, GASES)},
        "past_covariates": series_of(table, METEOROLOGY),
    }


def _others(tables: dict[str, pd.DataFrame], station: str) -> Any:
    import pandas as pd

    others = {name: table[TARGET] for name, table in tables.items() if name != station}
    return series_of(pd.DataFrame(others), list(others))


def _training(table: pd.DataFrame) -> pd.DataFrame:
    return table[table.index < VALIDATION]


def _common(raw: dict[str, pd.DataFrame]) -> dict[str, Any]:
    import pandas as pd

    return {
        "validation_start": pd.Timestamp(VALIDATION),
        "test_start": pd.Timestamp(TEST),
        "filled": missing(raw[STATION][TARGET]),
        "unit": "µg/m³",
        "source": BEIJING.address,
        "licence": "CC BY 4.0",
    }


def _tables() -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """By station [T, 11], as measured and filled; gaps at the start of the stretch are filled from before it."""
    table = BEIJING.parquet()
    stations: Iterable[tuple[Any, pd.DataFrame]] = table.groupby("station", observed=True)
    whole = {str(name): rows.set_index("datetime")[[TARGET, *GASES, *METEOROLOGY]] for name, rows in stations}
    return (
        {name: rows[START:END] for name, rows in whole.items()},
        {name: carry_forward(rows)[START:END] for name, rows in whole.items()},
    )
