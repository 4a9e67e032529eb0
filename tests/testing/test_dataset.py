"""The conformance tests of data sets: each fault fails the test made for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.helpers.batteries import failures
from tests.helpers.series import walk
from tskd.datasets import ArchiveSeries, DataSet
from tskd.testing import DataSetConformance

SERIES = walk(200, 2, seed=3)
TIMES = SERIES.time_index
GAPS = [20, 21, 50, 90, 91, 92, 150]


def honest() -> DataSet:
    """A target with gaps that were filled, privileged series, covariates and an archive."""
    values = SERIES.values()
    for row in GAPS:
        values[row] = values[row - 1]
    series = SERIES.with_values(values)
    earlier = walk(120, 2, seed=4)
    return DataSet(
        "honest",
        series,
        0.6,
        0.8,
        privileged={"lab": walk(210, 1, seed=5, name="p")},
        past_covariates=walk(200, 1, seed=6, name="c"),
        future_covariates=walk(200, 1, seed=7, name="f"),
        filled=frozenset(TIMES[GAPS]),
        archive=(
            ArchiveSeries(
                "old",
                earlier[:100],
                past_covariates=walk(100, 1, seed=8, name="c"),
                future_covariates=walk(100, 1, seed=9, name="f"),
            ),
        ),
    )


def drawn() -> DataSet:
    return replace(honest(), privileged={"lab": walk(210, 1, seed=int(np.random.default_rng().integers(10**6)))})


def counted() -> DataSet:
    counted.times += 1  # type: ignore[attr-defined]
    return replace(honest(), notes=f"read {counted.times} times")  # type: ignore[attr-defined]


counted.times = 0  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Disordered(DataSet):
    """Forgets to check its split."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "validation_start", TIMES[160])
        object.__setattr__(self, "test_start", TIMES[120])


def disordered() -> DataSet:
    return Disordered("disordered", SERIES, 0.6, 0.8)


def short() -> DataSet:
    """A test part without a window."""
    return replace(honest(), test_start=TIMES[199])


def standardised() -> DataSet:
    values = honest().series.values().astype("float64")
    return replace(honest(), series=SERIES.with_values((values - values.mean(0)) / values.std(0)))


def standardised_sensor() -> DataSet:
    lab = honest().privileged["lab"]
    values = lab.values().astype("float64")
    return replace(honest(), privileged={"lab": lab.with_values((values - values.mean()) / values.std())})


def infinite() -> DataSet:
    values = SERIES.values()
    values[30, 1] = np.inf
    return replace(honest(), series=SERIES.with_values(values))


def empty() -> DataSet:
    lab = walk(210, 2, seed=5, name="p")
    values = lab.values()
    values[:, 1] = np.nan
    return replace(honest(), privileged={"lab": lab.with_values(values)})


def strange_stamps() -> DataSet:
    return replace(honest(), filled=frozenset([pd.Timestamp("1999-01-01")]))


def interpolated() -> DataSet:
    values = honest().series.values()
    values[GAPS] = np.nan
    table = pd.DataFrame(values).interpolate()
    return replace(honest(), series=SERIES.with_values(table.to_numpy()))


def answer_among_future_covariates() -> DataSet:
    known = honest().series["y1"].with_columns_renamed("y1", "f0")
    return replace(honest(), future_covariates=known)


def answer_among_past_covariates() -> DataSet:
    ahead = honest().series["y0"].shift(-2).with_columns_renamed("y0", "c0")
    return replace(honest(), past_covariates=ahead)


FAULTS: list[tuple[Callable[[], DataSet], str, str]] = [
    (drawn, "test_made_twice_it_is_the_same", "draw nothing"),
    (counted, "test_made_twice_it_is_the_same", "notes differs"),
    (disordered, "test_its_parts_are_in_order_and_do_not_overlap", "not in order|has no window"),
    (short, "test_its_parts_are_in_order_and_do_not_overlap", "test part has no window"),
    (standardised, "test_its_validation_and_test_parts_reach_no_scaler", "'y0' of the series has mean 0"),
    (standardised_sensor, "test_its_validation_and_test_parts_reach_no_scaler", "'p0' of privileged series 'lab'"),
    (infinite, "test_missing_values_are_nan", "infinite values"),
    (empty, "test_missing_values_are_nan", "no value in \\['p1'\\]"),
    (strange_stamps, "test_filled_targets_are_known_and_filled_from_the_past", "no time stamps of the series"),
    (interpolated, "test_filled_targets_are_known_and_filled_from_the_past", "straight lines.*carry_forward"),
    (answer_among_future_covariates, "test_no_deployable_covariate_is_the_target", "'y1' of \\[0\\] steps later"),
    (answer_among_past_covariates, "test_no_deployable_covariate_is_the_target", "'y0' of \\[2\\] steps later"),
]


def test_an_honest_data_set_passes() -> None:
    assert failures(DataSetConformance.of(honest)) == {}


@pytest.mark.parametrize(("faulty", "test", "message"), FAULTS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_faulty_data_set_is_found_out(faulty: Any, test: str, message: str) -> None:
    with pytest.raises((AssertionError, ValueError), match=message):
        getattr(DataSetConformance.of(faulty)(), test)()


def test_what_is_standardised_at_its_source_may_be() -> None:
    assert failures(DataSetConformance.of(standardised, standardised=True)) == {}
