"""Influenza-like illness in the United States."""

from __future__ import annotations

from tskd.datasets.base import DataSet, benchmark_split
from tskd.datasets.files import File, series_of

ILLNESS = File(
    "national_illness.csv",
    "https://gis.cdc.gov/grasp/fluview/fluportaldashboard.html",
    "93601f64d2566dc796ca4305adad8b8560c2db1a1ff04543c3bd813a7263570a",
    licence="US government work",
    manual="The benchmark's national_illness.csv is in the bundle that https://github.com/thuml/Autoformer links.",
)


def illness() -> DataSet:
    """Patients with influenza-like illness, week by week, with the split of the common benchmark."""
    table = ILLNESS.csv(index_col="date", parse_dates=True)
    series = series_of(table, list(table.columns))
    validation, test = benchmark_split(series)
    return DataSet(
        name="illness",
        series=series,
        validation_start=validation,
        test_start=test,
        title="Influenza-like illness in the United States",
        unit="mixed",
        source=ILLNESS.address,
        licence=ILLNESS.licence,
        notes="70 % to train, 10 % to validate, 20 % to test; nothing is missing. A stamp is the Tuesday of its "
        "week. OT is the number of all patients. Counts grow with the number of providers that report, and the test "
        "part, from October 2016 on, ends in the spring of COVID-19: it leaves the training range.",
    )
