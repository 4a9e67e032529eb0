"""`tskd init` of a file in which a column is mostly empty: it is the target, or is named with what to write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.helpers.experiments import data_of
from tests.helpers.own_files import steel
from tskd.cli import main
from tskd.experiment import Experiment


def written(path: Path, frame: pd.DataFrame) -> tuple[Experiment, str]:
    frame.to_csv(path, index=False)
    assert main(["init", str(path)]) == 0
    return Experiment.from_yaml(path.with_suffix(".yaml")), path.with_suffix(".yaml").read_text()


def laboratory(rows: int, every: int, until: int | None = None) -> pd.DataFrame:
    """Values of a laboratory at each `every`-th row, from row 3 on, among those of `steel`."""
    frame = steel(rows)
    row = np.arange(rows)
    taken = (row % every == 3) & (row < (until or rows))
    frame.insert(2, "purity, %", np.where(taken, frame["power factor"] ** 2, np.nan))
    return frame


def test_a_column_that_is_mostly_empty_is_the_target(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    experiment, text = written(tmp_path / "plant.csv", laboratory(300, 7))
    data = data_of(experiment)
    assert list(data.series.components) == ["purity, %"] and experiment.soft_sensor
    assert data.past_covariates is not None
    assert list(data.past_covariates.components) == ["Usage (kWh)", "outside"]
    assert {name: list(series.components) for name, series in data.privileged.items()} == {"others": ["power factor"]}
    assert [str(teacher) for teacher in experiment.teachers.values()] == ["Reconstruction(others; ridge, steps=0)"]
    assert "target with few labels: 'purity, %' (43 values). A soft sensor" in capsys.readouterr().out
    path = tmp_path / "plant.yaml"
    assert experiment.controls == ("tuned", "self-distilled", "placebo", "linear", "one-neighbour")
    for written_there, quicker in (
        ("n_epochs: 60", "n_epochs: 1"),
        ("seeds: 2", "seeds: 1"),
        ("controls: [tuned, self-distilled, placebo, linear, one-neighbour]", "controls: [placebo]"),
    ):
        assert text.count(written_there) == 1
        text = text.replace(written_there, quicker)
    path.write_text(text)
    assert main(["run", str(path), "--dry-run"]) == 0
    # 26 labels before the validation part, the first of them nearer to the start than the lookback
    assert "172 to train (25 with" in " ".join(capsys.readouterr().out.split())
    rows = Experiment.from_yaml(path).run(progress=False).rows
    assert set(rows.name) == {"alone", "others", "placebo", "others (placebo)"}
    # rows 213, 220, …, 297 of the test part, which begins at row 210
    assert set(rows.windows) == {13}


@pytest.mark.parametrize(
    ("frame", "first"),
    [
        # 14 values, of which the validation part has one
        (laboratory(150, 11), "Usage (kWh)"),
        # the laboratory has closed before the test part
        (laboratory(300, 4, until=205), "Usage (kWh)"),
        # no column is left to be privileged
        (laboratory(300, 7)[["date", "purity, %", "outside"]], "outside"),
    ],
    ids=["too few", "none to test", "one other column"],
)
def test_one_that_cannot_be_is_named_with_what_to_write(tmp_path: Path, frame: pd.DataFrame, first: str) -> None:
    experiment, text = written(tmp_path / "plant.csv", frame)
    data = data_of(experiment)
    assert list(data.series.components) == [first] and not experiment.soft_sensor
    words = " ".join(text.replace("#", "").split())
    assert f"Mostly empty, and not used: 'purity, %' ({frame['purity, %'].count()} values). To have one" in words
    assert "`target: ['purity, %']`, `soft_sensor: true`, inputs under `past`, and a teacher" in words


def test_of_two_the_first_with_labels_everywhere_is_the_target(tmp_path: Path) -> None:
    frame = laboratory(200, 5)
    frame.insert(1, "old", frame["purity, %"].where(frame.index < 100))
    frame["ash"] = 2 * frame["purity, %"] + 1
    experiment, text = written(tmp_path / "plant.csv", frame)
    assert list(data_of(experiment).series.components) == ["purity, %"]
    assert "Mostly empty, and not used: 'old' (20 values), 'ash' (40 values)." in " ".join(
        text.replace("#", "").split()
    )


def test_a_file_of_sparse_columns_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    laboratory(200, 5)[["date", "purity, %"]].to_csv(tmp_path / "plant.csv", index=False)
    assert main(["init", str(tmp_path / "plant.csv")]) == 2
    assert capsys.readouterr().err == (
        "tskd: plant.csv has no column of numbers that vary and are there at most steps: there is nothing to forecast, "
        "for these are mostly empty: 'purity, %'.\n"
    )
