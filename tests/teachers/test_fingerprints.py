"""The name of cached answers: everything that answers depend on is part of it, and students may share a cache."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from darts import TimeSeries
from darts.models import DLinearModel, LinearRegressionModel, TiDEModel
from torch import Tensor

from tests.helpers.caching import SETTINGS, entries
from tests.helpers.series import walk
from tskd import DistilledModel, Teacher
from tskd._core.model_inputs import ModelInputs
from tskd._core.window_keys import WindowSpan
from tskd._core.windows import Windows
from tskd.teachers.answer_form import AnswerForm
from tskd.teachers.answers import AnswersByOrigin, AnswersByTime
from tskd.teachers.crossfit import Folds
from tskd.teachers.network import NetworkPredictor
from tskd.teachers.predictor import OutputRequest, TeacherPredictor
from tskd.teachers.regression import RegressionPredictor

SERIES = [walk(60, 2), walk(40, 2, seed=1, start="2020-01-02")]


class Nothing:
    """Models of which nothing is known."""

    can_be_fingerprinted = covers_cheaply = True

    def covers(self, keys: Tensor) -> Tensor:
        return torch.ones(len(keys), dtype=torch.bool)

    def outputs(self, model: int, keys: Tensor, fields: Sequence[str] = ()) -> Any:
        raise AssertionError

    def add_to(self, digest: Any) -> None:
        pass


FOLDS = Folds(2, 10, 6, SERIES[0][:1], 30)
PREDICTOR = TeacherPredictor(SERIES, Nothing(), 2, FOLDS, (1, 0))
REQUEST = OutputRequest(torch.tensor([[0, 9], [1, 12]]), slice(0, 4), torch.float32, ("features.a",))


@pytest.mark.parametrize(
    "change",
    [
        {"keys": torch.tensor([[0, 9], [0, 12]])},
        {"keys": torch.tensor([[0, 9], [1, 13]])},
        {"keys": torch.tensor([[0, 9]])},
        {"steps": slice(1, 5)},
        {"steps": slice(0, 5)},
        {"dtype": torch.float64},
        {"fields": ()},
        {"fields": ("features.b",)},
    ],
    ids=lambda change: str(change),
)
def test_every_part_of_a_request_counts(change: dict[str, Any]) -> None:
    assert PREDICTOR.fingerprint(REQUEST) == PREDICTOR.fingerprint(replace(REQUEST))
    assert PREDICTOR.fingerprint(replace(REQUEST, **change)) != PREDICTOR.fingerprint(REQUEST)


@pytest.mark.parametrize(
    "change",
    [
        {"columns": (0, 1)},
        {"columns": (1,)},
        {"columns": None},
        {"models": 3},
        {"folds": None},
        {"folds": replace(FOLDS, count=3)},
        {"folds": replace(FOLDS, block=11)},
        {"folds": replace(FOLDS, span=7)},
        {"folds": replace(FOLDS, last=31)},
        # the same folds of other windows
        {"folds": replace(FOLDS, axis=walk(1, start="2019-12-31 23:00"))},
    ],
    ids=lambda change: str(list(change)),
)
def test_every_part_of_a_predictor_counts(change: dict[str, Any]) -> None:
    assert replace(PREDICTOR, **change).fingerprint(REQUEST) != PREDICTOR.fingerprint(REQUEST)


def digest_of(predictor: Any) -> str:
    digest = hashlib.blake2b(digest_size=8)
    predictor.add_to(digest)
    return digest.hexdigest()


def all_differ(made: Sequence[Callable[[], Any]]) -> None:
    """Two of each have the same digest, and no two kinds do."""
    digests = [digest_of(make()) for make in made]
    assert digests == [digest_of(make()) for make in made]
    assert len(set(digests)) == len(digests)


def network(weight: float = 1.0, likelihood: object = None, **hparams: Any) -> Any:
    torch.manual_seed(0)
    made: Any = torch.nn.Linear(2, 1)
    with torch.no_grad():
        made.weight.fill_(weight)
    made.likelihood, made.hparams = likelihood, hparams
    return SimpleNamespace(model=made)


def windows(
    series: Sequence[TimeSeries] = SERIES, covariates: Sequence[TimeSeries] | None = None, **given: Any
) -> Windows:
    return Windows.of(ModelInputs(series, covariates, **given), WindowSpan(4, 2))


def placed(value: float) -> list[TimeSeries]:
    frames = [pd.DataFrame({"place": [value + index]}, dtype="float32") for index in (0, 1)]
    return [one.with_static_covariates(frame) for one, frame in zip(SERIES, frames, strict=True)]


def test_all_that_the_answers_of_a_network_depend_on() -> None:
    hidden = {"past_target": torch.zeros(4, 2, dtype=torch.bool)}
    half = {"past_target": torch.tensor([[False, True]] * 4)}
    late = [one.shift(1) for one in SERIES]
    all_differ(
        [
            lambda: NetworkPredictor([network()], windows()),
            lambda: NetworkPredictor([network(2.0)], windows()),
            lambda: NetworkPredictor([network(), network()], windows()),
            lambda: NetworkPredictor([network(likelihood=Nothing())], windows()),
            lambda: NetworkPredictor([network(dropout=0.1)], windows()),
            lambda: NetworkPredictor([network()], windows(visible=hidden)),
            lambda: NetworkPredictor([network()], windows(visible=half)),
            lambda: NetworkPredictor([network()], windows(SERIES[::-1])),
            lambda: NetworkPredictor([network()], windows(placed(1.0))),
            lambda: NetworkPredictor([network()], windows(placed(2.0))),
            # covariates of the same values, an hour later
            lambda: NetworkPredictor([network()], windows(SERIES, SERIES)),
            lambda: NetworkPredictor([network()], windows(SERIES, late)),
        ]
    )


def test_all_that_the_answers_of_a_regression_depend_on() -> None:
    model = LinearRegressionModel(lags=2, output_chunk_length=2).fit(SERIES)
    other = LinearRegressionModel(lags=2, output_chunk_length=2).fit(SERIES[1])
    renamed = [one.with_columns_renamed(["y0", "y1"], ["a", "b"]) for one in SERIES]
    all_differ(
        [
            lambda: RegressionPredictor([model], ModelInputs(SERIES)),
            lambda: RegressionPredictor([other], ModelInputs(SERIES)),
            lambda: RegressionPredictor([model], ModelInputs(SERIES[:1])),
            lambda: RegressionPredictor([model], ModelInputs([one.shift(1) for one in SERIES])),
            lambda: RegressionPredictor([model], ModelInputs(renamed)),
            lambda: RegressionPredictor([model], ModelInputs(placed(1.0))),
            lambda: RegressionPredictor([model], ModelInputs(SERIES, past_covariates=SERIES)),
            lambda: RegressionPredictor([model], ModelInputs(SERIES, future_covariates=SERIES)),
        ]
    )


def test_all_that_given_answers_depend_on() -> None:
    point, gaussian, steps = AnswerForm(), AnswerForm(gaussian=True), range(1, 3)
    later, doubled = [one.shift(1) for one in SERIES], [one * 2 for one in SERIES]
    all_differ(
        [
            lambda: AnswersByTime(SERIES, SERIES, steps, point),
            lambda: AnswersByTime(SERIES, SERIES, steps, gaussian),
            lambda: AnswersByTime(SERIES, SERIES, range(2, 4), point),
            lambda: AnswersByTime(SERIES, SERIES, range(1, 4), point),
            lambda: AnswersByTime(doubled, SERIES, steps, point),
            # the same values at other times
            lambda: AnswersByTime(later, SERIES, steps, point),
        ]
    )
    keys, values = torch.tensor([[0, 3], [0, 4]]), np.arange(8.0).reshape(2, 2, 1, 2)
    all_differ(
        [
            lambda: AnswersByOrigin(keys, values, AnswerForm(levels=(0.1, 0.5))),
            lambda: AnswersByOrigin(keys, values, gaussian),
            lambda: AnswersByOrigin(keys + 1, values, gaussian),
            lambda: AnswersByOrigin(keys, values + 1, gaussian),
            lambda: AnswersByOrigin(keys, values.reshape(2, 1, 2, 2), gaussian),
        ]
    )


def test_given_answers_are_found_by_their_origin_in_any_order() -> None:
    keys, values = torch.tensor([[1, 3], [0, 4], [0, 2]]), np.array([13.0, 4.0, 2.0]).reshape(3, 1, 1, 1)
    base = AnswersByOrigin(keys, values, AnswerForm())
    asked = torch.tensor([[0, 2], [0, 3], [0, 4], [1, 3], [1, 4]])
    covered = base.covers(asked)
    assert covered.tolist() == [True, False, True, True, False]
    ((_, found),) = base.outputs(0, asked[covered])
    assert found["forecasts"].flatten().tolist() == [2, 4, 13]
    values[1] = np.nan
    assert AnswersByOrigin(keys, values, AnswerForm()).covers(asked).tolist() == [True, False, False, True, False]


def test_students_of_other_components_and_steps_share_a_cache(tmp_path: Path) -> None:
    """One teacher forecasts two components and six steps, in windows that three students have: of the first component,
    of the second, and of the last steps. What each of them learns is the same with a cache as without."""
    both = walk(80, 2)
    teacher = Teacher(TiDEModel(8, 6, **SETTINGS), target="both", name="t").fit(both["y0"], privileged={"both": both})

    def learnt(component: str, shift: int, cache: Path | None) -> Tensor:
        model = DLinearModel(8, 6 - shift, output_chunk_shift=shift, **SETTINGS)
        DistilledModel(model, teacher, balance=1).fit(both[component], privileged={"both": both}, cache=cache)
        return torch.cat([value.flatten() for value in model.model.state_dict().values()])

    found = [(component, shift) for component in ("y0", "y1") for shift in (0, 2)]
    for one in found:
        assert torch.equal(learnt(*one, tmp_path), learnt(*one, None))
    assert len(entries(tmp_path)) == len(found)
    assert not torch.equal(learnt("y0", 0, tmp_path), learnt("y1", 0, tmp_path))
