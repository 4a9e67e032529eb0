"""darts' names on a `DistilledModel`: what follows from the student, what does not and why, tables, progress bars."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from darts.models import DLinearModel, NLinearModel
from darts.models.forecasting.forecasting_model import ForecastingModel
from darts.utils.likelihood_models.torch import GaussianLikelihood

from tests.helpers.models import fast
from tests.helpers.series import QUIET, walk
from tskd import DistilledModel, Teacher
from tskd.balance import AutoBalance
from tskd.distillation.darts_surface import INSTEAD
from tskd.distillation.history import EpochRecord
from tskd.distillation.history_table import EpochRecords
from tskd.losses import LevelShapeKD
from tskd.privileged import CostlySensors
from tskd.teachers.crossfit import CrossFit
from tskd.weighting import Fixed

L, H = 6, 3
Y, LAB = walk(60, 2), walk(60, seed=1, name="lab")


def sensing(name: str = "seer", **settings: Any) -> Teacher:
    return Teacher(DLinearModel(L, H, **fast(**settings)), CostlySensors("lab"), name=name)


def model(**settings: Any) -> DistilledModel:
    parts: dict[str, Any] = {"teachers": sensing(), "balance": 0.25} | settings
    return DistilledModel(parts.pop("student", NLinearModel(L, H, **fast(n_epochs=2))), **parts)


@pytest.fixture(scope="module")
def fitted() -> DistilledModel:
    return model().fit(Y, privileged={"lab": LAB})


def test_what_the_student_says_of_itself(fitted: DistilledModel) -> None:
    student = NLinearModel(L, H, output_chunk_shift=2, likelihood=GaussianLikelihood(), normalize=False, **fast())
    new = model(student=student, teachers=())
    assert (new.input_chunk_length, new.output_chunk_length, new.output_chunk_shift) == (L, H, 2)
    assert new.likelihood is student.likelihood and fitted.likelihood is None
    # a forecast of darts begins to count anew
    assert (model().epochs_trained, model(teachers=()).fit(Y).epochs_trained) == (0, 2)
    assert new.supports_probabilistic_prediction and not fitted.supports_probabilistic_prediction
    names = [name for name in dir(ForecastingModel) if name.startswith("supports_")]
    shown = [name for name in names if name in dir(DistilledModel)]
    assert len(shown) == 6
    for name in shown:
        assert getattr(fitted, name) is getattr(fitted.student, name)
    assert not isinstance(fitted, ForecastingModel)


def test_an_untrained_model_has_the_parts_of_the_first(fitted: DistilledModel, tmp_path: Path) -> None:
    """Fitted alike, it becomes the same; from a model that was loaded, too."""
    fitted.save(tmp_path / "model")
    trained: Any = fitted.student.model
    before = {name: value.clone() for name, value in trained.state_dict().items()}
    for one in (fitted, DistilledModel.load(tmp_path / "model")):
        again = one.untrained_model()
        assert again.student.model is None and not again.teachers[0].fitted and again.history == []
        assert again.balance == one.balance and repr(again.losses) == repr(one.losses)
        again.fit(Y, privileged={"lab": LAB})
        network: Any = again.student.model
        for name, value in network.state_dict().items():
            assert torch.equal(value, before[name])
    given = sensing().fit(Y, privileged={"lab": LAB})
    assert model(teachers=given).untrained_model().teachers == (given,)


def test_weights_of_a_student_are_loaded(fitted: DistilledModel, tmp_path: Path) -> None:
    fitted.student.save(str(tmp_path / "student.pt"))
    other = model()
    other.load_weights(str(tmp_path / "student.pt"))
    assert other.predict(H, Y) == fitted.predict(H, Y)


def test_export_needs_a_fit(fitted: DistilledModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"not fitted; call fit\(\) first"):
        model().to_onnx(str(tmp_path / "student.onnx"))
    passed: list[Any] = []
    monkeypatch.setattr(NLinearModel, "to_onnx", lambda self, path, **more: passed.append((self, path, more)))
    fitted.to_onnx("student.onnx", opset_version=18)
    assert passed == [(fitted.student, "student.onnx", {"opset_version": 18})]


def test_what_is_not_there_says_where_it_is(fitted: DistilledModel) -> None:
    for name in INSTEAD:
        assert hasattr(NLinearModel, name)
        with pytest.raises(AttributeError, match=f"^'DistilledModel' object has no attribute '{name}': .{{20,}}"):
            getattr(fitted, name)
    for name in ("trainer_params", "reset_model", "load_weights_from_checkpoint", "model_params"):
        with pytest.raises(AttributeError, match=rf"no attribute '{name}'; its student has it: model\.student\.{name}"):
            getattr(fitted, name)
    with pytest.raises(AttributeError, match="no attribute 'pedict'; did you mean 'predict'"):
        _ = fitted.pedict
    with pytest.raises(AttributeError, match=r"no attribute '_fit_called'$"):
        _ = fitted._fit_called
    assert not hasattr(fitted, "gridsearch") and getattr(fitted, "nothing", 3) == 3


def test_copies_and_pickles_do_not_ask_for_a_student_that_is_not_there_yet() -> None:
    new = model(teachers=())
    assert repr(copy.deepcopy(new)) == repr(copy.copy(new)) == repr(pickle.loads(pickle.dumps(new))) == repr(new)


def test_predict_says_why_it_takes_nothing_privileged(fitted: DistilledModel) -> None:
    for privileged in ({"lab": LAB}, None):
        with pytest.raises(ValueError, match="the student sees deployable inputs alone, and its teachers are used in"):
            fitted.predict(H, privileged=privileged)
    with pytest.raises(ValueError, match="the student sees deployable inputs alone"):
        model().predict(H, Y, privileged={"lab": LAB})


def test_the_balance_is_shown() -> None:
    assert repr(model()).endswith("balance=FixedBalance(value=0.25))")
    auto = model(balance=AutoBalance(), student=NLinearModel(L, H, **fast()))
    assert repr(auto).endswith("balance=AutoBalance())")
    auto.fit(Y, privileged={"lab": LAB})
    assert auto.chosen_balance is not None
    assert repr(auto).endswith(f"balance=AutoBalance(), chosen {auto.chosen_balance.alpha:.2f})")


def test_the_table_of_a_history_by_hand() -> None:
    entry: EpochRecord = {
        "epoch": 4,
        "weights": {"a": 0.75, "b": 0.25},
        "by_step": {"a": [0.5, 1.0], "b": [0.5, 0.0]},
        "by_hour": {"a": [0.7] + [np.nan] * 22 + [0.8], "b": [0.3] + [np.nan] * 22 + [0.2]},
        "aspects": {"level": {"a": 0.9, "b": 0.1}},
        "effective": 1.6,
        "masked": 0.125,
    }
    table = EpochRecords([entry, entry | {"epoch": 5, "by_step": {}, "by_hour": {}, "aspects": {}}]).to_dataframe()
    assert list(table) == ["epoch", "teacher", "quantity", "at", "value"]
    assert list(table.groupby("epoch").size()) == [2 + 4 + 48 + 2 + 2, 4]
    first = table[table.epoch == 4].set_index(["quantity", "teacher", "at"]).value
    assert first["by_step"].to_dict() == {("a", 1): 0.5, ("a", 2): 1.0, ("b", 1): 0.5, ("b", 2): 0.0}
    assert first["by_hour"].dropna().to_dict() == {("a", 0): 0.7, ("a", 23): 0.8, ("b", 0): 0.3, ("b", 23): 0.2}
    assert first["aspects"].to_dict() == {("a", "level"): 0.9, ("b", "level"): 0.1}
    weights = table[table.quantity == "weights"].pivot(index="epoch", columns="teacher", values="value")
    assert weights.to_dict("list") == {"a": [0.75, 0.75], "b": [0.25, 0.25]}
    others = table[table.teacher.isna() & (table.epoch == 5)]
    assert others[["quantity", "value"]].to_numpy().tolist() == [["effective", 1.6], ["masked", 0.125]]
    empty = EpochRecords().to_dataframe()
    assert list(empty) == list(table) and not len(empty)


def test_the_table_of_a_fit() -> None:
    several = model(
        teachers=[sensing("a"), sensing("b", random_state=1)],
        losses=LevelShapeKD(),
        weighting=Fixed({"a": 3, "b": 1}),
    )
    assert several.history.to_dataframe().empty
    several.fit(Y, privileged={"lab": LAB})
    table = several.history.to_dataframe()
    assert table[table.quantity == "weights"].value.tolist() == [0.75, 0.25] * 2
    assert isinstance(several.history, list) and len(several.history) == table.epoch.nunique() == 2
    # a list of one's own: the model's stays
    several.history.clear()
    assert len(several.history) == 2


@pytest.mark.parametrize("folds", [None, CrossFit(2, block=20)], ids=["", "cross-fitted"])
def test_a_progress_bar_says_whose_training_it_shows(
    folds: CrossFit | None, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = {"pl_trainer_kwargs": QUIET | {"enable_progress_bar": True}}
    teachers = [
        Teacher(
            DLinearModel(L, H, **fast(**shown)),
            CostlySensors("lab"),
            name="seer",
            cross_fit=folds,
        ),
        Teacher(DLinearModel(L, H, **fast(**shown)), name="plain"),
    ]
    model(teachers=teachers, student=NLinearModel(L, H, **fast(n_epochs=2, **shown))).fit(Y, privileged={"lab": LAB})
    printed = capsys.readouterr()
    text = printed.out + printed.err
    places = [
        text.find(f"{whose}, epoch {epoch}")
        for whose, epoch in (("teacher 'seer'", 0), ("teacher 'plain'", 0), ("student", 0), ("student", 1))
    ]
    assert -1 not in places and places == sorted(places)
