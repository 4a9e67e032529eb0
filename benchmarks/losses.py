"""What each distillation loss does on public and on planted data: two tables.

    TSKD_DATA=folder/of/data python benchmarks/losses.py

Runs what is missing of the experiments below in the folder of runs, then writes
`benchmarks/results/losses.csv` and the tables in `benchmarks/README.md`. All ratios are of test errors; below 1 is
better.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from darts import TimeSeries
from tables import markdown, ratio, results_of, write_section

from tskd import datasets
from tskd.datasets import ArchiveSeries, DataSet
from tskd.experiment import Experiment, Results
from tskd.experiment.statistics.intervals import compare

HERE = Path(__file__).parent
RECIPES = HERE.parent / "configs" / "recipes"
# rows of planted series: 60 windows to train on, and an archive of four series
TRAINING, VALIDATION, TEST, ARCHIVED = 48 + 24 + 59, 400, 4000, 1600
NOISE = 0.5
TEACHER = "the teacher itself"
ADAM = {"optimizer_cls": "AdamW", "batch_size": 256}
PREAMBLE = """## Losses

`TSKD_DATA=folder/of/data python benchmarks/losses.py`

Ratios of test MSE, mean over 5 seeds, with 95 % intervals over test windows (paired block bootstrap) and over seeds;
below 1 is better, bold where the interval excludes 1. No loss was tuned: every arm has balance 0.5 and weight 1, so
that a bad ratio may be the weight's fault. No control for self-distillation: these tables compare losses, and claim no
gain by privilege."""
FIRST = """### Past the output chunk, and few windows

*ahead*: a TiDE student of 48 → 24 steps, rolled forward by darts to 72; scored are the steps past its output chunk. Its
teacher, TiDE 48 → 72, forecasts them directly. `AutoregressiveKD` is added to `OutputKD`. *planted*: 60 training
windows of a series with two periods, or of straight lines between levels that are drawn every 60 steps, in noise; a
DLinear student, and a DLinear teacher fitted on four longer series of the same kind."""
SECOND = """### Each loss alone

A TSMixer student (hidden 4, one block) and a TSMixer teacher (hidden 32, two blocks) of the same inputs, 96 steps
ahead, lookback 96 or 336: MSE over that of the student alone with weight decay chosen on validation from 0, 0.1, 1 and
10. A stretch of each set: 4,320 steps before the split of the common benchmark to train, 1,440 to validate and 2,880
to test after it; not comparable with its published figures. `OutlierRejection` has no term of its own and only weighs
labels; it was run when that halved their share, a factor that AdamW hardly notices. The recipes are the losses of
`configs/recipes/`, all with this teacher."""


def main() -> None:
    """Run what is missing, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--runs", type=Path, default=Path("runs") / "losses", help="folder of the runs")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--only", default="", help="run the experiments whose name begins so")
    parser.add_argument("--table-only", action="store_true", help="run nothing: use what is finished")
    options = parser.parse_args()

    def wanted(experiment: Experiment) -> bool:
        return not options.table_only and experiment.name.startswith(options.only)

    finished = results_of(experiments(), options.runs, options.workers, wanted)
    first, second = first_table(finished), second_table(finished)
    names = [name for name in finished if not name.startswith(("ahead", "planted"))]
    sections = [
        PREAMBLE,
        FIRST,
        markdown(["data", "scored", "arm", "MSE", "/ alone", "/ OutputKD"], first),
        SECOND,
        markdown(["arm", *names], second),
    ]
    pd.DataFrame([{"table": 1, **row} for row in first] + [{"table": 2, **row} for row in second]).to_csv(
        HERE / "results" / "losses.csv", index=False
    )
    write_section(HERE / "README.md", "losses", "\n\n".join(sections))


def experiments() -> Iterator[Experiment]:
    """All of them, those of the first table first."""
    yield from (ahead(name, data) for name, data in univariate())
    yield from (planted(name, data) for name, data in (("period", periodic()), ("trend", trending())))
    for name in ("etth1", "ettm1", "weather"):
        for lookback in (96, 336):
            yield alone_and_together(name, lookback)


def ahead(name: str, data: DataSet) -> Experiment:
    """A student of one day, asked for three; its teacher forecasts all three at once."""
    output, roll = {"class": "OutputKD"}, {"class": "AutoregressiveKD", "kwargs": {"steps": 48}}
    student = {
        "input_chunk_length": 48,
        "output_chunk_length": 24,
        "hidden_size": 16,
        "decoder_output_dim": 4,
        "temporal_decoder_hidden": 8,
        "n_epochs": 10,
        "optimizer_kwargs": {"lr": 3e-3, "weight_decay": 0.1},
        **ADAM,
    }
    return Experiment(
        name=f"ahead-{name}",
        data=data,
        student={"class": "TiDEModel", "kwargs": student},
        teachers={"far": {"model": {"class": "TiDEModel", "kwargs": {**student, "output_chunk_length": 72}}}},
        arms=[
            {"name": "alone"},
            {"name": "OutputKD", "teachers": "far", "losses": [output], "balance": 0.5},
            {"name": "AutoregressiveKD", "teachers": "far", "losses": [output, roll], "balance": 0.5},
        ],
        seeds=5,
        scored=(25, 72),
    )


def planted(name: str, data: DataSet) -> Experiment:
    """Few windows of a series whose structure a teacher has learned from long others of its kind."""
    output = {"class": "OutputKD"}
    added = {
        "MultiPeriodKD": {"class": "MultiPeriodKD"},
        "MultiScaleKD": {"class": "MultiScaleKD", "kwargs": {"scales": 3}},
    }
    kwargs = {"input_chunk_length": 48, "output_chunk_length": 24, "shared_weights": True, "kernel_size": 13}
    optimizer = {"optimizer_kwargs": {"lr": 3e-3}, "optimizer_cls": "AdamW", "batch_size": 32, "n_epochs": 40}
    model = {"class": "DLinearModel", "kwargs": {**kwargs, **optimizer}}
    return Experiment(
        name=f"planted-{name}",
        data=data,
        student=model,
        teachers={"archive": {"model": model, "archive": True}},
        arms=[
            {"name": "alone"},
            {"name": "OutputKD", "teachers": "archive", "losses": [output], "balance": 0.5},
            *(
                {"name": f"OutputKD + {loss}", "teachers": "archive", "losses": [output, spec], "balance": 0.5}
                for loss, spec in added.items()
            ),
            {"name": "MultiScaleKD", "teachers": "archive", "losses": [added["MultiScaleKD"]], "balance": 0.5},
        ],
        seeds=5,
    )


LOSSES: dict[str, list[Any]] = {
    "OutputKD": ["OutputKD"],
    "OutputKD, Huber": [{"class": "OutputKD", "kwargs": {"metric": "huber"}}],
    "TeacherBounded": ["TeacherBounded"],
    "AttentiveImitation": ["AttentiveImitation"],
    "OutlierRejection": ["OutlierRejection"],
    "HorizonWeighted": ["HorizonWeighted"],
    "LevelShapeKD, shape halved": [{"class": "LevelShapeKD", "kwargs": {"shape": 0.5}}],
    "MultiScaleKD": ["MultiScaleKD"],
    "MultiPeriodKD": ["MultiPeriodKD"],
    "FeatureKD": ["FeatureKD"],
    "AttentionTransfer": ["AttentionTransfer"],
    "SampleRelation, distance": ["SampleRelation"],
    "SampleRelation, similarity": [{"class": "SampleRelation", "kwargs": {"relation": "similarity"}}],
    "TemporalRelation": ["TemporalRelation"],
    "ChannelRelation": ["ChannelRelation"],
}
RECIPE_NAMES = ("timekd", "timedistill", "distilts")
# rows of training, validation and test part: the last before the split, and the first after it
ROWS = {"etth1": (4320, 1440, 2880), "ettm1": (4320, 1440, 2880), "weather": (4320, 1440, 2880)}


def alone_and_together(name: str, lookback: int) -> Experiment:
    """A small student and a stronger ordinary teacher of its kind, with each loss alone and with each recipe."""
    small = {
        "input_chunk_length": lookback,
        "output_chunk_length": 96,
        "hidden_size": 4,
        "ff_size": 4,
        "num_blocks": 1,
        "use_reversible_instance_norm": True,
        "n_epochs": 8,
        "optimizer_kwargs": {"lr": 3e-3, "weight_decay": 0.0},
        **ADAM,
    }
    large = {**small, "hidden_size": 32, "ff_size": 32, "num_blocks": 2, "optimizer_kwargs": {"lr": 1e-3}}
    recipes = {recipe: losses_of(recipe) for recipe in RECIPE_NAMES}
    return Experiment(
        name=f"{name}-{lookback}",
        data=stretch(datasets.load(name), *ROWS[name]),
        student={"class": "TSMixerModel", "kwargs": small},
        teachers={"large": {"model": {"class": "TSMixerModel", "kwargs": large}}},
        arms=[
            {"name": "alone"},
            {"name": "tuned", "students": [{"optimizer_kwargs": {"weight_decay": w}} for w in (0.0, 0.1, 1.0, 10.0)]},
            *(
                {"name": label, "teachers": "large", "losses": losses, "balance": 0.5}
                for label, losses in {**LOSSES, **recipes}.items()
            ),
        ],
        seeds=5,
    )


def losses_of(recipe: str) -> list[Any]:
    """The losses of the arm that a recipe's configuration is about."""
    return list(next(arm for arm in Experiment.from_yaml(RECIPES / f"{recipe}.yaml").arms if arm.teachers).losses)


def stretch(data: DataSet, train: int, validation: int, test: int) -> DataSet:
    """The last rows of the training part, and the first of the two others, which are moved up to it."""
    split = data.series.get_index_at_point(data.validation_start)
    return replace(
        data,
        series=data.series[split - train : split + validation + test],
        test_start=data.series.time_index[split + validation],
    )


def univariate() -> Iterator[tuple[str, DataSet]]:
    """Oil temperature, air temperature and PM2.5, hourly."""
    oil = datasets.load("etth2")
    yield "etth2", stretch(replace(oil, series=oil.series["OT"]), 2880, 1440, 2880)
    yield "weather", replace(datasets.load("weather-future"), privileged={})
    yield "shanghai", replace(datasets.load("shanghai"), privileged={})


def periodic() -> DataSet:
    """Two sines of other phases and amplitudes in every series, in noise."""

    def values(steps: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        amplitudes, phases = rng.uniform(0.7, 1.3, 2), rng.uniform(0, 2 * np.pi, 2)
        return sum(a * np.sin(2 * np.pi * steps / p + f) for a, p, f in zip(amplitudes, (24, 8), phases, strict=True))

    return _planted("period", values)


def trending() -> DataSet:
    """Straight lines between levels that are drawn every 60 steps, in noise."""

    def values(steps: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        knots = np.arange(0, len(steps) + 60, 60)
        return np.interp(steps, knots, rng.normal(0, 2, len(knots)))

    return _planted("trend", values)


def _planted(name: str, values: Any) -> DataSet:
    rng = np.random.default_rng(0)

    def series(length: int, start: str) -> TimeSeries:
        made = values(np.arange(length), rng) + rng.normal(0, NOISE, length)
        times = pd.date_range(start, periods=length, freq="h")
        return TimeSeries.from_times_and_values(times, made.astype("float32"), columns=["y"])

    own = series(TRAINING + VALIDATION + TEST, "2020-01-01")
    return DataSet(
        name=f"planted {name}",
        series=own,
        validation_start=own.time_index[TRAINING],
        test_start=own.time_index[TRAINING + VALIDATION],
        archive=tuple(ArchiveSeries(f"other {i}", series(ARCHIVED, "2010-01-01")) for i in range(4)),
        source="planted",
        licence="public domain",
    )


def first_table(finished: dict[str, Results]) -> list[dict[str, Any]]:
    """Each arm of the experiments on one component, against the student alone and against `OutputKD`."""
    rows = []
    for name, results in finished.items():
        if not name.startswith(("ahead", "planted")):
            continue
        scored = "steps {}–{}".format(*results.info.scored)
        for arm in results.info.arms:
            if arm.name == results.info.alone:
                continue
            rows.append(
                {
                    "data": name,
                    "scored": scored,
                    "arm": arm.name,
                    "MSE": f"{results.errors(arm.name).mean():.4f}",
                    "/ alone": ratio(results.compare(arm.name)),
                    "/ OutputKD": "" if arm.name == "OutputKD" else ratio(results.compare(arm.name, "OutputKD")),
                }
            )
        rows.append(
            {
                "data": name,
                "scored": scored,
                "arm": "the teacher itself",
                "MSE": f"{results.errors(results.info.teachers[0].name, 'teacher').mean():.4f}",
                "/ alone": ratio(results.compare(results.info.teachers[0].name, kind="teacher")),
            }
        )
    return rows


def second_table(finished: dict[str, Results]) -> list[dict[str, Any]]:
    """A row for each arm, a column for each data set and lookback: ratio to the tuned student."""
    found = {name: results for name, results in finished.items() if not name.startswith(("ahead", "planted"))}
    labels = ["alone", *LOSSES, *RECIPE_NAMES, TEACHER]
    rows = []
    for label in labels:
        row = {"arm": label}
        for name, results in found.items():
            if label == TEACHER:
                comparison = compare(
                    results.errors("large", "teacher"),
                    results.errors("tuned"),
                    results.info.block,
                )
            else:
                comparison = results.compare(label, "tuned")
            row[name] = ratio(comparison)
        rows.append(row)
    chosen = {"arm": "weight decay of the tuned"}
    for name, results in found.items():
        balance = results.rows[results.rows.name == "tuned"].balance.iloc[0]
        chosen[name] = balance.partition("=")[2]
    return [*rows, chosen]


if __name__ == "__main__":
    main()
