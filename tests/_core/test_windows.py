"""The gather equals darts' own data set, slot by slot and window by window."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
import torch
from darts import TimeSeries
from darts.models import TiDEModel
from darts.utils.data import SequentialTorchTrainingDataset, ShiftedTorchTrainingDataset
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.models import fast
from tests.helpers.series import walk
from tskd import DistilledModel
from tskd._core.darts.dataset import dataset_windows
from tskd._core.model_inputs import ModelInputs
from tskd._core.window_keys import WindowSampling, WindowSpan, training_keys
from tskd._core.windows import Slot, Windows, steps_between

SLOTS = (
    "past_target",
    "past_covariates",
    "historic_future_covariates",
    "future_covariates",
    "static_covariates",
    "future_target",
    "sample_weight",
)
LOOKBACK, HORIZON = 7, 3


@dataclass(frozen=True)
class Setup:
    """What a data set is made of; covariates span exactly what the windows need, plus `before` and `after`."""

    lengths: tuple[int, ...] = (31,)
    components: int = 2
    past: bool = False
    future: bool = False
    static: bool = False
    weight: str | None = None
    shift: int = 0
    freq: str | int = "h"
    dtype: Literal["float32", "float64"] = "float32"
    before: int = 0
    after: int = 0
    overlapping: bool = False
    options: dict[str, Any] = field(default_factory=dict)

    def dataset(self) -> ShiftedTorchTrainingDataset:
        series = [self._target(index, length) for index, length in enumerate(self.lengths)]
        chunks = {"output_chunk_length": HORIZON, "output_chunk_shift": self.shift}
        if self.overlapping:
            chunks = {"output_chunk_length": LOOKBACK, "shift": HORIZON + self.shift}
        kind = ShiftedTorchTrainingDataset if self.overlapping else SequentialTorchTrainingDataset
        return kind(
            series,
            past_covariates=[self._around(s, 3, 20 + i) for i, s in enumerate(series)] if self.past else None,
            future_covariates=[self._around(s, 2, 40 + i) for i, s in enumerate(series)] if self.future else None,
            input_chunk_length=LOOKBACK,
            **chunks,
            sample_weight=self._weights(series),
            **self.options,
        )

    def _series(self, n: int, components: int, seed: int, start: Any) -> TimeSeries:
        values = np.random.default_rng(seed).normal(size=(n, components)).astype(self.dtype)
        if isinstance(self.freq, int):
            times: Any = pd.RangeIndex(start, start + n * self.freq, self.freq)
        else:
            times = pd.date_range(start, periods=n, freq=self.freq)
        return TimeSeries.from_times_and_values(times, values)

    def _target(self, index: int, length: int) -> TimeSeries:
        start = 5 * index if isinstance(self.freq, int) else pd.Timestamp("2019-12-30") + pd.Timedelta(days=40 * index)
        series = self._series(length, self.components, index, start)
        if not self.static:
            return series
        static = pd.DataFrame({"size": [1.5 + index, 2.5], "age": [3.0, 4.0 - index]}).astype(self.dtype)
        return series.with_static_covariates(static)

    def _around(self, series: TimeSeries, components: int, seed: int) -> TimeSeries:
        start = series.start_time() - self.before * series.freq
        return self._series(self.before + len(series) + self.after, components, seed, start)

    def _weights(self, series: Sequence[TimeSeries]) -> Any:
        if self.weight in (None, "linear", "exponential"):
            return self.weight
        components = 1 if self.weight == "one" else self.components
        return [self._around(s, components, 60 + i) for i, s in enumerate(series)]


def having(**changes: Any) -> Callable[[Setup], Setup]:
    return lambda setup: replace(setup, **changes)


def fitting(**options: Any) -> Callable[[Setup], Setup]:
    return lambda setup: replace(setup, options=setup.options | options)


FEATURES: dict[str, Callable[[Setup], Setup]] = {
    "past": having(past=True),
    "future": having(future=True),
    "static": having(static=True),
    "static ignored": lambda setup: fitting(use_static_covariates=False)(replace(setup, static=True)),
    "unequal": having(lengths=(23, 40, 12)),
    "one component": having(components=1),
    "weight: one component": having(weight="one"),
    "weight: by component": having(weight="components"),
    "weight: linear": having(weight="linear"),
    "weight: exponential": having(weight="exponential"),
    "shift": having(shift=2),
    # as darts makes it for TCN: the labels are the lookback itself, shifted by the horizon
    "labels over the lookback": having(overlapping=True),
    "stride": fitting(stride=3),
    "stride past everything": fitting(stride=50),
    "few samples": fitting(max_samples_per_ts=5),
    "one sample": fitting(max_samples_per_ts=1),
    "more samples than there are": fitting(max_samples_per_ts=500),
    "integer index": having(freq=1),
    "integer index, step 3": having(freq=3),
    "daily": having(freq="D"),
    "weekly": having(freq="W-WED"),
    "monthly": having(freq="MS"),
    "business days": having(freq="B"),
    "quarters of an hour": having(freq="15min"),
    "float64": having(dtype="float64"),
    "covariates begin earlier": having(past=True, future=True, before=4),
    "covariates end later": having(past=True, future=True, after=5),
}
# a feature cannot meet another of its own kind, nor static covariates by component a target of one
EXCLUSIVE = (
    {name for name in FEATURES if name.startswith("weight")},
    {"integer index", "integer index, step 3", "daily", "weekly", "monthly", "business days", "quarters of an hour"},
    {"few samples", "one sample", "more samples than there are"},
    {"stride", "stride past everything"},
    {"static", "one component"},
    {"static ignored", "one component"},
    {"static", "static ignored"},
)
PAIRS = [
    pair for pair in combinations(FEATURES, 2) if not any(pair[0] in kind and pair[1] in kind for kind in EXCLUSIVE)
]


def samples_of(dataset: ShiftedTorchTrainingDataset) -> dict[str, torch.Tensor]:
    """Every sample of darts' data set, slot by slot `[N, steps, components]`; unused slots are left out."""
    samples = [dataset[index] for index in range(len(dataset))]
    return {
        name: torch.from_numpy(np.stack([getattr(sample, name) for sample in samples]))
        for name in SLOTS
        if getattr(samples[0], name) is not None
    }


def assert_equal_slots(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert set(found) == set(expected)
    for name, values in expected.items():
        assert found[name].dtype == values.dtype, name
        assert found[name].shape == values.shape, name
        assert torch.equal(found[name], values), name


def listed(dataset: ShiftedTorchTrainingDataset, visible: Any = None) -> tuple[torch.Tensor, Windows]:
    """Keys of the windows of a data set, and the windows."""
    lookback, horizon = dataset.input_chunk_length, dataset.output_chunk_length
    span = WindowSpan(lookback, horizon, dataset.shift - lookback)
    sampling = WindowSampling(dataset.stride, dataset.max_samples_per_ts)
    keys = training_keys([len(series) for series in dataset.series], span, sampling)
    return keys, dataset_windows(dataset, ModelInputs(dataset.series, visible=visible or {}, keys=keys))


def assert_equals_darts(dataset: ShiftedTorchTrainingDataset) -> None:
    expected = samples_of(dataset)
    keys, windows = listed(dataset)
    assert keys.shape == (len(dataset), 2)
    assert keys.dtype == torch.int64
    assert_equal_slots(windows.gather(keys), expected)
    shuffled = torch.randperm(len(keys), generator=torch.Generator().manual_seed(0))
    assert_equal_slots(windows.gather(keys[shuffled]), {name: values[shuffled] for name, values in expected.items()})
    assert bool(windows.covers(keys).all())
    for (series, origin), lookback in zip(keys.tolist(), expected["past_target"], strict=True):
        assert np.array_equal(dataset.series[series].values()[origin], lookback[-1])


def test_bare() -> None:
    assert_equals_darts(Setup().dataset())


@pytest.mark.parametrize("name", FEATURES)
def test_every_feature(name: str) -> None:
    assert_equals_darts(FEATURES[name](Setup()).dataset())


@pytest.mark.parametrize("pair", PAIRS, ids=" + ".join)
def test_every_pair_of_features(pair: tuple[str, str]) -> None:
    assert_equals_darts(FEATURES[pair[1]](FEATURES[pair[0]](Setup())).dataset())


@pytest.mark.parametrize("weight", ["one", "components", "linear", "exponential"])
@pytest.mark.parametrize("freq", ["h", "D", "W-SUN", "ME", 2])
def test_everything_at_once(weight: str, freq: str | int) -> None:
    setup = Setup(
        lengths=(23, 40, 14),
        past=True,
        future=True,
        static=True,
        weight=weight,
        shift=2,
        freq=freq,
        dtype="float64",
        before=3,
        after=4,
        options={"stride": 2, "max_samples_per_ts": 9},
    )
    assert_equals_darts(setup.dataset())


def test_static_covariates_of_the_whole_series() -> None:
    series = [
        walk(20, 2, seed=i).with_static_covariates(pd.DataFrame({"a": [1.0 + i]}, dtype="float32")) for i in (0, 1)
    ]
    assert_equals_darts(SequentialTorchTrainingDataset(series, input_chunk_length=4, output_chunk_length=2))


def test_covariates_and_weights_need_no_more_than_the_windows_read() -> None:
    target = walk(40)
    past, weight = walk(40, seed=1)[20:38], walk(40, seed=2)[20:]
    dataset = SequentialTorchTrainingDataset(
        target,
        past_covariates=past,
        future_covariates=walk(40, seed=3)[20:],
        input_chunk_length=7,
        output_chunk_length=2,
        max_samples_per_ts=12,
        sample_weight=weight,
    )
    assert_equals_darts(dataset)


@st.composite
def datasets(draw: st.DrawFn) -> dict[str, Any]:
    lookback, horizon = draw(st.integers(1, 9)), draw(st.integers(1, 6))
    shift = draw(st.integers(0, 4))
    lengths = draw(st.lists(st.integers(lookback + shift + horizon, 40), min_size=1, max_size=3))
    return {
        "lengths": lengths,
        "lookback": lookback,
        "horizon": horizon,
        "shift": shift,
        "stride": draw(st.integers(1, 7)),
        "most": draw(st.none() | st.integers(1, 30)),
        "before": draw(st.integers(0, 3)),
        "after": draw(st.integers(0, 3)),
    }


def darts_dataset(case: dict[str, Any]) -> SequentialTorchTrainingDataset:
    """Targets count 0, 1, 2 …, past covariates 1000 and up, future covariates 2000 and up, each by time step."""

    def counting(first: int, last: int, base: int, index: int) -> TimeSeries:
        steps = np.arange(first, last)
        # the series' index in the eighths: reading a neighbour's value would show
        return TimeSeries.from_times_and_values(pd.RangeIndex(first, last), base + steps + index / 8)

    lengths, before, after = case["lengths"], case["before"], case["after"]
    return SequentialTorchTrainingDataset(
        [counting(0, n, 0, i) for i, n in enumerate(lengths)],
        past_covariates=[
            counting(-before, n - case["horizon"] - case["shift"] + after, 1000, i) for i, n in enumerate(lengths)
        ],
        future_covariates=[counting(-before, n + after, 2000, i) for i, n in enumerate(lengths)],
        input_chunk_length=case["lookback"],
        output_chunk_length=case["horizon"],
        output_chunk_shift=case["shift"],
        stride=case["stride"],
        max_samples_per_ts=case["most"],
    )


@settings(deadline=None, max_examples=150)
@given(datasets())
def test_any_lengths(case: dict[str, Any]) -> None:
    assert_equals_darts(darts_dataset(case))


@settings(deadline=None, max_examples=150)
@given(datasets())
def test_every_slot_is_a_stretch_of_steps_about_the_origin(case: dict[str, Any]) -> None:
    keys, windows = listed(darts_dataset(case))
    batch = windows.gather(keys)
    series, origin = keys[:, 0, None, None], keys[:, 1, None, None]
    past = torch.arange(1 - case["lookback"], 1)[None, :, None]
    future = torch.arange(case["shift"] + 1, case["shift"] + case["horizon"] + 1)[None, :, None]
    assert torch.equal(batch["past_target"], origin + past + series / 8)
    assert torch.equal(batch["past_covariates"], 1000 + origin + past + series / 8)
    assert torch.equal(batch["historic_future_covariates"], 2000 + origin + past + series / 8)
    assert torch.equal(batch["future_covariates"], 2000 + origin + future + series / 8)
    assert torch.equal(batch["future_target"], origin + future + series / 8)


@settings(deadline=None, max_examples=150)
@given(datasets())
def test_keys_walk_back_from_the_newest_window(case: dict[str, Any]) -> None:
    span = case["lookback"] + case["shift"] + case["horizon"]
    distinct = [len(range(n - span, -1, -case["stride"])) for n in case["lengths"]]
    entries = max(distinct) if case["most"] is None else min(case["most"], max(distinct))
    expected = [
        [index, n - span - (j % count) * case["stride"] + case["lookback"] - 1]
        for index, (n, count) in enumerate(zip(case["lengths"], distinct, strict=True))
        for j in range(entries)
    ]
    window = WindowSpan(case["lookback"], case["horizon"], case["shift"])
    keys = training_keys(case["lengths"], window, WindowSampling(case["stride"], case["most"]))
    assert keys.tolist() == expected


def test_keys_by_hand() -> None:
    # 10 steps, lookback 3, shift 1, horizon 2: the newest window looks back over 4, 5, 6 and forecasts 8, 9;
    # the series of 7 steps has only the origins 3 and 2
    assert training_keys([10, 7], WindowSpan(3, 2, 1)).tolist() == [
        [0, 6], [0, 5], [0, 4], [0, 3], [0, 2],
        [1, 3], [1, 2], [1, 3], [1, 2], [1, 3],
    ]  # fmt: skip
    span, strided = WindowSpan(3, 2, 1), WindowSampling(stride=2)
    assert training_keys([10, 7], span, strided).tolist() == [[0, 6], [0, 4], [0, 2], [1, 3], [1, 3], [1, 3]]
    assert training_keys([10, 7], span, WindowSampling(2, 2)).tolist() == [[0, 6], [0, 4], [1, 3], [1, 3]]


def test_labels_can_be_left_out() -> None:
    setup = Setup(past=True, future=True, static=True, weight="one")
    keys, windows = listed(setup.dataset())
    everything, inputs = windows.gather(keys), windows.gather(keys, labels=False)
    assert set(everything) - set(inputs) == {"future_target", "sample_weight"}
    assert_equal_slots(inputs, {name: everything[name] for name in inputs})


def test_hidden_steps_are_read_as_zero() -> None:
    dataset = Setup(future=True).dataset()
    visible = torch.tensor([[True, True], [False, True], [True, False]])
    keys, windows = listed(dataset, {"future_covariates": visible})
    expected = samples_of(dataset)
    expected["future_covariates"] = torch.where(visible, expected["future_covariates"], 0)
    assert_equal_slots(windows.gather(keys), expected)


@settings(deadline=None, max_examples=100)
@given(
    begins=st.lists(st.integers(-6, 6), min_size=2, max_size=2),
    lengths=st.lists(st.integers(3, 25), min_size=2, max_size=2),
    gap=st.none() | st.integers(0, 24),
)
def test_covers_exactly_the_windows_whose_inputs_are_finite(
    begins: list[int], lengths: list[int], gap: int | None
) -> None:
    targets = [TimeSeries.from_times_and_values(pd.RangeIndex(0, 15), np.zeros(15)) for _ in begins]
    known = []
    for begin, length in zip(begins, lengths, strict=True):
        values = np.ones(length)
        if gap is not None and gap < length:
            values[gap] = np.nan
        known.append(TimeSeries.from_times_and_values(pd.RangeIndex(begin, begin + length), values))
    windows = Windows.of(ModelInputs(targets, known), WindowSpan(4, 2))
    keys = training_keys([15, 15], WindowSpan(4, 2))
    # step by step, by label: what has no value is NaN
    read = [
        pd.Series(known[series].values()[:, 0], index=known[series].time_index).reindex(range(origin - 3, origin + 1))
        for series, origin in keys.tolist()
    ]
    assert windows.covers(keys).tolist() == [bool(values.notna().all()) for values in read]


@pytest.mark.parametrize("slot", ["past_covariates", "future_covariates", "sample_weight"])
def test_another_frequency_is_refused(slot: str) -> None:
    other = {slot: walk(200, freq="30min", name="c")}
    dataset = SequentialTorchTrainingDataset(walk(40), input_chunk_length=5, output_chunk_length=2, **other)
    with pytest.raises(ValueError, match=r"frequencies differ.*c0.*y0"):
        listed(dataset)


def test_another_grid_is_refused() -> None:
    with pytest.raises(ValueError, match="do not lie on one grid"):
        steps_between(walk(40), walk(40, start="2020-01-01 00:30"))
    with pytest.raises(ValueError, match="do not lie on one grid"):
        Slot.of([walk(40, start="2019-12-31 23:10")], [walk(40)], 0, 2)


@pytest.mark.parametrize(
    ("freq", "start", "steps"),
    [("h", "2020-01-03 05:00", 53), ("D", "2020-03-01", 60), ("MS", "2021-03-01", 14), ("W-WED", "2020-02-05", 5)],
)
def test_steps_between(freq: str, start: str, steps: int) -> None:
    earlier, later = walk(30, freq=freq), walk(30, freq=freq, start=start)
    assert steps_between(earlier, later) == steps
    assert steps_between(later, earlier) == -steps


def test_a_series_too_short_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"series 1 has 9 steps; one window needs 10 \(lookback 5 \+ shift 2 \+ horizon 3"
    ):
        training_keys([10, 9], WindowSpan(5, 3, 2))
    dataset = SequentialTorchTrainingDataset([walk(30), walk(9)], input_chunk_length=7, output_chunk_length=3)
    with pytest.raises(ValueError, match="series 1 has 9 steps"):
        listed(dataset)


@pytest.mark.parametrize("begin, end", [(10, 60), (0, 50)], ids=["begins late", "ends early"])
@pytest.mark.parametrize("index", [0, 1, 2])
@pytest.mark.parametrize("slot", ["past_covariates", "future_covariates", "sample_weight"])
@pytest.mark.parametrize("prefix", ["", "val_"])
def test_series_that_do_not_cover_the_windows_are_refused(
    prefix: str, slot: str, index: int, begin: int, end: int
) -> None:
    targets = [walk(60, seed=i) for i in range(3)]
    whole = [walk(60, seed=10 + i, name="c") for i in range(3)]
    cut = [c[begin:end] if i == index else c for i, c in enumerate(whole)]
    given: dict[str, Any] = {"series": targets, "val_series": targets, slot: whole, f"val_{slot}": whole}
    given[f"{prefix}{slot}"] = cut
    # the window that darts itself looks at first is the newest of the first series: one of another must not be
    # filled with a neighbour's values
    student = TiDEModel(8, 4, hidden_size=4, **fast())
    with pytest.raises(ValueError, match=rf"{slot}.*2020-01"):
        DistilledModel(student, balance=0).fit(**given)


def test_read_only_values_are_used_without_a_warning() -> None:
    values = np.arange(30.0, dtype=np.float32)[:, None, None]
    values.flags.writeable = False
    series = TimeSeries(
        pd.RangeIndex(30), values, static_covariates=pd.DataFrame({"a": [1.0]}, dtype="float32"), copy=False
    )
    always = torch.is_warn_always_enabled()
    # torch says it once in a process otherwise
    torch.set_warn_always(True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert_equals_darts(SequentialTorchTrainingDataset(series, input_chunk_length=5, output_chunk_length=2))
    finally:
        torch.set_warn_always(always)


def test_a_varying_lookback_is_refused() -> None:
    dataset = SequentialTorchTrainingDataset(walk(30), input_chunk_length=(4, 7), output_chunk_length=3)
    with pytest.raises(ValueError, match="input_chunk_length is the range"):
        listed(dataset)


def test_another_kind_of_data_set_is_refused() -> None:
    with pytest.raises(TypeError, match="training data set"):
        dataset_windows([1, 2, 3], ModelInputs([walk(9)], keys=torch.zeros(3, 2).long()))
