"""What every weighting makes of several teachers: of privileged, broken and merely noisy ones.

    python benchmarks/weighting_cases.py

Generated data of which the truth is known. Writes `benchmarks/results/weighting_cases.csv` and the section in
`benchmarks/README.md`. A weighting that needs arguments is left out; one that fails has a cell that says so.
"""

from __future__ import annotations

import argparse
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from darts import TimeSeries
from darts.models import NLinearModel, TiDEModel
from scipy.optimize import minimize
from small_networks import QUIET
from tables import markdown, write_section
from torch import Tensor
from tqdm import tqdm

import tskd.weighting
from tskd import DistilledModel, Teacher
from tskd._core.model_inputs import ModelInputs
from tskd.teachers.network import NetworkPredictor
from tskd.teachers.predictor import Chunks, TeacherPredictor
from tskd.weighting import CalibrationSet, Fixed, Step, Weighting, WeightingNeeds

HERE = Path(__file__).parent
TRAINER = {**QUIET, "limit_val_batches": 0}
LABELS, BEST = "labels alone", "best single (`Fixed`)"
NETWORK, LINEAR, NOISY = "network", "linear", "noisy"
AS_IT_IS = "as it is"
SPOILT = ("constant zero", "corrupted", "NaN")
# of teachers whose errors are known: standard deviation and bias
KNOWN_ERRORS = ((0.3, 0.0), (0.4, 0.0), (0.3, 0.4), (1.0, 0.0))
PREAMBLE = """## Weightings of several teachers

`python benchmarks/weighting_cases.py`

Generated data, means ± standard errors over {seeds} seeds; the same data and the same initial student for every
weighting. Each has its default arguments. *Best single* follows one teacher, chosen with the truth in view; *labels
alone* follows none. Weightings that judge teachers by held-out windows have as many as are said. The last three columns
have one teacher more: one that says 0; one as good as the best but for N(0, 2²) added to each window and component in a
random half of the windows; one that says NaN.{left_out}"""
FIRST = """### Teachers that see what the student cannot, a network

Squared error of the student to E[y | x], lower is better. Lookback 24, horizon 12, 2 components, 256 windows, 128 held
out, 500 to test; sums of two sines with N(0, .1²) on the inputs; labels have the truth, a random walk of steps
N(0, .35²) over the horizon, and N(0, .2²). Three teachers know 0, half and all of the random walk. Student: TiDE of
hidden size 16, Adam 4e-3, batch 64, 30 epochs, balance 0.7."""
SECOND = """### The same, a linear student

Excess risk of the student, lower is better. 60 windows of 20 inputs N(0, 1), 60 held out; labels are linear in them,
plus z ~ N(0, 1) and N(0, .3²). Five teachers know 0, .25, .5, .75 and 1 of z. Student: NLinear without normalisation,
gradient descent to the optimum, balance 1."""
THIRD = """### Teachers of known bias and variance

Squared error of the teachers' weighted forecast to the truth, in the last epoch, over that of the best convex
combination of which all errors are known ({best:.4f}); lower is better, and 1 is the best that fixed weights can do.
Data and student of the first table, without the random walk, labels with N(0, .5²); standard deviations of the teachers
.3, .4, .3 and 1, biases 0, 0, .4 and 0."""


class Told(Teacher):
    """A fitted teacher of given forecasts.

    Args:
        forecasts: `[n, H, C]`, of the n series that begin at a time stamp.
    """

    def __init__(self, model: Any, name: str, forecasts: Mapping[pd.Timestamp, np.ndarray]) -> None:
        super().__init__(model, name=name)
        self.forecasts = forecasts

    def predictor_on(self, inputs: ModelInputs, targets: Sequence[TimeSeries]) -> TeacherPredictor:
        predictor = super().predictor_on(inputs, targets)
        assert isinstance(predictor.base, NetworkPredictor)
        forecasts = torch.as_tensor(self.forecasts[inputs.series[0].start_time()], dtype=torch.float32)
        return replace(predictor, base=_GivenForecasts(predictor.base, forecasts))


class _GivenForecasts(NetworkPredictor):
    def __init__(self, base: NetworkPredictor, forecasts: Tensor) -> None:
        super().__init__(base.models, base.windows)
        self.forecasts = forecasts

    def outputs(self, model: int, keys: Tensor, fields: Sequence[str] = ()) -> Chunks:
        # a series is one window
        yield slice(0, len(keys)), {"forecasts": self.forecasts[keys[:, 0]]}


@dataclass(frozen=True)
class Part:
    """Windows, each a series of its own, the first step at `start`.

    Attributes:
        inputs: `[n, L, C]`.
        labels, truth: `[n, H, C]`.
        said: `[n, H, C]` of each teacher, by name.
    """

    start: str
    inputs: np.ndarray
    labels: np.ndarray
    truth: np.ndarray
    said: Mapping[str, np.ndarray]

    @cached_property
    def series(self) -> list[TimeSeries]:
        values = np.concatenate([self.inputs, self.labels], 1).astype("float32")
        times = pd.date_range(self.start, periods=values.shape[1], freq="h")
        columns = [f"y{component}" for component in range(values.shape[2])]
        return [TimeSeries.from_times_and_values(times, one, columns=columns) for one in values]


@dataclass(frozen=True)
class Data:
    """One case and seed.

    Attributes:
        train, held_out: the parts, with the same teachers.
        student: makes one.
        balance: α.
        error: of a fitted student.
    """

    train: Part
    held_out: Part
    student: Callable[[], Any]
    balance: float
    error: Callable[[Any], float]

    @cached_property
    def blank(self) -> Any:
        """A fitted model, to stand in for those of the teachers."""
        return self.student().untrained_model().fit(self.train.series[:2], epochs=1)

    def fit(self, weighting: Weighting | None, names: Sequence[str], balance: float) -> Any:
        """A student, distilled from the teachers of these names."""
        student, parts = self.student(), (self.train, self.held_out)
        said = [{pd.Timestamp(part.start): part.said[name] for part in parts} for name in names]
        teachers = [Told(self.blank, name, by_start) for name, by_start in zip(names, said, strict=True)]
        model = DistilledModel(student, teachers, weighting=weighting, balance=balance)
        model.fit(self.train.series, val_series=self.held_out.series)
        return student


def main() -> None:
    """Run all, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seeds", type=int, default=6, help="of every case")
    parser.add_argument("--csv-only", action="store_true", help="leave README.md as it is")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in ("pytorch_lightning", "lightning.pytorch", "darts", "tskd"):
        logging.getLogger(name).setLevel(logging.ERROR)
    rows = []
    runs = [*planned(options.seeds)]
    for run in tqdm(runs, desc="weighting cases", unit="run"):
        with warnings.catch_warnings():
            # teachers that say NaN or the same everywhere are meant
            warnings.simplefilter("ignore")
            rows.append(finished(*run))
    table = pd.DataFrame(rows)
    (HERE / "results").mkdir(exist_ok=True)
    table.to_csv(HERE / "results" / "weighting_cases.csv", index=False, float_format="%.6f")
    if not options.csv_only:
        write_section(HERE / "README.md", "weighting_cases", section(table, options.seeds))


def weightings() -> tuple[dict[str, type[Weighting]], list[str]]:
    """The public weightings that need no arguments, and the names of those that do."""
    found, needy = {}, []
    for name in tskd.weighting.__all__:
        kind = getattr(tskd.weighting, name)
        if not issubclass(kind, Weighting) or kind is Weighting:
            continue
        try:
            kind()
        except TypeError:
            needy.append(name)
        else:
            found[name] = kind
    return found, needy


def planned(seeds: int) -> Iterator[tuple[str, str, str, int]]:
    """Case, teachers, weighting and seed of every run."""
    known = [*weightings()[0]]
    for seed in range(seeds):
        for case in (NETWORK, LINEAR):
            for teachers in (AS_IT_IS, *SPOILT):
                # the others do not see a teacher that is added
                alone = [LABELS, BEST] if teachers == AS_IT_IS else []
                yield from ((case, teachers, weighting, seed) for weighting in [*alone, *known])
        yield from ((NOISY, AS_IT_IS, weighting, seed) for weighting in [BEST, *known])


def finished(case: str, teachers: str, weighting: str, seed: int) -> dict[str, Any]:
    """A run as a row of the table."""
    row = {"case": case, "teachers": teachers, "weighting": weighting, "seed": seed, "error": np.nan, "failure": ""}
    try:
        row["error"] = run(case, teachers, weighting, seed)
        if not np.isfinite(row["error"]):
            row["failure"] = "diverges"
    except Exception as error:
        row["failure"] = type(error).__name__
        tqdm.write(f"{case}, {teachers}, {weighting}, seed {seed}: {type(error).__name__}: {error}")
    return row


def run(case: str, teachers: str, weighting: str, seed: int) -> float:
    """The error of one weighting."""
    data = {NETWORK: network, LINEAR: linear, NOISY: noisy}[case](seed)
    honest = [name for name in data.train.said if name not in SPOILT]
    names = honest if teachers == AS_IT_IS else [*honest, teachers]
    if weighting == LABELS:
        return data.error(data.fit(None, names, 0.0))
    made: Weighting
    if weighting == BEST:
        # by construction the first; where teachers are privileged it knows nothing that the student does not
        made = Fixed({name: float(name == honest[0]) for name in names})
    else:
        made = weightings()[0][weighting]()
    if case != NOISY:
        return data.error(data.fit(made, names, data.balance))
    sink = Sink()
    data.fit(Recording(made, sink), names, data.balance)
    return float(np.square(sink.forecasts(len(data.train.labels)) - data.train.truth).mean() / best_risk()[0])


@cache
def network(seed: int) -> Data:
    """Sums of two sines; teachers that know a part of a random walk over the horizon."""

    def said(part: Sines) -> dict[str, np.ndarray]:
        truth, rng = part.truth, part.rng
        knowing = {f"knows {share:g}": truth + share * part.unseen for share in (0.0, 0.5, 1.0)}
        return {name: values + rng.normal(0, 0.1, truth.shape) for name, values in knowing.items()}

    return sines(seed, said, walk=0.35, noise=0.2)


@cache
def noisy(seed: int) -> Data:
    """The same without the random walk; teachers of known bias and variance."""

    def said(part: Sines) -> dict[str, np.ndarray]:
        shape, rng = part.truth.shape, part.rng
        return {f"sd {sd:g} bias {bias:g}": part.truth + bias + rng.normal(0, sd, shape) for sd, bias in KNOWN_ERRORS}

    return sines(seed, said, walk=0.0, noise=0.5)


@dataclass(frozen=True)
class Sines:
    """What the teachers of some windows may know: truth and the random walk that is added to it `[n, H, C]`."""

    truth: np.ndarray
    unseen: np.ndarray
    rng: np.random.Generator


def sines(seed: int, said: Callable[[Sines], dict[str, np.ndarray]], *, walk: float, noise: float) -> Data:
    """Windows of sines of random amplitude and phase."""
    rng = np.random.default_rng([seed, 1])
    lookback, horizon, components = 24, 12, 2

    def part(count: int, start: str) -> Part:
        steps = np.arange(lookback + horizon)[:, None]
        amplitude, phase = (
            rng.uniform(0.5, 1.5, (count, 1, components)),
            rng.uniform(0, 2 * np.pi, (count, 1, components)),
        )
        clean = amplitude * (np.sin(0.5 * steps + phase) + 0.3 * np.sin(1.3 * steps + 2 * phase))
        inputs = clean[:, :lookback] + rng.normal(0, 0.1, (count, lookback, components))
        truth = clean[:, lookback:]
        unseen = rng.normal(0, walk, truth.shape).cumsum(1)
        labels = truth + unseen + rng.normal(0, noise, truth.shape)
        teachers = said(Sines(truth, unseen, rng))
        return Part(start, inputs, labels, truth, teachers | spoilt(truth, rng))

    def student() -> Any:
        return TiDEModel(
            lookback,
            horizon,
            hidden_size=16,
            decoder_output_dim=4,
            temporal_decoder_hidden=16,
            dropout=0.0,
            n_epochs=30,
            batch_size=64,
            optimizer_kwargs={"lr": 4e-3},
            random_state=seed,
            pl_trainer_kwargs=TRAINER,
        )

    train, held_out, test = (part(n, start) for n, start in ((256, "2020"), (128, "2030"), (500, "2040")))
    histories = [series[:lookback] for series in test.series]

    def error(fitted: Any) -> float:
        return float(np.square(predicted(fitted, horizon, histories) - test.truth).mean())

    return Data(train, held_out, student, 0.7, error)


@cache
def linear(seed: int) -> Data:
    """A linear truth of 20 inputs, and teachers that know a part of what is added to it."""
    rng = np.random.default_rng([seed, 2])
    inputs, count = 20, 60
    slopes = rng.normal(0, np.sqrt(1 / inputs), inputs)

    def part(start: str) -> Part:
        x = rng.normal(size=(count, inputs))
        truth, unseen = (x @ slopes)[:, None, None], rng.normal(size=(count, 1, 1))
        said = {
            f"knows {share:g}": truth + share * unseen + rng.normal(0, 0.1, truth.shape)
            for share in (0.0, 0.25, 0.5, 0.75, 1.0)
        }
        labels = truth + unseen + rng.normal(0, 0.3, truth.shape)
        return Part(start, x[:, :, None], labels, truth, said | spoilt(truth, rng))

    train, held_out = part("2020"), part("2030")
    curvature = 2 * np.linalg.eigvalsh(train.inputs[:, :, 0].T @ train.inputs[:, :, 0] / count)[[0, -1]]
    low, high = np.sqrt(curvature * [0.8, 1.2])

    def student() -> Any:
        return NLinearModel(
            inputs,
            1,
            normalize=False,
            n_epochs=40,
            batch_size=count,
            optimizer_cls=torch.optim.SGD,
            # the heavy ball's best for a quadratic of this curvature
            optimizer_kwargs={"lr": 4 / (high + low) ** 2, "momentum": ((high - low) / (high + low)) ** 2},
            random_state=seed,
            pl_trainer_kwargs=TRAINER,
        )

    probes = np.concatenate([np.zeros((1, inputs)), np.eye(inputs)])[:, :, None]
    histories = [series[:inputs] for series in Part("2040", probes, probes[:, :1], probes[:, :1], {}).series]

    def error(fitted: Any) -> float:
        """Of an affine map, in closed form."""
        answers = predicted(fitted, 1, histories)[:, 0, 0]
        return float(np.square(answers[1:] - answers[0] - slopes).sum() + answers[0] ** 2)

    return Data(train, held_out, student, 1.0, error)


def spoilt(truth: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """What broken teachers say."""
    half = rng.permutation(len(truth)) < len(truth) // 2
    shift = rng.normal(0, 2, (len(truth), 1, truth.shape[2])) * half[:, None, None]
    corrupted = truth + rng.normal(0, 0.1, truth.shape) + shift
    return dict(zip(SPOILT, (np.zeros_like(truth), corrupted, np.full_like(truth, np.nan)), strict=True))


def predicted(fitted: Any, horizon: int, histories: list[TimeSeries]) -> np.ndarray:
    """`[n, H, C]`."""
    found = fitted.predict(horizon, series=histories, batch_size=len(histories), verbose=False)
    return np.stack([forecast.values() for forecast in found])


@cache
def best_risk() -> tuple[float, np.ndarray]:
    """The squared error of the best convex combination of teachers of known errors, and its weights."""
    sd, bias = np.array(KNOWN_ERRORS).T
    second = np.diag(sd**2) + np.outer(bias, bias)
    found = minimize(
        lambda w: w @ second @ w,
        np.full(len(sd), 1 / len(sd)),
        jac=lambda w: 2 * second @ w,
        bounds=[(0, 1)] * len(sd),
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        options={"ftol": 1e-14},
    )
    return float(found.fun), found.x


class Sink:
    """The last weighted forecast of each window; one, however often the weighting is copied."""

    def __init__(self) -> None:
        self.of: dict[int, Tensor] = {}

    def __deepcopy__(self, memo: Any) -> Sink:
        return self

    def forecasts(self, count: int) -> np.ndarray:
        return torch.stack([self.of[window] for window in range(count)]).double().numpy()


class Recording(Weighting):
    """Another weighting, of which the weighted forecasts are recorded."""

    def __init__(self, inner: Weighting, sink: Sink) -> None:
        super().__init__()
        self.inner, self.sink = inner, sink

    @property
    def needs(self) -> WeightingNeeds:
        return self.inner.needs

    def set_up(self, names: list[str]) -> None:
        self.inner.set_up(names)

    def calibrate(self, calibration: CalibrationSet) -> None:
        self.inner.calibrate(calibration)

    def start_epoch(self, epoch: int, calibration: CalibrationSet) -> None:
        self.inner.start_epoch(epoch, calibration)

    def scores(self, step: Step) -> Tensor:
        return self.inner.scores(step)

    def forward(self, step: Step) -> Tensor:
        weights = self.inner(step)
        shares = weights.reshape(weights.shape + (1,) * (4 - weights.dim())).expand_as(step.forecasts)
        # of weights that do not sum to one, what they say of the teachers against each other
        total = shares.sum(0)
        blended = (shares * step.forecasts).sum(0) / total.where(total > 0, 1)
        even = step.forecasts.sum(0) / step.valid.sum(0)[:, None, None].clamp(min=1)
        self.sink.of |= dict(zip(step.keys[:, 0].tolist(), blended.where(total > 0, even), strict=True))
        return weights


def section(table: pd.DataFrame, seeds: int) -> str:
    """The section of the README."""
    needy = [f"`{name}`" for name in weightings()[1] if name != Fixed.__name__]
    left_out = f" Left out, as they need arguments: {', '.join(needy)}." if needy else ""
    columns = {AS_IT_IS: AS_IT_IS, **{name: f"+ {name}" for name in SPOILT}}
    parts = [PREAMBLE.format(seeds=seeds, left_out=left_out)]
    for case, text in ((NETWORK, FIRST), (LINEAR, SECOND)):
        parts += [text, markdown(["weighting", *columns.values()], rows_of(table[table.case == case], columns))]
    noise = rows_of(table[table.case == NOISY], {AS_IT_IS: "/ best convex"})
    return "\n\n".join([*parts, THIRD.format(best=best_risk()[0]), markdown(["weighting", "/ best convex"], noise)])


def rows_of(table: pd.DataFrame, columns: Mapping[str, str]) -> list[dict[str, str]]:
    """A row for each weighting; `columns` are headings by teachers."""
    rows = []
    for weighting in dict.fromkeys(table.weighting):
        row = {"weighting": weighting if " " in weighting else f"`{weighting}`"}
        for teachers, heading in columns.items():
            one = table[(table.weighting == weighting) & (table.teachers == teachers)]
            row[heading] = cell(one)
        rows.append(row)
    return rows


def cell(runs: pd.DataFrame) -> str:
    """Mean ± standard error, or how it failed."""
    failed = [failure for failure in runs.failure if failure]
    if failed:
        return f"fails in {len(failed)} of {len(runs)}: {failed[0]}"
    if runs.empty:
        return ""
    mean = f"{runs.error.mean():.3f}"
    return mean if len(runs) == 1 else f"{mean} ± {runs.error.sem():.3f}"


if __name__ == "__main__":
    main()
