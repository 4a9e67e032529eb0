"""What each weighting of three privileged teachers gains on public data, at two training sizes: one table.

    TSKD_DATA=folder/of/data python benchmarks/weighting_real.py

Runs what is missing of the experiments below in the folder of runs, then writes
`benchmarks/results/weighting_real.csv` and its section in `benchmarks/README.md`. All ratios are of test errors, to
those of the student alone; below 1 is better.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from tables import markdown, ratio, results_of, write_section

from tskd import datasets, weighting
from tskd.datasets import DataSet
from tskd.experiment import Experiment, Results

HERE = Path(__file__).parent
PREAMBLE = """## Weightings of three privileged teachers

`TSKD_DATA=folder/of/data python benchmarks/weighting_real.py`

A TiDE student of 24 → 12 steps and three TiDE teachers of its kind: one sees other series over the horizon, one their
past, one finer samples of the target. Ratios of test MSE to that of the student alone, mean over 5 seeds, with 95 %
intervals over test windows (paired block bootstrap) and over seeds; bold where the interval excludes 1. The balance of
every arm is the one of 0.25, 0.5 and 1 with the lowest validation error, the weight decay of *labels alone, tuned* one
of three. Teachers are judged by the validation part, on which the balance is chosen too. *Single*: one teacher.
*Self-distilled*: taught by a teacher that sees what the student sees. Columns: data set and training windows."""
SIZES = (500, 1500)
# of each data set: the coarse series' relation to its fine one, and the other series
SETS = {"ett-all": ("point", "loads"), "weather-all": ("point", "met"), "household": ("mean", "rooms")}
THREE = ["future", "sensors", "fine"]
LOOKBACK, HORIZON = 24, 12


def main() -> None:
    """Run what is missing, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--runs", type=Path, default=Path("runs") / "weighting_real", help="folder of the runs")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--table-only", action="store_true", help="run nothing: use what is finished")
    options = parser.parse_args()
    finished = results_of(experiments(), options.runs, options.workers, lambda _: not options.table_only)
    rows = table(finished)
    pd.DataFrame(rows).to_csv(HERE / "results" / "weighting_real.csv", index=False)
    text = f"{PREAMBLE}\n\n{markdown(['arm', *finished], rows)}"
    write_section(HERE / "README.md", "weighting_real", text)


def experiments() -> Iterator[Experiment]:
    """One for each data set and training size."""
    for name in SETS:
        for windows in SIZES:
            yield experiment(name, windows)


def experiment(name: str, windows: int) -> Experiment:
    """Every weighting of the three teachers, and the arms to compare them with."""
    coarse, other = SETS[name]
    model = {"class": "TiDEModel", "kwargs": KWARGS}
    sources = {
        "future": {"class": "FutureHorizon", "kwargs": {"name": other}},
        "sensors": {"class": "CostlySensors", "kwargs": {"name": other}},
        "fine": {"class": "HighResolution", "kwargs": {"name": "fine", "coarse": coarse}},
    }
    balances = [0.25, 0.5, 1.0]
    return Experiment(
        name=f"{name}-{windows}",
        data=shortened(datasets.load(name), windows),
        student=model,
        teachers={label: {"model": model, "privileged": source} for label, source in sources.items()}
        | {"equal": {"model": model}},
        arms=[
            {"name": "alone"},
            {
                "name": "labels alone, tuned",
                "students": [{"optimizer_kwargs": {"weight_decay": w}} for w in (0.0, 1.0, 10.0)],
            },
            {"name": "self-distilled", "teachers": "equal", "balance": balances},
            *({"name": f"single: {label}", "teachers": label, "balance": balances} for label in THREE),
            *({"name": method, "teachers": THREE, "weighting": method, "balance": balances} for method in methods()),
        ],
        seeds=5,
    )


KWARGS: dict[str, Any] = {
    "input_chunk_length": LOOKBACK,
    "output_chunk_length": HORIZON,
    "num_encoder_layers": 1,
    "num_decoder_layers": 1,
    "hidden_size": 8,
    "decoder_output_dim": 4,
    "temporal_decoder_hidden": 8,
    "dropout": 0.1,
    "n_epochs": 15,
    "batch_size": 64,
    "optimizer_cls": "AdamW",
    "optimizer_kwargs": {"lr": 5e-3, "weight_decay": 0.1},
}


def methods() -> list[str]:
    """The weightings that need no arguments."""
    kinds = {name: getattr(weighting, name) for name in weighting.__all__}
    weightings = [name for name, kind in kinds.items() if issubclass(kind, weighting.Weighting)]
    return [name for name in sorted(weightings) if name not in ("Fixed", "Weighting")]


def shortened(data: DataSet, windows: int) -> DataSet:
    """The last rows of the training part: as many as make these windows."""
    split = data.series.get_index_at_point(data.validation_start)
    rows = windows + LOOKBACK + HORIZON - 1
    return replace(data, series=data.series[split - rows :])


def table(finished: dict[str, Results]) -> list[dict[str, Any]]:
    """A row for each arm, a column for each experiment."""
    names = dict.fromkeys(arm.name for results in finished.values() for arm in results.info.arms)
    rows: list[dict[str, Any]] = []
    for name in names:
        if name != "alone":
            rows.append({"arm": name, **{column: ratio(found.compare(name)) for column, found in finished.items()}})
    for label in [*THREE, "equal"]:
        cells = {column: ratio(found.compare(label, kind="teacher")) for column, found in finished.items()}
        rows.append({"arm": f"teacher {label} itself", **cells})
    return rows


if __name__ == "__main__":
    main()
