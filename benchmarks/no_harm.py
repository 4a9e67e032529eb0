"""Does `AutoBalance` ever do harm? Linear students and networks, useless and good teachers, other data than its rule.

    TSKD_DATA=folder/of/data python benchmarks/no_harm.py                # goes on where it stopped
    TSKD_DATA=folder/of/data python benchmarks/no_harm.py fresh networks # some kinds of cells only
    TSKD_DATA=folder/of/data python benchmarks/no_harm.py --table-only

Writes `benchmarks/results/no_harm.csv` and `no_harm_networks.csv` (one row a cell), `no_harm.png` and its section in
`benchmarks/README.md`. The indices need `pip install 'tskd[arch]'`.

Design, stated before any cell was computed
===========================================

Question. The constants of the rule (4 and 2 times the variance, twice the plug-in) were picked on other cells: eight
series of ETTh, Spain, Beijing and weather, 6 and 24 steps ahead. Do its figures hold on others?

Cells. Data set × horizon × training windows × fold × teacher. Sources: two currencies, illness, appliances, a
household, Chengdu, Shanghai, ETTm1, ETTm2, and two generated ones (labels that are noise; a privileged series that is
biased); horizons 3 and 12 (daily data 2 and 10, weekly 2 and 6); 150 and 500 windows of 24 steps; three chronological
folds whose test parts (at most 400 windows, right after the training part) do not overlap. With few labels: 900
windows, the last sixth of the training part, or every seventh step; the student is then a soft sensor of half of the
privileged columns, the teacher sees the others. Pooled: eight currencies, seven counts of illness, seven rooms, seven
readings of a transformer; 150 and 300 windows of each series.

Teachers. Good ones, as far as they apply: `self` (least squares on the student's own inputs, cross-fitted),
`privileged` (with the past of the privileged series, cross-fitted), `reconstruction` (ridge on their values of the same
time), `archive` (least squares on the three times as many steps before the training part). Useless ones: a constant
half a standard deviation above the mean; the labels plus one standard deviation; noise; a reconstruction from the
privileged series run backwards; three times the labels; another series; the labels with the opposite sign.

Students. Ridge regressions on 24 steps relative to the last value, their penalty tuned on labels by purged folds. Their
error for any α follows in closed form: the least (1 − α)·Σ over labels + α·Σ over answers + penalty. That is the loss
of `DistilledModel` for a linear student.

Rules. `AutoBalance()` and `AutoBalance(bold=True)`, by the functions that a fit calls; α = .25, .5 and 1; the α of 0,
.25, .5 and 1 with the least error on the last quarter of the labelled windows, teachers fitted on the three quarters
before. Compared with labels alone, by the mean squared error of the test part.

Reported. Share of cells worse by more than .5 %, by more than 2 %, and the worst; for good teachers the share of the
hindsight-best gain that is kept: Σ(1 − ratio) over Σ(1 − best ratio), the best over α = 0, .1, …, 1 on the test part,
which no rule can know. Pooled cells are judged on the mean over their series, and on each. Goals: one series 5 %, 2 %,
15 %; pooled 3 %, 1 %, 5 % and 70 % kept.

Constants. The first rule (4 times the variance, 2 when bold) was looked at on the development half alone, of 341 cells
with all labels: 2.1 % worse by > .5 %, 1.5 % by > 2 %, worst 1.047, 8 % kept. Asking of a teacher that it explains
something of held-out labels (R² > 0) left .3 %, .3 %, 1.039 and 11 %; then 1 time the variance in place of 4 gave 2.1
%, .3 %, 1.039 and 24 %, and a half 2.3 %, .6 %, 1.039 and 28 %. Where labels cover the windows badly (L_S > 2), full
trust in a teacher of R² > .7 was up to 19 % worse, and 18 % of 242 cells of `scarce.py` more than 2 %: only the bold do
so now, from .8 on. The rule is the one of today: 1 (bold .5), R² > 0, nothing where L_S > 2.

Fresh cells, added before any of them was computed and after the rule had been chosen: the S&P 500 and the Nasdaq
(absolute returns; privileged: the day's range; the other index), 3 and 12 days ahead; and 48 steps ahead for the hourly
and quarter-hourly sources of confirmation and a generated one. 150 and 500 windows, two folds. They count as
confirmation, and are shown by themselves too.

Networks, likewise: TiDE and TSMixer, fully labelled, 150 and 500 windows (20 and 8 epochs, no early stopping), both
halves in turn, one horizon of each source in a fold, eight of the teachers. Weight decay has the least error of labels
alone on the last quarter. Five paired seeds: a network of labels and one of the teacher from the same seed, whose
forecasts are blended, f₀ + α(f₁ − f₀); errors are means over the seeds. α is chosen for the network, by the functions
that a fit calls. Where the bold rule trusts the teacher by more than .02, one seed is trained with
`AutoBalance(bold=True)` itself, and its error is compared with that of the blend.

Looked at again, on the development half alone (132 cells with all labels and 43 with few), after a first look at 515
cells of both halves: variances over longer blocks (the largest over blocks of 1, 2, 4, … times the length, while 5 or 8
remain), the share of the later half of blocks where it is less, 2 and 4 times the variance. With all labels today's
rule is worse by > .5 % in 2.3 % of these, and keeps 26 %; longer blocks 1.5 %, 17 % or less; 2 times the variance .8 %,
17 %; the worst, 1.039, is the same for all. None is better in what was missed, and the rule stays.

If the rule is changed after a look, then by the first half of the sources alone (development: AUD, appliances, Chengdu,
ETTm1, noisy labels); figures are given for both halves.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from no_harm_cells import Group
from no_harm_data import CONFIRMATION, DEVELOPMENT, FAR, FAR_HORIZON, INDICES, POOLED, horizons
from no_harm_linear import rows_of
from no_harm_networks import NetworkGroup, network_groups, network_rows
from no_harm_tables import figure, section
from tables import write_section
from tqdm import tqdm

HERE = Path(__file__).parent
RUNS = HERE.parent / "runs" / "no_harm"
SIZES, FOLDS, FRESH_FOLDS = (150, 500), 3, 2
FEW, POOLED_SIZES = 900, (150, 300)
PERIODS = {"eight currencies": (2, 10), "seven counts of illness": (2, 6)}


def linear_groups() -> Iterator[Group]:
    """Linear students; fold by fold, so that a part of the run has all sources."""
    for fold in range(FOLDS):
        for name in (*CONFIRMATION, *DEVELOPMENT):
            for horizon in horizons(name):
                yield from (Group(name, horizon, windows, fold) for windows in SIZES)
            yield from (Group(name, horizons(name)[1], FEW, fold, labels) for labels in ("block", "scattered"))
        for name in POOLED:
            for horizon in PERIODS.get(name, (3, 12)):
                yield from (Group(name, horizon, windows, fold, pooled=True) for windows in POOLED_SIZES)


def fresh_groups() -> Iterator[Group]:
    """Linear students of data and horizons that were added when the rule had been chosen."""
    for fold in range(FRESH_FOLDS):
        for windows in SIZES:
            yield from (Group(name, horizon, windows, fold) for name in INDICES for horizon in horizons(name))
            yield from (Group(name, FAR_HORIZON, windows, fold) for name in FAR)


KINDS = {"linear": linear_groups, "fresh": fresh_groups, "networks": network_groups}


def computed(group: Group | NetworkGroup, folder: Path) -> pd.DataFrame | None:
    """The rows of a group; None if its data are too short."""
    path = folder / f"{group.key}.csv"
    if not path.exists():
        rows: list[dict[str, Any]] = []
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                rows = network_rows(group) if isinstance(group, NetworkGroup) else rows_of(group)
        except ValueError as error:
            tqdm.write(f"{group.key}: {error}")
        draft = path.with_suffix(".part")
        pd.DataFrame(rows).to_csv(draft, index=False)
        draft.rename(path)
    try:
        return pd.read_csv(path)
    except pd.errors.EmptyDataError:
        return None


def table_of(kinds: Iterable[str], folder: Path) -> pd.DataFrame:
    """The rows of all groups that are finished."""
    every = [group for kind in kinds for group in KINDS[kind]() if (folder / f"{group.key}.csv").exists()]
    parts = [part for group in every if (part := computed(group, folder)) is not None]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", choices=[*KINDS, []], help="of cells; all if none is given")
    parser.add_argument("--table-only", action="store_true", help="compute no cell")
    parser.add_argument("--folder", type=Path, default=RUNS)
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--readme", type=Path, default=HERE / "README.md")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    wanted = [] if options.table_only else [group for kind in options.kinds or KINDS for group in KINDS[kind]()]
    for group in tqdm(wanted, unit="group", mininterval=30):
        computed(group, options.folder)
    table, networks = table_of(("linear", "fresh"), options.folder), table_of(("networks",), options.folder)
    table.to_csv(options.results / "no_harm.csv", index=False, float_format="%.5g")
    if len(networks):
        networks.to_csv(options.results / "no_harm_networks.csv", index=False, float_format="%.5g")
    figure(table, networks, options.results / "no_harm.png")
    trained = options.results / "no_harm_trained.csv"
    compared = pd.read_csv(trained) if trained.exists() else None
    write_section(options.readme, "no_harm", section(table, networks, compared))


if __name__ == "__main__":
    main()
