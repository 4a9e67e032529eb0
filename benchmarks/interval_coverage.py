"""How often the 95 % intervals of `compare` hold the truth, at the autocorrelation of our own data.

`TSKD_DATA=folder python benchmarks/interval_coverage.py`: within five minutes on one core; writes results/coverage.csv
and its section of README.md.

Closed-form forecasters give error series of real windows: five students of random features, alone and taught half by a
ridge regression that sees the other columns too; and that teacher. Out of each series arms are drawn that have no
effect on average (the arm's errors are scaled so that every seed's mean is its baseline's), by the stationary
bootstrap (Politis and Romano 1994): stretches of real windows, of geometric length, `STRETCH` blocks of L + H on
average. So the truth is known, and dependence up to several blocks, tails and skewness are those of the real series.
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill as wrapped
from typing import Any

import numpy as np
import pandas as pd
from tables import markdown, write_section
from tqdm import tqdm

from tskd.experiment.statistics.diebold_mariano import diebold_mariano
from tskd.experiment.statistics.intervals import Comparison, compare

HERE = Path(__file__).parent
SEEDS, FEATURES, STRETCH = 5, 64, 8
BLOCKS = (4, 5, 10, 20, 60)
EFFECT, LUCK = -0.05, 0.04
"""The known effect, and the standard deviation of a seed's own relative error: recorded half-widths are near 5 %."""


@dataclass(frozen=True)
class Setting:
    """Columns of a file, the first of which is forecast; `rows` of it are for training."""

    name: str
    columns: np.ndarray
    lookback: int
    horizon: int
    rows: int


@dataclass(frozen=True)
class Pair:
    """Errors [seeds, W] of two forecasters of a setting, on every window after the training rows."""

    setting: Setting
    name: str
    arm: np.ndarray
    baseline: np.ndarray

    @property
    def block(self) -> int:
        return self.setting.lookback + self.setting.horizon

    def difference(self) -> np.ndarray:
        """[W] difference of errors averaged over seeds, over the mean error; zero on average."""
        arm, baseline = self.arm.mean(axis=0), self.baseline.mean(axis=0)
        return arm / arm.mean() - baseline / baseline.mean()

    def without_effect(self) -> np.ndarray:
        """The arm's errors [seeds, W], each seed's scaled to its baseline's mean."""
        return self.arm * (self.baseline.mean(axis=1) / self.arm.mean(axis=1))[:, None]


def settings() -> Iterator[Setting]:
    """What is forecast, at sizes of our experiments; illness, which has few windows, at shorter ones."""
    folder = Path(os.environ["TSKD_DATA"])
    table = pd.read_csv(folder / "ETTh1.csv.gz")[["OT", "HUFL", "MUFL", "LUFL"]].to_numpy()
    yield Setting("ETTh1 96→96", table, 96, 96, 8640)
    yield Setting("ETTh1 24→12", table, 24, 12, 8640)
    table = pd.read_parquet(folder / "beijing_multisite_air.parquet")
    stations = table.pivot(index="datetime", columns="station", values="PM2.5").ffill().bfill()
    yield Setting("Beijing PM2.5 24→12", stations.iloc[:, :6].to_numpy(), 24, 12, 8760)
    table = pd.read_csv(folder / "exchange_rate.csv.gz")[["OT", "0", "1", "2"]].to_numpy()
    yield Setting("exchange 36→24", table, 36, 24, 2500)
    table = pd.read_csv(folder / "national_illness.csv.gz")[["% WEIGHTED ILI", "AGE 0-4", "AGE 5-24"]].to_numpy()
    yield Setting("illness 16→8", table, 16, 8, 350)


def ridge(inputs: np.ndarray, targets: np.ndarray, penalty: float, rows: slice) -> np.ndarray:
    """Forecasts for all `inputs` [W, D] of the regression fitted on `rows`."""
    inputs = np.column_stack([inputs, np.ones(len(inputs))])
    gram = inputs[rows].T @ inputs[rows] + penalty * np.eye(inputs.shape[1])
    return inputs @ np.linalg.solve(gram, inputs[rows].T @ targets[rows])


def pairs(setting: Setting) -> list[Pair]:
    """The students taught and the teacher, each against the students alone."""
    lookback, horizon, rows = setting.lookback, setting.horizon, setting.rows
    scaled = (setting.columns - setting.columns[:rows].mean(axis=0)) / setting.columns[:rows].std(axis=0)
    windows = np.lib.stride_tricks.sliding_window_view(scaled, lookback + horizon, axis=0)
    last = windows[:, :, lookback - 1 : lookback]
    inputs, targets = windows[:, :, :lookback] - last, windows[:, 0, lookback:] - last[:, 0]
    everything = inputs.reshape(len(inputs), -1)
    train, test = slice(rows - lookback - horizon + 1), slice(rows - lookback, None)
    # the penalty by the last fifth of the training part, with no row in common
    validation = slice(int(0.8 * train.stop), train.stop)
    earlier = slice(validation.start - lookback - horizon)

    def loss(forecasts: np.ndarray, part: slice) -> np.ndarray:
        return ((forecasts - targets)[part] ** 2).mean(axis=1)

    penalties = 10.0 ** np.arange(6)
    best = min(penalties, key=lambda p: loss(ridge(everything, targets, p, earlier), validation).mean())
    teacher = ridge(everything, targets, best, train)
    alone, taught = [], []
    for seed in range(SEEDS):
        draw = np.random.default_rng(seed)
        weights = draw.normal(size=(lookback, FEATURES)) / math.sqrt(lookback)
        features = np.tanh(inputs[:, 0] @ weights + 0.3 * draw.normal(size=FEATURES))
        alone.append(loss(ridge(features, targets, 1.0, train), test))
        taught.append(loss(ridge(features, (targets + teacher) / 2, 1.0, train), test))
    baseline = np.array(alone)
    of_teacher = np.tile(loss(teacher, test), (SEEDS, 1))
    return [Pair(setting, "taught", np.array(taught), baseline), Pair(setting, "teacher", of_teacher, baseline)]


def stretches(real: int, wanted: int, mean: float, draw: np.random.Generator) -> np.ndarray:
    """Positions [wanted] of a draw of the stationary bootstrap from `real` windows."""
    lengths = draw.geometric(1 / mean, size=1 + 10 * math.ceil(wanted / mean))
    while lengths.sum() < wanted:
        lengths = np.concatenate([lengths, draw.geometric(1 / mean, size=len(lengths))])
    ends = lengths.cumsum()
    count = 1 + int(np.searchsorted(ends, wanted))
    starts = draw.integers(real, size=count) - np.concatenate([[0], ends[: count - 1]])
    return (np.repeat(starts, lengths[:count])[:wanted] + np.arange(wanted)) % real


def measure(pair: Pair, blocks: int, repetitions: int, tested: int) -> dict[str, Any]:
    """One line of the table of coverage; the test of Diebold and Mariano on the first `tested` repetitions."""
    windows, shift = blocks * pair.block, EFFECT * pair.baseline.mean()
    # windows first, so that a draw copies rows
    arms, baselines = pair.without_effect().T.copy(), pair.baseline.T.copy()
    draw = np.random.default_rng([blocks, pair.block])
    found: dict[str, list[Comparison]] = {"none": [], "known": [], "lucky": []}
    alarms = []
    for repetition in range(repetitions):
        drawn = stretches(len(arms), windows, STRETCH * pair.block, draw)
        arm, baseline = arms[drawn].T, baselines[drawn].T
        seed_variance = 1 + LUCK * draw.normal(size=(SEEDS, 1))
        for name, errors in (("none", arm), ("known", arm + shift), ("lucky", arm * seed_variance)):
            found[name].append(compare(errors, baseline, pair.block, same_model_class=pair.name == "taught"))
        if repetition < tested:
            alarms.append(diebold_mariano(arm, baseline, pair.setting.horizon).p_value < 0.05)

    def held(name: str, truth: float) -> float:
        return float(np.mean([c.low <= truth <= c.high for c in found[name]]))

    def half_width(name: str) -> float:
        return float(np.mean([(c.high - c.low) / 2 for c in found[name]]))

    def least_gain(name: str) -> float:
        # an arm times 1 - g has an upper end of (1 - g)(1 + high) - 1
        return 1 - 1 / float(np.quantile([1 + c.high for c in found[name]], 0.8))

    return {
        "data": pair.setting.name,
        "pair": pair.name,
        "blocks": blocks,
        "repetitions": repetitions,
        "none": held("none", 0),
        "known": held("known", EFFECT),
        "lucky": held("lucky", 0),
        "half_width": half_width("none"),
        "half_width_lucky": half_width("lucky"),
        "least_gain": least_gain("none"),
        "least_gain_lucky": least_gain("lucky"),
        "tested": len(alarms),
        "false_alarms": float(np.mean(alarms)),
    }


def autocorrelation(values: np.ndarray, lag: int) -> float:
    """Of a series that is zero on average."""
    return float((values[lag:] * values[:-lag]).mean() / (values**2).mean())


def described(pair: Pair) -> dict[str, str]:
    """One line of the table of the series: the real one beside a long draw."""
    real, block = pair.difference(), pair.block
    drawn = real[stretches(len(real), 1000 * block, STRETCH * block, np.random.default_rng(0))]
    halves = [
        arm.mean() / baseline.mean() - 1
        for arm, baseline in zip(
            np.array_split(pair.arm.mean(axis=0), 2), np.array_split(pair.baseline.mean(axis=0), 2), strict=True
        )
    ]
    row = {
        "data": pair.setting.name,
        "pair": pair.name,
        "real blocks": f"{len(real) / block:.0f}",
        "error of the arm, first and second half": ", ".join(f"{100 * half:+.1f} %" for half in halves),
        "std": f"{real.std():.2f}",
        "skewness": f"{(real**3).mean() / real.std() ** 3:.1f}",
    }
    for name, lag in (("H", pair.setting.horizon), ("L+H", block), ("2(L+H)", 2 * block), ("4(L+H)", 4 * block)):
        row[f"at {name}"] = f"{autocorrelation(real, lag):.2f} / {autocorrelation(drawn, lag):.2f}"
    return row


PREAMBLE = """## Coverage of the 95 % intervals

`TSKD_DATA=folder/of/data python benchmarks/interval_coverage.py`

How often the interval of a comparison holds the truth, where the truth is known. Error series of closed-form
forecasters on the windows after their training rows: *taught*, {seeds} students of random features that learned half
from a ridge regression which sees other columns too, against the same students alone; *teacher*, that regression
against them. From these series arms are drawn as stretches of real windows, {stretch} (L+H) long on average; the arm is
scaled to have no effect, or loses {effect:.0f} % of the mean error besides, the same in every window. Autocorrelation
of the difference of errors, real / as drawn:

{series}

Share of intervals that hold the truth, in percent, with its Monte Carlo error ({repetitions} repetitions): without an
effect; with the known one; without one, but with luck of the seeds: each one's error off by {luck:.0f} % (standard
deviation). An effect in proportion to the error leaves coverage as it is, by algebra. Then, without and with that luck:
half the interval's width, and the smallest gain in proportion that is found in 80 % of repetitions. Last: how often the
test of Diebold and Mariano at the 5 % level finds an effect where there is none. Lines end where the real series does.

{coverage}

{summary}"""


def share(value: float, repetitions: int) -> str:
    """A percentage and its Monte Carlo error."""
    return f"{100 * value:.1f} ± {100 * math.sqrt(value * (1 - value) / repetitions):.1f}"


def section(series: list[dict[str, str]], rows: list[dict[str, Any]]) -> str:
    """What goes into README.md."""
    lines = [
        {
            "data": row["data"],
            "pair": row["pair"],
            "blocks": row["blocks"],
            "no effect": share(row["none"], row["repetitions"]),
            "known effect": share(row["known"], row["repetitions"]),
            "luck": share(row["lucky"], row["repetitions"]),
            "half-width": f"{100 * row['half_width']:.1f}, {100 * row['half_width_lucky']:.1f} %",
            "gain found": f"{100 * row['least_gain']:.1f}, {100 * row['least_gain_lucky']:.1f} %",
            "Diebold–Mariano": share(row["false_alarms"], row["tested"]),
        }
        for row in rows
    ]
    return PREAMBLE.format(
        seeds=SEEDS,
        stretch=STRETCH,
        effect=-100 * EFFECT,
        seed_variance=100 * LUCK,
        repetitions=rows[0]["repetitions"],
        series=markdown(series[0], series),
        coverage=markdown(lines[0], lines),
        summary=summary(rows),
    )


def summary(rows: list[dict[str, Any]]) -> str:
    """The least coverage, what lies below 90 %, and the power at our sizes."""
    table = pd.DataFrame(rows)
    table["least"] = table[["none", "known", "lucky"]].min(axis=1)
    taught = table[table.pair == "taught"]
    least = taught.loc[taught.least.idxmin()]
    low = table[table.least < 0.9]
    where = ", ".join(
        f"{data} {pair} ({', '.join(f'{100 * row.least:.0f} % at {row.blocks}' for row in part.itertuples())})"
        for (data, pair), part in low.groupby(["data", "pair"], sort=False)
    )
    many = taught[taught.blocks.isin([20, 60])]
    coverage = (
        f"Of students against students the least is {100 * least.least:.1f} %, {least.data} at {least.blocks} blocks."
        f" Of all pairs it is {100 * table.least.min():.1f} %. Below 90 % in any of the three columns:"
        f" {where or 'nothing'}. The interval of a teacher has a degree of freedom less"
        " (`compare(same_model_class=False)`): its error, unlike a taught student's, may be quite another in one half"
        " of the series than in the other."
    )
    power = (
        "Power: with 20 to 60 blocks a taught student's gain is found in 80 % of repetitions from"
        f" {100 * many.least_gain.min():.1f} to {100 * many.least_gain.max():.1f} % on if seeds hardly differ, from"
        f" {100 * many.least_gain_lucky.min():.1f} to {100 * many.least_gain_lucky.max():.1f} % on if each of the"
        f" {SEEDS} seeds is off by {100 * LUCK:.0f} %."
    )
    return f"{wrapped(coverage, 120)}\n\n{wrapped(power, 120)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=2000, help="of every line")
    parser.add_argument("--tested", type=int, default=500, help="of them, for the test of Diebold and Mariano")
    options = parser.parse_args()
    every = [pair for setting in settings() for pair in pairs(setting)]
    cells = [(pair, blocks) for pair in every for blocks in BLOCKS if blocks * pair.block <= pair.arm.shape[1]]
    rows = [
        measure(pair, blocks, options.repetitions, options.tested)
        for pair, blocks in tqdm(cells, desc="coverage", unit="line")
    ]
    pd.DataFrame(rows).to_csv(HERE / "results" / "coverage.csv", index=False, float_format="%.4f")
    write_section(HERE / "README.md", "interval_coverage", section([described(pair) for pair in every], rows))


if __name__ == "__main__":
    main()
