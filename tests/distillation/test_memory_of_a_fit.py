"""What a fit takes out of memory: the weights of teachers that it fitted, and large blends; nothing else changes."""

from __future__ import annotations

import copy
import operator
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from darts.models import LinearRegressionModel, NLinearModel
from torch import Tensor

import tskd
from tests.helpers.disk import full_disk
from tests.helpers.models import fast
from tests.helpers.series import walk
from tskd import DistilledModel, Teacher
from tskd._core import parked, row_file
from tskd.distillation.blend import PART, Blender, WholeBlend
from tskd.losses import LevelShapeKD
from tskd.privileged import CostlySensors
from tskd.weighting import CAMKD, LFME, Fixed, Uniform

LENGTH = PART + 31
TARGET, LAB = walk(LENGTH, components=2), walk(LENGTH, components=1, seed=5)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Whatever is held counts as large; the folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(parked, "LARGE", 1)
    monkeypatch.setattr(row_file, "LARGE", 1)
    monkeypatch.setattr(row_file, "LONG", 1)
    return tmp_path


def network(seed: int) -> NLinearModel:
    return NLinearModel(6, 4, **fast(random_state=seed, n_epochs=2, batch_size=16))


def teacher(number: int, **kwargs: Any) -> Teacher:
    return Teacher(network(number), CostlySensors("lab"), name=f"teacher {number}", **kwargs)


def fitted(teachers: list[Teacher] | None = None, **kwargs: Any) -> DistilledModel:
    teachers = [teacher(1), teacher(2, cross_fit=2)] if teachers is None else teachers
    return DistilledModel(network(0), teachers, **kwargs).fit(TARGET, privileged={"lab": LAB}, verbose=False)


def weights(model: Any) -> list[Tensor]:
    return list(model.model.state_dict().values())


def values_of(forecasts: Any) -> np.ndarray:
    """Of all windows `[N, H, C]`."""
    return np.stack([one.values() for one in forecasts])


def assert_same(one: Any, other: Any) -> None:
    for value, twin in zip(weights(one), weights(other), strict=True):
        assert torch.equal(value, twin)


RECIPES: dict[str, dict[str, Any]] = {
    "several": {"weighting": Fixed([1, 3])},
    "by window": {"weighting": CAMKD(temperature=0.5)},
    "by epoch": {"weighting": LFME(curriculum=0, bins=2)},
    "one": {"teachers": [teacher(1)]},
    "no blend": {"losses": LevelShapeKD(), "weighting": Uniform()},
}


@pytest.mark.parametrize("case", RECIPES)
def test_the_student_and_its_teachers_are_the_same(case: str, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bit for bit, with what is held on disk or in memory, where the disk is full too."""
    on_disk = fitted(**copy.deepcopy(RECIPES[case]))
    with full_disk():
        full = fitted(**copy.deepcopy(RECIPES[case]))
    monkeypatch.undo()
    in_memory = fitted(**copy.deepcopy(RECIPES[case]))
    assert not list(small.glob("tskd*"))
    for model in (on_disk, full):
        assert_same(model.student, in_memory.student)
        assert model.history == in_memory.history
        for one, other in zip(model.teachers, in_memory.teachers, strict=True):
            for own, twin in zip(one.models, other.models, strict=True):
                assert_same(own, twin)


def test_large_blends_are_on_disk(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds: list[type] = []
    original = Blender._blended

    def watched(self: Blender, epoch: int, device: torch.device) -> WholeBlend:
        blend = original(self, epoch, device)
        kinds.append(type(blend.forecasts))
        return blend

    monkeypatch.setattr(Blender, "_blended", watched)
    fitted()
    fitted([teacher(1)])
    monkeypatch.setattr("tskd.distillation.blend.LARGEST", 1)
    fitted([teacher(1)])
    assert kinds == [row_file.RowFile, row_file.RowFile, Tensor]


def test_only_networks_that_the_fit_has_fitted_are_parked(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each fold of a teacher; not one that was passed fitted, whatever is done with it elsewhere, nor the student."""
    found: list[Any] = []
    monkeypatch.setattr("tskd.distillation.fit.park", found.append)
    given = teacher(1).fit(TARGET, privileged={"lab": LAB})
    trees = Teacher(LinearRegressionModel(6, lags_past_covariates=6, output_chunk_length=4), CostlySensors("lab"))
    model = fitted([given, teacher(2, cross_fit=2), trees])
    # after their fit, and when what they know is collected
    assert found == 2 * [one.model for one in model.teachers[1].models] and len(found) == 4


def test_no_network_is_trained_beside_the_weights_of_another(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A teacher is parked before the next is fitted, and again when all were read, before the student is trained."""
    events: list[tuple[str, Any]] = []

    def log(what: str, place: str, network: int) -> None:
        original = operator.attrgetter(place.removeprefix("tskd."))(tskd)

        def logged(*args: Any, **kwargs: Any) -> Any:
            events.append((what, args[network]))
            return original(*args, **kwargs)

        monkeypatch.setattr(place, logged)

    log("trained", "tskd.teachers.network.train_on", 1)
    log("parked", "tskd.distillation.fit.park", 0)
    log("student", "tskd.distillation.fit.train_on", 1)
    model = fitted([teacher(1), teacher(2)])
    one, two = (own.models[0].model for own in model.teachers)
    fits = [("trained", one), ("parked", one), ("trained", two), ("parked", two)]
    assert events[:-1] == [*fits, ("parked", one), ("parked", two)]
    assert events[-1][0] == "student" and events[-1][1].student is model.student.model


def test_a_parked_teacher_is_used_as_any(small: Path, tmp_path: Path) -> None:
    model = fitted()
    plain = teacher(1).fit(TARGET, privileged={"lab": LAB})
    own = model.teachers[0]
    assert isinstance(own, Teacher)
    expected = plain.historical_forecasts(TARGET, privileged={"lab": LAB})
    model.save(tmp_path / "saved")
    for one in (own, DistilledModel.load(tmp_path / "saved").teachers[0]):
        found = one.historical_forecasts(TARGET, privileged={"lab": LAB})
        np.testing.assert_allclose(values_of(found), values_of(expected), rtol=1e-6)
    again = DistilledModel(network(0), model.teachers, weighting=Fixed([1, 3]))
    again.fit(TARGET, privileged={"lab": LAB}, verbose=False)
    assert_same(again.student, fitted(weighting=Fixed([1, 3])).student)
