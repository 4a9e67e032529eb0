"""Panels: series that are alike in all but length, start and split, from Python or from a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from darts import TimeSeries

from tests.helpers.panels import SERIES, member, toy_panel
from tskd.datasets import ArchiveSeries, DataSet, Panel
from tskd.datasets.panel import members_of

NORTH = member("north")


def test_members_are_what_was_given_and_a_data_set_is_its_own_only_one() -> None:
    assert list(members_of(toy_panel())) == ["north", "east", "south"]
    assert [len(item.series) for item in members_of(toy_panel()).values()] == [steps for steps, *_ in SERIES.values()]
    assert members_of(NORTH) == {"": NORTH}


def renamed(series: TimeSeries, *columns: str) -> TimeSeries:
    return series.with_columns_renamed(list(series.components), list(columns))


EAST = member("east")
SENSOR = EAST.privileged["sensor"]
DAILY = pd.date_range("2021-03-01", periods=40, freq="D")


@pytest.mark.parametrize(
    ("other", "error", "message"),
    [
        (replace(EAST, series=renamed(EAST.series, "z")), ValueError, r"series of 'east' has components \['z'\]"),
        (
            replace(EAST, privileged={}),
            ValueError,
            "'north' has privileged series 'sensor', and 'east' has none",
        ),
        (
            replace(EAST, privileged={"sensor": SENSOR, "b": SENSOR}),
            ValueError,
            "'east' has .*'b', and 'north' has none",
        ),
        (replace(EAST, privileged={"sensor": SENSOR["s0"]}), ValueError, "'sensor' of 'east' has components"),
        (replace(EAST, past_covariates=SENSOR), ValueError, "'east' has past_covariates, and 'north' has none"),
        (
            DataSet(
                "daily",
                TimeSeries.from_times_and_values(DAILY, np.arange(40.0), columns=["y"]),
                0.5,
                0.75,
                {"sensor": TimeSeries.from_times_and_values(DAILY, np.ones((40, 2)), columns=["s0", "s1"])},
            ),
            ValueError,
            "series of 'east' has a step of D, that of 'north' h",
        ),
        (replace(EAST, archive=(ArchiveSeries("old", EAST.series[:20]),)), ValueError, "'east' has an archive"),
        (EAST.series, TypeError, "series 'east' must be a DataSet, got TimeSeries"),
    ],
    ids=["component", "lacks", "more", "sensor", "covariates", "step", "archive", "no data set"],
)
def test_series_that_are_not_alike_are_refused(other: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"panel 'p': .*{message}"):
        Panel("p", {"north": NORTH, "east": other})


@pytest.mark.parametrize("members", [{}, [NORTH], {" ": NORTH}, {3: NORTH}], ids=["none", "a list", "blank", "number"])
def test_members_that_are_no_series_by_name_are_refused(members: Any) -> None:
    with pytest.raises(TypeError, match=r"members must be a dict|is no name of a series"):
        Panel("p", members)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Series below one another, of other lengths and starts, in another order than by name."""
    parts = []
    for number, (name, rows, start) in enumerate([("north", 30, "2020-01-01"), (7, 20, "2020-01-05")]):
        frame = pd.DataFrame({"day": pd.date_range(start, periods=rows), "station": name})
        parts.append(frame.assign(y=np.arange(rows) * 2.0 + number, z=1.0 + np.arange(rows) ** 2))
    pd.concat(parts).sample(frac=1, random_state=0).sort_values("day").to_csv(tmp_path / "many.csv", index=False)
    return tmp_path / "many.csv"


GIVEN: dict[str, Any] = {"time": "day", "target": "y", "privileged": {"z": "z"}}


def test_the_series_of_a_file_are_each_split_by_shares_of_their_own_rows(path: Path) -> None:
    panel = Panel.from_file(path, series="station", validation_start=0.5, test_start=0.8, **GIVEN)
    assert (panel.name, panel.source, list(panel.members)) == ("many", "many.csv", ["north", "7"])
    found = {
        name: (len(m.series), str(m.validation_start)[:10], str(m.test_start)[:10]) for name, m in panel.members.items()
    }
    assert found == {"north": (30, "2020-01-16", "2020-01-25"), "7": (20, "2020-01-15", "2020-01-21")}
    assert panel.members["7"].series.values()[:3, 0].tolist() == [1, 3, 5]
    assert list(panel.members["7"].privileged) == ["z"]


def test_some_series_of_a_file_in_the_order_in_which_they_are_given(path: Path) -> None:
    some = Panel.from_file(path, series={"station": [7, "north"]}, validation_start=0.5, test_start=0.8, **GIVEN)
    assert list(some.members) == ["7", "north"]
    for series, message in (
        ({"station": ["north", "nroth"]}, "has no rows whose 'station' is 'nroth'. Did you mean 'north'"),
        ({"station": ["north", "north"]}, "give at least one series of column 'station', none twice"),
        ({"station": []}, "give at least one series"),
        ({"station": "north"}, r"give a column, or one and a list, as in \{station: \[north, south\]\}"),
        ("sation", "'sation'.* Did you mean 'station'"),
    ):
        with pytest.raises(ValueError, match=message):
            Panel.from_file(path, series=series, validation_start=0.5, test_start=0.8, **GIVEN)
    with pytest.raises(ValueError, match=r"names 2 series, and a DataSet has one: .*read them all by Panel.from_file"):
        DataSet.from_file(path, series="station", validation_start=0.5, test_start=0.8, **GIVEN)  # type: ignore[arg-type]


def test_a_file_is_read_once_for_all_its_series_and_anew_the_next_time(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So is a finer file; a file that has changed since is read as it is now."""
    frame = pd.read_csv(path)
    frame.assign(y=-frame.y).to_csv(path.parent / "fine.csv", index=False)
    read: list[str] = []

    def counted(place: Path) -> pd.DataFrame:
        read.append(place.name)
        return pd.read_csv(place)

    monkeypatch.setattr("tskd.datasets.tables._read", counted)
    given = GIVEN | {"privileged": {"fine": {"file": "fine.csv", "columns": ["y"]}}}
    panel = Panel.from_file(path, series="station", validation_start=0.5, test_start=0.8, **given)
    assert sorted(read) == ["fine.csv", "many.csv"]
    for one in panel.members.values():
        np.testing.assert_array_equal(one.privileged["fine"].values(), -one.series.values())
    frame.assign(y=frame.y + 1).to_csv(path, index=False)
    again = Panel.from_file(path, series="station", validation_start=0.5, test_start=0.8, **given)
    assert read.count("many.csv") == 2
    own, former = (one.members["north"].series.values() for one in (again, panel))
    np.testing.assert_array_equal(own - former, 1)
    frame.assign(y=frame.y + 2).to_csv(path, index=False)
    alone = DataSet.from_file(path, series={"station": "north"}, validation_start=0.5, test_start=0.8, **GIVEN)
    np.testing.assert_array_equal(alone.series.values() - former, 2)
