"""Saving a whole distillation: all of it or nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import pytorch_lightning as pl
from darts.models import DLinearModel, TiDEModel

from tests.helpers.models import fast
from tests.helpers.series import QUIET, single, walk
from tskd import DistilledModel, Teacher
from tskd.losses import OutputKD
from tskd.privileged import WayPoint
from tskd.teachers.crossfit import CrossFit
from tskd.weighting import Fixed

SETTINGS: dict[str, Any] = fast()
SERIES, LAB = walk(120), walk(150, seed=1, name="lab")


class Mine(OutputKD):
    """A loss of the user's own."""


class Callback(pl.Callback):
    """A callback of the user's own."""


def test_numbers_of_numpy_are_numbers(tmp_path: Path) -> None:
    two, forty, whole = (cast(Any, number) for number in (np.int64(2), np.int64(40), np.float32(1)))
    teacher = Teacher(TiDEModel(6, 4, **SETTINGS), WayPoint("lab", two), cross_fit=CrossFit(2, forty))
    model = DistilledModel(DLinearModel(6, 4, **SETTINGS), teacher, weighting=Fixed([whole]), balance=0.25)
    model.fit(SERIES, privileged={"lab": LAB}).save(tmp_path / "a" / "model")
    again = DistilledModel.load(tmp_path / "a" / "model")
    assert repr(again) == re.sub(r"np\.\w+\((\S+?)\)", r"\1", repr(model))
    loaded = again.teachers[0]
    assert isinstance(loaded, Teacher) and loaded.folds is not None and len(loaded.models) == 2


def test_what_could_not_be_loaded_is_not_saved_and_leaves_nothing(tmp_path: Path) -> None:
    model = DistilledModel(DLinearModel(6, 4, **SETTINGS), losses=Mine()).fit(SERIES)
    with pytest.raises(ValueError, match="'Mine' cannot be saved"):
        model.save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_a_student_with_a_callback_of_its_own_is_saved_clean(tmp_path: Path) -> None:
    settings = SETTINGS | {"pl_trainer_kwargs": QUIET | {"callbacks": [Callback()]}}
    model = DistilledModel(DLinearModel(6, 4, **settings)).fit(SERIES)
    model.save(tmp_path / "model", clean=True)
    again = DistilledModel.load(tmp_path / "model")
    np.testing.assert_array_equal(single(again.predict(3, SERIES)).values(), single(model.predict(3, SERIES)).values())
