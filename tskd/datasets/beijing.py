"""Air quality at twelve stations of Beijing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tskd.datasets.base import ArchiveSeries, DataSet, benchmark_split
from tskd.datasets.files import File, missing, series_of
from tskd.datasets.transforms import carry_forward, differences, logarithm

if TYPE_CHECKING:
    import pandas as pd

BEIJING = File(
    "beijing_multisite_air.parquet",
    "https://archive.ics.uci.edu/static/public/501/beijing+multi+site+air+quality+data.zip",
    "3df43b1e77ae050267f3ba662f7c3bd9d0ee1f4324ad6b441148a81c693ca445",
    licence="CC BY 4.0",
    manual="Unpack that zip file, and those in it, and run: "
    "python -m tskd.datasets.build beijing_multisite_air.parquet FOLDER",
)
STATION, TARGET = "Aotizhongxin", "PM2.5"
GASES = ["SO2", "NO2", "CO", "O3", "PM10"]
METEOROLOGY = ["TEMP", "PRES", "DEWP", "RAIN", "WSPM"]
START, VALIDATION, TEST, END = "2015-10-01", "2016-02-01", "2016-03-15", "2016-06-30 23:00"
# all stations have had every reading by the second day
FIRST, LAST = "2013-03-02", "2017-02-28 23:00"
_FILLED = "A missing value is the last one before it; such a PM2.5 is not scored. The wind's direction is left out."
_NOTE = (
    f"Station {STATION}, hourly: October 2015 to January 2016 to train, to mid-March to validate, to June to test. "
    f"{_FILLED}"
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
        **_neighbours(filled),
        **_common(raw),
        title="PM2.5 in Beijing, with the neighbouring stations",
        notes=f"'neighbours' is PM2.5 at the eleven other stations. {_NOTE}",
    )


def neighbours_long() -> DataSet:
    """Logarithm of PM2.5 at one station over four years; the eleven others' differences from it are privileged."""
    raw, filled = _tables(FIRST, LAST)
    known = _neighbours(filled)
    return DataSet(
        name="beijing-neighbours-long",
        series=logarithm(known["series"]),
        privileged={"neighbours": differences(known["privileged"]["neighbours"], known["series"])},
        **_common(raw, "2016-08-31", "2016-11-30") | {"unit": "log(1 + µg/m³)"},
        title="PM2.5 in Beijing, with the neighbouring stations, over four years",
        notes=f"The logarithm of PM2.5; 'neighbours' is that of the eleven other stations less the station's own. "
        f"Station {STATION}, hourly: March 2013 to August 2016 to train, 13 weeks to validate, 13 weeks to "
        f"February 2017 to test: the test parts of four folds span 52 weeks. {_FILLED} A sixth of the last quarter "
        "of 2014 is missing.",
    )


def everything() -> DataSet:
    """Eleven readings of twelve stations: 132 targets."""
    import pandas as pd

    measured, carried = _tables(FIRST, LAST)
    raw, filled = pd.concat(measured, axis=1), pd.concat(carried, axis=1)
    for table in (raw, filled):
        table.columns = [" ".join(names) for names in table.columns]
    series = series_of(filled, list(filled.columns))
    validation, test = benchmark_split(series)
    return DataSet(
        name="beijing-all",
        series=series,
        validation_start=validation,
        test_start=test,
        filled=frozenset(raw.index[raw.isna().any(axis=1)]),
        title="Air and meteorology at twelve stations of Beijing",
        unit="mixed",
        source=BEIJING.address,
        licence=BEIJING.licence,
        notes="Hourly, March 2013 to February 2017: 70 % to train, 10 % to validate, 20 % to test. A missing value is "
        "the last one before it. An hour is scored if none of its 132 values is missing, about one in two. The "
        "wind's direction is left out.",
    )


def _met(table: pd.DataFrame) -> dict[str, Any]:
    return {
        "series": series_of(table, [TARGET]),
        "privileged": {"own": series_of(table, [TARGET]), "gases": series_of(table, GASES)},
        "past_covariates": series_of(table, METEOROLOGY),
    }


def _neighbours(tables: dict[str, pd.DataFrame]) -> dict[str, Any]:
    import pandas as pd

    others = {name: table[TARGET] for name, table in tables.items() if name != STATION}
    return {
        "series": series_of(tables[STATION], [TARGET]),
        "privileged": {"neighbours": series_of(pd.DataFrame(others), list(others))},
        "past_covariates": series_of(tables[STATION], METEOROLOGY),
    }


def _training(table: pd.DataFrame) -> pd.DataFrame:
    return table[table.index < VALIDATION]


def _common(raw: dict[str, pd.DataFrame], validation: str = VALIDATION, test: str = TEST) -> dict[str, Any]:
    import pandas as pd

    return {
        "validation_start": pd.Timestamp(validation),
        "test_start": pd.Timestamp(test),
        "filled": missing(raw[STATION][TARGET]),
        "unit": "µg/m³",
        "source": BEIJING.address,
        "licence": BEIJING.licence,
    }


def _tables(start: str = START, end: str = END) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """By station [T, 11], as measured and filled; gaps at the start of the stretch are filled from before it."""
    table = BEIJING.parquet()
    stations: Iterable[tuple[Any, pd.DataFrame]] = table.groupby("station", observed=True)
    whole = {str(name): rows.set_index("datetime")[[TARGET, *GASES, *METEOROLOGY]] for name, rows in stations}
    return (
        {name: rows[start:end] for name, rows in whole.items()},
        {name: carry_forward(rows)[start:end] for name, rows in whole.items()},
    )
