"""Labels that are scarce: does a teacher that reconstructs them from privileged series teach a soft sensor?

    TSKD_DATA=folder/of/data python benchmarks/scarce.py            # ridge students, then network students
    TSKD_DATA=folder/of/data python benchmarks/scarce.py ridge      # ridge students only
    TSKD_DATA=folder/of/data python benchmarks/scarce.py --table-only
    python benchmarks/scarce.py --time
    python benchmarks/scarce.py --memory

Resumable: a cell is kept in the folder of runs once it is computed, and is not computed twice. Writes
`benchmarks/results/scarce.csv` (one row a cell), `scarce_summary.csv`, and its section in `benchmarks/README.md`.

Design, stated before any cell was computed
===========================================

Question. A target has labels in a few hours only; the student is a soft sensor that reads cheap inputs of the last
24 hours, sine and cosine of the hour, and never the target. Series that are not at hand in use were measured all the
time. `Reconstruction` is fitted on the labelled hours and answers for all others. Is the student that learns from the
answers better than labels alone, and than every control?

Data. The hour that is forecast lies `horizon` hours after the origin; hours without a measured truth are neither
labelled nor scored. Training part, test part after it, chronological folds:

- beijing: log(1 + PM2.5) of six stations from their own meteorology, 24 hours ahead; privileged: PM2.5 of the eleven
  other stations at the forecast hour. 240 and 60 days, 6 folds.
- shanghai: the same of three sites from the city's meteorology; privileged: the two others. 240 and 60 days, 4 folds.
- gases (AirQualityUCI): CO, NOx and NO2 from eight cheap sensors, 24 hours ahead, and one hour ahead; privileged: the
  two other reference analysers. 180 and 30 days, 6 folds.
- weather (Jena): temperature, and carbon dioxide, from pressure, humidity, wind and rain, 24 hours ahead; privileged:
  radiation, and the other of the two. 180 and 30 days, 6 folds.
- oil temperature (ETTh1, ETTh2) from the transformer's six loads, 24 hours ahead; privileged: the other transformer's
  oil temperature, and the loads at the forecast hour. 240 and 60 days, 6 folds.

Labels. The last 7, 14, 30, 60 or 120 days of the training part (block), or as many, every k-th hour (scattered, k the
largest that leaves eight hours of the day or more). Gases as a laboratory would have them: one value a day at 1, 7, 13
or 19 o'clock in the whole training part, one every 25 hours, and the last 14 and 30 days.

Arms. All minimise (1 − α)·Σ over labels / N + α·mean over answers, the loss of `DistilledModel`:

- labels: labels alone. To this all are compared.
- privileged: `Reconstruction` by ridge of all privileged values. The arm in question. Variants: one neighbour; trees
  (labels of 30 days, the latest three folds); gated: labels alone unless the error on held-out labels falls by 2 %.
- controls: self-trained (ridge of the student's own inputs), self-trained by trees (of inputs 0, 6, 12 and 23 hours
  before the origin; compared with trees), placebo (privileged rows permuted within the hour of the day), smoothed (the
  labels, linear between those at most 72 hours apart, mean of five hours), pooled (where siblings exist: all labels of
  the other series, with their inputs, in place of answers); for network students also linear, the ridge of labels.
- oracle: all true labels; a bound, and no control.

Choice. Penalty of the ridge (13 values) and α (0.1, 0.5, 1) have the lowest error on held-out labels: contiguous fifths
of the labelled hours; rows less than 24 hours from one are left out, and teachers are fitted without them. No other
label is seen, and no test error.

Network students. DLinear and TiDE, by the public interface: two series of each family but the 24 hours of the gases,
14 and 30 days in a block and scattered (gases: block of 30 days, and every 25 hours), the latest two folds, one seed,
α = 0.5; the number of steps (100 to 400 in whole epochs, pooled: one to four epochs if these are longer) is best on the
middle fifth of the labels, and the student is then trained again on all. No trees.

What is reported. Mean squared error on true labels of the test part over the labels' variance; geometric means of
ratios to labels alone, and of privileged to each control, over series and folds. 95 % intervals: t with the standard
error of a bootstrap over series and folds, widened for few folds (see `scarce_ridge.interval`). The best control in
hindsight of each cell is compared too, which favours it. Share of the oracle's gain: log ratio of privileged over that
of the oracle. Beside it the coverage L_S (leverage of the unlabelled inputs over that of the labelled ones, with the
penalty of labels alone), and the teacher's R² on labelled hours, out of fold; rank correlation of both with the log
ratio over cells. A gain is claimed where the interval of privileged to labels and to every control lies below 1.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
import traceback
import warnings
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scarce_cells import RIDGE, Cell, read_part, ridge_cells, ridge_row, tree_cells, write_part
from scarce_cost import memory_of_three, seconds_by_steps
from scarce_networks import STUDENTS, network_cells, network_row
from scarce_tables import section, summary
from tables import write_section
from tqdm import tqdm

HERE = Path(__file__).parent
KINDS = {"ridge": ridge_cells, "trees": tree_cells, "networks": network_cells}


def main() -> None:
    """Compute what is missing, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("kinds", nargs="*", choices=[*KINDS, []], help="of students; all if none is given")
    parser.add_argument("--runs", type=Path, default=Path("runs") / "scarce", help="folder of the finished cells")
    parser.add_argument("--table-only", action="store_true", help="compute nothing: use what is finished")
    parser.add_argument("--time", action="store_true", help="measure what a reconstruction costs, and nothing else")
    parser.add_argument("--memory", action="store_true", help="measure memory, and nothing else")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    if options.time or options.memory:
        measured = seconds_by_steps() if options.time else memory_of_three()
        record(HERE / "results" / "scarce_cost.json", "time" if options.time else "memory", measured)
        return
    options.runs.mkdir(parents=True, exist_ok=True)
    cells = {kind: list(planned()) for kind, planned in KINDS.items()}
    if not options.table_only:
        for cell in tqdm(list(chain(*(cells[kind] for kind in options.kinds or KINDS))), unit="cell", mininterval=30):
            if read_part(options.runs, cell) is None:
                write_part(options.runs, cell, computed(cell))
    write_tables(options.runs, cells)


def computed(cell: Cell) -> dict[str, Any]:
    """The row of a cell; one that fails says why, and does not stop the others."""
    started = time.perf_counter()
    try:
        row = network_row(cell) if cell.student in STUDENTS else ridge_row(cell)
    except Exception:
        row = {"family": cell.family, "series": cell.series, "fold": cell.fold, "scheme": cell.scheme.name}
        row |= {"days": cell.scheme.days, "student": cell.student, "seed": cell.seed}
        row["failures"] = traceback.format_exc()
    return row | {"seconds": round(time.perf_counter() - started, 1)}


def write_tables(runs: Path, cells: dict[str, list[Cell]]) -> None:
    """The results that there are, as files and in the README."""
    found = {kind: [row for cell in planned if (row := read_part(runs, cell))] for kind, planned in cells.items()}
    table = with_ridge(pd.DataFrame(chain(*found.values())))
    table.to_csv(HERE / "results" / "scarce.csv", index=False, float_format="%.6g")
    lines = summary(table)
    lines.to_csv(HERE / "results" / "scarce_summary.csv", index=False, float_format="%.4f")
    counts = {kind: (len(found[kind]), len(planned)) for kind, planned in cells.items()}
    costs = HERE / "results" / "scarce_cost.json"
    cost = json.loads(costs.read_text()) if costs.exists() else {}
    write_section(HERE / "README.md", "scarce", section(table, lines, counts, cost))


def with_ridge(table: pd.DataFrame) -> pd.DataFrame:
    """Coverage and the teacher's R² beside every student; they were computed with the ridge students."""
    keys = ["family", "series", "fold", "scheme", "days"]
    known = table[table.student == RIDGE].set_index(keys)
    for column in ("coverage", "teacher r2"):
        if column not in table:
            table[column] = np.nan
        there = [known[column].get(tuple(place), np.nan) for place in table[keys].itertuples(index=False)]
        table[column] = table[column].fillna(pd.Series(there, table.index))
    return table


def record(path: Path, name: str, measured: dict[str, Any]) -> None:
    """Put a measurement into a file of several."""
    known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(known | {name: measured}, indent=2) + "\n")
    print(json.dumps(measured, indent=2))


if __name__ == "__main__":
    main()
