"""`as_issued`: what had been issued by each origin, and nothing later, reaches a student."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from darts import TimeSeries
from darts.models import DLinearModel

from tests.helpers.models import fast
from tests.helpers.series import walk
from tskd import DistilledModel, Teacher, audit
from tskd.datasets import as_issued
from tskd.privileged import FutureHorizon

HOUR = pd.Timedelta("1h")
L, H = 5, 4
TARGET = walk(60, seed=1)
MEASURED = walk(90, seed=2, start="2019-12-31 14:00", name="wind", dtype="float64")


def issues(every: int = 6, ahead: int = 10, *, error: float = 0.3, seed: int = 0) -> pd.DataFrame:
    """Forecasts of the wind, issued every few hours at twenty past, for some hours; rows are in no order."""
    rng = np.random.default_rng(seed)
    stamps, values = MEASURED.time_index, MEASURED.values()[:, 0]
    rows = []
    for first in range(1, len(stamps) - ahead, every):
        issued = stamps[first] - 40 * pd.Timedelta("1min")
        drift = rng.normal(0, error, ahead).cumsum()
        rows += [(issued, stamps[first + k], values[first + k] + drift[k]) for k in range(ahead)]
    return pd.DataFrame(rows, columns=["issued", "valid", "wind"]).sample(frac=1, random_state=1)


def by_search(table: pd.DataFrame, series: TimeSeries, steps: list[int], name: str) -> np.ndarray:
    """`[T, steps]`, each value looked for in the whole table."""
    found = np.full((len(series), len(steps)), np.nan)
    for row, stamp in enumerate(series.time_index):
        for column, step in enumerate(steps):
            at = (table["issued"] <= stamp) & (table["valid"] == stamp + step * series.freq) & table[name].notna()
            if at.any():
                found[row, column] = table[at].sort_values("issued")[name].iloc[-1]
    return found


def test_the_latest_issue_that_is_not_later_by_hand() -> None:
    series = TimeSeries.from_times_and_values(pd.RangeIndex(10, 15), np.zeros(5))
    rows = [(8, 11, 1.0), (9, 11, 2.0), (11, 11, 3.0), (9, 12, 4.0), (13, 12, 5.0), (11, 13, np.nan), (9, 13, 6.0)]
    table = pd.DataFrame([*rows, (15, 14, 9.0)], columns=["run", "for", "x"])
    found = as_issued(table, series, [1, 0, -1], issued="run", valid="for")
    assert list(found.components) == ["x+1", "x+0", "x-1"] and found.time_index.equals(series.time_index)
    nan = np.nan
    expected = [[2, nan, nan], [4, 3, nan], [6, 4, 3], [nan, 6, 5], [nan, nan, 6]]
    np.testing.assert_array_equal(found.values(), np.array(expected))


@pytest.mark.parametrize("freq", ["h", "MS", "B"])
@pytest.mark.parametrize("steps", [[1, 2, 5], [-3, -1], [-1, 0, 4]], ids=["ahead", "revised", "both"])
def test_every_value_is_that_of_a_search(freq: str, steps: list[int]) -> None:
    series = walk(17, 2, seed=3, freq=freq, dtype="float64")
    rng = np.random.default_rng(5)
    valid = pd.date_range(series.start_time() - 4 * series.freq, periods=27, freq=freq)
    span = valid[-1] - valid[0]
    rows = pd.DataFrame({"valid": rng.choice(valid, 300), "sky": rng.normal(size=300), "sea": rng.normal(size=300)})
    rows["issued"] = valid[0] + rng.integers(0, 60, 300) / 60 * span
    rows.loc[rng.choice(300, 40, replace=False), "sea"] = np.nan
    table = rows.drop_duplicates(["issued", "valid"])
    found = as_issued(table, series, steps)
    expected = np.concatenate([by_search(table, series, steps, name) for name in ("sky", "sea")], axis=1)
    np.testing.assert_array_equal(found.values(), expected)
    assert np.isfinite(expected).mean() > 0.2
    assert list(found.components) == [f"{name}{step:+d}" for name in ("sky", "sea") for step in steps]
    assert found.freq == series.freq and as_issued(table, series.astype("float32"), steps).dtype == np.float32


def changed(table: pd.DataFrame, after: pd.Timestamp) -> pd.DataFrame:
    """The table with other values in every issue after a time."""
    later = table["issued"] > after
    return table.assign(wind=table["wind"].mask(later, table["wind"] * -3 + 7))


def test_no_row_knows_of_a_later_issue_and_the_issue_of_its_own_time_counts() -> None:
    # on the hour, so that one is issued at the stamp itself
    table = issues()
    table["issued"] = table["issued"].dt.ceil("h")
    reference = as_issued(table, TARGET, range(1, H + 1)).values()
    for row in range(0, len(TARGET), 7):
        origin = TARGET.time_index[row]
        found = as_issued(changed(table, origin), TARGET, range(1, H + 1)).values()
        np.testing.assert_array_equal(found[: row + 1], reference[: row + 1])
        assert (found[-1] != reference[-1]).any()
    issue = table["issued"][table["issued"].isin(TARGET.time_index)].min()
    row = TARGET.get_index_at_point(issue)
    found = as_issued(changed(table, issue - HOUR), TARGET, range(1, H + 1)).values()
    assert (found[row] != reference[row]).all()
    np.testing.assert_array_equal(found[:row], reference[:row])


def fitted(covariates: dict[str, TimeSeries], until: int = 40) -> DistilledModel:
    settings = fast(n_epochs=2, batch_size=16, random_state=0)
    teacher = Teacher(DLinearModel(L, H, kernel_size=3, **settings), FutureHorizon("wind"), name="weather")
    model = DistilledModel(DLinearModel(L, H, kernel_size=3, **settings), teacher, balance=0.5)
    return model.fit(TARGET[:until], privileged={"wind": MEASURED}, **covariates)


def inputs(table: pd.DataFrame, form: str) -> dict[str, Any]:
    """A student's covariates in both forms."""
    if form == "past":
        return {"past_covariates": as_issued(table, TARGET, range(1, H + 1))}
    # what had been issued for four steps ahead, on the time for which it holds
    early = walk(80, seed=1, start="2019-12-31 14:00")
    return {"future_covariates": as_issued(table, early, [H]).shift(H)}


FORMS = pytest.mark.parametrize("form", ["past", "future"])


@FORMS
def test_rolling_forecasts_know_what_had_been_issued_by_their_origins(form: str) -> None:
    table = issues(3)
    model = fitted(inputs(table, form))

    def forecasts(table: pd.DataFrame) -> list[TimeSeries]:
        rolled = model.historical_forecasts(
            TARGET,
            **inputs(table, form),
            retrain=False,
            start=40,
            forecast_horizon=H,
            stride=2,
            last_points_only=False,
        )
        assert isinstance(rolled, list)
        return rolled

    reference = forecasts(table)
    assert len(reference) > 5
    for index in (0, 3, len(reference) - 2):
        found = forecasts(changed(table, reference[index].start_time() - HOUR))
        assert all(found[i] == reference[i] for i in range(index + 1))
        assert found[-1] != reference[-1]


@FORMS
def test_an_audit_passes_what_had_been_issued(form: str) -> None:
    covariates = inputs(issues(), form)
    model = fitted(covariates)
    end = TARGET.time_index[40]
    result = audit(model, TARGET, **covariates, privileged={"wind": MEASURED}, test_start=end, verbose=False)
    assert result.passed, str(result)


@pytest.mark.parametrize(
    ("steps", "lead"), [(range(1, H + 1), 1), ([6], 6), ([-1, 5, 0], 5)], ids=["all", "the sixth", "some"]
)
def test_an_audit_finds_realised_values_that_pass_for_issued_ones(steps: Any, lead: int) -> None:
    """As if every hour were forecast without an error, as by a table that was filled from measurements."""
    measured = MEASURED.to_dataframe().rename(columns={"wind0": "wind"})
    asked = [(stamp - step * HOUR, stamp, *row) for stamp, row in measured.iterrows() for step in steps]
    told = pd.DataFrame(asked, columns=["issued", "valid", "wind"])
    covariates = {"past_covariates": as_issued(told, TARGET, steps)}
    result = audit(fitted(covariates), TARGET, **covariates, privileged={"wind": MEASURED}, verbose=False)
    (finding,) = [one for one in result.findings if one.passed is False]
    assert f"past_covariates 'wind+{lead}' is privileged['wind'] 'wind0' of {lead} steps later" in finding.detail


def test_an_audit_finds_realised_values_as_future_covariates() -> None:
    covariates = {"future_covariates": MEASURED.with_columns_renamed("wind0", f"wind+{H}")}
    result = audit(fitted(covariates), TARGET, **covariates, privileged={"wind": MEASURED}, verbose=False)
    assert f"future_covariates 'wind+{H}' is privileged['wind'] 'wind0'" in str(result)


TABLE = issues()
ZONED = TABLE.assign(issued=TABLE["issued"].dt.tz_localize("UTC"))
REFUSED: dict[str, tuple[pd.DataFrame | Any, dict[str, Any], type[Exception], str]] = {
    "no table": (MEASURED, {}, TypeError, "table must be a pandas DataFrame, got TimeSeries"),
    "no series": (TABLE, {"series": TABLE}, TypeError, "series must be a TimeSeries"),
    "unknown column": (TABLE, {"issued": "isued"}, ValueError, "unknown column of the table 'isued'.*'issued'"),
    "texts as times": (
        TABLE.astype({"issued": str}),
        {},
        TypeError,
        r"'issued' holds (str|object).*pandas.to_datetime",
    ),
    "a time zone": (ZONED, {}, TypeError, r"'issued' holds datetime64.*UTC.*without a time zone"),
    "numbers as times": (TABLE.assign(valid=1), {}, TypeError, "'valid' holds int64"),
    "times of a series of numbers": (
        TABLE,
        {"series": TimeSeries.from_values(np.zeros(9))},
        TypeError,
        "'issued' holds .*give whole numbers",
    ),
    "a missing time": (
        TABLE.assign(issued=TABLE["issued"].where(TABLE["wind"] > TABLE["wind"].min())),
        {},
        ValueError,
        "'issued' has missing values, in 1 rows",
    ),
    "texts as values": (TABLE.assign(sky="grey"), {}, ValueError, r"\['sky'\] hold no numbers"),
    "no values": (TABLE[["issued", "valid"]], {}, ValueError, "no column of values"),
    "two values": (pd.concat([TABLE, TABLE.iloc[[3]]]), {}, ValueError, r"the issue of .* has two rows for"),
    "times off the grid": (
        TABLE.assign(valid=TABLE["valid"] + HOUR / 2),
        {},
        ValueError,
        r"'valid' holds .*:30:00, which is no time stamp of the series, whose frequency is 'h': resample",
    ),
    "issued too late": (
        TABLE.assign(issued=TABLE["issued"] + 100 * HOUR),
        {},
        ValueError,
        "nothing had been issued for any of the steps: issues are of 2020-01-04",
    ),
    "no step": (TABLE, {"steps": []}, ValueError, r"steps=\[\]"),
    "a step twice": (TABLE, {"steps": [1, 1]}, ValueError, r"steps=\[1, 1\].*none twice"),
    "half a step": (TABLE, {"steps": [0.5]}, ValueError, r"steps=\[0.5\]: give whole numbers"),
    "a number of steps": (TABLE, {"steps": 12}, TypeError, r"steps=12: give whole numbers, such as range"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_used_is_refused(name: str) -> None:
    table, arguments, kind, said = REFUSED[name]
    with pytest.raises(kind, match=said):
        as_issued(table, **({"series": TARGET, "steps": [1, 2]} | arguments))
