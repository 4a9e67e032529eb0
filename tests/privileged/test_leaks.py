"""Nothing reaches a teacher later than its sources say, and nothing privileged ever reaches the student.

A leak is looked for by perturbing one sample at a time: samples later than `reads_until` must leave a window's forecast
bit-identical, the sample at `reads_until` must change it. The same search must find a leak where one is planted.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from darts import TimeSeries
from darts.models import DLinearModel, NLinearModel, TiDEModel
from torch import Tensor

from tests.helpers.models import fast
from tests.helpers.series import walk
from tskd import DistilledModel, Teacher
from tskd.privileged import CostlySensors, CovariateBlock, FutureHorizon, HighResolution, Source, WayPoint
from tskd.privileged import alignment as alignment_module
from tskd.teachers.network import NetworkPredictor

L, H, K = 4, 3, 4
HOUR = pd.Timedelta("1h")
BEFORE, AFTER = 5, 6
DELTA = 0.05


def teacher_model(shift: int = 0, **kwargs: Any) -> DLinearModel:
    defaults = fast(batch_size=64, kernel_size=3, random_state=1)
    return DLinearModel(L, H, output_chunk_shift=shift, **(defaults | kwargs))


def student_model(shift: int = 0, **kwargs: Any) -> NLinearModel:
    defaults = fast(n_epochs=2, batch_size=16, random_state=2)
    return NLinearModel(L, H, output_chunk_shift=shift, **(defaults | kwargs))


def around(target: TimeSeries, *, k: int = 1, seed: int, name: str, components: int = 2) -> TimeSeries:
    """An hourly or finer privileged series that begins before the target and runs on after its end."""
    start = target.start_time() - BEFORE * HOUR
    steps = (BEFORE + len(target) + AFTER) * k
    return walk(steps, components, seed=seed, start=str(start), freq=f"{60 // k}min", name=name)


def means(fine: TimeSeries, n: int) -> TimeSeries:
    """Hourly means, labelled by the start of the hour, of the n hours from the fifth on."""
    hourly = fine.values().reshape(-1, K, fine.n_components).mean(1)[BEFORE : BEFORE + n]
    times = pd.date_range(fine.start_time() + BEFORE * HOUR, periods=n, freq="h")
    return TimeSeries.from_times_and_values(times, hourly, columns=[f"y{i}" for i in range(fine.n_components)])


def around_steps(target: TimeSeries, freq: str, *, seed: int) -> TimeSeries:
    """A fine series that begins two steps before the target and runs on two after its end, whatever their lengths."""
    times = pd.date_range(target.start_time() - 2 * target.freq, target.end_time() + 2 * target.freq, freq=freq)
    return walk(len(times), 2, seed=seed, start=str(times[0]), freq=freq, name="fine")


def means_of_steps(fine: TimeSeries, target: TimeSeries) -> TimeSeries:
    """The means over the steps that begin at the target's stamps, on its grid."""
    ends = target.time_index.append(pd.Index([target.end_time() + target.freq]))
    frame = pd.DataFrame(fine.values(), index=fine.time_index)
    return target.with_values(
        np.stack([frame[(frame.index >= a) & (frame.index < b)].mean() for a, b in itertools.pairwise(ends)])[..., None]
    )


@dataclass(frozen=True)
class Case:
    """Sources of one teacher, and by hand the last step that each privileged series may be read at.

    With `freq`, of the target and of the fine series, steps are those of a calendar; the longest has `samples`.
    """

    sources: tuple[Source, ...]
    until: dict[str | None, Fraction | int]
    shift: int = 0
    from_means: bool = False
    blind: bool = False
    lengths: tuple[int, ...] = (16,)
    freq: tuple[Any, str] | None = None
    samples: int = K
    series: list[TimeSeries] = field(init=False)
    privileged: dict[str, list[TimeSeries]] = field(init=False)

    def __post_init__(self) -> None:
        series: list[TimeSeries] = []
        privileged: dict[str, list[TimeSeries]] = {name: [] for name in self.until if name is not None}
        for index, n in enumerate(self.lengths):
            if self.freq is not None:
                target = walk(n, 2, seed=index, start=str(pd.Timestamp("2019-12-18")), freq=self.freq[0])
                fine = around_steps(target, self.freq[1], seed=50 + index)
                series.append(means_of_steps(fine, target) if self.from_means else target)
                privileged["minute"].append(fine)
                continue
            target = walk(n, 2, seed=index, start=str(pd.Timestamp("2020-01-01") + index * 30 * HOUR))
            fine = around(target, k=K, seed=50 + index, name="fine")
            series.append(means(fine, n) if self.from_means else target)
            made = {
                "minute": fine,
                "lab": around(target, seed=60 + index, name="lab"),
                "sky": around(target, seed=70 + index, name="sky", components=1),
            }
            for name in privileged:
                privileged[name].append(made[name])
        object.__setattr__(self, "series", series)
        object.__setattr__(self, "privileged", privileged)

    def given(self) -> dict[str, Any]:
        if len(self.series) == 1:
            return {"series": self.series[0], "privileged": {name: v[0] for name, v in self.privileged.items()}}
        return {"series": self.series, "privileged": self.privileged}

    def teacher(self) -> Teacher:
        return Teacher(teacher_model(self.shift), self.sources, name="t", sees_inputs=not self.blind)

    def with_sample(self, name: str | None, index: int, position: int) -> tuple[Case, pd.Timestamp]:
        """The case with one sample of one privileged series (of the target for None) moved, and its time."""
        rows = self.series if name is None else self.privileged[name]
        values = rows[index].values()
        values[position] += DELTA
        changed = [s.with_values(values[..., None]) if i == index else s for i, s in enumerate(rows)]
        case = replace(self)
        if name is None:
            object.__setattr__(case, "series", changed)
        else:
            object.__setattr__(case, "series", self.series)
            object.__setattr__(case, "privileged", self.privileged | {name: changed})
        return case, rows[index].time_index[position]

    def positions(self, series: TimeSeries) -> list[int]:
        """The samples that are perturbed: of a calendar those within two of a stamp of the target."""
        if self.freq is None:
            return list(range(len(series)))
        stamps = pd.date_range(series.start_time(), series.end_time(), freq=self.freq[0])
        near = series.time_index.searchsorted(stamps)[:, None] + np.arange(-2, 3)
        return sorted({int(i) for i in near.ravel() if 0 <= i < len(series)})

    def asked(self, teacher: Teacher) -> tuple[Tensor, Tensor, Tensor]:
        """Keys, forecasts and validity of every window whose horizon ends within its series."""
        keys = torch.tensor(
            [(i, origin) for i, s in enumerate(self.series) for origin in range(L - 1, len(s) - H - self.shift)]
        )
        return keys, *teacher.predictor(self.series, privileged=self.privileged).forecasts(keys)


def step_of(stamp: pd.Timestamp, target: TimeSeries) -> Fraction:
    """Where a time stamp lies, in steps after the first of the target; steps may be of unequal length."""
    grid = pd.date_range(target.start_time() - 12 * target.freq, periods=len(target) + 24, freq=target.freq)
    step = int(grid.searchsorted(stamp, side="right")) - 1
    into = Fraction((stamp - grid[step]) / (grid[step + 1] - grid[step])).limit_denominator(100)
    return step - 12 + into


def search(case: Case) -> tuple[list[str], list[str]]:
    """Windows that a later sample moves, and windows that the sample at `reads_until` does not move."""
    teacher = case.teacher().fit(**case.given())
    keys, reference, covered = case.asked(teacher)
    assert bool(covered.any())
    leaks, misses = [], []
    for name, until in case.until.items():
        for index, series in enumerate(case.series if name is None else case.privileged[name]):
            for position in case.positions(series):
                moved_case, stamp = case.with_sample(name, index, position)
                _, found, covered_now = moved_case.asked(teacher)
                assert torch.equal(covered_now, covered)
                at = step_of(stamp, case.series[index])
                moved = (found != reference).flatten(1).any(1) & covered
                for window, (i, origin) in enumerate(keys.tolist()):
                    distance = at - origin
                    where = f"{name!r} at {stamp} ({distance} after the origin) in window {(i, origin)}"
                    if i != index or distance > until:
                        leaks += [where] * bool(moved[window])
                    elif distance == until and bool(covered[window]):
                        misses += [where] * (not bool(moved[window]))
    return leaks, misses


NEW_YEAR = pd.offsets.CustomBusinessDay(holidays=["2019-12-25", "2019-12-26", "2020-01-01"])
CASES = {
    "whole horizon": Case((FutureHorizon("lab"),), {"lab": 3}),
    "prefix of the horizon": Case((FutureHorizon("lab", end=2),), {"lab": 2}),
    "middle of the horizon": Case((FutureHorizon("lab", start=2, end=2),), {"lab": 2}),
    "end of the horizon": Case((FutureHorizon("lab", start=2),), {"lab": 3}),
    "whole horizon of a shifted model": Case((FutureHorizon("lab"),), {"lab": 5}, shift=2),
    "part of the horizon of a shifted model": Case((FutureHorizon("lab", start=3, end=4),), {"lab": 4}, shift=2),
    "future of the target itself": Case((FutureHorizon(end=1),), {None: 1}),
    "sensors": Case((CostlySensors("lab"),), {"lab": 0}),
    "sensors of later": Case((CostlySensors("lab", until=2),), {"lab": 2}),
    "sensors of later than the horizon": Case((CostlySensors("lab", until=5),), {"lab": 5}),
    "sensors of a shifted model": Case((CostlySensors("lab", until=1),), {"lab": 1}, shift=2),
    "point samples": Case((HighResolution("minute"),), {"minute": 0}),
    "means": Case((HighResolution("minute", coarse="mean"),), {"minute": Fraction(3, 4)}, from_means=True),
    "series of unequal length, future": Case((FutureHorizon("lab", end=2),), {"lab": 2}, lengths=(14, 11)),
    "series of unequal length, sensors": Case((CostlySensors("lab", until=1),), {"lab": 1}, lengths=(11, 14)),
    "series of unequal length, points": Case((HighResolution("minute"),), {"minute": 0}, lengths=(11, 9)),
    "series of unequal length, means": Case(
        (HighResolution("minute", coarse="mean"),), {"minute": Fraction(3, 4)}, from_means=True, lengths=(11, 12)
    ),
    "everything in one teacher": Case(
        (FutureHorizon("sky", start=2, end=2), CostlySensors("lab", until=1), HighResolution("minute")),
        {"sky": 2, "lab": 1, "minute": 0},
    ),
    "everything in one teacher, on means and unequal lengths": Case(
        (HighResolution("minute", coarse="mean"), FutureHorizon(end=1), CostlySensors("lab"), FutureHorizon("sky")),
        {"minute": Fraction(3, 4), None: 1, "lab": 0, "sky": 3},
        from_means=True,
        lengths=(12, 11),
    ),
    "a way point": Case((WayPoint("lab", 2),), {"lab": 2}),
    "a way point alone": Case((WayPoint("lab", 2),), {"lab": 2}, blind=True),
    "a way point of the target": Case((WayPoint(None, 1),), {None: 1}),
    "a way point beyond the horizon": Case((WayPoint("lab", 5),), {"lab": 5}),
    "beyond the horizon": Case((FutureHorizon("lab", start=4, end=5),), {"lab": 5}),
    "across the end of the horizon": Case((FutureHorizon("lab", start=3, end=7),), {"lab": 7}),
    "beyond the horizon of a shifted model": Case((FutureHorizon("lab", start=6, end=7),), {"lab": 7}, shift=2),
    "coarser means": Case((FutureHorizon("lab", mean_over=2),), {"lab": 2}),
    "coarser means from the second step on": Case((FutureHorizon("lab", start=2, end=5, mean_over=2),), {"lab": 5}),
    "noise": Case((FutureHorizon("lab", end=2, noise_variance=0.3),), {"lab": 2}),
    "series of unequal length, way point and means beyond": Case(
        (WayPoint("sky", 2), FutureHorizon("lab", start=3, end=6, mean_over=2)), {"sky": 2, "lab": 6}, lengths=(13, 15)
    ),
    "sensors alone": Case((CostlySensors("lab", until=1),), {"lab": 1}, blind=True, lengths=(14, 11)),
    "days of months": Case((HighResolution("minute"),), {"minute": 0}, lengths=(9,), freq=("MS", "D")),
    "days of months, means": Case(
        (HighResolution("minute", coarse="mean"),),
        {"minute": Fraction(30, 31)},
        from_means=True,
        lengths=(8, 7),
        freq=("MS", "D"),
        samples=31,
    ),
    "months of quarters": Case((HighResolution("minute"),), {"minute": 0}, lengths=(9,), freq=("QS", "MS")),
    "hours of business days": Case((HighResolution("minute"),), {"minute": 0}, lengths=(10,), freq=("B", "6h")),
    # of a holiday on a Wednesday before a Thursday, 48 of 72 hours
    "hours of business days without holidays": Case(
        (HighResolution("minute"),), {"minute": 0}, lengths=(10,), freq=(NEW_YEAR, "8h")
    ),
    "hours of business days, means": Case(
        (HighResolution("minute", coarse="mean"),),
        {"minute": Fraction(11, 12)},
        from_means=True,
        lengths=(10,),
        freq=("B", "6h"),
        samples=12,
    ),
    "two sources on one series": Case((CostlySensors("lab"), FutureHorizon("lab", end=2)), {"lab": 2}),
}


def named(*names: str) -> Any:
    return pytest.mark.parametrize("case", [pytest.param(CASES[name], id=name) for name in names or CASES])


@named()
def test_nothing_later_than_reads_until_reaches_a_teacher(case: Case) -> None:
    leaks, misses = search(case)
    assert not leaks
    assert not misses


@named()
def test_sources_say_how_far_they_read(case: Case) -> None:
    said: dict[str | None, Fraction] = {}
    for source in case.sources:
        until = source.reads_until(H + case.shift, case.samples if isinstance(source, HighResolution) else 1)
        said[source.name] = max(until, said.get(source.name, until))
    assert said == case.until


def one_sample_early(monkeypatch: pytest.MonkeyPatch, kind: type[Source]) -> None:
    """Every privileged value carries the stamp of the sample before it."""
    honest = kind.blocks

    def blocks(self: Source, privileged: TimeSeries, series: TimeSeries, horizon: range) -> list[CovariateBlock]:
        return honest(self, privileged.shift(-1), series, horizon)

    monkeypatch.setattr(kind, "blocks", blocks)


@named("point samples", "means", "series of unequal length, points", "series of unequal length, means")
def test_a_fine_window_moved_by_one_fine_step_is_found(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    def fold(fine: TimeSeries, coarse: TimeSeries, **kwargs: Any) -> TimeSeries:
        return alignment_module.fold(fine.shift(-1), coarse, **kwargs)

    monkeypatch.setattr("tskd.privileged.past.fold", fold)
    leaks, _ = search(case)
    assert leaks
    expected = next(iter(case.until.values())) + Fraction(1, K)
    assert all(f"({expected} after" in leak for leak in leaks)


@named("point samples")
def test_the_fold_of_the_step_that_starts_at_the_stamp_is_found(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    def fold(fine: TimeSeries, coarse: TimeSeries, *, whole_step: bool) -> TimeSeries:
        return alignment_module.fold(fine, coarse, whole_step=not whole_step)

    monkeypatch.setattr("tskd.privileged.past.fold", fold)
    leaks, _ = search(case)
    assert {leak.split("(")[1].split()[0] for leak in leaks} == {"1/4", "1/2", "3/4"}


@named("sensors", "sensors of later", "series of unequal length, sensors", "everything in one teacher")
def test_sensors_moved_by_one_step_are_found(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    one_sample_early(monkeypatch, CostlySensors)
    leaks, _ = search(case)
    assert leaks
    assert all("'lab'" in leak for leak in leaks)


@named("whole horizon", "prefix of the horizon", "whole horizon of a shifted model", "everything in one teacher")
def test_a_future_moved_by_one_step_is_found(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    one_sample_early(monkeypatch, FutureHorizon)
    leaks, _ = search(case)
    assert leaks


@named("prefix of the horizon", "middle of the horizon", "future of the target itself")
def test_a_future_that_reads_one_step_further_is_found(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = FutureHorizon._read
    monkeypatch.setattr(FutureHorizon, "_read", lambda self, horizon: range(self.start, honest(self, horizon).stop + 1))
    leaks, _ = search(case)
    assert leaks


@named("end of the horizon", "middle of the horizon")
def test_steps_before_the_start_of_a_future_are_hidden(case: Case) -> None:
    """Neither t+1 nor the lookback up to t is declared by a source that starts at t+2."""
    teacher = case.teacher().fit(**case.given())
    keys, reference, _ = case.asked(teacher)
    origin = 8
    window = keys[:, 1].tolist().index(origin)
    for step, expected in ((0, False), (1, False), (2, True)):
        changed, stamp = case.with_sample("lab", 0, BEFORE + origin + step)
        assert stamp == case.series[0].time_index[origin] + step * HOUR
        _, found, _ = changed.asked(teacher)
        assert bool((found[window] != reference[window]).any()) is expected


def with_tail(series: TimeSeries, end: pd.Timestamp, seed: int | None) -> TimeSeries:
    """The series with other values after `end`, or none."""
    kept = series.drop_after(end, keep_point=True)
    if seed is None:
        return kept
    values = series.values()
    values[len(kept) :] = np.random.default_rng(seed).normal(scale=100, size=(len(series) - len(kept), values.shape[1]))
    return series.with_values(values[..., None])


def weights(model: Any) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.model.state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@named(
    "whole horizon",
    "middle of the horizon",
    "sensors",
    "sensors of later",
    "sensors of later than the horizon",
    "point samples",
    "means",
    "everything in one teacher",
    "everything in one teacher, on means and unequal lengths",
)
def test_privileged_values_after_the_end_of_training_are_never_read(case: Case) -> None:
    trained = []
    for seed in (1, 2, None):
        privileged = {
            name: [
                with_tail(
                    s, target.end_time() + (HOUR - s.freq if name == "minute" and case.from_means else 0 * HOUR), seed
                )
                for s, target in zip(several, case.series, strict=True)
            ]
            for name, several in case.privileged.items()
        }
        model = DistilledModel(student_model(case.shift), case.teacher(), balance=0.5)
        model.fit(case.series, privileged=privileged)
        trained.append((weights(model.student), weights(model.teachers[0].models[0])))
    for student, teacher in trained[1:]:
        assert same(teacher, trained[0][1])
        assert same(student, trained[0][0])


@contextmanager
def inputs_of(kind: str) -> Iterator[list[list[Tensor]]]:
    """Every tensor that goes into networks of this class while the context lasts."""
    seen: list[list[Tensor]] = []

    def record(module: torch.nn.Module, arguments: tuple[Any, ...]) -> None:
        if type(module).__name__ == kind:
            slots = (getattr(given, slot.name) for given in arguments for slot in fields(given))
            seen.append([value.detach().clone() for value in slots if isinstance(value, Tensor)])

    handle = torch.nn.modules.module.register_module_forward_pre_hook(record)
    try:
        yield seen
    finally:
        handle.remove()


@named("whole horizon", "sensors of later", "point samples", "everything in one teacher")
@pytest.mark.parametrize("balance", [0, 0.5])
def test_the_student_is_shown_nothing_privileged(case: Case, balance: float) -> None:
    runs = []
    for factor in (1.0, -3.0):
        privileged = {name: [s * factor + 1 for s in several] for name, several in case.privileged.items()}
        student = student_model()
        with inputs_of("_NLinearModule") as seen:
            DistilledModel(student, case.teacher(), balance=balance).fit(case.series, privileged=privileged)
        runs.append((seen, weights(student), student.train_sample))
    (first_inputs, first_weights, _), (second_inputs, second_weights, _) = runs
    assert first_inputs
    assert [len(step) for step in first_inputs] == [len(step) for step in second_inputs]
    for mine, theirs in zip(first_inputs, second_inputs, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(mine, theirs, strict=True))
    assert same(first_weights, second_weights) is (balance == 0)

    plain = student_model()
    with inputs_of("_NLinearModule") as alone:
        plain.fit(case.series)
    shapes = [[tuple(value.shape) for value in step] for step in alone]
    assert shapes == [[tuple(value.shape) for value in step] for step in first_inputs]
    for mine, theirs in zip(first_inputs, alone, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(mine, theirs, strict=True))
    assert same(first_weights, weights(plain)) is (balance == 0)


def test_a_deployed_student_asks_for_nothing_privileged_and_names_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = walk(30, seed=1)
    lab = walk(30, seed=2, name="zirconiumprobe")
    model = DistilledModel(student_model(), Teacher(teacher_model(), CostlySensors("quicksilver")), balance=0.5)
    model.fit(target, privileged={"quicksilver": lab})
    assert "privileged" not in inspect.signature(DistilledModel.predict).parameters
    forecast = model.predict(H)
    later = model.predict(H, series=walk(20, seed=5))

    monkeypatch.chdir(tmp_path)
    model.student.save("student.pt")
    files = list(tmp_path.rglob("*"))
    assert files
    for file in files:
        content = file.read_bytes().lower()
        assert b"zirconiumprobe" not in content
        assert b"quicksilver" not in content
    loaded = NLinearModel.load("student.pt")
    assert loaded.predict(H, series=target) == forecast
    assert loaded.predict(H, series=walk(20, seed=5)) == later


def test_the_model_does_no_scaling_of_its_own() -> None:
    """What teachers and students read are the values given, so that scaling stays with the caller's training part."""
    case = CASES["everything in one teacher"]
    given = case.given()
    series, privileged = given["series"], given["privileged"]
    teacher = case.teacher().fit(**given)
    base = teacher.predictor(series, privileged=privileged).base
    assert isinstance(base, NetworkPredictor)
    slots = base.windows.gather(torch.tensor([[0, 7]]))
    origin = series.time_index[7]

    past = series.slice(origin - (L - 1) * HOUR, origin).values()
    np.testing.assert_array_equal(slots["past_target"][0].numpy(), past)
    lab = privileged["lab"].slice(origin - (L - 2) * HOUR, origin + HOUR).values()
    fine = privileged["minute"].slice(origin - L * HOUR + privileged["minute"].freq, origin).values().reshape(L, -1)
    np.testing.assert_array_equal(slots["past_covariates"][0].numpy(), np.concatenate([lab, fine], axis=1))
    sky = privileged["sky"].slice(origin + HOUR, origin + H * HOUR).values()
    sky[[0, 2]] = 0
    known = np.array([[0.0], [1], [0]])
    np.testing.assert_array_equal(slots["future_covariates"][0].numpy(), np.concatenate([sky, known], axis=1))

    with inputs_of("_NLinearModule") as seen:
        DistilledModel(student_model(n_epochs=1), teacher, balance=0.5).fit(**given)
    offered = {past.values().tobytes() for past in (series[i : i + L] for i in range(len(series) - L + 1))}
    assert all(window.numpy().tobytes() in offered for window in torch.cat([step[0] for step in seen]))


def changed_after(series: TimeSeries, last: pd.Timestamp, seed: int = 3) -> TimeSeries:
    values = series.values()
    later = series.time_index > last
    values[later] += np.random.default_rng(seed).normal(scale=3, size=values[later].shape)
    return series.with_values(values[..., None])


def changed_at(series: TimeSeries, stamp: pd.Timestamp) -> TimeSeries:
    values = series.values()
    values[series.get_index_at_point(stamp)] += 1
    return series.with_values(values[..., None])


def rolled(target: Any, privileged: dict[str, Any], teachers: Sequence[Teacher], **kwargs: Any) -> Any:
    model = DistilledModel(student_model(), teachers, balance=0.6)
    return model.historical_forecasts(
        target,
        retrain=True,
        privileged=privileged,
        start=14,
        forecast_horizon=H,
        stride=5,
        last_points_only=False,
        show_warnings=False,
        **kwargs,
    )


@named(
    "whole horizon",
    "middle of the horizon",
    "sensors",
    "sensors of later",
    "point samples",
    "everything in one teacher",
)
def test_retraining_knows_nothing_of_what_comes_after_its_origin(case: Case) -> None:
    target = walk(30, 2, seed=4)
    privileged = {
        "lab": around(target, seed=61, name="lab"),
        "sky": around(target, seed=71, name="sky", components=1),
        "minute": around(target, k=K, seed=51, name="fine"),
    }
    privileged = {name: privileged[name] for name in case.until if name is not None}
    reference = rolled(target, privileged, [case.teacher()])
    assert len(reference) >= 3
    for index in (0, len(reference) - 1):
        origin = reference[index].start_time() - HOUR
        later = {name: changed_after(s, origin) for name, s in privileged.items()}
        found = rolled(changed_after(target, origin), later, [case.teacher()])
        assert all(found[i] == reference[i] for i in range(index + 1))
        assert index + 1 == len(reference) or found[index + 1] != reference[index + 1]
    # the last values that a refit may know do matter
    last = reference[-1].start_time() - HOUR
    for name in privileged:
        moved = rolled(target, privileged | {name: changed_at(privileged[name], last - 6 * HOUR)}, [case.teacher()])
        assert moved[-1] != reference[-1]


def test_retraining_on_means_reads_no_further_than_the_step_of_the_origin() -> None:
    fine = around(walk(30), k=K, seed=50, name="fine")
    target = means(fine, 30)
    teacher = Teacher(teacher_model(), HighResolution("minute", coarse="mean"))
    reference = rolled(target, {"minute": fine}, [teacher])
    origin = reference[1].start_time() - HOUR
    later = changed_after(fine, origin + HOUR - fine.freq)
    found = rolled(means(later, 30), {"minute": later}, [teacher])
    assert found[:2] == reference[:2]
    assert found[2] != reference[2]


def test_retraining_over_several_series_reads_each_series_own_privileged_values() -> None:
    targets = [walk(30, 2, seed=4), walk(25, 2, seed=5, start="2020-02-01")]
    lab = [around(target, seed=61 + i, name="lab") for i, target in enumerate(targets)]
    teacher = Teacher(teacher_model(), CostlySensors("lab", until=1))
    reference = rolled(targets, {"lab": lab}, [teacher])
    alone = [rolled(target, {"lab": own}, [teacher]) for target, own in zip(targets, lab, strict=True)]
    assert reference == alone
    origin = reference[1][0].start_time() - HOUR
    found = rolled(
        [targets[0], changed_after(targets[1], origin)], {"lab": [lab[0], changed_after(lab[1], origin)]}, [teacher]
    )
    assert found[0] == reference[0]
    assert found[1][0] == reference[1][0]
    assert found[1][1] != reference[1][1]


def fitted_elsewhere(how: str, series: TimeSeries, lab: TimeSeries) -> tuple[Teacher, dict[str, Any]]:
    """A fitted teacher, and what its sources read in rolling evaluation."""
    sensors = Teacher(teacher_model(), CostlySensors("lab"))
    other = walk(20, 2, seed=8, start="2019-01-01")
    if how == "by darts":
        return Teacher(teacher_model().fit(series)), {}
    if how == "by darts, on several series":
        return Teacher(teacher_model().fit([other, series])), {}
    if how == "by Teacher.fit":
        return sensors.fit(series, privileged={"lab": lab}), {"lab": lab}
    if how == "by Teacher.fit, on a list":
        return sensors.fit([series], privileged={"lab": [lab]}), {"lab": lab}
    if how == "by Teacher.fit, on several series":
        return sensors.fit([other, series], privileged={"lab": [around(other, seed=1, name="lab"), lab]}), {"lab": lab}
    model = DistilledModel(student_model(), sensors).fit(series, privileged={"lab": lab})
    fitted = model.teachers[0]
    assert isinstance(fitted, Teacher)
    return fitted, {"lab": lab}


HOW = [
    "by darts",
    "by Teacher.fit",
    "by Teacher.fit, on a list",
    "by Teacher.fit, on several series",
    "by DistilledModel",
]


@pytest.mark.parametrize("how", [*HOW, "by darts, on several series"])
def test_a_teacher_fitted_on_what_comes_after_an_origin_is_refused(how: str) -> None:
    target = walk(30, 2, seed=4)
    teacher, privileged = fitted_elsewhere(how, target, around(target, seed=61, name="lab"))
    with pytest.raises(ValueError, match=r"(?s)DLinearModel.*fitted"):
        rolled(target, privileged, [teacher])


@pytest.mark.parametrize("how", HOW)
def test_a_teacher_fitted_before_the_first_origin_is_used_as_it_is(how: str) -> None:
    target = walk(30, 2, seed=4)
    lab = around(target, seed=61, name="lab")
    teacher, privileged = fitted_elsewhere(how, target[:13], lab)
    before = weights(teacher.model)
    reference = rolled(target, privileged, [teacher])
    assert same(before, weights(teacher.model))
    origin = reference[0].start_time() - HOUR
    later = {name: changed_after(s, origin) for name, s in privileged.items()}
    found = rolled(changed_after(target, origin), later, [teacher])
    assert found[0] == reference[0]
    assert found[1] != reference[1]


HOURS, TRAINED = 3000, 2200
Frame = Callable[[Path], pd.DataFrame]


def ett(folder: Path, name: str, hours: int = HOURS) -> pd.DataFrame:
    frame = pd.read_csv(folder / f"{name}.csv.gz", parse_dates=["date"], index_col="date")
    return frame[: hours * (4 if name.startswith("ETTm") else 1)]


def as_series(frame: pd.DataFrame, *columns: str, dtype: str = "float64") -> TimeSeries:
    columns = columns or tuple(frame.columns)
    return TimeSeries.from_times_and_values(frame.index, frame[list(columns)].to_numpy(dtype), columns=list(columns))


def error_ratio(target: TimeSeries, fine: TimeSeries, source: HighResolution) -> float:
    """One-step test MSE of least squares on all that the teacher sees, over that on the target's past alone."""
    cut = target.time_index[TRAINED - 1]
    model = DLinearModel(12, 1, **fast(batch_size=1024))
    teacher = Teacher(model, source).fit(target[:TRAINED], privileged={"minute": fine.drop_after(cut, keep_point=True)})
    base = teacher.predictor(target, privileged={"minute": fine}).base
    assert isinstance(base, NetworkPredictor)
    windows = base.windows
    keys = torch.tensor([(0, origin) for origin in range(12, len(target) - 1)])
    keys = keys[windows.covers(keys)]
    slots = {name: values.flatten(1).numpy() for name, values in windows.gather(keys).items()}
    test = keys[:, 1].numpy() >= TRAINED
    labels = slots["future_target"][:, 0]
    errors = []
    for names in (("past_target", "past_covariates"), ("past_target",)):
        inputs = np.concatenate([slots[name] for name in names] + [np.ones((len(keys), 1))], axis=1)
        solution = np.linalg.lstsq(inputs[~test], labels[~test], rcond=None)[0]
        errors.append(np.square(inputs[test] @ solution - labels[test]).mean())
    return float(errors[0] / errors[1])


def test_the_fine_past_of_ett_is_worth_little_and_the_wrong_fold_is_worth_a_leak(
    data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = as_series(ett(data_folder, "ETTh1"), "OT")
    fine = as_series(ett(data_folder, "ETTm1"), "OT")
    assert 0.9 < error_ratio(target, fine, HighResolution("minute")) < 1.1

    def fold(fine: TimeSeries, coarse: TimeSeries, *, whole_step: bool) -> TimeSeries:
        return alignment_module.fold(fine, coarse, whole_step=True)

    monkeypatch.setattr("tskd.privileged.past.fold", fold)
    assert 0.15 < error_ratio(target, fine, HighResolution("minute")) < 0.4


def noisy(frame: pd.DataFrame, share: float) -> pd.DataFrame:
    """With noise of a share of each column's standard deviation."""
    return frame + np.random.default_rng(0).normal(size=frame.shape) * frame.std().to_numpy() * share


def disguised(frame: pd.DataFrame) -> pd.DataFrame:
    """Reordered, renamed, rescaled, flipped, with a little noise."""
    frame = noisy(frame, 1e-4).iloc[:, ::-1]
    frame = frame * np.linspace(-3, 2.5, frame.shape[1]) + 7
    return frame.set_axis([f"sensor{i}" for i in range(frame.shape[1])], axis=1)


DISGUISES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "as they are": lambda frame: frame,
    "target alone": lambda frame: frame[["OT"]],
    "others alone": lambda frame: frame.drop(columns="OT"),
    "renamed": lambda frame: frame.set_axis([f"sensor{i}" for i in range(frame.shape[1])], axis=1),
    "rescaled": lambda frame: frame * 0.01 + 100,
    "standardised": lambda frame: (frame - frame.mean()) / frame.std(),
    "sign flipped": lambda frame: -frame,
    "reordered": lambda frame: frame.iloc[:, [6, 2, 4, 0, 1, 5, 3]],
    "tiny noise": lambda frame: noisy(frame, 1e-3),
    "rounded": lambda frame: frame.round(2),
    "all of it": disguised,
    "all of it, target alone": lambda frame: disguised(frame[["OT"]]),
    "begins later": lambda frame: frame[50:],
    "ends earlier": lambda frame: frame[:-400],
    "beside others": lambda frame: frame.assign(wind=np.random.default_rng(1).normal(size=len(frame))),
}


@pytest.mark.parametrize("coarse", ["mean", "sum"])
@pytest.mark.parametrize("disguise", list(DISGUISES))
@pytest.mark.parametrize("components", [("OT",), ()], ids=["OT", "all components"])
def test_point_samples_declared_aggregates_contradict_the_data(
    data_folder: Path, coarse: Any, disguise: str, components: tuple[str, ...]
) -> None:
    if disguise == "others alone" and components:
        pytest.skip("nothing in the fine series is the target")
    target = as_series(ett(data_folder, "ETTh1", 1500), *components)
    fine = as_series(DISGUISES[disguise](ett(data_folder, "ETTm1", 1500)))
    with pytest.raises(ValueError, match="contradict") as refusal:
        HighResolution("minute", coarse).blocks(fine, target, range(1, 2))
    assert repr(coarse) in str(refusal.value)
    assert "point" in str(refusal.value)


def test_the_contradiction_is_said_before_any_training(data_folder: Path) -> None:
    target, fine = as_series(ett(data_folder, "ETTh1", 400), "OT"), as_series(ett(data_folder, "ETTm1", 400), "OT")
    student = student_model()
    model = DistilledModel(student, Teacher(teacher_model(), HighResolution("minute", "mean")))
    with inputs_of("_DLinearModule") as seen, pytest.raises(ValueError, match="contradict"):
        model.fit(target, privileged={"minute": fine})
    assert not seen
    assert student.model is None


@pytest.mark.parametrize("coarse", ["mean", "sum"])
@pytest.mark.parametrize("share", [0.01, 0.1, 1.0])
def test_point_samples_behind_noise_are_refused_as_unproven(data_folder: Path, coarse: Any, share: float) -> None:
    target = as_series(ett(data_folder, "ETTh1", 1500), "OT")
    fine = as_series(noisy(ett(data_folder, "ETTm1", 1500)[["OT"]], share))
    with pytest.raises(ValueError, match=f"'{coarse}'"):
        HighResolution("minute", coarse).blocks(fine, target, range(1, 2))


@pytest.mark.parametrize("share", [0.0, 1e-3, 0.01, 0.02, 0.05, 0.1, 0.2])
def test_one_true_mean_does_not_admit_point_samples_beside_it(data_folder: Path, share: float) -> None:
    """The load is an hourly mean, the oil temperature a point sample, measured by a noisy second sensor."""
    fine = ett(data_folder, "ETTm1", 1500)[["HUFL", "OT"]]
    target = fine[["HUFL"]].resample("1h").mean().join(fine[["OT"]])
    fine = fine.assign(OT=noisy(fine[["OT"]], share)["OT"])
    with pytest.raises(ValueError, match="contradict"):
        HighResolution("minute", "mean").blocks(as_series(fine), as_series(target), range(1, 2))


def aggregated(frame: pd.DataFrame, how: str) -> pd.DataFrame:
    resampled = frame.resample("1h")
    return resampled.mean() if how == "mean" else resampled.sum()


@pytest.mark.parametrize("coarse", ["mean", "sum"])
@pytest.mark.parametrize(
    "change",
    [
        lambda f: f,
        lambda f: f.round(1),
        lambda f: (f - f.mean()) / f.std(),
        lambda f: f[["OT"]],
        lambda f: f[["OT", "LUFL"]],
    ],
    ids=["as they are", "rounded", "standardised", "target alone", "some, reordered"],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_true_aggregates_are_accepted_and_read_to_the_last_sample_of_the_step(
    data_folder: Path, coarse: Any, change: Callable[[pd.DataFrame], pd.DataFrame], dtype: str
) -> None:
    frame = ett(data_folder, "ETTm1", 1500)
    target = as_series(change(aggregated(frame, coarse)), dtype=dtype)
    fine = as_series(frame, dtype=dtype)
    source = HighResolution("minute", coarse)
    assert source.reads_until(24, 4) == Fraction(3, 4)
    folded = source.blocks(fine, target, range(1, 2))[0].values
    assert folded.time_index.equals(target.time_index)
    stamp = target.time_index[700]
    expected = frame[stamp : stamp + pd.Timedelta("45min")].to_numpy(dtype)
    assert expected.shape == (4, 7)
    found = folded.values()[700]
    np.testing.assert_array_equal(np.sort(found), np.sort(expected.ravel()))


@pytest.mark.parametrize("coarse", ["mean", "sum"])
@pytest.mark.parametrize("disguise", ["as they are", "target alone", "sign flipped", "tiny noise", "all of it"])
@pytest.mark.parametrize("closed", ["left", "right"])
def test_aggregates_labelled_by_their_end_are_refused(
    data_folder: Path, coarse: Any, disguise: str, closed: Any
) -> None:
    frame = ett(data_folder, "ETTm1", 1500)
    resampled = frame.resample("1h", label="right", closed=closed)
    target = as_series((resampled.mean() if coarse == "mean" else resampled.sum())[1:-1])
    with pytest.raises(ValueError, match=f"coarse='{coarse}'"):
        HighResolution("minute", coarse).blocks(as_series(DISGUISES[disguise](frame)), target, range(1, 2))


def test_point_samples_are_read_up_to_the_stamp(data_folder: Path) -> None:
    frame = ett(data_folder, "ETTm1", 300)
    target, fine = as_series(ett(data_folder, "ETTh1", 300), "OT"), as_series(frame)
    folded = HighResolution("minute").blocks(fine, target, range(1, 2))[0].values
    stamp = target.time_index[200]
    found = folded.slice(stamp, stamp).values()[0]
    expected = frame[stamp - pd.Timedelta("45min") : stamp].to_numpy()
    np.testing.assert_array_equal(np.sort(found), np.sort(expected.ravel()))


def test_a_nonlinear_teacher_leaks_no_more_than_a_linear_one() -> None:
    case = CASES["everything in one teacher"]

    class Deep(Case):
        def teacher(self) -> Teacher:
            model = TiDEModel(L, H, hidden_size=8, **fast(random_state=1))
            return Teacher(model, self.sources, name="t", sees_inputs=not self.blind)

    leaks, _ = search(Deep(case.sources, case.until, lengths=(12,)))
    assert not leaks
