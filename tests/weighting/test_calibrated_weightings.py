"""What holds of every weighting that judges teachers by evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from darts.models import NLinearModel
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.helpers.calibration import Saying, calibrated, off, step
from tests.helpers.closed_form import descending, largest_difference, noise
from tests.helpers.series import QUIET
from tskd import DistilledModel
from tskd.weighting import Step, Weighting
from tskd.weighting.bates_granger import BatesGranger
from tskd.weighting.demkd import DEMKD
from tskd.weighting.inverse_error import InverseError

ALL = [InverseError, BatesGranger, DEMKD]
every = pytest.mark.parametrize("make", ALL)


class WeightingCase:
    """Teachers of different worth, some of them missing here and there, and the windows they are judged by."""

    def __init__(self, seed: int, teachers: int = 3, windows: int = 20) -> None:
        draw = torch.Generator().manual_seed(seed)

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=draw, dtype=torch.float64)

        self.target = normal(windows, 4, 2)
        scale = torch.exp(2 * normal(teachers, 1, 4, 2))
        shared = normal(windows, 4, 2)
        self.said = self.target + scale * (normal(teachers, windows, 4, 2) + shared)
        self.spread = scale * torch.exp(normal(teachers, windows, 4, 2))
        self.spread[0] = torch.nan
        self.valid = torch.rand(teachers, windows, generator=draw) > 0.3
        self.covers = torch.ones(teachers, 4, dtype=torch.bool)
        self.covers[-1, 2:] = teachers == 1

    def weights(self, make: Any, **changes: Any) -> Tensor:
        given = {**self.__dict__, **changes}
        said, valid, spread = given["said"], given["valid"], given["spread"]
        weighting = calibrated(make(), said, given["target"], valid=valid, spread=spread, chunk=given.get("chunk", 100))
        return weighting(step(said, valid, spread, given["covers"]))


@every
@given(seed=st.integers(0, 10**6), teachers=st.integers(1, 5), windows=st.integers(1, 12))
@settings(max_examples=25, deadline=None)
def test_weights_are_shares_of_the_valid_teachers(make: Any, seed: int, teachers: int, windows: int) -> None:
    case = WeightingCase(seed, teachers, windows)
    weights = case.weights(make).expand(teachers, windows, 4, -1)
    there = (case.valid[:, :, None] & case.covers[:, None])[..., None]
    assert weights.isfinite().all() and weights.min() >= 0
    assert not weights.requires_grad
    assert weights.where(there, 0).equal(weights)
    torch.testing.assert_close(weights.sum(0), there.any(0).double().expand_as(weights[0]))
    if teachers == 1:
        assert weights.equal(there.double().expand_as(weights))


@every
@given(seed=st.integers(0, 10**6))
@settings(max_examples=10, deadline=None)
def test_order_of_teachers_and_windows_units_and_chunks_do_not_matter(make: Any, seed: int) -> None:
    case = WeightingCase(seed)
    weights = case.weights(make)
    draw = torch.Generator().manual_seed(seed)
    order, rows = torch.randperm(3, generator=draw), torch.randperm(20, generator=draw)
    moved = case.weights(
        make,
        said=case.said[order][:, rows],
        spread=case.spread[order][:, rows],
        valid=case.valid[order][:, rows],
        target=case.target[rows],
        covers=case.covers[order],
    )
    by_rows = weights.expand(3, 20, 4, -1)
    torch.testing.assert_close(moved.expand(3, 20, 4, -1), by_rows[order][:, rows], rtol=1e-6, atol=1e-9)
    scaled = {"said": case.said * 1e6 + 3e6, "target": case.target * 1e6 + 3e6, "spread": case.spread * 1e6}
    torch.testing.assert_close(case.weights(make, **scaled), weights, rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(case.weights(make, chunk=7), weights, rtol=1e-6, atol=1e-9)


@every
@pytest.mark.parametrize("windows", [1, 5, 500])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equal_teachers_are_followed_alike(make: Any, windows: int, dtype: torch.dtype) -> None:
    case = WeightingCase(1, 3, windows)
    alike: dict[str, Any] = {name: getattr(case, name)[:1].expand(3, windows, 4, 2).to(dtype) for name in ("said",)}
    alike |= {"spread": case.spread[1:2].expand(3, windows, 4, 2).to(dtype), "target": case.target.to(dtype)}
    full = {"valid": torch.ones(3, windows, dtype=torch.bool), "covers": torch.ones(1, 1, dtype=torch.bool)}
    weights = case.weights(make, **alike, **full)
    assert weights.dtype is dtype
    torch.testing.assert_close(weights, torch.full_like(weights, 1 / 3))


@every
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_perfect_hopeless_and_absent_teachers_give_finite_weights(make: Any, dtype: torch.dtype) -> None:
    draw = torch.Generator().manual_seed(1)
    target = torch.randn(40, 2, 1, generator=draw).to(dtype)
    said = torch.stack([target, target + 1e4, target + 1, torch.full_like(target, torch.nan)])
    valid = torch.tensor([True, True, True, False])[:, None].expand(4, 40)
    weighting = calibrated(make(), said, target, valid=valid)
    weights = weighting(step(said, valid))[:, 0]
    assert weights.isfinite().all()
    assert torch.finfo(weights.dtype).bits == max(32, torch.finfo(dtype).bits)
    assert (weights[0] > 0.99).all() and (weights[1] < 1e-6).all() and (weights[3] == 0).all()
    appeared = weighting(step(said.nan_to_num(0)))
    assert appeared.isfinite().all() and (appeared[3] > 0).all()


@every
def test_state_dict_gives_the_same_weights_in_another_copy(make: Any) -> None:
    case, other = WeightingCase(1), WeightingCase(2)

    def weighting(case: WeightingCase) -> Weighting:
        return calibrated(make(), case.said, case.target, valid=case.valid, spread=case.spread)

    first, second = weighting(case), weighting(other)
    now: Step = step(case.said, case.valid, case.spread, case.covers)
    assert not first(now).equal(second(now))
    second.load_state_dict(first.state_dict())
    assert first(now).equal(second(now))


@pytest.mark.filterwarnings("ignore:`ModelCheckpoint", "ignore:Checkpoint directory")
@every
def test_a_resumed_fit_goes_on_with_what_was_learned(make: Any, tmp_path: Path) -> None:
    """It is resumed without the held-out windows; judged by the training part, the teachers would change places."""
    series, later = noise(80, 2), noise(50, 2, seed=3)
    said = [off(0.2, held_out=2.0, seed=1), off(1.0, seed=2)]
    teachers = [Saying(answer, name=name).fit([series]) for answer, name in zip(said, "ab", strict=True)]

    def fitted(student: Any, epochs: int, **given: Any) -> Any:
        model = DistilledModel(student, teachers, weighting=make(), balance=0.7)
        return model.fit(series, epochs=epochs, dataloader_kwargs={"shuffle": False}, **given).student

    whole = fitted(descending(), 4, val_series=later)
    saving = {"model_name": "m", "work_dir": str(tmp_path), "save_checkpoints": True}
    trainer = {**QUIET, "enable_checkpointing": True}
    fitted(descending(**saving, pl_trainer_kwargs=trainer), 2, val_series=later)
    resumed = fitted(NLinearModel.load_from_checkpoint("m", str(tmp_path), best=False), 4)
    assert largest_difference(whole, resumed) == 0
    assert largest_difference(whole, fitted(descending(), 4)) > 1e-3


@pytest.mark.filterwarnings("ignore:`ModelCheckpoint", "ignore:Checkpoint directory")
@pytest.mark.parametrize("names", ["ba", "ac", "ab"])
@every
def test_a_resumed_fit_of_other_teachers_judges_them_itself(make: Any, names: str, tmp_path: Path) -> None:
    """What was learned of the first teacher is not the first one's where another stands there."""
    series = noise(80, 2)
    said = {"a": off(0.2, held_out=2.0, seed=1), "b": off(1.0, seed=2), "c": off(3.0, seed=3)}
    teachers = {name: Saying(answer, name=name).fit([series]) for name, answer in said.items()}
    # where the first is the worse
    first = noise(50, 2, seed=5)

    def followed(student: Any, names: str, data: Any, epochs: int) -> dict[str, float]:
        model = DistilledModel(student, [teachers[name] for name in names], weighting=make(), balance=0.7)
        return model.fit(data, epochs=epochs).history[-1]["weights"]

    saving = {"model_name": "m", "work_dir": str(tmp_path), "save_checkpoints": True}
    before = followed(descending(**saving, pl_trainer_kwargs={**QUIET, "enable_checkpointing": True}), "ab", first, 1)
    found = followed(NLinearModel.load_from_checkpoint("m", str(tmp_path), best=False), names, series, 2)
    fresh = followed(descending(), names, series, 1)
    assert found == pytest.approx(before if names == "ab" else fresh)
    assert before != pytest.approx(fresh)
