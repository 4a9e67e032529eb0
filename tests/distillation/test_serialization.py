"""Saving a whole distillation: all of it or nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import darts.models
import numpy as np
import pytest
import pytorch_lightning as pl
from darts.models import DLinearModel, LinearRegressionModel, TiDEModel

from tests.helpers.models import fast
from tests.helpers.series import QUIET, single, walk
from tskd import DistilledModel, Reconstruction, Teacher
from tskd.balance import FixedBalance
from tskd.callbacks import BestEpoch
from tskd.losses import HorizonWeighted, OutputKD
from tskd.privileged import WayPoint
from tskd.teachers.crossfit import CrossFit
from tskd.weighting import Fixed, Uniform

SETTINGS: dict[str, Any] = fast()
SERIES, LAB = walk(120), walk(150, seed=1, name="lab")


class Mine(OutputKD):
    """A loss of the user's own."""

    def __init__(self, scale: Any, metric: Any = "mse", weight: float = 1.0) -> None:
        super().__init__(metric, weight)
        self.scale = scale


class Forgets(OutputKD):
    """A loss that does not keep its argument."""

    def __init__(self, scale: float) -> None:
        super().__init__()


class Net(DLinearModel):
    """A model of the user's own."""


class NLinearModel(darts.models.NLinearModel):
    """A model of the user's own that bears the name of one of darts'."""


class Lags(LinearRegressionModel):
    """A model of the user's own that is no network."""


class Nearer(WayPoint):
    """A source of the user's own."""


class Same(Uniform):
    """A weighting of the user's own."""


class Half(FixedBalance):
    """A balance of the user's own."""


class Rebuilt(Reconstruction):
    """A kind of teacher of the user's own."""


class Callback(pl.Callback):
    """A callback of the user's own."""


OWN: list[type] = [Mine, Net, NLinearModel, Lags, Nearer, Same, Half, Rebuilt]


def test_numbers_of_numpy_are_numbers(tmp_path: Path) -> None:
    two, forty, whole = (cast(Any, number) for number in (np.int64(2), np.int64(40), np.float32(1)))
    teacher = Teacher(TiDEModel(6, 4, **SETTINGS), WayPoint("lab", two), cross_fit=CrossFit(2, forty))
    model = DistilledModel(DLinearModel(6, 4, **SETTINGS), teacher, weighting=Fixed([whole]), balance=0.25)
    model.fit(SERIES, privileged={"lab": LAB}).save(tmp_path / "a" / "model")
    again = DistilledModel.load(tmp_path / "a" / "model")
    assert repr(again) == re.sub(r"np\.\w+\((\S+?)\)", r"\1", repr(model))
    loaded = again.teachers[0]
    assert isinstance(loaded, Teacher) and loaded.folds is not None and len(loaded.models) == 2


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (Mine(np.ones(3)), "'Mine' cannot be saved: scale="),
        (HorizonWeighted(Mine(np.ones(3))), "'Mine' cannot be saved: scale="),
        (Forgets(2.0), "'Forgets' cannot be saved: .*'scale'"),
    ],
    ids=["array", "nested", "forgotten"],
)
def test_what_could_not_be_loaded_is_not_saved_and_leaves_nothing(tmp_path: Path, loss: Any, message: str) -> None:
    model = DistilledModel(DLinearModel(6, 4, **SETTINGS), losses=loss).fit(SERIES)
    with pytest.raises(ValueError, match=message):
        model.save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> tuple[DistilledModel, Path]:
    """A model of which every part is of the user's own, and where it is saved."""
    teachers = [
        Teacher(NLinearModel(6, 4, **SETTINGS), name="a"),
        Teacher(Lags(lags=6, lags_future_covariates=[1], output_chunk_length=4), Nearer("lab", 2), name="b"),
        Rebuilt("lab", steps=1, name="c"),
    ]
    losses = [Mine([0.5, 2], "mae"), HorizonWeighted(Mine({"a": 1}))]
    model = DistilledModel(Net(6, 4, **SETTINGS), teachers, losses, Same(), Half(0.25))
    model.fit(SERIES, privileged={"lab": LAB}).save(place := tmp_path_factory.mktemp("own") / "model")
    return model, place


def test_parts_of_ones_own_are_loaded_if_they_are_trusted(own: tuple[DistilledModel, Path]) -> None:
    model, place = own
    again = DistilledModel.load(place, trusted=OWN)
    assert repr(again) == repr(model) and [type(loss) for loss in again.losses] == [Mine, HorizonWeighted]
    assert vars(again.losses[0])["scale"] == [0.5, 2] and type(again.balance) is Half and type(again.weighting) is Same
    assert [type(teacher) for teacher in again.teachers] == [Teacher, Teacher, Rebuilt]
    assert [type(teacher.models[0]) for teacher in again.teachers[:2]] == [NLinearModel, Lags]
    assert type(again.student) is Net and type(again.teachers[1].sources[0]) is Nearer
    np.testing.assert_array_equal(single(again.predict(3, SERIES)).values(), single(model.predict(3, SERIES)).values())


@pytest.mark.parametrize("lacking", OWN, ids=lambda made: made.__name__)
def test_one_that_is_not_trusted_is_named_and_none_of_its_code_runs(
    own: tuple[DistilledModel, Path], lacking: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("__init__", "__setstate__"):
        monkeypatch.setattr(lacking, name, lambda *_, **__: pytest.fail("its code is run"), raising=False)
    trusted = [made for made in OWN if made is not lacking]
    with pytest.raises(ValueError, match=rf"test_serialization\.{lacking.__name__} .*trusted=\[{lacking.__name__}\]"):
        DistilledModel.load(own[1], trusted=trusted)


def test_classes_that_are_trusted_are_classes(own: tuple[DistilledModel, Path]) -> None:
    with pytest.raises(TypeError, match="trusted must hold objects of type, got str"):
        DistilledModel.load(own[1], trusted=["Mine"])  # type: ignore[list-item]


@pytest.mark.parametrize("callback", [BestEpoch(), Callback()], ids=["of tskd", "own"])
def test_a_student_with_callbacks_is_saved_and_loaded(tmp_path: Path, callback: pl.Callback) -> None:
    settings = SETTINGS | {"pl_trainer_kwargs": QUIET | {"callbacks": [callback]}}
    model = DistilledModel(DLinearModel(6, 4, **settings)).fit(SERIES, val_series=walk(40, seed=3))
    model.save(tmp_path / "model")
    again = DistilledModel.load(tmp_path / "model", trusted=[Callback])
    np.testing.assert_array_equal(single(again.predict(3, SERIES)).values(), single(model.predict(3, SERIES)).values())


def test_a_student_with_a_callback_of_its_own_is_saved_clean(tmp_path: Path) -> None:
    settings = SETTINGS | {"pl_trainer_kwargs": QUIET | {"callbacks": [Callback()]}}
    model = DistilledModel(DLinearModel(6, 4, **settings)).fit(SERIES)
    model.save(tmp_path / "model", clean=True)
    again = DistilledModel.load(tmp_path / "model")
    np.testing.assert_array_equal(single(again.predict(3, SERIES)).values(), single(model.predict(3, SERIES)).values())
