"""Series that do not cover the windows: which one, which steps of it are missing, and who reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from darts import TimeSeries
from darts.models import DLinearModel, TiDEModel

from tests.helpers.models import fast
from tests.helpers.refusals import untrained
from tests.helpers.series import walk
from tskd import DistilledModel, Reconstruction, Teacher
from tskd.privileged import CostlySensors, FutureHorizon, HighResolution, Source, WayPoint

# a lookback of 8 and a horizon of 4: a window of 12 steps
SERIES, LAB = walk(60), walk(75, seed=1, name="lab")
LATE, FINE = LAB[20:], walk(200, seed=2, name="fine", freq="30min", start="2020-01-01 20:00")


def student(kind: Any = DLinearModel) -> Any:
    return kind(8, 4, **fast())


def sensors(name: str = "wet") -> Teacher:
    return Teacher(TiDEModel(8, 4, **fast()), CostlySensors("lab"), name=name)


def fit(model: Any, teacher: Any, series: Any = SERIES, **given: Any) -> DistilledModel:
    return DistilledModel(model, teacher).fit(series, **given)


BOTH: dict[str, Any] = {"privileged": {"lab": LAB}}


@pytest.mark.parametrize(
    ("source", "key", "series"),
    [
        (CostlySensors("lab"), "lab", LATE),
        (FutureHorizon("lab"), "lab", LATE),
        (WayPoint("lab", 2), "lab", LATE),
        (HighResolution("fine"), "fine", FINE),
    ],
)
def test_privileged_series_that_begin_after_training_does(
    source: Source, key: str, series: TimeSeries, monkeypatch: pytest.MonkeyPatch
) -> None:
    untrained(monkeypatch)
    kind = type(source).__name__
    with pytest.raises(ValueError, match="teacher 'wet'") as found:
        fit(student(), Teacher(TiDEModel(8, 4, **fast()), source, name="wet"), privileged={key: series})
    text = str(found.value)
    assert text.startswith(f"teacher 'wet': privileged['{key}'] as {kind} reads it covers 2020-01-01 20:00:00 to")
    assert "missing 2020-01-01 00:00:00 to 2020-01-01 19:" in text
    assert text.endswith("; give them (NaN counts as missing), or cut the target to what it covers")


def test_the_advice_for_a_late_privileged_series_is_good() -> None:
    """With NaN before its beginning the teacher is silent in the windows of origins 7 to 26, of 49 from 7 to 55."""
    values = np.full((75, 1, 1), np.nan, dtype="float32")
    values[20:] = LATE.all_values()
    model = fit(student(), sensors(), privileged={"lab": LAB.with_values(values)})
    assert model.windows is not None and (model.windows.both, model.windows.labels) == (29, 20)


def test_privileged_series_of_the_validation_part_that_begin_late(monkeypatch: pytest.MonkeyPatch) -> None:
    untrained(monkeypatch)
    message = r"teacher 'wet': val_privileged\['lab'\] as CostlySensors reads it covers 2020-01-02 22:00:00"
    with pytest.raises(ValueError, match=message):
        fit(student(), sensors(), SERIES[:40], val_series=SERIES[40:], **BOTH, val_privileged={"lab": LAB[46:]})
    message = r"teacher 'wet': privileged\['lab'\] as CostlySensors reads it: .* begins at 2020-01-03 22:00:00, after"
    with pytest.raises(ValueError, match=message):
        fit(student(), sensors(), privileged={"lab": LAB[70:]})


PAST, SHORT = walk(60, seed=3, name="c"), walk(60, seed=3, name="c")[5:52]
MISSING = r"missing 2020-01-01 00:00:00 to 2020-01-01 04:00:00 \(5 steps at the start\) and "


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: DistilledModel(student(), (), soft_sensor=True).fit(SERIES, SHORT),
            rf"^soft sensor: past_covariates covers .*: {MISSING}2020-01-03 04:00:00 to 2020-01-03 07:00:00 \(4 steps",
        ),
        (
            lambda: DistilledModel(student(TiDEModel), (), soft_sensor=True).fit(SERIES, future_covariates=SHORT),
            rf"^soft sensor: future_covariates .*: {MISSING}2020-01-03 04:00:00 to 2020-01-03 11:00:00 \(8 steps at ",
        ),
        (
            lambda: fit(student(), (), [SERIES, SERIES], past_covariates=[PAST, SHORT]),
            r"^student: past_covariates\[1\]",
        ),
        (
            lambda: fit(student(), (), val_series=SERIES, past_covariates=PAST, val_past_covariates=SHORT),
            "^student: val_past_covariates covers",
        ),
        (
            lambda: Teacher(TiDEModel(8, 4, **fast()), FutureHorizon(None, end=2), name="wet").fit(SERIES, SHORT),
            "^teacher 'wet': past_covariates covers .*at the start.*at the end",
        ),
        (
            lambda: fit(student(), sensors(), privileged={"lab": LAB[5:52]}),
            rf"^teacher 'wet': privileged\['lab'\] .*: {MISSING}2020-01-03 04:00:00 to 2020-01-03 07:00:00 \(4 steps",
        ),
        (
            lambda: fit(student(), (), past_covariates=PAST[-1:].shift(500)),
            r"missing 2020-01-01 00:00:00 to 2020-01-03 07:00:00 \(56 steps at the start\);",
        ),
    ],
)
def test_which_steps_of_which_series_are_missing_and_for_whom(
    call: Callable[[], Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    untrained(monkeypatch)
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("part", "lacks"),
    [
        (LAB[:42], "'lab/lab0' lacks the last 18"),
        (LAB[58:], "lacks the first 18"),
        (LAB.shift(99), "'lab/lab0' lacks all"),
    ],
)
def test_a_reconstruction_from_a_series_that_misses_the_labels(
    part: TimeSeries, lacks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Labels at the last 20 of 60 steps, of which no part has as many as a fold asks for."""
    untrained(monkeypatch)
    blind = Teacher(TiDEModel(8, 4, **fast()), name="blind")
    few = SERIES.with_values(np.where(np.arange(60)[:, None, None] < 40, np.nan, SERIES.all_values()))
    message = rf"^teacher 'Reconstruction', component 'y0': .* at least 4 are needed; of 20 labelled steps, .*{lacks}"
    with pytest.raises(ValueError, match=message):
        fit(student(), (blind, Reconstruction("lab")), few, privileged={"lab": part})
