"""What each kind of privilege and each kind of teacher gains on public data: one table of many experiments.

    TSKD_DATA=folder/of/data python benchmarks/lupi.py

Runs what is missing of the configurations in `configs/lupi/` in the folder of runs, then writes
`benchmarks/results/lupi.csv` and the table in `benchmarks/README.md`. All ratios are of test errors, to those of the
student alone; below 1 is better.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import tiny_chronos
from tables import finished, write_section
from tqdm import tqdm

from tskd.cli import main as tskd
from tskd.experiment import Experiment, Results, Study
from tskd.experiment.results.experiment_info import TeacherInfo
from tskd.experiment.statistics.intervals import Comparison

HERE = Path(__file__).parent
PREAMBLE = """## Kinds of privileged information and of teachers

`TSKD_DATA=folder/of/data python benchmarks/lupi.py`, or for one line `tskd run configs/lupi/<case>.yaml`.

Ratios of test MSE to that of the same student alone, mean over 5 seeds, with 95 % intervals over test windows (paired
block bootstrap) and over seeds; below 1 is better. *Teacher*: the bound that its forecasts set. *Distilled*: the
student that it taught. *Self-distilled*: taught by a teacher that sees what the student sees. *Placebo*: the privileged
rows permuted within the hour of the day. The balance of every arm is the one of 0, 0.25, 0.5 and 1 with the lowest
validation error; 0 is the student alone, and gives 1.000 exactly. *Gain by privilege*: distinguishably below the
student alone and below every control here, each comparison by itself; among so many, one may be by chance. Not
controlled for: weight decay and input size tuned for the student alone, training size, archive rows pooled with the
target's. Beijing students were chosen on validation after one first test result of beijing-neighbours with a DLinear
had been seen."""
CONTROLS = {"self-distilled": "self", "placebo": "placebo"}
FINDINGS = {
    "privilege": "gain by privilege",
    "gain": "gain, not shown to be by privilege",
    "none": "no gain",
    "unknown": "too few windows",
}
COLUMNS = {
    "case": "case",
    "privilege": "what the teacher sees",
    "teacher": "teacher / alone",
    "distilled": "distilled / alone",
    "balance": "balance",
    "self": "self-distilled / alone",
    "placebo": "placebo / alone",
    "finding": "finding",
    "windows": "test windows",
}


def main() -> None:
    """Run what is missing, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--configs", type=Path, default=HERE.parent / "configs" / "lupi", help="folder of YAML files")
    parser.add_argument("--runs", type=Path, default=Path("runs") / "lupi", help="folder of the runs")
    parser.add_argument("--table-only", action="store_true", help="run nothing: use what is finished")
    options = parser.parse_args()
    # where it cannot be made, its experiment says what is missing
    with suppress(ImportError):
        tiny_chronos.make()
    # a study of several cases has a table of its own
    paths = [path for path in sorted(options.configs.glob("*.yaml")) if len(Study.from_yaml(path).cases) == 1]
    rows = []
    for path in tqdm(paths, desc="experiments", unit="run"):
        folder = options.runs / path.stem
        if not options.table_only:
            tskd(["run", str(path), "--out", str(folder)])
        results = finished(Experiment.from_yaml(path), folder)
        if results is None:
            print(f"{path.stem}: not finished; it is not in the table", file=sys.stderr)
            continue
        rows += rows_of(path.stem, results)
    table = pd.DataFrame(rows)
    (HERE / "results").mkdir(exist_ok=True)
    table.to_csv(HERE / "results" / "lupi.csv", index=False, float_format="%.4f")
    write_section(HERE / "README.md", "lupi", f"{PREAMBLE}\n\n{markdown(rows)}")


def rows_of(case: str, results: Results) -> list[dict[str, Any]]:
    """One row for each arm of an experiment that is not a control: numbers, as the CSV file has them."""
    info = results.info
    arms = {arm.name: arm for arm in info.arms if arm.teachers}
    teachers = {teacher.name: teacher for teacher in info.teachers}
    balance = results.rows[results.rows.kind == "student"].groupby("name").balance.first()
    rows = []
    for name, arm in arms.items():
        if name in CONTROLS:
            continue
        compared = {"teacher": results.compare(arm.teachers[0], kind="teacher"), "distilled": results.compare(name)}
        if arm.privileged:
            compared |= {short: results.compare(control) for control, short in CONTROLS.items() if control in arms}
        row: dict[str, Any] = {
            "case": case if arm.privileged else f"{case}, {name}",
            "privilege": described(teachers[arm.teachers[0]], info.soft_sensor),
            "balance": balance[name],
            "finding": FINDINGS[results.verdict.outcome] if arm.privileged else "a control",
            "windows": compared["distilled"].windows,
            "blocks": round(compared["distilled"].blocks, 1),
            "seeds": len(info.seeds),
            "fingerprint": info.fingerprint,
        }
        for short, comparison in compared.items():
            row |= {short: 1 + comparison.relative, f"{short}_low": low(comparison), f"{short}_high": high(comparison)}
        rows.append(row)
    return rows


def low(comparison: Comparison) -> float:
    """Lower end of the interval of a ratio."""
    return 1 + comparison.low


def high(comparison: Comparison) -> float:
    """Upper end of the interval of a ratio."""
    return 1 + comparison.high


def described(teacher: TeacherInfo, soft_sensor: bool) -> str:
    """What a teacher sees and how it is made, in a few words."""
    sources = ", ".join(f"`{source}`" for source in teacher.privileged) or "no privilege"
    model = str(teacher.model)
    ways = [
        model.partition("(")[0].removesuffix("Model"),
        "tiny, of random weights" if str(tiny_chronos.FOLDER) in model else "",
        "fine-tuned" if "enable_finetuning=True" in model else "",
        "" if teacher.sees_inputs else "sees no inputs",
        f"{teacher.cross_fit} folds" if teacher.cross_fit else "",
        "fitted on the archive" if teacher.archive else "",
        "soft sensor" if soft_sensor else "",
    ]
    return f"{sources} ({', '.join(way for way in ways if way)})"


def markdown(rows: Iterable[dict[str, Any]]) -> str:
    """The table, ratios with 95 % intervals."""
    lines = [" | ".join(COLUMNS.values()), " | ".join("---" for _ in COLUMNS)]
    lines += [" | ".join(cell(row, column) for column in COLUMNS) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def cell(row: dict[str, Any], column: str) -> str:
    """One cell of the table."""
    if f"{column}_low" in row:
        return f"{row[column]:.3f} [{row[f'{column}_low']:.3f}, {row[f'{column}_high']:.3f}]"
    return str(row.get(column, ""))


if __name__ == "__main__":
    main()
