"""Values of the steps of an epoch: all of them, in order, in one tensor."""

from __future__ import annotations

import pytest
import torch

from tests.helpers.tensors import live_tensors
from tskd._core.step_values import ROOM, StepScalars, StepValues


@pytest.mark.parametrize("steps", [0, 1, 5, ROOM, ROOM + 1, 5 * ROOM])
def test_scalars(steps: int) -> None:
    kept = StepValues()
    for step in range(steps):
        kept.add(torch.tensor(float(step), requires_grad=True))
    assert len(kept) == steps
    assert torch.equal(kept.all(), torch.arange(float(steps))) and not kept.all().requires_grad


@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.float32], ids=str)
def test_steps_of_unlike_size(dtype: torch.dtype) -> None:
    parts = [torch.arange(3 * n).reshape(3, n).remainder(5).to(dtype) for n in (ROOM - 3, 2, 0, 7, 4 * ROOM)]
    kept = StepValues()
    for part in parts:
        # as a transposed one is
        kept.add(part.T.contiguous().T)
    found, expected = kept.all(), torch.cat(parts, 1)
    assert found.dtype == dtype and torch.equal(found, expected)
    kept.clear()
    assert not len(kept)
    kept.add(parts[1])
    assert torch.equal(kept.all(), parts[1])


@pytest.mark.parametrize("order", [(torch.float32, torch.float64), (torch.float64, torch.float32)])
def test_no_digit_is_lost_where_the_precision_varies(order: tuple[torch.dtype, ...]) -> None:
    kept = StepValues()
    for dtype in order * 3:
        kept.add(torch.tensor(1, dtype=dtype) / 3)
    expected = [float(torch.tensor(1, dtype=dtype) / 3) for dtype in order * 3]
    assert kept.all().dtype == torch.float64 and kept.all().tolist() == expected


def test_no_step_leaves_a_tensor() -> None:
    kept = StepValues()
    kept.add(torch.zeros(2, 3))
    before = len(live_tensors())
    for _ in range(100):
        kept.add(torch.ones(2, 3))
    assert len(live_tensors()) == before


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.int64], ids=str)
def test_scalars_in_memory_keep_their_digits_and_leave_no_tensor(dtype: torch.dtype) -> None:
    given, kept = (torch.arange(1, 9) * 100 / 3).to(dtype), StepScalars()
    before = len(live_tensors())
    for value in given:
        kept.add(value)
    del value
    assert len(live_tensors()) == before
    assert len(kept) == 8
    assert kept.all().dtype == dtype and torch.equal(kept.all(), given)


def test_scalars_of_several_precisions_have_the_widest() -> None:
    kept = StepScalars()
    for dtype in (torch.float32, torch.float64, torch.float32):
        kept.add(torch.tensor(1, dtype=dtype, requires_grad=True) / 3)
    assert kept.all().dtype == torch.float64
    # by hand, one third in single precision
    assert kept.all().tolist() == [0.3333333432674408, 1 / 3, 0.3333333432674408]


def test_a_scalar_on_a_device_is_not_asked_for() -> None:
    kept = StepScalars()
    for _ in range(3):
        # whose value cannot be had
        kept.add(torch.tensor(1.0, device="meta"))
    assert len(kept) == 3 and kept.all().device.type == "meta" and kept.all().shape == (3,)


def test_without_steps_there_are_no_scalars() -> None:
    assert len(StepScalars()) == 0 and StepScalars().all().tolist() == []
