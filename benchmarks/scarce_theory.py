"""Few labels and many rows without: does distillation give the excess risk that theory says, through the public API?

    PYTHONPATH=. python benchmarks/scarce_theory.py

Design, stated before it was run. Formulas are those of `tskd.theory`: linear-Gaussian, a
teacher fitted on n labelled rows by `Teacher.fit`, a linear soft-sensor student taught by `DistilledModel.fit` on
windows without labels and trained to convergence, neither with an intercept. Twelve cells: six in which the formulas
were checked by numpy alone when they were derived, and six others, which vary n/d, N/n, m/d, the correlation and the
noise widely. Four kinds of student in each, from the same draws: kinds of a cell are not independent. The excess risk
of a fitted student follows exactly from its coefficients; no test sample is drawn.

Repetitions of a cell: so many that a tenth of the formula is 2.5 standard errors, by the spread of 3,000 repetitions in
numpy. They are drawn anew, in blocks of 50, each with a seed of its own; none is left out. A formula holds in a cell
where the mean is within three standard errors of it; of 48, chance would put a tenth of one beyond.

Beside them: the same two stages by numpy, 20,000 repetitions of other seeds, which would show an error of 3 %; and the
largest difference of any coefficient between the package and numpy on the same rows, over all repetitions.

What is finished stays in the folder of parts, and a second call goes on from there. Writes
`benchmarks/results/scarce_theory.csv` and the table in `benchmarks/README.md`.
"""

from __future__ import annotations

import argparse
import logging
import textwrap
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tables import markdown, write_section
from tqdm import tqdm

from tests.helpers.scarce import FORMULAS, Setting, two_stages
from tests.helpers.scarce_students import distilled

HERE = Path(__file__).parent
BLOCK, NUMPY = 50, 20_000
CELLS = {
    Setting(20, 200, 1, 1, 0.5, 1): 1750,
    Setting(20, 200, 3, 1, 0.5, 0.25): 700,
    Setting(20, 60, 3, 3, 0.7, 0.25): 600,
    Setting(30, 300, 5, 2, 0.5, 0.1): 350,
    Setting(15, 400, 4, 2, 0.3, 1): 700,
    Setting(40, 100, 5, 8, 0.5, 0.5): 300,
    Setting(14, 30, 2, 3, 0.9, 2): 1250,
    Setting(15, 25, 2, 4, 0.6, 0.5): 850,
    Setting(25, 50, 8, 2, 0.8, 1): 400,
    Setting(60, 60, 10, 5, 0.4, 3): 250,
    Setting(50, 1000, 3, 12, 0.2, 0.05): 450,
    Setting(100, 150, 6, 6, 0.95, 10): 250,
}
"""Repetitions by setting; the second six are the new ones."""

PREAMBLE = """## Few labels, many rows without: closed forms

`PYTHONPATH=. python benchmarks/scarce_theory.py`

Excess risk of linear students that are taught by a linear teacher of n labelled rows: formula, mean ± standard error
over repetitions through the public API, and their distance in standard errors. Formulas and derivations:
`tskd.theory`; the design stands in the script. *Teacher on z*, *on x, z*: the student learns
from N other rows, without labels. *Own rows too*: the teacher's n rows are among the student's.

{said}"""


def main() -> None:
    """Run what is missing, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--runs", type=Path, default=Path("runs") / "scarce_theory", help="folder of the parts")
    parser.add_argument("--table-only", action="store_true", help="run nothing: use what is finished")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    options.runs.mkdir(parents=True, exist_ok=True)
    if not options.table_only:
        for setting in tqdm(CELLS, desc="numpy"):
            part(options.runs, setting, None, by_numpy)
        # cell by cell within a round, so that all of them are known early, if roughly
        rounds = range(max(CELLS.values()) // BLOCK)
        plan = [(setting, block) for block in rounds for setting in CELLS if (block + 1) * BLOCK <= CELLS[setting]]
        for setting, block in tqdm(plan, desc="blocks"):
            part(options.runs, setting, block, by_package)
    rows = [row for setting in CELLS for row in rows_of(options.runs, setting)]
    table = pd.DataFrame(rows)
    (HERE / "results").mkdir(exist_ok=True)
    table.to_csv(HERE / "results" / "scarce_theory.csv", index=False, float_format="%.6g")
    text = markdown(["n, N, d, m, ρ, σ²", "repetitions", *FORMULAS], lines(table))
    write_section(
        HERE / "README.md", "scarce_theory", f"{PREAMBLE.format(said=textwrap.fill(said(table), 120))}\n\n{text}"
    )


def part(folder: Path, setting: Setting, block: int | None, run: Callable[[Setting, int], pd.DataFrame]) -> None:
    """A file of results, unless it is there already."""
    path = place(folder, setting, block)
    if not path.exists():
        unfinished = path.with_suffix(".tmp")
        run(setting, 0 if block is None else block + 1).to_csv(unfinished, index=False)
        unfinished.replace(path)


def place(folder: Path, setting: Setting, block: int | None) -> Path:
    name = "-".join(f"{value:g}" for value in astuple(setting))
    return folder / f"{name}_{'numpy' if block is None else f'{block:03}'}.csv"


def generator(setting: Setting, block: int) -> np.random.Generator:
    """Of a cell and block alone: other cells, or their order, change nothing."""
    return np.random.default_rng([*(round(1000 * value) for value in astuple(setting)), block])


def by_numpy(setting: Setting, block: int) -> pd.DataFrame:
    """Mean risk of every kind, and its standard error."""
    rng = generator(setting, block)
    risks = pd.DataFrame(risks_of(setting, two_stages(setting.draw(rng))) for _ in range(NUMPY))
    return pd.DataFrame({"kind": risks.columns, "mean": risks.mean().to_numpy(), "se": risks.sem().to_numpy()})


def by_package(setting: Setting, block: int) -> pd.DataFrame:
    """A row for each repetition: the risk of every kind, and the largest difference to numpy."""
    rng, rows = generator(setting, block), []
    for _ in range(BLOCK):
        draw = setting.draw(rng)
        found, expected = distilled(draw), two_stages(draw)
        difference = max(float(np.abs(found[kind] - expected[kind]).max()) for kind in FORMULAS)
        rows.append({**risks_of(setting, found), "difference": difference})
    return pd.DataFrame(rows)


def risks_of(setting: Setting, students: Mapping[str, np.ndarray]) -> dict[str, float]:
    return {kind: setting.world.excess_risk(students[kind]) for kind in FORMULAS}


def rows_of(folder: Path, setting: Setting) -> list[dict[str, Any]]:
    """A row for each kind of student of a cell, if any of its parts are there."""
    paths = [place(folder, setting, block) for block in range(CELLS[setting] // BLOCK)]
    blocks = [pd.read_csv(path) for path in paths if path.exists()]
    if not blocks:
        return []
    runs, checked = pd.concat(blocks), pd.read_csv(place(folder, setting, None)).set_index("kind")
    cell = dict(zip(("n", "N", "d", "m", "rho", "noise"), astuple(setting), strict=True))
    rows = []
    for kind, formula in FORMULAS.items():
        exact, mean, error = formula(setting), runs[kind].mean(), runs[kind].sem()
        row = {"kind": kind, "formula": exact, "mean": mean, "se": error, "z": (mean - exact) / error}
        numpy = {"numpy_mean": checked["mean"][kind], "numpy_se": checked["se"][kind]}
        numpy["numpy_z"] = (numpy["numpy_mean"] - exact) / numpy["numpy_se"]
        rest = {"repetitions": len(runs), "planned": CELLS[setting], "difference": runs.difference.max()}
        rows.append({**cell, **row, **numpy, **rest})
    return rows


def said(table: pd.DataFrame) -> str:
    """What came out, in two sentences."""
    cells = table.drop_duplicates(["n", "N", "d", "m", "rho", "noise"])
    ours, numpy = table.z.abs(), table.numpy_z.abs()
    return (
        f"{cells.repetitions.sum():,} of {cells.planned.sum():,} repetitions are finished. {(ours <= 3).sum()} of "
        f"{len(table)} means are within three standard errors of the formula, the farthest at {ours.max():.1f}; three "
        f"are {(3 * table.se / table.formula).median():.0%} of it in the median. The same two stages by numpy, "
        f"{NUMPY:,} repetitions a cell: {(numpy <= 3).sum()} of {len(table)}, the farthest at {numpy.max():.1f}, three "
        f"are {(3 * table.numpy_se / table.formula).median():.1%}. Largest difference of a coefficient between the "
        f"package and numpy on the same rows, over all repetitions: {table.difference.max():.0e}."
    )


def lines(table: pd.DataFrame) -> Iterable[dict[str, str]]:
    """A line for each cell."""
    for cell, rows in table.groupby(["n", "N", "d", "m", "rho", "noise"], sort=False):
        line = {"n, N, d, m, ρ, σ²": ", ".join(f"{value:g}" for value in cell)}
        line["repetitions"] = f"{rows.repetitions.iloc[0]:,}"
        for row in rows.itertuples():
            digits = 4 if row.formula >= 0.01 else 5
            exact, mean, error = (f"{value:.{digits}f}" for value in (row.formula, row.mean, row.se))
            line[str(row.kind)] = f"{exact} / {mean} ± {error} ({row.z:+.1f})"
        yield line


if __name__ == "__main__":
    main()
