"""What is finished of the standard multivariate benchmark, beside published figures: two tables.

    TSKD_DATA=folder/of/data python benchmarks/multivariate.py [--minutes 60]

Goes on with the runs of `configs/benchmark/` for as many minutes as are given, ETTh1 and exchange before the others,
from the finished parts that are kept in `benchmarks/runs/`. Then writes `benchmarks/results/multivariate.csv` (one row
a fit that was used) and, of those cases of which every cell is finished, `benchmarks/results/multivariate_fev.csv` (as
rows of fev, to be put beside those of others) and its section in `benchmarks/README.md`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
from tables import markdown, ratio, write_section

from tskd.experiment import Results, RunError, Study
from tskd.experiment.results.collect import collect, counts
from tskd.experiment.results.fev_table import fev_rows_of_cases
from tskd.experiment.run.case_plan import plan_study
from tskd.experiment.run.cell_store import CellStore

HERE = Path(__file__).parent
CONFIGS = HERE.parent / "configs" / "benchmark"
# in the order of their tables
STUDIES = ("ett", "illness", "exchange", "weather")
# in the order in which they are run: a study, and how the labels of those of its cases begin
STAGES = (("ett", "etth1 · "), ("exchange", ""), ("ett", ""), ("illness", ""), ("weather", ""))
STUDENTS = ("DLinear", "NLinear", "TiDE", "TSMixer", "NHiTS")
RIVALS = ("DLinear", "PatchTST", "iTransformer", "DUET")
# MSE at H = 96, each method's lookback searched on validation, every test window counted: TFB/OpenTS leaderboard
PUBLISHED = {
    "etth1 · 96": (0.379, 0.377, 0.386, 0.352),
    "etth2 · 96": (0.275, 0.274, 0.292, 0.270),
    "ettm1 · 96": (0.287, 0.289, 0.287, 0.279),
    "ettm2 · 96": (0.164, 0.165, 0.168, 0.161),
    "weather · 96": (0.154, 0.149, 0.157, 0.147),
    "exchange · 96": (0.080, 0.079, 0.080, 0.080),
}
PREAMBLE = """## The standard multivariate benchmark

`TSKD_DATA=folder/of/data python benchmarks/multivariate.py --minutes 60` goes on with the runs of `configs/benchmark/`
(ETT, illness, exchange, weather) from the parts that are kept in `benchmarks/runs/`: {finished:,} of {planned:,} cells.
Below stand those cases of which all are finished. Lookback {lookbacks}.
MSE on the z-scored scale over every test window, mean over 5 seeds. All choices were made on the validation part."""
FIRST = """### Students alone, and published figures

The published ones (TFB/OpenTS leaderboard, H = 96 only) have the lookback of each method searched, up to 512; ours is
stated above and never mixed. Their averages over the four horizons, DLinear / NLinear / PatchTST / iTransformer / DUET:
ETTh1 .424 / .419 / .418 / .440 / .398, exchange .332 / .310 / .322 / .320 / .297, illness 2.185 / 1.944 / 1.902 /
1.857 / 1.598. *Best arm*: the arm that validation prefers, whatever it is."""
SECOND = """### Taught students

MSE over that of the same student alone, with 95 % intervals over test windows (blocks of L + H at least) and over
seeds; bold where the interval excludes 1; no interval where the test part has fewer than four blocks. Every arm
chose between balance 0 and 0.5, *tuned* among the student's own settings and others of lookback, weight decay and
dropout. *Strong teacher*: of more lookback (illness: larger). *Mean of the future*, *way point*: teachers that see
the mean of each quarter of the horizon, or its middle. *Three*: these three teachers, by weighting. Controls:
*tuned*, *self-distilled* (a teacher like *mean of the future*'s, without the privilege), *placebo* (with shuffled
privilege)."""


def main() -> None:
    """Run for a while, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--runs", type=Path, default=HERE / "runs", help="folder of runs")
    parser.add_argument("--minutes", type=float, default=0.0, help="how long to go on with the runs")
    options = parser.parse_args()
    end = time.monotonic() + 60 * options.minutes
    for name, beginning in STAGES:
        if time.monotonic() < end:
            go_on(name, beginning, options.runs, end - time.monotonic())
    cases, rows, cells = finished(options.runs)
    if not cases:
        sys.exit(f"no case is finished in {options.runs}; give --minutes")
    rows.to_csv(HERE / "results" / "multivariate.csv", index=False, float_format="%.6f")
    fev_rows_of_cases(cases).to_csv(HERE / "results" / "multivariate_fev.csv", index=False, float_format="%.6f")
    lookbacks = sorted({(results.info.data.name, results.info.lookback) for results in cases.values()})
    said = ", ".join(f"{lookback} ({name})" for name, lookback in lookbacks)
    students = [name for name in STUDENTS if any(label.endswith(f" · {name}") for label in cases)]
    parts = [
        PREAMBLE.format(**cells, lookbacks=said),
        FIRST,
        markdown(["data · horizon", *students, "best arm", *(f"{rival}, published" for rival in RIVALS)], alone(cases)),
        SECOND,
        *(f"#### {place}\n\n{markdown(['arm', *students], table)}\n\n{found}" for place, table, found in taught(cases)),
    ]
    write_section(HERE / "README.md", "multivariate", "\n\n".join(parts))


def go_on(name: str, beginning: str, runs: Path, seconds: float) -> None:
    """Go on with cases of a study for some seconds; the process that computes them may be ended at any moment."""
    process = multiprocessing.get_context("spawn").Process(target=compute, args=(name, beginning, runs))
    process.start()
    process.join(seconds)
    process.terminate()
    process.join()


def compute(name: str, beginning: str, runs: Path) -> None:
    """Compute what is missing of those cases of a study whose labels begin so."""
    some_cases(name, beginning).run(place(name, runs))


def some_cases(name: str, beginning: str) -> Study:
    """A study of those cases whose labels begin so."""
    study = Study.from_yaml(CONFIGS / f"{name}.yaml")
    return Study(study.name, {label: case for label, case in study.cases.items() if label.startswith(beginning)})


def place(name: str, runs: Path) -> Path:
    """The folder of a run, as `tskd run` names it."""
    return runs / f"benchmark-{name}"


def finished(runs: Path) -> tuple[dict[str, Results], pd.DataFrame, Counter[str]]:
    """Results of the cases that are finished, by 'data · horizon · student'; rows of all cases; how many cells are
    planned, finished and failed in all studies, those that were not begun among them."""
    cases: dict[str, Results] = {}
    rows, cells = [], Counter[str]()
    for name in STUDIES:
        study = Study.from_yaml(CONFIGS / f"{name}.yaml")
        plans, store = plan_study(study), CellStore(place(name, runs) / "parts")
        cells.update(counts(plans, store).to_json())
        try:
            found = collect(study, plans, store)
        except RunError:
            continue
        for label, results in found.cases.items():
            data = results.info.data.name
            full = label if label.startswith(data) else f"{data} · {label}"
            rows.append(results.rows.assign(case=full))
            if results.info.cells.finished == results.info.cells.planned:
                cases[full] = results
    return cases, pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(), cells


def by_place(cases: dict[str, Results]) -> dict[str, dict[str, Results]]:
    """The students' results by 'data · horizon'."""
    found: dict[str, dict[str, Results]] = {}
    for label, results in cases.items():
        where, student = label.rsplit(" · ", 1)
        found.setdefault(where, {})[student] = results
    return found


def alone(cases: dict[str, Results]) -> list[dict[str, Any]]:
    """A row for each data set and horizon."""
    rows = []
    for where, students in by_place(cases).items():
        row: dict[str, Any] = {"data · horizon": where}
        best: list[tuple[float, float, str]] = []
        for student, results in students.items():
            means = results.rows[results.rows.kind == "student"].groupby("name")[["validation_mse", "mse"]].mean()
            row[student] = f"{means.mse[results.info.alone]:.4f}"
            preferred = means.validation_mse.idxmin()
            best.append((means.validation_mse[preferred], means.mse[preferred], f"{student}, {preferred}"))
        _, error, label = min(best)
        row["best arm"] = f"{error:.4f} ({label})"
        row |= {
            f"{rival}, published": f"{value:.3f}"
            for rival, value in zip(RIVALS, PUBLISHED.get(where, ()), strict=False)
        }
        rows.append(row)
    return rows


def taught(cases: dict[str, Results]) -> list[tuple[str, list[dict[str, Any]], str]]:
    """Of each data set and horizon a row for each arm, a column for each student; last the teachers themselves; then
    what that says of privileged information."""
    tables = []
    for where, students in by_place(cases).items():
        arms = dict.fromkeys(arm.name for results in students.values() for arm in results.info.arms)
        teachers = dict.fromkeys(item.name for results in students.values() for item in results.info.teachers)
        kinds = [(name, "student", name) for name in arms if name != "alone"]
        kinds += [(f"the teacher {name} itself", "teacher", name) for name in teachers]
        rows = [
            {"arm": label, **{s: shown(results, name, kind) for s, results in students.items()}}
            for label, kind, name in kinds
        ]
        verdicts = (f"- {student}: {results.verdict.headline}" for student, results in students.items())
        tables.append((where, rows, "\n".join(verdicts)))
    return tables


def shown(results: Results, name: str, kind: str) -> str:
    """A ratio, with its interval if there is one."""
    comparison = results.compare(name, kind=kind)
    return ratio(comparison) if comparison.enough else f"{1 + comparison.relative:.3f}"


if __name__ == "__main__":
    main()
