"""The benchmark of expected gains: what it counts, and that its cells are told what `expected_gain` tells."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from darts import TimeSeries
from darts.models import NLinearModel

from tskd import DistilledModel, Reconstruction, Teacher, expected_gain


def using(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("script", names, indirect=True)


def cells(**columns: object) -> pd.DataFrame:
    """Five of them: a gain and a harm that are told, a harm that is told of a gain, and two without a sign."""
    told = {"predicted": [-0.2, 0.5, 0.3, 0.1, -0.05], "low": [-0.4, 0.1, 0.2, -0.1, -0.2]}
    told["coverage"] = [1, 2, 2.5, 1, 4]
    told |= {"high": [-0.1, 0.9, 0.6, 0.3, 0.1], "realised": [-0.3, 1.2, -0.1, 0.2, 0.0]}
    place = {"from": "no_harm.py", "data": "illness", "labels": "all", "teacher": "self", "useless": False}
    return pd.DataFrame(
        place | {"horizon": 3, "windows": 150, "fold": 0, "alpha": 1.0, "coverage": [1, 2, 2.5, 1, 4]} | told | columns
    )


@using("expected_gain")
def test_what_is_counted_of_some_cells(script: ModuleType) -> None:
    found = script.line("some", script.judged(cells(explained=[0.5, 0.1, 0.2, 0.3, np.nan], plug_in=[5, 1, 3, 2, 4])))
    # ranks 1, 5, 4, 3, 2 of the predicted and 1, 5, 2, 4, 3 of the realised: 1 − 6·(4 + 1 + 1)/120
    assert found["predicted"] == "0.70"
    # 5, 1, 3, 2, 4, the other way round: 1, 5, 3, 4, 2
    assert found["plug-in λ*"] == "0.90"
    assert found["teacher's R²"] == "", "one of the cells has none"
    assert (found["number"], found["interval holds"]) == ("5", "60%")
    assert (found["sign told"], found["of these right"]) == ("60%", "67%")


@using("expected_gain")
def test_cells_without_an_interval_do_not_count(script: ModuleType) -> None:
    table = cells(low=[-0.4, np.nan, 0.2, -0.1, np.nan])
    assert script.judged(table).realised.tolist() == [-0.3, -0.1, 0.2]


@using("expected_gain")
def test_cells_are_told_apart_by_where_they_come_from(script: ModuleType) -> None:
    few, noise = (cells(**{"from": name}) for name in (script.SCARCE, script.NOISY))
    few["labels"] = ["block", "scattered", "scattered", "block", "scattered"]
    table = pd.concat([cells(), few, noise, noise, cells(labels="pooled", data="seven rooms")], ignore_index=True)
    counts = {name: len(some) for name, some in script.groups(script.judged(table))}
    ours = {name.removeprefix("no_harm.py, "): count for name, count in counts.items() if name != "all"}
    assert [counts[f"{script.SCARCE}, {kind}"] for kind in ("block", "scattered")] == [2, 3]
    assert [count for name, count in counts.items() if name.startswith(script.SCARCE)][2:] == [3, 2]
    assert [counts[script.NOISY], ours["pooled"], ours["one series, all labels"]] == [10, 5, 5]
    # illness is of confirmation, the rooms of development
    assert (counts["all"], ours["all"], ours["development"], ours["confirmation"]) == (25, 10, 5, 5)
    assert script.wrong(script.judged(table))[0]["realised"] == "+1.20"


@using("expected_gain_cells")
def test_parts_are_those_of_every_third_fold_and_kept(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = script.parts(tmp_path)
    assert {name.rsplit("_", 1)[1] for name in found if name.startswith("scarce")} == {"0", "3"}
    # nineteen series of six families; two indices, labels and four sizes
    assert len(found) == 2 * 19 + 16
    row = dict.fromkeys(script.COLUMNS, 1)
    monkeypatch.setattr(script, "parts", lambda runs: {"one": lambda: [row, row], "none": list})
    assert script.table(tmp_path, compute=False).empty
    assert len(script.table(tmp_path, compute=True)) == 2
    monkeypatch.setattr(script, "parts", lambda runs: {"one": lambda: pytest.fail("twice"), "none": lambda: [][1]})
    assert script.table(tmp_path, compute=True).columns.tolist() == script.COLUMNS


@using("no_harm_linear")
@pytest.mark.parametrize("labels", ["block", "scattered"])
def test_cells_of_harm_are_told_what_the_public_interface_tells(
    script: ModuleType, labels: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where most windows have no label a teacher counts for more than α of the loss."""
    made = sys.modules["no_harm_cells"]
    monkeypatch.setattr(made, "GOOD", ("reconstruction",))
    monkeypatch.setattr(made, "USELESS", ("constant",))
    group = made.Group("noisy labels", 3, 300, 0, labels)
    rows = {row["teacher"]: row for row in script.rows_of(group)}
    (part,) = made.parts_of(group)
    series, x, z = (
        part.series(values, name, part.start, part.end)
        for values, name in ((part.labels, "y"), (part.inputs, "x"), (part.privileged, "z"))
    )
    constant: TimeSeries = series.with_values(np.full((len(series), 1), 0.5))
    logging.getLogger("darts").setLevel(logging.ERROR)
    for name, teacher in (
        ("reconstruction", Reconstruction("z", name="reconstruction")),
        ("constant", Teacher.from_series(constant, name="constant")),
    ):
        student = NLinearModel(made.LOOKBACK, 3, normalize=False)
        model = DistilledModel(student, teacher, balance=0.25, soft_sensor=True)
        told = expected_gain(model, series, past_covariates=x, privileged={"z": z} if name != "constant" else None)
        assert told.teachers[0].balance > 0.4
        assert rows[name]["predicted at 0.25"] == pytest.approx(told.change.change)
        ends = told.change.low, told.change.high
        assert (rows[name]["low at 0.25"], rows[name]["high at 0.25"]) == pytest.approx(ends, nan_ok=True)
