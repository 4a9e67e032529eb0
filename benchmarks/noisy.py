"""Labels that are noise: tomorrow's absolute return, and teachers that see the day's range.

    python benchmarks/noisy.py                              # when started again, it goes on
    python benchmarks/noisy.py --kinds closed afterwards    # closed forms and GARCH alone: minutes

Needs `pip install 'tskd[arch]'`. Writes `benchmarks/results/noisy.csv` and its section in `benchmarks/README.md`. The
design, stated before the run:

**Question.** An absolute or squared return measures a day's volatility with much noise, the day's high-low range with
little. Does a student that forecasts returns five days ahead from the last 22 learn more from a teacher that sees the
ranges of the days to be forecast, and nothing else, than from the labels? All windows are labelled, and the teacher is
fitted on the student's own rows.

**Before it.** A prototype with a ridge student on the same data found .946, .966 and .976 of the error with labels
alone at 250, 500 and 1,000 windows of the S&P 500, .976, .972 and .988 of the Nasdaq; of squared returns .91 at 120
windows, .96 at 250, none from 500 on; GARCH about as good from 250 on. So this repeats a known result with more
controls, on the same days; it is no confirmation on new ones.

**Data.** `sp500` and `nasdaq`, 5,030 days each; absolute returns with ranges, squared returns with squared ranges.

**Folds.** 30 test stretches of 130 days, one after the other, to the end of the data; none overlaps another. 120, 250,
500 or 1,000 training windows, the last ones whose labels end before the stretch. A test window has all of its labels in
the stretch. Error: mean squared error to the labels of the test windows, true ones in every arm.

**Students.** In closed form: a ridge regression on 22 past labels; and one on the means of the last day, five days and
22 days (Corsi's HAR), for a student of the right size may need no teacher. Networks: DLinear and TiDE through
`DistilledModel`, absolute returns, 250 and 1,000 windows, 20 and 10 epochs, one seed.

**Arms**, of each student; the teachers of all are ridge regressions (of networks: least squares): labels alone;
*privileged*, taught by the teacher of ranges; *self-distilled*, by a teacher that sees the 22 past labels; *placebo*,
by one that sees the training part's ranges in random order (of closed forms, mean of 5 orders). In closed form also
*smoothed*, labels averaged with those of the 1, 2, 5 or 10 days around them, within the training part; and *rescaled
range*, the range times the ratio of means: the simplest teacher. All with balance 1; in closed form also with a balance
of 0, .25, .5, .75 or 1. Penalties, balances, neighbours and weight decays are chosen in the training part, by its
labels, for every arm alike.

**Beside them**: GARCH(1,1), fitted on the days of the training part: sigma·√(2/π), and sigma times the ratio of means;
the student with past ranges among its inputs, which it could have had in use here (a bound for what finer data give);
the teacher itself, which sees the future; the training mean.

**Ratios**: geometric means over folds of errors over those of the student alone; 95 % intervals by t from the bootstrap
over blocks of 3 folds in a row (10 blocks, 9 degrees of freedom, variance times 10/9).

**A gain** by privilege is claimed of an index if, of absolute returns, the ridge student and 250 windows, the interval
of *privileged* with balance 1 lies below 1, over labels alone and over *self-distilled*, *placebo* and *smoothed*. It
is worth having if that holds over GARCH, scaled or not, and over the HAR regression on labels too. The rest is
description.

**Added when the closed forms were known**, and before any network was trained: networks have smoothed labels too, of 10
days on each side, the best of all; *smoothed ranges*, rescaled and averaged like labels, to see what privilege adds to
smoothing; and a ridge regression of hardly any penalty, to see why the prototype had gained more.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import noisy_garch
import noisy_linear
import pandas as pd
from noisy_folds import FOLDS, Windows, fold, load
from noisy_tables import section, table
from tables import write_section
from tqdm import tqdm

HERE = Path(__file__).parent
INDICES, LABELS, SIZES = ("sp500", "nasdaq"), ("absolute", "squared"), (120, 250, 500, 1000)
CLOSED, AFTERWARDS = "closed", "afterwards"
NETWORKS, NETWORK_SIZES = ("DLinear", "TiDE"), (250, 1000)
KINDS = [CLOSED, AFTERWARDS, *NETWORKS]


class Cell(NamedTuple):
    """What is computed at once: closed forms and GARCH, those added afterwards, or all arms of a network."""

    kind: str
    seed: int
    windows: int
    label: str
    fold: int
    index: str

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.index}-{self.label}-{self.windows}-{self.fold:02d}-{self.seed}"

    def errors(self) -> dict[str, float]:
        """By arm."""
        one = fold(load(self.index, self.label), self.fold, self.windows)
        if self.kind == AFTERWARDS:
            return noisy_linear.errors_afterwards(one)
        if self.kind != CLOSED:
            import noisy_networks

            noisy_networks.quiet()
            return noisy_networks.errors(one, self.kind, self.seed)
        labels = Windows.of(one.test).labels
        found = noisy_garch.forecasts(one, self.label)
        garch = {name: float(((forecasts - labels) ** 2).mean()) for name, forecasts in found.items()}
        return noisy_linear.errors(one) | garch


def cells(kinds: list[str], seeds: int) -> Iterator[Cell]:
    """All that is wanted, the quick ones first."""
    for kind in kinds:
        if kind in (CLOSED, AFTERWARDS):
            for size, label, number, index in itertools.product(SIZES, LABELS, range(FOLDS), INDICES):
                yield Cell(kind, 0, size, label, number, index)
    for seed, size, kind in itertools.product(range(seeds), NETWORK_SIZES, [k for k in kinds if k in NETWORKS]):
        for number, index in itertools.product(range(FOLDS), INDICES):
            yield Cell(kind, seed, size, LABELS[0], number, index)


def result(cell: Cell, folder: Path, compute: bool) -> dict[str, float] | None:
    """Errors of a cell, from its file or computed and written at one stroke; None if they are not to be computed."""
    path = folder / f"{cell.name}.json"
    if not path.exists():
        if not compute:
            return None
        written = path.with_suffix(f".{os.getpid()}.tmp")
        written.write_text(json.dumps(cell.errors(), indent=0), encoding="utf-8")
        os.replace(written, path)
    found: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))
    return found


def main() -> None:
    """Compute what is missing, and write the tables of what there is."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--runs", type=Path, default=Path("runs") / "noisy", help="folder of the finished parts")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--seeds", type=int, default=1, help="of the networks")
    parser.add_argument("--table-only", action="store_true", help="compute nothing: use what is finished")
    options = parser.parse_args()
    options.runs.mkdir(parents=True, exist_ok=True)
    for cell in tqdm([] if options.table_only else list(cells(options.kinds, options.seeds)), unit="cell"):
        result(cell, options.runs, compute=True)
    rows = []
    for cell in cells(KINDS, options.seeds):
        for arm, error in (result(cell, options.runs, compute=False) or {}).items():
            rows.append({**cell._asdict(), "arm": arm, "error": error})
    ratios = table(pd.DataFrame(rows))
    ratios.to_csv(HERE / "results" / "noisy.csv", index=False, float_format="%.4f")
    write_section(HERE / "README.md", "noisy", section(ratios))


if __name__ == "__main__":
    main()
