"""Series of different component names are read by position, as darts does; the same names in another order are not."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
import torch
from darts import TimeSeries
from darts.models import LinearRegressionModel, NLinearModel

from tests.helpers.models import fast
from tests.helpers.series import single, walk
from tskd import DistilledModel, Reconstruction, Teacher, audit
from tskd._core.components import orders_of, restored_orders
from tskd.privileged import CostlySensors

H = 3
LONG, SHORT, LAST = walk(50, 2), walk(40, 2, seed=1, name="b"), walk(30, 2, seed=2, name="c")
NAMED = [LONG, SHORT, LAST]
ALIKE = [one.with_columns_renamed(list(one.components), ["y0", "y1"]) for one in NAMED]
WEATHER = walk(60, 2, seed=3, name="w")
ROLLING: dict[str, Any] = {"start": -5, "start_format": "position", "forecast_horizon": H, "stride": 2}


def swapped(series: TimeSeries) -> TimeSeries:
    return series[list(series.components)[::-1]]


def sensing() -> Teacher:
    linear = LinearRegressionModel(lags=2, lags_past_covariates=2, output_chunk_length=H)
    return Teacher(linear, CostlySensors("weather"))


def model(*teachers: Any) -> DistilledModel:
    return DistilledModel(NLinearModel(4, H, **fast()), teachers or sensing())


def weights(fitted: DistilledModel) -> torch.Tensor:
    return torch.cat([value.flatten() for value in fitted.student.model.state_dict().values()])


def outside(series: list[TimeSeries]) -> Any:
    return Teacher.from_series([one * 2 for one in series], name="product")


def forecasts(series: list[TimeSeries]) -> Any:
    lists = [[one[at : at + H] * 2 for at in range(4, len(one) - H + 1)] for one in series]
    return Teacher.from_forecasts(lists, name="table")


@pytest.mark.parametrize("kind", ["sensors", "reconstruction", "series", "forecasts"])
def test_names_make_no_difference_to_what_is_learned(kind: str) -> None:
    """Targets, validation series and answers of other names give the weights of those that are named alike."""
    found = []
    for series in (NAMED, ALIKE):
        makers: dict[str, Any] = {
            "sensors": sensing,
            "reconstruction": lambda: Reconstruction("weather"),
            "series": lambda given=series: outside(given),
            "forecasts": lambda given=series: forecasts(given),
        }
        given: dict[str, Any] = {}
        if kind in ("sensors", "reconstruction"):
            given = {"privileged": {"weather": WEATHER}, "val_privileged": {"weather": WEATHER}}
        fitted = model(makers[kind]()).fit(series, val_series=series[::-1], **given)
        found.append(weights(fitted))
        predicted = fitted.predict(H, series)
        assert [list(one.components) for one in predicted] == [list(one.components) for one in series]
    assert torch.equal(*found)


def test_one_privileged_series_is_shared_by_all_targets(caplog: pytest.LogCaptureFixture) -> None:
    shared, listed = ({"weather": one} for one in (WEATHER, [WEATHER] * 3))
    first, second = (model().fit(NAMED, privileged=given) for given in (shared, listed))
    assert torch.equal(weights(first), weights(second))
    with pytest.raises(ValueError, match=r"privileged\['weather'\] holds 1 series, but there are 3 target series"):
        model().fit(NAMED, privileged={"weather": [WEATHER]})
    found = [first.historical_forecasts(NAMED, privileged=given, retrain=True, **ROLLING) for given in (shared, listed)]
    assert found[0] == found[1] and len(found[0]) == 3
    teacher = sensing().fit(NAMED, privileged=shared)
    answers = [teacher.historical_forecasts(NAMED, privileged=given) for given in (shared, listed)]
    assert answers[0] == answers[1] and len(answers[0]) == 3
    assert audit(first, NAMED, privileged=shared, verbose=False).passed


@pytest.mark.parametrize("place", [1, 2], ids=["of the first", "of another"])
def test_the_same_names_in_another_order_are_refused_within_a_list(place: int) -> None:
    """Whichever series had them first, also if the first of the list has other names."""
    mixed = [*NAMED[:place], swapped(NAMED[place - 1])]
    message = rf"series\[{place}\] has components .*in another order, columns would be mixed"
    with pytest.raises(ValueError, match=message):
        model().fit(mixed, privileged={"weather": WEATHER})
    with pytest.raises(ValueError, match=r"privileged\['weather'\]\[1\] has components \['w1', 'w0'\]"):
        model().fit(NAMED, privileged={"weather": [WEATHER, swapped(WEATHER), WEATHER]})
    with pytest.raises(ValueError, match=r"series\[1\] has components \['b0'\], but others have \['y0', 'y1'\]"):
        model().fit([LONG, SHORT["b0"], LAST], privileged={"weather": WEATHER})


def test_the_order_of_every_training_series_is_remembered(tmp_path: Any) -> None:
    fitted = model().fit(NAMED, privileged={"weather": WEATHER})
    fitted.save(tmp_path / "model")
    for one in (fitted, DistilledModel.load(tmp_path / "model")):
        for series in NAMED:
            with pytest.raises(ValueError, match="in another order, columns would be mixed"):
                one.predict(H, swapped(series))
            with pytest.raises(ValueError, match="in another order, columns would be mixed"):
                one.historical_forecasts([walk(20, 2, name="new"), swapped(series)], retrain=False)
        # names that were not in the fit say nothing of an order
        other = single(one.predict(H, swapped(walk(20, 2, name="new"))))
        assert list(other.components) == ["new1", "new0"]
        with pytest.raises(ValueError, match=r"'y2'.*give as many components"):
            one.predict(H, walk(20, 3))
    with pytest.raises(ValueError, match=r"val_series\[0\] has components .*but the training part has \['b0', 'b1'\]"):
        model().fit(NAMED, val_series=[swapped(SHORT), LONG], privileged={"weather": WEATHER})
    with pytest.raises(ValueError, match=r"val_privileged\['weather'\] has components \['w1', 'w0'\]"):
        model(Teacher(NLinearModel(4, H, **fast())), Reconstruction("weather")).fit(
            LONG, val_series=LONG, privileged={"weather": WEATHER}, val_privileged={"weather": swapped(WEATHER)}
        )


def test_orders_by_hand() -> None:
    assert orders_of(NAMED) == [["y0", "y1"], ["b0", "b1"], ["c0", "c1"]]
    assert orders_of(ALIKE) == [["y0", "y1"]]
    # one component cannot be in another order
    assert orders_of([walk(3, name="a"), walk(3, name="b"), walk(3, name="c")]) == [["a0"]]
    assert restored_orders({"series": ["a", "b"], "past_covariates": [["c"]]}) == {
        "series": [["a", "b"]],
        "past_covariates": [["c"]],
    }
    wrong: list[Any] = [3, {"series": "a"}, {"series": []}, {"series": [3]}]
    for saved in wrong:
        with pytest.raises(ValueError, match="not names by slot"):
            restored_orders(saved)


def test_privileged_series_that_nothing_reads_are_left_out_with_one_line(caplog: pytest.LogCaptureFixture) -> None:
    extra = {"weather": WEATHER, "spare": walk(5, name="too short to be read"), "more": walk(9, freq="D")}
    with caplog.at_level(logging.WARNING, logger="tskd"):
        found = model().fit(NAMED, privileged=extra)
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("tskd")]
    assert lines == ["privileged: nothing reads 'spare', 'more', ignored"]
    assert torch.equal(weights(found), weights(model().fit(NAMED, privileged={"weather": WEATHER})))
    caplog.clear()
    sensing().fit(LONG, privileged=extra)
    # once, not for every origin
    model().historical_forecasts(LONG, privileged=extra, retrain=True, **ROLLING)
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("tskd._core.series")]
    assert lines == [
        "privileged of teacher 'LinearRegressionModel': nothing reads 'spare', 'more', ignored",
        "privileged: nothing reads 'spare', 'more', ignored",
    ]
    with pytest.raises(ValueError, match=r"unknown name in privileged 'wether'.* did you mean 'weather'"):
        model().fit(LONG, privileged={"wether": WEATHER})
    with pytest.raises(ValueError, match=r"^privileged: no teacher reads 'weather'; give one a source"):
        model(Teacher(NLinearModel(4, H, **fast()))).fit(LONG, privileged={"weather": WEATHER})


def test_a_teachers_own_target_is_matched_by_name_in_every_series() -> None:
    wide = [one.concatenate(walk(len(one), seed=9, name="z"), axis=1) for one in NAMED]
    teacher = Teacher(NLinearModel(4, H, **fast()), target="wide")
    fitted = model(teacher).fit(NAMED, privileged={"wide": wide})
    assert np.isfinite(weights(fitted).numpy()).all()
    moved = [wide[0], wide[1][["z0", "b0", "b1"]], wide[2]]
    with pytest.raises(ValueError, match="different places among those that a teacher forecasts"):
        model(teacher).fit(NAMED, privileged={"wide": moved})
