"""What every weighting promises, of those that judge or learn, and of what they are told in a fit."""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from darts.models import NLinearModel

import tskd.weighting
from tests.helpers.models import fast
from tests.helpers.scripted import Scripted
from tests.helpers.series import walk
from tskd import DistilledModel
from tskd._core.aspects import Aspect
from tskd.testing import WeightingConformance
from tskd.weighting import (
    AEKD,
    CAMKD,
    DEMKD,
    LFME,
    MMKD,
    BatesGranger,
    Fixed,
    Imitability,
    InverseError,
    Uniform,
    Weighting,
)

TestUniform = WeightingConformance.of(Uniform)
TestInverseError = WeightingConformance.of(InverseError)
TestBatesGranger = WeightingConformance.of(BatesGranger)
TestCAMKD = WeightingConformance.of(CAMKD)
TestDEMKD = WeightingConformance.of(DEMKD)
# errors of the student's features, or what they leave unexplained, are over the batch
IN_BATCH: frozenset[Aspect] = frozenset({"features"})
TestCAMKDOfFeatures = WeightingConformance.of(partial(CAMKD, features=True), sees_batch=IN_BATCH)
TestDEMKDOfAspects = WeightingConformance.of(partial(DEMKD, decoupled=True, features=True), sees_batch=IN_BATCH)
TestMMKD = WeightingConformance.of(MMKD)


class TestFixed(WeightingConformance):
    # it follows the names, whatever the teachers say
    even_for_equal = False

    def make_for(self, names: list[str]) -> Weighting:
        return Fixed({name: 1 + int(name[-1]) for name in names})


# of few windows it says so, and is uniform
@pytest.mark.filterwarnings("ignore:Imitability needs")
class TestImitability(WeightingConformance):
    # probes of few windows are ill-conditioned: rounding of the level shows in the sixth digit
    tolerance = 1e-5

    def make(self) -> Weighting:
        return Imitability()


class TestAEKD(WeightingConformance):
    # one problem for the batch
    sees_batch = True

    def make(self) -> Weighting:
        return AEKD()


class TestAEKDOfTheHead(TestAEKD):
    def make(self) -> Weighting:
        return AEKD(space="head")


class TestAEKDOfTheParameters(TestAEKD):
    def make(self) -> Weighting:
        return AEKD(cap=1.0, space="parameters")


class TestLFME(WeightingConformance):
    # gates are at most one each, and ranks are within the batch
    renormalised = False
    sees_batch = True

    def make(self) -> Weighting:
        return LFME()


SERIES, HELD_OUT = walk(120, 1), walk(90, 1, seed=5)
COMMON: dict[str, Any] = fast(n_epochs=3, batch_size=16)
METHODS = [InverseError, BatesGranger, CAMKD, DEMKD, Imitability, MMKD, AEKD, LFME]


def teachers() -> list[Scripted]:
    """One that forecasts the first half of the horizon exactly, one all of it with a bias."""
    half = NLinearModel(8, 2, **(COMMON | {"n_epochs": 1})).fit(SERIES)
    whole = NLinearModel(8, 4, **(COMMON | {"n_epochs": 1})).fit(SERIES)
    return [Scripted(half, lambda y, _: y + 0.01, "half"), Scripted(whole, lambda y, _: y + 1.0, "whole")]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("val", [None, HELD_OUT], ids=["training part", "validation part"])
def test_a_teacher_of_half_the_horizon_is_not_judged_by_the_other_half(method: Any, val: Any) -> None:
    weighting = method()
    if val is None and weighting.needs.validation:
        pytest.skip("learns from a validation part")
    student = NLinearModel(8, 4, **COMMON)
    DistilledModel(student, teachers(), weighting=weighting, balance=0.9).fit(SERIES, val_series=val)
    logged = student.trainer.callback_metrics
    assert all(np.isfinite(float(value)) for name, value in logged.items())
    # in the half that it forecasts it is nearly perfect: half of the steps is most that its mean weight can be
    assert float(logged["weight/half"]) <= 0.5 + 1e-6
    if method in (InverseError, BatesGranger, CAMKD, DEMKD):
        assert float(logged["weight/half"]) > 0.3
    assert all(bool(value.isfinite().all()) for value in student.model.state_dict().values())


@pytest.mark.parametrize("method", METHODS)
def test_a_weighting_is_saved_with_its_model(method: Any, tmp_path: Any) -> None:
    model = DistilledModel(NLinearModel(8, 4, **COMMON), teachers()[1:], weighting=method())
    model.fit(SERIES, val_series=HELD_OUT)
    model.save(tmp_path / "model")
    assert repr(DistilledModel.load(tmp_path / "model", [Scripted]).weighting) == repr(method())


def test_balance_zero_is_the_student_alone_whatever_the_weighting() -> None:
    plain = NLinearModel(8, 4, **COMMON).fit(SERIES, val_series=HELD_OUT)
    for method in METHODS:
        student = NLinearModel(8, 4, **COMMON)
        DistilledModel(student, teachers()[1:], weighting=method(), balance=0.0).fit(SERIES, val_series=HELD_OUT)
        for name, value in plain.model.state_dict().items():
            assert torch.equal(value, student.model.state_dict()[name]), (method, name)


def test_every_public_weighting_inherits_the_tests() -> None:
    kinds = [value for name, value in globals().items() if name.startswith("Test") and isinstance(value, type)]
    tested = {type(kind().make_for(["teacher 0"])) for kind in kinds if issubclass(kind, WeightingConformance)}
    public = {value for name in tskd.weighting.__all__ if _is_weighting(value := getattr(tskd.weighting, name))}
    assert {Uniform, Fixed} <= public
    untested = sorted(kind.__name__ for kind in public - tested)
    assert not untested, f"give each of {untested} a line `Test… = WeightingConformance.of(…)` here"


def _is_weighting(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Weighting) and not inspect.isabstract(value)
