"""What the recipes of published methods gain on public data, beside their controls.

    TSKD_DATA=folder/of/data python benchmarks/recipes.py

Goes on with the runs of `configs/recipes/`, then writes `benchmarks/results/recipes.csv` (one row a cell that was used)
and its section in `benchmarks/README.md`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pandas as pd
from tables import markdown, ratio, results_of, write_section

from tskd.experiment import Experiment, Results
from tskd.experiment.statistics.verdict import without

HERE = Path(__file__).parent
RECIPES = {
    "timekd": "TimeKD",
    "timedistill": "TimeDistill",
    "distilts": "DistilTS",
    "lupts": "LuPTS",
    "generalized-distillation": "generalized distillation",
    "future-guided-learning": "Future-Guided Learning",
}
# as they are named in the files
ARMS = ("recipe", "plain", "one way point", "tuned", "self-distilled", "placebo")
PREAMBLE = """## Recipes of published methods

`TSKD_DATA=folder/of/data python benchmarks/recipes.py`, or for one line `tskd run configs/recipes/<method>.yaml`

Each file says what its recipe takes from the paper and what is different. Test MSE over that of the same student alone,
5 seeds, 95 % intervals over test windows and paired seeds, each comparison by itself; below 1 is better, bold where the
interval excludes 1. *Plain*: squared error to the same teacher. *One way point*: the teacher of the middle, without a
chain. Controls: *tuned* (weight decay), *self-distilled* (a teacher that sees what the student sees), *placebo* (the
privileged rows shuffled). *Net lift*: over the control with the lowest test error, which is named; none where the
teacher has no privilege. The balance of every arm was chosen on the validation part."""


def main() -> None:
    """Run what is missing, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--runs", type=Path, default=Path("runs") / "recipes", help="folder of the runs")
    parser.add_argument("--workers", type=int, default=1, help="processes of each run")
    options = parser.parse_args()
    experiments = [Experiment.from_yaml(HERE.parent / "configs" / "recipes" / f"{name}.yaml") for name in RECIPES]
    found = results_of(experiments, options.runs, options.workers, lambda _: True)
    named = dict(zip(RECIPES.values(), found.values(), strict=True))
    rows = pd.concat([results.rows.assign(method=method) for method, results in named.items()], ignore_index=True)
    rows.to_csv(HERE / "results" / "recipes.csv", index=False, float_format="%.6f")
    table = [line(method, results) for method, results in named.items()]
    header = ["method", "data", "student", *ARMS, "teacher", "balance", "net lift"]
    parts = "\n".join(one for method, results in named.items() for one in other_arms(method, results))
    write_section(HERE / "README.md", "recipes", f"{PREAMBLE}\n\n{markdown(header, table)}\n\n{parts}")


def line(method: str, results: Results) -> dict[str, Any]:
    """The line of a method."""
    info = results.info
    arms = {arm.name: arm for arm in info.arms}
    recipe = arms["recipe"]
    students = results.rows[results.rows.kind == "student"]
    entry: dict[str, Any] = {
        "method": method,
        "data": f"{info.data.name} {info.lookback}→{info.horizon}",
        "student": info.student.partition("(")[0].removesuffix("Model"),
        "teacher": ratio(results.compare(recipe.teachers[0], kind="teacher")),
        "balance": students[students.name == "recipe"].balance.iloc[0],
    }
    entry |= {name: ratio(results.compare(name)) for name in ARMS if name in arms}
    if recipe.privileged:
        lift = results.lift("recipe")
        entry["net lift"] = f"{ratio(lift)} over {lift.baseline}{without(lift)}"
    return entry


def other_arms(method: str, results: Results) -> list[str]:
    """What the arms of one recipe alone have, in a list."""
    names = [arm.name for arm in results.info.arms if arm.name not in (results.info.alone, *ARMS)]
    return [f"- {method}, {name}: {ratio(results.compare(name))}" for name in names]


if __name__ == "__main__":
    main()
