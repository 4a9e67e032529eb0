"""What users of darts and of its peers report, tried with a distilled student: it works, or says what to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from darts import TimeSeries
from darts.dataprocessing.transformers import Scaler
from darts.models import DLinearModel, TiDEModel
from pytorch_lightning.callbacks import EarlyStopping

from tests.helpers.models import fast
from tests.helpers.series import QUIET, single, walk
from tskd import DistilledModel, Teacher
from tskd.privileged import CostlySensors

SERIES, LAB = walk(60), walk(75, seed=1, name="lab")
OTHER = walk(70, seed=2)
ROLLING: dict[str, Any] = {"start": 50, "stride": 4, "forecast_horizon": 4, "last_points_only": False}


def distilled(student: Any = None, **settings: Any) -> DistilledModel:
    teacher = Teacher(TiDEModel(8, 4, **fast(**settings)), CostlySensors("lab"), name="wet")
    return DistilledModel(DLinearModel(8, 4, **fast(**settings)) if student is None else student, teacher)


def stopping() -> dict[str, Any]:
    return {"pl_trainer_kwargs": QUIET | {"callbacks": [EarlyStopping("val_loss", patience=1)]}}


def rolled(model: DistilledModel, series: Any = SERIES, **given: Any) -> Any:
    return model.historical_forecasts(series, retrain=True, privileged={"lab": LAB}, **ROLLING | given)


def same(one: list[TimeSeries], other: list[TimeSeries]) -> bool:
    return all(np.array_equal(a.values(), b.values()) for a, b in zip(one, other, strict=True))


def test_two_targets_share_a_covariate_that_is_given_for_each() -> None:
    student, cover = TiDEModel(8, 4, **fast()), walk(90, seed=3, name="c")
    both: Any = {"past_covariates": [cover, cover], "privileged": {"lab": [LAB, LAB]}}
    message = r"holds 1 series, but there are 2 target series: give one for each, a shared one 2 times"
    with pytest.raises(ValueError, match=f"past_covariates {message}"):
        distilled(student).fit([SERIES, OTHER], **both | {"past_covariates": cover})
    model = distilled(student).fit([SERIES, OTHER], **both)
    with pytest.raises(ValueError, match=f"past_covariates {message}"):
        model.predict(4, [SERIES, OTHER], past_covariates=cover)
    assert len(model.predict(4, [SERIES, OTHER], past_covariates=[cover, cover])) == 2


@pytest.mark.parametrize("method", ["historical_forecasts", "backtest", "residuals"])
def test_early_stopping_in_retraining_needs_a_validation_part(method: str) -> None:
    model, given = distilled(**stopping()), {"retrain": True, "privileged": {"lab": LAB}, **ROLLING}
    with pytest.raises(ValueError, match=r"student: EarlyStopping monitors 'val_loss'.*the last val_length steps"):
        getattr(model, method)(SERIES, **given)
    assert len(getattr(model, method)(SERIES, **given, val_length=16)) if method != "backtest" else True


@pytest.mark.parametrize("retrain", [True, False])
@pytest.mark.parametrize("name", ["val_series", "val_past_covariates", "val_future_covariates"])
def test_the_validation_part_of_a_retraining_is_not_a_fixed_one(name: str, retrain: bool) -> None:
    """It would reach beyond the first origins."""
    model = distilled()
    if not retrain:
        model.fit(SERIES, privileged={"lab": LAB})
    with pytest.raises(ValueError, match=rf"fit_kwargs\['{name}'\]: a rolling evaluation .* give val_length="):
        model.historical_forecasts(SERIES, retrain=retrain, fit_kwargs={name: SERIES[20:40]}, **ROLLING)


def test_groups_whose_static_covariates_nobody_reads() -> None:
    """Their texts are no obstacle, and change nothing."""
    series = [SERIES, OTHER]
    frame = pd.concat(
        pd.DataFrame({"time": one.time_index, "y0": one.values()[:, 0], "site": site, "height": height})
        for one, site, height in zip(series, ("north", "south"), (3, 40), strict=True)
    )
    groups = TimeSeries.from_group_dataframe(frame, "site", time_col="time", value_cols="y0", static_cols="height")
    assert [list(one.static_covariates["site"]) for one in groups] == [["north"], ["south"]]
    known: Any = {"privileged": {"lab": [LAB, LAB]}}
    ignoring = distilled(use_static_covariates=False).fit(groups, **known)
    plain = distilled(use_static_covariates=False).fit([one.astype("float32") for one in series], **known)
    assert np.array_equal(single(ignoring.predict(4, groups[1])).values(), single(plain.predict(4, OTHER)).values())
    with pytest.raises(ValueError, match=r"student: series\[0\] has static covariates \['site'\] that are no numbers"):
        distilled().fit(groups, **known)


ONE_ROW, ROWS = pd.DataFrame({"a": [1.0]}), pd.DataFrame({"a": [1.0, 2.0]}, index=["y0", "y1"])
PAIR = walk(60, 2, seed=4)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (ONE_ROW, ROWS, r"series\[1\] has static covariates \['a'\] of 2 rows, and series\[0\] .*\['a'\] of 1 row"),
        (ROWS, ONE_ROW, r"series\[1\] has static covariates \['a'\] of 1 row, and series\[0\] .*\['a'\] of 2 rows"),
        (ROWS, None, r"series\[1\] has no static covariates, and series\[0\] static covariates"),
        (None, ONE_ROW, r"series\[1\] has static covariates \['a'\] of 1 row, and series\[0\] no static covariates"),
        (ONE_ROW, ONE_ROW.rename(columns={"a": "b"}), r"series\[1\] has static covariates \['b'\]"),
    ],
)
def test_static_covariates_of_one_row_and_of_one_for_each_component(first: Any, second: Any, message: str) -> None:
    series = [PAIR.with_static_covariates(static) for static in (first, second)]
    known: Any = {"privileged": {"lab": [LAB, LAB]}}
    ignoring = {"use_static_covariates": False}
    with pytest.raises(ValueError, match=f"student: {message}"):
        distilled(TiDEModel(8, 4, **fast())).fit(series, **known)
    with pytest.raises(ValueError, match=f"teacher 'wet': {message}"):
        distilled(DLinearModel(8, 4, **fast(**ignoring))).fit(series, **known)
    distilled(**ignoring).fit(series, **known)


def test_a_scaler_of_two_series_for_three() -> None:
    model = distilled().fit([SERIES, OTHER], privileged={"lab": [LAB, LAB]})
    three, scaler = [SERIES, OTHER, walk(65, seed=5)], Scaler().fit([SERIES, OTHER])
    given: Any = {"retrain": False, **ROLLING}
    with pytest.raises(ValueError, match=r"data_transformers\['series'\], a Scaler, was fitted on 2 series.* are 3 to"):
        model.historical_forecasts(three, data_transformers={"series": scaler}, **given)
    with pytest.raises(ValueError, match=r"data_transformers\['series'\], a Scaler, is not fitted: fit it on the data"):
        model.historical_forecasts(three, data_transformers={"series": Scaler()}, **given)
    with pytest.raises(ValueError, match=r"unknown key in data_transformers 'serie'.*did you mean 'series'"):
        model.historical_forecasts(three, data_transformers={"serie": scaler}, **given)
    one_for_all = Scaler(global_fit=True).fit([SERIES, OTHER])
    for kept, some in ((one_for_all, three), (scaler, [SERIES, OTHER])):
        assert len(model.historical_forecasts(some, data_transformers={"series": kept}, **given)) == len(some)


def test_a_scaler_of_the_whole_series_tells_a_retraining_nothing() -> None:
    """It is fitted anew before each origin: on the whole series, on the first steps or not at all, forecasts are the
    same."""
    whole, early = Scaler().fit(SERIES), Scaler().fit(SERIES[:9])
    first, *others = (rolled(distilled(), data_transformers={"series": one}) for one in (Scaler(), whole, early))
    assert all(same(first, one) for one in others)
    assert not same(first, rolled(distilled()))


def test_local_time_across_the_end_of_summer_time() -> None:
    """darts makes no series of it in local time, and of UTC one without a gap; stamps of a zone are refused."""
    local = pd.date_range("2024-10-26", periods=60, freq="h", tz="Europe/Paris")
    with pytest.raises(ValueError, match="freq"):
        TimeSeries.from_times_and_values(local, SERIES.values())
    series = TimeSeries.from_times_and_values(
        local.tz_convert("UTC").tz_localize(None), SERIES.values(), columns=["y0"]
    )
    lab = TimeSeries.from_times_and_values(series.time_index, LAB.values()[:60], columns=["lab0"])
    model = distilled().fit(series, privileged={"lab": lab})
    assert single(model.predict(4)).start_time() == pd.Timestamp("2024-10-28 10:00")
    with pytest.raises(ValueError, match=r"start=.*without a time zone .convert it and the series to UTC"):
        model.historical_forecasts(series, retrain=False, start=local[50])
    forecasts = pd.DataFrame({"origin": local[20:40], "step": 1, "component": "y0", "value": 1.0})
    with pytest.raises(ValueError, match=r"teacher 'g' has the time zone Europe/Paris.*the series to UTC"):
        Teacher.from_forecasts(forecasts, name="g")
    doubled = forecasts.assign(origin=local[20:40].tz_localize(None), value=np.arange(20.0))
    with pytest.raises(ValueError, match=r"origin 2024-10-27 02:00:00.* twice.*the clock was set back, convert to UTC"):
        Teacher.from_forecasts(doubled, name="g")


@pytest.mark.parametrize("shift", [0, 2])
def test_a_target_that_arrives_two_steps_late(shift: int) -> None:
    """The student forecasts from the last step that has arrived, two steps further on; a teacher may be there before,
    and is compared where both forecast: steps 3 and 4 of 3 to 6, or all."""
    teacher = Teacher(TiDEModel(8, 4, output_chunk_shift=shift, **fast()), CostlySensors("lab"), name="wet")
    student = DLinearModel(8, 4, output_chunk_shift=2, **fast())
    model = DistilledModel(student, teacher, balance=0.9).fit(SERIES, privileged={"lab": LAB})
    forecast = single(model.predict(4))
    assert forecast.start_time() == SERIES.end_time() + 3 * SERIES.freq and np.isfinite(forecast.values()).all()
    late = SERIES.with_values(np.where(np.arange(60)[:, None, None] > 57, np.nan, SERIES.all_values()))
    with pytest.raises(ValueError, match=r"series has missing values at 2020-01-03 10:00:00, .* 11:00:00, which the"):
        model.predict(4, late)
    assert single(model.predict(4, late[:58])).start_time() == SERIES.end_time() + SERIES.freq
