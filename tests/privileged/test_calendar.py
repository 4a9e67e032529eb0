"""`HighResolution` on calendars: days of months, months of quarters, hours of business days, value by value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from darts import TimeSeries
from darts.models import DLinearModel

from tests.helpers.models import fast
from tests.helpers.series import walk
from tskd import DistilledModel, Teacher, audit
from tskd.privileged import HighResolution
from tskd.privileged.alignment import fold

HORIZON = range(1, 3)
SUMMARIES = ("mean", "std", "min", "max", "last")
NEW_YEAR = pd.offsets.CustomBusinessDay(holidays=["2019-12-25", "2020-01-01"])


def read(fine: TimeSeries, target: TimeSeries, coarse: Any = "point") -> pd.DataFrame:
    """What a source reads of each step, without its own name."""
    (block,) = HighResolution("f", coarse).blocks(fine, target, HORIZON)
    assert block.values.freq == target.freq and block.steps is None
    return block.values.to_dataframe().rename(columns=lambda name: name.removeprefix("HighResolution:f:"))


def walks(start: str, end: str, freq: Any, name: str = "f", components: int = 2) -> TimeSeries:
    times = pd.date_range(start, end, freq=freq)
    return walk(len(times), components, seed=3, start=str(times[0]), freq=freq, name=name, dtype="float64")


def summarised(rows: pd.DataFrame) -> list[float]:
    """The summaries of some samples: mean of all components, and so on."""
    found = (rows.mean(), rows.std(ddof=0), rows.min(), rows.max(), rows.iloc[-1])
    return [float(value) for one in found for value in one]


# target's frequency, fine frequency, span of the target, span of the fine series, first stamp that has all its samples,
# and numbers of samples of some steps up to their stamps
UNEQUAL: dict[str, tuple[Any, Any, tuple[str, str], tuple[str, str], str, dict[str, int]]] = {
    "days of months": (
        "MS",
        "D",
        ("2019-12-01", "2020-08-01"),
        ("2019-12-01", "2020-08-20"),
        "2020-01-01",
        {"2020-02-01": 31, "2020-03-01": 29, "2020-05-01": 30},
    ),
    "days of months from the tenth on": (
        "ME",
        "D",
        ("2019-11-30", "2020-08-31"),
        ("2019-11-10", "2020-08-31"),
        "2019-12-31",
        {"2020-02-29": 29, "2020-06-30": 30, "2020-08-31": 31},
    ),
    "business days of months": (
        "ME",
        "B",
        ("2020-01-31", "2020-08-31"),
        ("2019-12-30", "2020-09-04"),
        "2020-01-31",
        {"2020-01-31": 23, "2020-02-29": 20, "2020-05-31": 21},
    ),
    "hours of business days": (
        "B",
        "h",
        ("2019-12-30", "2020-01-14"),
        ("2019-12-28", "2020-01-15"),
        "2019-12-31",
        {"2020-01-03": 24, "2020-01-06": 72},
    ),
    "hours of days without holidays": (
        NEW_YEAR,
        "6h",
        ("2019-12-23", "2020-01-14"),
        ("2019-12-20", "2020-01-15"),
        "2019-12-23",
        {"2019-12-24": 4, "2019-12-26": 8, "2020-01-02": 8, "2020-01-06": 12},
    ),
    "days without holidays of weeks": (
        "W-FRI",
        NEW_YEAR,
        ("2019-12-13", "2020-02-14"),
        ("2019-12-09", "2020-02-20"),
        "2019-12-13",
        {"2019-12-20": 5, "2019-12-27": 4, "2020-01-03": 4, "2020-01-10": 5},
    ),
    "days without a holiday to come of weeks": (
        "W-FRI",
        NEW_YEAR,
        ("2019-07-05", "2019-09-06"),
        ("2019-07-01", "2019-09-10"),
        "2019-07-05",
        {"2019-07-12": 5, "2019-08-30": 5},
    ),
    "hours of business of days without a holiday to come": (
        NEW_YEAR,
        "bh",
        ("2019-07-01", "2019-07-12"),
        ("2019-07-01", "2019-07-15"),
        "2019-07-02",
        {"2019-07-03": 8, "2019-07-08": 8},
    ),
    "weeks of months": (
        "MS",
        "W-SUN",
        ("2020-01-01", "2020-09-01"),
        ("2019-11-24", "2020-09-20"),
        "2020-01-01",
        {"2020-02-01": 4, "2020-03-01": 5},
    ),
}


@pytest.mark.parametrize("name", UNEQUAL)
def test_steps_of_unequal_numbers_are_summarised_up_to_their_stamp(name: str) -> None:
    freq, fine_freq, target_span, fine_span, first, counts = UNEQUAL[name]
    target, fine = walks(*target_span, freq, "y"), walks(*fine_span, fine_freq)
    found = read(fine, target)
    assert list(found.columns) == [f"{component}@{one}" for one in SUMMARIES for component in fine.components]
    assert found.index[0] == pd.Timestamp(first) and found.index[-1] == target.end_time()
    samples = fine.to_dataframe()
    for stamp in found.index:
        rows = samples[(samples.index > stamp - target.freq) & (samples.index <= stamp)]
        np.testing.assert_allclose(found.loc[stamp], summarised(rows), rtol=1e-9, atol=1e-12)
        assert len(rows) == counts.get(str(stamp.date()), len(rows))
    assert set(counts) <= {str(stamp.date()) for stamp in found.index}


FOLDED: dict[str, tuple[Any, Any, tuple[str, str], tuple[str, str], str, int]] = {
    "months of quarters": ("QS", "MS", ("2019-01-01", "2022-01-01"), ("2018-11-01", "2022-03-01"), "2019-01-01", 3),
    "months of quarters, of which they end": (
        "QE",
        "ME",
        ("2019-03-31", "2022-03-31"),
        ("2019-02-28", "2022-05-31"),
        "2019-06-30",
        3,
    ),
    "first days of months of quarters that end": (
        "QE",
        "MS",
        ("2019-03-31", "2022-03-31"),
        ("2019-01-01", "2022-05-01"),
        "2019-03-31",
        3,
    ),
    "quarters of years": ("YS", "QS", ("2012-01-01", "2020-01-01"), ("2012-01-01", "2020-10-01"), "2013-01-01", 4),
    "business hours of business days": ("B", "bh", ("2020-01-01", "2020-01-10"), ("2020-01-01", "2020-01-13"), "2", 8),
    "business days of weeks": ("W-WED", "B", ("2020-01-01", "2020-03-04"), ("2020-01-01", "2020-03-06"), "8", 5),
    "days of weeks": ("W-SUN", "D", ("2020-01-05", "2020-03-01"), ("2020-01-01", "2020-03-06"), "12", 7),
}


@pytest.mark.parametrize("name", FOLDED)
def test_steps_of_equal_numbers_are_folded_whatever_their_length(name: str) -> None:
    freq, fine_freq, target_span, fine_span, first, k = FOLDED[name]
    target, fine = walks(*target_span, freq, "y"), walks(*fine_span, fine_freq)
    found = read(fine, target)
    assert list(found.columns) == [
        f"{component}@{offset}" for offset in range(1 - k, 1) for component in fine.components
    ]
    assert found.index[0] == pd.Timestamp(first if len(first) > 2 else f"2020-01-{first:0>2}")
    samples = fine.to_dataframe()
    for stamp in found.index:
        rows = samples[(samples.index > stamp - target.freq) & (samples.index <= stamp)]
        assert found.loc[stamp].tolist() == rows.to_numpy().ravel().tolist()


def of_steps(fine: TimeSeries, target: TimeSeries, how: Callable[[pd.DataFrame], Any]) -> TimeSeries:
    """An aggregate of the samples from each stamp to the next, on the target's grid."""
    samples = fine.to_dataframe()
    rows = [samples[(samples.index >= t) & (samples.index < t + target.freq)] for t in target.time_index]
    return target.with_values(np.stack([how(one).to_numpy() for one in rows])[..., None])


@pytest.mark.parametrize("name", ["days of months", "hours of business days", "weeks of months"])
def test_means_and_sums_of_a_calendar_are_read_to_the_end_of_their_step(name: str) -> None:
    freq, fine_freq, (begin, end), fine_span, *_ = UNEQUAL[name]
    fine = walks(*fine_span, fine_freq) + 3
    # the fine series ends within the last step, which has no features then
    grid = walks(begin, end, freq, "y")
    mean, total = (of_steps(fine, grid, how) for how in (pd.DataFrame.mean, pd.DataFrame.sum))
    samples = fine.to_dataframe()
    for coarse, target in (("mean", mean * -2 + 1), ("sum", total / 7)):
        found = read(fine, target, coarse)
        assert found.index[-1] == grid.time_index[-1 if name == "hours of business days" else -2]
        for stamp in found.index:
            rows = samples[(samples.index >= stamp) & (samples.index < stamp + grid.freq)]
            np.testing.assert_allclose(found.loc[stamp], summarised(rows), rtol=1e-9, atol=1e-12)
    # steps differ in number, so that the one is not the other
    for coarse, target in (("mean", total), ("sum", mean)):
        with pytest.raises(ValueError, match=f"coarse='{coarse}'"):
            read(fine, target, coarse)


def test_a_point_sample_of_a_calendar_is_no_mean() -> None:
    fine = walks("2019-12-01", "2021-12-31", "D")
    grid = walks("2020-01-01", "2021-11-01", "MS", "y")
    points = grid.with_values(fine.to_dataframe().loc[grid.time_index].to_numpy()[..., None])
    with pytest.raises(ValueError, match=r"'mean' contradicts the data: 'y0' is the sample at its stamp .*'f0'"):
        read(fine, points, "mean")


def test_a_gap_is_missing_in_its_own_step_and_component_alone() -> None:
    fine, target = walks("2019-11-20", "2020-06-20", "D"), walks("2020-01-01", "2020-06-01", "MS", "y")
    values = fine.values()
    values[fine.get_index_at_point(pd.Timestamp("2020-03-01")), 1] = np.nan
    found, whole = read(fine.with_values(values[..., None]), target), read(fine, target)
    # the first of March is the last sample of the step whose stamp it is
    hit = [f"f1@{one}" for one in SUMMARIES]
    assert found.loc["2020-03-01", hit].isna().all()
    assert found.isna().sum().sum() == len(hit)
    pd.testing.assert_frame_equal(found.drop(index="2020-03-01"), whole.drop(index="2020-03-01"), check_freq=False)


REFUSED: dict[str, tuple[Any, Any, str]] = {
    "business hours of days": ("D", "bh", r"no sample in the target's step at 2020-01-05.*resample"),
    "months of days": ("D", "MS", r"no sample in the target's step at 2020-01-02"),
    "months of business days": ("B", "MS", r"no sample in the target's step at 2020-01-02"),
    "months of months": ("ME", "MS", r"one sample in each step of the target.*no finer"),
    "business days of business days": ("B", "B", "one sample in each step of the target.*no finer"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_finer_or_leaves_steps_empty_is_refused(name: str) -> None:
    freq, fine_freq, said = REFUSED[name]
    with pytest.raises(ValueError, match=said):
        read(walks("2020-01-01", "2020-12-31", fine_freq), walks("2020-01-02", "2020-12-20", freq, "y"))


def test_a_fine_series_within_one_step_is_refused() -> None:
    target = walks("2020-01-01", "2020-12-01", "MS", "y")
    with pytest.raises(ValueError, match="do not overlap in a whole step of 'MS'"):
        read(walks("2020-01-05", "2020-01-25", "D"), target)
    fine = walks("2020-01-01", "2020-03-25", "D")
    with pytest.raises(ValueError, match=r"'mean' cannot be confirmed: .* share 1 whole steps"):
        read(fine, target, "mean")


def test_a_student_of_months_is_taught_by_days_and_audited() -> None:
    """Two series of unequal length, the fine series of which end within a month after the target."""
    targets, fine = [], []
    for begin, end, seed in (("2015-01-01", "2017-06-01", 1), ("2016-03-01", "2018-02-01", 2)):
        times = pd.date_range(begin, end, freq="MS")
        targets.append(walk(len(times), seed=seed, start=begin, freq="MS"))
        days = (pd.Timestamp(end) - pd.Timestamp(begin)).days + 20 + 40
        fine.append(walk(days, seed=seed + 5, start=str(times[0] - pd.Timedelta(days=40)), freq="D", name="day"))
    settings = fast(batch_size=8, random_state=0)
    teacher = Teacher(DLinearModel(4, 2, **settings), HighResolution("days"))
    model = DistilledModel(DLinearModel(4, 2, **settings), teacher, balance=0.5).fit(targets, privileged={"days": fine})
    forecasts = model.predict(2, series=targets)
    assert [forecast.start_time() for forecast in forecasts] == [pd.Timestamp("2017-07-01"), pd.Timestamp("2018-03-01")]
    assert audit(model, targets, privileged={"days": fine}, verbose=False).passed


@pytest.mark.parametrize("whole_step", [False, True], ids=["up to the stamp", "from the stamp on"])
@pytest.mark.parametrize("side", ["begin", "end"])
def test_a_step_is_read_only_if_it_has_all_its_samples(side: str, whole_step: bool) -> None:
    fine, target = walks("2020-01-01", "2020-06-30", "D"), walks("2020-01-01", "2020-06-01", "MS", "y")
    day = pd.Timedelta("1D")
    for days in range(65):
        cut = fine[days:] if side == "begin" else fine[: len(fine) - days]
        expected = [
            stamp
            for stamp in target.time_index
            # the first and the last day that the step reads
            for first in [stamp if whole_step else stamp - target.freq + day]
            for last in [stamp + target.freq - day if whole_step else stamp]
            if cut.start_time() <= first and last <= cut.end_time()
        ]
        assert list(fold(cut, target, whole_step=whole_step).time_index) == expected
