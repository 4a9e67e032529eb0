"""Cross-fitted teachers: no window is judged by a model that trained on it or on its neighbours."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from darts import TimeSeries
from darts.models import SKLearnModel, TiDEModel
from pandas.tseries.offsets import CustomBusinessDay
from sklearn.neighbors import KNeighborsRegressor

from tests.helpers.models import fast
from tests.helpers.series import walk
from tskd import DistilledModel, Teacher
from tskd._core.window_keys import WindowSpan, training_keys
from tskd.privileged import WayPoint
from tskd.teachers.crossfit import CrossFit, Folds

LOOKBACK, HORIZON = 6, 3
REACH = LOOKBACK + HORIZON


def noise(n: int, seed: int = 0, start: str = "2020-01-01") -> TimeSeries:
    series = walk(n, start=start)
    return series.with_values(np.random.default_rng(seed).normal(size=(n, 1)))


def memory() -> SKLearnModel:
    """One nearest neighbour: asked about a window it trained on, it gives back that window's labels."""
    return SKLearnModel(lags=LOOKBACK, output_chunk_length=HORIZON, model=KNeighborsRegressor(1))


def remembered(series: list[TimeSeries], cross_fit: CrossFit | None) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """For each window, the windows whose labels the teacher's forecast of it is, step by step."""
    teacher = Teacher(memory(), cross_fit=cross_fit).fit(series)
    keys = training_keys([len(s) for s in series], WindowSpan(LOOKBACK, HORIZON)).unique(dim=0)
    values, covered = teacher.predictor(series).forecasts(keys)
    assert bool(covered.all())
    labels = {
        (i, t): series[i].values()[t + 1 : t + 1 + HORIZON]
        for i, t in ((i, t) for i, s in enumerate(series) for t in range(LOOKBACK - 1, len(s) - HORIZON))
    }
    return {
        tuple(key): [other for other, label in labels.items() if any(np.isclose(label, value).flatten())]
        for key, value in zip(keys.tolist(), values.numpy(), strict=True)
    }


def test_a_teacher_that_memorises_gives_its_labels_back_unless_cross_fitted() -> None:
    series = [noise(200), noise(150, seed=1, start="2020-01-02")]
    plain = remembered(series, None)
    assert all(key in found for key, found in plain.items())
    offset = {0: 0, 1: 24}
    crossed = remembered(series, CrossFit(4, block=20))
    for (i, t), found in crossed.items():
        assert found
        nearest = min(abs(offset[i] + t - offset[j] - u) for j, u in found)
        # labels are matched step by step, so a window HORIZON - 1 steps off may hold one of them
        assert nearest >= REACH - (HORIZON - 1)


@pytest.mark.parametrize(("count", "block", "reach"), [(2, 20, 9), (4, 7, 9), (3, 30, 5)])
def test_training_windows_share_no_step_with_the_fold(count: int, block: int, reach: int) -> None:
    lookback = reach - HORIZON
    series = [walk(300), walk(170, start="2020-01-03 05:00")]
    keys = training_keys([300, 170], WindowSpan(lookback, HORIZON))
    folds = Folds.of(CrossFit(count, block), series, keys, reach)
    offset = {0: 0, 1: 53}

    def steps(key: list[int]) -> set[int]:
        now = offset[key[0]] + key[1]
        return set(range(now - lookback + 1, now + HORIZON + 1))

    found = folds.of_windows(series, keys)
    assert set(found.tolist()) == set(range(count))
    assert all(f == (offset[i] + t) // block % count for (i, t), f in zip(keys.tolist(), found.tolist(), strict=True))
    for fold in range(count):
        taken = set().union(*(steps(key) for key in keys[found == fold].tolist()))
        trains = folds.trains(series, keys, fold)
        assert bool(trains.any())
        for key, used in zip(keys.tolist(), trains.tolist(), strict=True):
            assert not (used and steps(key) & taken)
        # nothing is given away: a window left out is closer than `reach` to some origin in the fold's blocks
        inside = [n for n in range(-400, 800) if n // block % count == fold]
        for key in keys[~trains].tolist():
            assert min(abs(offset[key[0]] + key[1] - n) for n in inside) < reach


def test_a_network_trains_on_the_kept_windows_only(monkeypatch: pytest.MonkeyPatch) -> None:
    settings: dict[str, Any] = fast()
    seen: list[set[int]] = []
    from tskd._core.darts import dataset as window_data

    gather = window_data.WindowData.__getitems__

    def spy(self: window_data.WindowData, indices: list[int]) -> Any:
        seen[-1] |= set(self.keys[indices][:, 1].tolist())
        return gather(self, indices)

    release = window_data.WindowData.release

    def released(self: window_data.WindowData) -> None:
        seen.append(set())
        release(self)

    monkeypatch.setattr(window_data.WindowData, "__getitems__", spy)
    monkeypatch.setattr(window_data.WindowData, "release", released)
    seen.append(set())
    series = walk(200)
    teacher = Teacher(TiDEModel(LOOKBACK, HORIZON, **settings), cross_fit=CrossFit(2, block=40)).fit(series)
    assert len(teacher.models) == 2
    keys = training_keys([200], WindowSpan(LOOKBACK, HORIZON))
    folds = Folds.of(CrossFit(2, block=40), [series], keys, REACH)
    for fold in range(2):
        assert seen[fold] == set(keys[folds.trains([series], keys, fold)][:, 1].tolist())


def test_each_window_is_judged_by_the_model_that_left_it_out_and_later_ones_by_all() -> None:
    series = noise(200)
    teacher = Teacher(memory(), cross_fit=CrossFit(4, block=20)).fit(series[:160])
    asked = teacher.predictor(series)
    alone = [Teacher(model).predictor(series) for model in teacher.models]
    keys = torch.tensor([[0, t] for t in range(LOOKBACK - 1, 200 - HORIZON)])
    values = asked.forecasts(keys)[0]
    each = torch.stack([one.forecasts(keys)[0] for one in alone])
    for row, (_, t) in enumerate(keys.tolist()):
        # the last training window has its origin at 156; windows that share a step with it belong to a fold too
        early = t < 156 + REACH
        expected = each[t // 20 % 4, row] if early else each[:, row].mean(0)
        torch.testing.assert_close(values[row], expected, rtol=0, atol=0 if early else 1e-12)


@pytest.mark.parametrize(
    "freq", ["h", "2B", CustomBusinessDay(2, holidays=["2020-01-03", "2020-02-10"], weekmask="Mon Tue Thu Fri")]
)
def test_folds_are_the_same_after_they_were_written_and_read(freq: Any) -> None:
    """The text of a business day of a calendar, 'C', has neither its holidays nor its week."""
    times = pd.date_range("2020-01-02", periods=120, freq=freq)
    series = TimeSeries.from_times_and_values(times, np.zeros(120), freq=freq)
    keys = torch.tensor([[0, t] for t in range(5, 100)])
    folds = Folds.of(CrossFit(3, block=20), [series], keys, span=REACH)
    read = Folds.described(json.loads(json.dumps(folds.description())))
    assert read.axis.freq == series.freq and read.fingerprint() == folds.fingerprint()
    assert read.of_windows([series[30:]], keys).tolist() == folds.of_windows([series[30:]], keys).tolist()


def test_what_cannot_be_cross_fitted_is_refused() -> None:
    for folds, wrong in itertools.product([1, True, 0], [None]):
        with pytest.raises(ValueError, match="2 or more"):
            CrossFit(folds, wrong)
    with pytest.raises(ValueError, match="give a block of 18 or more"):
        Teacher(memory(), cross_fit=CrossFit(2, block=5)).fit(noise(100))
    fitted = memory().fit(noise(100))
    with pytest.raises(ValueError, match="needs a model that is not"):
        Teacher(fitted, cross_fit=3)


def test_a_student_learns_from_out_of_fold_knowledge() -> None:
    series = noise(200)
    settings: dict[str, Any] = fast()
    weights = []
    for cross_fit in (None, CrossFit(4, block=20)):
        student = TiDEModel(LOOKBACK, HORIZON, **settings)
        DistilledModel(student, Teacher(memory(), cross_fit=cross_fit), balance=1).fit(series)
        weights.append(torch.cat([value.flatten() for value in student.model.state_dict().values()]))
    assert not torch.equal(*weights)


def test_windows_whose_labels_were_trained_on_are_never_judged_by_all() -> None:
    """A student with a shorter horizon, or a stride, has windows after the teacher's last that share its labels."""
    series = noise(200)
    keys = torch.tensor([[0, t] for t in range(LOOKBACK - 1, 199)])
    for horizon, stride in ((9, 1), (HORIZON, 7)):
        model = SKLearnModel(lags=LOOKBACK, output_chunk_length=horizon, model=KNeighborsRegressor(1))
        teacher = Teacher(model, cross_fit=CrossFit(4, block=20)).fit(series, stride=stride)
        assert teacher.folds is not None
        folds = teacher.folds.of_windows([series], keys)
        last_label = 199
        assert all(fold >= 0 for (_, t), fold in zip(keys.tolist(), folds.tolist(), strict=True) if t < last_label)


def test_the_purge_reaches_as_far_as_sources_read() -> None:
    series = noise(300)
    settings: dict[str, Any] = fast()
    model = TiDEModel(LOOKBACK, HORIZON, **settings)
    teacher = Teacher(model, WayPoint(None, 11), cross_fit=CrossFit(2, block=60)).fit(series)
    assert teacher.folds is not None
    assert teacher.folds.span == LOOKBACK + 11


def test_folds_by_hand() -> None:
    """The later series is listed first: blocks of six steps are counted from the start of the earlier one."""
    series = [walk(30, start="2020-01-01 10:00"), walk(30)]
    folds = Folds.of(CrossFit(3, block=6), series, torch.tensor([[0, 12], [1, 2], [1, 3]]), 5)
    # the last training origin is step 12 of the first series, step 22 of the axis
    assert (folds.axis.start_time(), folds.last) == (series[1].start_time(), 22)
    keys = torch.tensor([[0, 0], [1, 0], [1, 5], [1, 6], [1, 12], [1, 18], [0, 16], [0, 17], [1, 26], [1, 27]])
    # windows 5 steps or more after the last share nothing with it
    assert folds.of_windows(series, keys).tolist() == [1, 0, 0, 1, 2, 0, 1, -1, 1, -1]
    # of fold 1, steps 6 to 11 and 24 to 29 of the axis: 5 steps or more before the first, or after the last
    kept = [int(at) for at in range(30) if bool(folds.trains(series, torch.tensor([[1, at]]), 1))]
    assert kept == [0, 1, 16, 17, 18, 19]


def test_a_block_is_five_days_or_a_window() -> None:
    keys = torch.tensor([[0, at] for at in range(10, 700)])
    assert Folds.of(CrossFit(4), [walk(700)], keys, 9).block == 120
    assert Folds.of(CrossFit(4), [walk(700)], keys, 130).block == 130
    assert Folds.of(CrossFit(4), [walk(700, freq="12h")], keys, 9).block == 10
    # three folds in blocks of a window have one between two purges of half of it
    assert Folds.of(CrossFit(3, block=9), [walk(700)], keys, 9).block == 9
    with pytest.raises(ValueError, match="give a block of 9 or more"):
        Folds.of(CrossFit(3, block=8), [walk(700)], keys, 9)
