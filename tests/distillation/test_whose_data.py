"""Data that a fit cannot use: the message says whose they are, what is wrong, and what to do, before any training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
import torch
from darts import TimeSeries
from darts.models import DLinearModel, LinearRegressionModel, TiDEModel
from pytorch_lightning.callbacks import EarlyStopping

from tests.helpers.models import fast
from tests.helpers.refusals import untrained
from tests.helpers.series import QUIET, walk
from tskd import DistilledModel, Teacher
from tskd._core.checks import check_known
from tskd.privileged import CostlySensors

# a lookback of 8 and a horizon of 4: a window of 12 steps
SERIES, LAB = walk(60), walk(75, seed=1, name="lab")
TEXTS, NUMBERS = pd.DataFrame({"kind": ["a"]}), pd.DataFrame({"size": [2.0]})


def student(kind: Any = DLinearModel, **settings: Any) -> Any:
    return kind(8, 4, **fast(**settings))


def sensors(lookback: int = 8, **settings: Any) -> Teacher:
    return Teacher(TiDEModel(lookback, 4, **fast(**settings)), CostlySensors("lab"), name="wet")


def linear(lags: int = 8) -> Teacher:
    return Teacher(LinearRegressionModel(lags=lags, output_chunk_length=4), name="line")


def stopping(metric: str = "val_loss", **settings: Any) -> dict[str, Any]:
    return QUIET | {"callbacks": [EarlyStopping(metric, **settings)]}


def fit(model: Any, teacher: Any, series: Any = SERIES, **given: Any) -> DistilledModel:
    return DistilledModel(model, teacher).fit(series, **given)


BOTH: dict[str, Any] = {"privileged": {"lab": LAB}}
VALIDATED = BOTH | {"val_privileged": {"lab": LAB}}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fit(student(), sensors(), SERIES[:11], **BOTH), r"student: series has 11 steps, .* needs 12 "),
        (
            lambda: fit(student(), sensors(), val_series=SERIES[:10], **VALIDATED),
            r"student: val_series has 10 steps, and one window needs 12 \(lookback 8, horizon 4\): give a longer",
        ),
        (
            lambda: fit(student(), linear(), [SERIES, SERIES[:5]]),
            r"student: series\[1\] has 5 steps, and one window needs 12",
        ),
        (
            lambda: fit(student(output_chunk_shift=3), linear(), SERIES[:14]),
            r"14 steps, and one window needs 15 \(lookback 8, output_chunk_shift 3, horizon 4\)",
        ),
        (
            lambda: fit(student(), sensors(30), SERIES[:33], **BOTH),
            r"teacher 'wet': series has 33 steps, and one window needs 34 \(lookback 30, horizon 4\): give a longer "
            "series, or a model with a shorter lookback",
        ),
        (
            lambda: fit(student(), sensors(30), val_series=SERIES[:20], **VALIDATED),
            "teacher 'wet': val_series has 20 steps, and one window needs 34",
        ),
        (lambda: fit(student(), linear(30), val_series=SERIES[:20]), "teacher 'line': val_series has 20 steps"),
        (lambda: sensors(30).fit(SERIES[:20], **BOTH), "teacher 'wet': series has 20 steps"),
    ],
)
def test_a_series_that_is_shorter_than_a_window(
    call: Callable[[], Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    untrained(monkeypatch)
    with pytest.raises(ValueError, match=message):
        call()


def with_static(series: TimeSeries, static: pd.DataFrame | None) -> TimeSeries:
    return series.with_static_covariates(static)


@pytest.mark.parametrize(
    ("whose", "call"),
    [
        ("student: series", lambda named: fit(student(TiDEModel), sensors(), named, **BOTH)),
        (
            "teacher 'wet': series",
            lambda named: fit(student(use_static_covariates=False), sensors(), named, **BOTH),
        ),
        ("teacher 'line': series", lambda named: fit(student(use_static_covariates=False), linear(), named)),
        (
            "teacher 'wet': val_series",
            lambda named: fit(student(use_static_covariates=False), sensors(), val_series=named, **VALIDATED),
        ),
        ("student: val_series", lambda named: fit(student(TiDEModel), (), val_series=named)),
        ("teacher 'wet': series", lambda named: sensors().fit(named, **BOTH)),
    ],
)
def test_texts_as_static_covariates(
    whose: str, call: Callable[[TimeSeries], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    untrained(monkeypatch)
    with pytest.raises(ValueError, match=rf"{whose} has static covariates \['kind'\] that are no numbers: encode"):
        call(with_static(SERIES, TEXTS))


def test_static_covariates_in_use_are_those_of_the_fit() -> None:
    model = fit(student(TiDEModel), (), with_static(SERIES, NUMBERS))
    for static, message in (
        (TEXTS, r"student: series has static covariates \['kind'\] that are no numbers"),
        (None, r"student: series has no static covariates, and the series that it is fitted on .*\['size'\] of 1 row"),
        (pd.DataFrame({"weight": [2.0]}), r"static covariates \['weight'\] of 1 row, and .*\['size'\]"),
    ):
        other = with_static(SERIES, static)
        with pytest.raises(ValueError, match=message):
            model.predict(4, other)
        with pytest.raises(ValueError, match=message):
            model.historical_forecasts(other, retrain=False)
    assert len(model.predict(4, with_static(SERIES, NUMBERS))) == 4


PLATEAU = {"lr_scheduler_cls": torch.optim.lr_scheduler.ReduceLROnPlateau}


@pytest.mark.parametrize(
    ("call", "whose", "needed"),
    [
        (lambda: fit(student(pl_trainer_kwargs=stopping()), linear()), "student: EarlyStopping", "val_series"),
        (lambda: fit(student(**PLATEAU), linear()), "student: ReduceLROnPlateau", "val_series"),
        (
            lambda: fit(student(), sensors(pl_trainer_kwargs=stopping()), val_series=SERIES, **BOTH),
            "teacher 'wet': EarlyStopping",
            "val_series and val_privileged",
        ),
        (
            lambda: sensors(pl_trainer_kwargs=stopping()).fit(SERIES, **BOTH),
            "teacher 'wet': EarlyStopping",
            "val_series and val_privileged",
        ),
    ],
)
def test_a_training_that_watches_a_validation_part_that_there_is_not(
    call: Callable[[], Any], whose: str, needed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    untrained(monkeypatch)
    with pytest.raises(ValueError, match=f"{whose} monitors 'val_loss', and there is no validation .*: give {needed} "):
        call()


def test_a_training_may_watch_what_it_has() -> None:
    fit(student(pl_trainer_kwargs=stopping("train_loss")), linear())
    fit(student(pl_trainer_kwargs=stopping()), linear(), val_series=SERIES[30:])
    fit(student(pl_trainer_kwargs=stopping(strict=False)), linear())


@pytest.mark.parametrize(
    ("given", "known", "near"),
    [
        ("labb", ["lab", "rain"], "lab"),
        ("strid", ["train_length", "stride"], "stride"),
        ("xq", ["lab"], ""),
    ],
)
def test_did_you_mean_only_where_something_is_near(given: str, known: list[str], near: str) -> None:
    with pytest.raises(ValueError, match=f"unknown key '{given}'") as found:
        check_known([given], known, "key")
    assert str(found.value).endswith(f"; did you mean {near!r}?" if near else ", ".join(known))
