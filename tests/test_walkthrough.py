"""From a CSV of one's own to a verdict, by the commands that the README shows and nothing else."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tskd.cli import main
from tskd.experiment import Results

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
LINES = 4


def shown_commands() -> list[list[str]]:
    """The commands of the section on one's own data, without comments."""
    section = README.partition("\n## Your own data\n")[2]
    block = re.search(r"```\n(.*?)```", section, flags=re.DOTALL)
    assert block is not None
    return [shlex.split(line, comments=True) for line in block.group(1).splitlines()]


def test_a_file_of_ones_own_to_a_verdict_in_four_commands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The costly reading is what moves the load two hours later."""
    rng = np.random.default_rng(1)
    costly, hours = rng.normal(size=150), pd.date_range("2024-03-01", periods=150, freq="h")
    load = 10 + np.roll(costly, 2) + 0.1 * rng.normal(size=150)
    pd.DataFrame({"when": hours, "load (MW)": load, "costly reading": costly}).to_csv(tmp_path / "my.csv", index=False)
    monkeypatch.chdir(tmp_path)
    # one process: to start others takes longer than these fits
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    commands = shown_commands()
    assert len(commands) == LINES and all(command[0] == "tskd" for command in commands)
    printed = []
    for command in commands:
        assert main(command[1:]) == 0, command
        printed.append(capsys.readouterr().out)
    written, dry, run, again = printed
    assert "my.csv: 150 steps of h" in written and commands[1][1:] == written.strip().split("then: ")[1].split()[1:]
    assert "fits in all" in dry and "about" in dry
    results = Results.load("runs/my")
    for table in (run, again):
        assert str(results) in table and results.verdict.headline in " ".join(table.split())
    assert (tmp_path / "runs" / "my" / "report.html").exists()
    # a conclusion, not the reason why there is none
    assert "nothing can be concluded" not in results.verdict.headline.lower()
    assert {"alone", "others", "placebo", "self-distilled"} <= set(results.rows.name)
