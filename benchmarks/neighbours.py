"""The study of neighbouring stations: what its file says will be reported.

    TSKD_DATA=folder/of/data tskd run configs/lupi/neighbours.yaml
    TSKD_DATA=folder/of/data python benchmarks/neighbours.py

Reads the run, and writes `benchmarks/results/neighbours.csv` (one row a cell that was used) and its section in
`benchmarks/README.md`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import pandas as pd
from tables import markdown, ratio, write_section

from tskd.experiment import Results, RunError, Study
from tskd.experiment.results.collect import results_so_far
from tskd.experiment.statistics.verdict import without

HERE = Path(__file__).parent
CONFIG = HERE.parent / "configs" / "lupi" / "neighbours.yaml"
PRIMARY, ARM, MARGIN = 1000, "distilled", -0.02
# the fold whose test part had no say in the settings
UNSEEN = 2
PREAMBLE = """## A study stated before it was run: neighbouring stations

`TSKD_DATA=folder/of/data tskd run configs/lupi/neighbours.yaml`, then `python benchmarks/neighbours.py`

Hypothesis, design and analysis stand in the file. {cells}

Ratios of test MSE, all folds together, 95 % intervals over test windows and paired seeds; bold where the interval
excludes 1. *Net lift*: over the control with the lowest test error of those that count, which is named."""


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--run", type=Path, default=Path("runs") / "lupi-neighbours", help="folder of the run")
    options = parser.parse_args()
    try:
        found = results_so_far(Study.from_yaml(CONFIG), options.run)
    except RunError as error:
        sys.exit(f"{error}; run the study first")
    cells = found.info.cells
    rows = pd.concat([results.rows.assign(place=place) for place, results in found.cases.items()], ignore_index=True)
    rows.to_csv(HERE / "results" / "neighbours.csv", index=False, float_format="%.6f")
    said = f"{cells.finished:,} of {cells.planned:,} cells are finished, {cells.failed} failed."
    table = [line for place, results in found.cases.items() for line in lines(place, results)]
    outcomes = "\n".join(f"- {place}: {outcome(results)}" for place, results in found.cases.items())
    text = [PREAMBLE.format(cells=said), markdown(list(table[0]), table), f"The primary outcome:\n\n{outcomes}"]
    write_section(HERE / "README.md", "neighbours", "\n\n".join(text))


def lines(place: str, results: Results) -> list[dict[str, Any]]:
    """A line for each training size."""
    found = []
    for size in results.info.sizes:
        line: dict[str, Any] = {"place": place, "windows": size}
        names = [arm.name for arm in results.info.arms if arm.name != results.info.alone]
        line |= {f"{name} / alone": ratio(results.compare(name, size=size)) for name in names}
        for teacher in results.info.teachers:
            name = teacher.name
            line[f"teacher {name} / alone"] = ratio(results.compare(name, kind="teacher", size=size))
        lift = results.lift(ARM, size=size)
        line["net lift"] = f"{ratio(lift)} over {lift.baseline}{without(lift)}"
        found.append(line)
    return found


def outcome(results: Results) -> str:
    """What the file says will be concluded: nothing before every cell of the place is finished."""
    lift, cells = results.lift(ARM, size=PRIMARY), results.info.cells
    said = f"{ratio(lift)} over {lift.baseline}{without(lift)} at {PRIMARY:,} windows"
    if cells.finished < cells.planned:
        return (
            f"{said} so far; nothing is concluded: {cells.finished:,} of {cells.planned:,} cells are finished, "
            f"{cells.failed:,} failed."
        )
    if results.info.folds >= UNSEEN:
        unseen = results.compare(ARM, lift.baseline, size=PRIMARY, fold=UNSEEN)
        said += f" (fold {UNSEEN} alone: {ratio(unseen)})"
    if lift.high < 0:
        return f"{said}; the hypothesis holds."
    if lift.low > MARGIN:
        return f"{said}; the hypothesis is refuted: a gain of {-MARGIN:.0%} is outside the interval."
    return f"{said}; neither shown nor refuted."


if __name__ == "__main__":
    main()
