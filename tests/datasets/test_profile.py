"""What can be told of a file that nobody has described."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.helpers.own_files import steel
from tskd.datasets.profile import profile


def test_a_file_of_measurements(tmp_path: Path) -> None:
    frame = steel(100).assign(always=3, row=np.arange(100), rare=np.nan, none=np.nan)
    frame.loc[:20, "rare"] = np.arange(21) ** 2
    frame.loc[[50, 61], "outside"] = np.nan
    frame.drop(index=[7, 8, 9]).to_csv(tmp_path / "steel.csv", index=False)
    found = profile(tmp_path / "steel.csv")
    assert (found.time, found.freq, found.series, found.absent) == ("date", "h", None, 3)
    assert found.numbers == {"Usage (kWh)": 3, "outside": 5, "power factor": 3}
    assert found.sparse == {"rare": 82}
    assert found.left_out == {
        "kind": "texts",
        "always": "always the same value",
        "row": "counts the rows",
        "none": "empty",
    }


def test_columns_that_are_mostly_missing(tmp_path: Path) -> None:
    """Sparse are those of which more than half is missing, and that vary where they are there."""
    frame = steel(80)[["date"]].assign(full=np.arange(80) ** 2)
    for name, known in (("half", 40), ("less", 39), ("two", 2)):
        frame[name] = np.where(np.arange(80) < known, frame["full"], np.nan)
    frame["same"] = np.where(frame["full"] % 9 == 4, 5.0, np.nan)
    frame["counts"] = np.where(frame["full"] % 9 == 4, np.arange(80), np.nan)
    frame.to_csv(tmp_path / "steel.csv", index=False)
    found = profile(tmp_path / "steel.csv")
    assert found.numbers == {"full": 0, "half": 40} and found.sparse == {"less": 41, "two": 78}
    assert found.left_out == {"same": "always the same value", "counts": "counts the rows"}


def test_a_file_is_read_once_to_be_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rows are first tried as they are, and then on the grid of their likely step."""
    steel(50).drop(index=[7, 8]).to_csv(tmp_path / "steel.csv", index=False)
    read: list[Path] = []

    def counted(path: Path) -> pd.DataFrame:
        read.append(path)
        return pd.read_csv(path)

    monkeypatch.setattr("tskd.datasets.tables._read", counted)
    assert profile(tmp_path / "steel.csv").absent == 2
    assert read == [tmp_path / "steel.csv"]


def test_a_file_without_gaps_needs_no_step_and_its_index_is_no_measurement(tmp_path: Path) -> None:
    steel(90).to_csv(tmp_path / "steel.csv.gz")
    found = profile(tmp_path / "steel.csv.gz")
    assert (found.time, found.freq, found.absent) == ("date", None, 0)
    assert found.left_out == {"Unnamed: 0": "counts the rows", "kind": "texts"}


def test_the_first_of_several_series(tmp_path: Path) -> None:
    several = pd.concat([steel(rows).assign(site=site) for site, rows in (("b", 80), ("a", 90), ("c", 70))])
    several.to_parquet(tmp_path / "sites.parquet", index=False)
    found = profile(tmp_path / "sites.parquet")
    assert (found.series, found.others, len(found.table.values)) == ({"site": "b"}, 2, 80)


def test_a_date_in_several_columns_names_no_series(tmp_path: Path) -> None:
    days = np.repeat(pd.date_range("2020-02-27", periods=9).strftime("%d/%m/%Y"), 4)
    clock = np.tile(["00.00.00", "06.00.00", "12.00.00", "18.00.00"], 9)
    frame = pd.DataFrame({"Date": days, "Time": clock, "CO": np.arange(36) ** 2})
    frame.to_csv(tmp_path / "own.csv", sep=";", index=False)
    with pytest.raises(ValueError, match=r"is given twice.*if the time of day is in another column, join the two"):
        profile(tmp_path / "own.csv")
    numbered = pd.DataFrame({"No": range(36), "Year": 2020, "hour": np.tile([0, 6, 12, 18], 9), "CO": frame["CO"]})
    numbered.to_csv(tmp_path / "own.csv", index=False)
    found = profile(tmp_path / "own.csv")
    assert (found.time, list(found.numbers)) == ("No", ["CO"])
    assert found.left_out == dict.fromkeys(["Year", "hour"], "part of the date")


def test_rows_without_any_value_are_left_out(tmp_path: Path) -> None:
    rows = "".join(f"2020-01-0{day};{day % 4},5;;\n" for day in range(1, 9))
    (tmp_path / "own.csv").write_text(f"day;CO;;\n{rows};;;\n;;;\n")
    found = profile(tmp_path / "own.csv")
    assert len(found.table.values) == 8 and list(found.numbers) == ["CO"]
    assert found.table.series("CO", "target").values()[:3, 0].tolist() == [1.5, 2.5, 3.5]


def test_rows_may_be_numbered(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [3, 1, 4, 1, 5, 9], "n": range(0, 30, 5), "y": [2, 7, 1, 8, 2, 8]})
    frame.to_csv(tmp_path / "n.csv", index=False)
    found = profile(tmp_path / "n.csv")
    assert (found.time, list(found.numbers)) == ("n", ["x", "y"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\nx,1\ny,2\n", "own.csv has no column that can be read as time stamps"),
        ("a,b\n0.5,1.5\n0.7,2.5\n", "own.csv has no column that can be read as time stamps"),
        ("b,t\n1,2020-01-01T00:00Z\n2,2020-01-01T01:00Z\n", "Convert to UTC and leave the zone out"),
        ("t,b\n2020-01-01,1\n2020-01-01,2\n2020-01-02,2\n", "2020-01-01 00:00:00 is given twice"),
        (
            "t,b\n2020-01-01 00:00,1\n2020-01-01 01:00,2\n2020-01-01 02:20,2\n2020-01-01 03:20,1\n",
            "not equally far apart",
        ),
    ],
)
def test_what_cannot_be_told(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "own.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        profile(tmp_path / "own.csv")
