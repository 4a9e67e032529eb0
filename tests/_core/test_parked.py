"""Networks whose weights are parked: the same tensors and values in whatever is done with them, and no file left."""

from __future__ import annotations

import copy
import io
import pickle
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.helpers.disk import full_disk
from tskd._core import parked
from tskd._core.parked import park

LARGE = 40


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(parked, "LARGE", LARGE)
    return tmp_path


def network(dtype: torch.dtype = torch.float32) -> nn.Sequential:
    """Large weights and buffers, small ones, and a weight that two layers share."""
    torch.manual_seed(0)
    first, second, third = nn.Linear(5, 6), nn.BatchNorm1d(6), nn.Linear(6, 6, bias=False)
    fourth = nn.Linear(6, 6)
    fourth.weight = third.weight
    made = nn.Sequential(first, second, third, fourth).to(dtype)
    made.register_buffer("lags", torch.arange(24).reshape(4, 6).to(dtype))
    return made


def addresses(net: nn.Module) -> dict[str, int]:
    return {name: value.data_ptr() for name, value in net.state_dict(keep_vars=True).items()}


def trained(net: nn.Module) -> nn.Module:
    """The network after three steps of Adam."""
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        net(torch.linspace(-1, 2, 35).reshape(7, 5)).square().mean().backward()
        optimizer.step()
    return net


def saved(net: nn.Module) -> nn.Module:
    file = io.BytesIO()
    torch.save(net.state_dict(), file)
    file.seek(0)
    other = network()
    other.load_state_dict(torch.load(file, weights_only=True))
    return other


def parked_again(net: nn.Module) -> nn.Module:
    park(net)
    return net


USES: dict[str, Callable[[nn.Module], nn.Module]] = {
    "as it is": lambda net: net,
    "trained": trained,
    "a copy": copy.deepcopy,
    "a copy, trained": lambda net: trained(copy.deepcopy(net)),
    "pickled": lambda net: pickle.loads(pickle.dumps(net)),
    "saved and loaded": saved,
    "in another precision": lambda net: net.double(),
    "parked again": parked_again,
}


@pytest.mark.parametrize("use", USES)
def test_a_parked_network_is_itself(use: str, folder: Path) -> None:
    plain, own = network(), network()
    parameters, before = list(own.parameters()), addresses(own)
    park(own)
    assert all(one is other for one, other in zip(own.parameters(), parameters, strict=True))
    # five numbers of 4 bytes stay in memory, and so do six
    moved = {name for name, address in addresses(own).items() if address != before[name]}
    assert moved == {"0.weight", "2.weight", "3.weight", "lags"}
    assert own[2].weight is own[3].weight
    # the files have no names
    assert not list(folder.iterdir())
    expected, found = USES[use](plain).state_dict(), USES[use](own).state_dict()
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        assert found[name].dtype == value.dtype and torch.equal(found[name], value), name
    assert all(p.requires_grad for p in own.parameters())


def test_what_is_written_to_it_is_not_in_another(folder: Path) -> None:
    own = network()
    twin = copy.deepcopy(own)
    park(own)
    weight, other = (next(net.parameters()) for net in (own, twin))
    kept = weight.detach().clone()
    with torch.no_grad():
        other.add_(1)
        assert torch.equal(weight, kept)
        weight.mul_(2)
    assert torch.equal(weight, 2 * kept)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
def test_numbers_of_another_precision(dtype: torch.dtype) -> None:
    own, plain = network(dtype), network(dtype)
    park(own)
    for found, expected in zip(own.parameters(), plain.parameters(), strict=True):
        assert found.dtype == dtype and torch.equal(found, expected)


def test_views_of_a_larger_tensor_stay(folder: Path) -> None:
    whole = torch.arange(200.0)
    own = nn.Module()
    own.register_buffer("part", whole[20:80])
    own.register_buffer("turned", torch.arange(60.0).reshape(6, 10).T)
    before = addresses(own)
    park(own)
    assert addresses(own) == before


def test_without_room_they_stay_in_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = network()
    before = addresses(own)
    with full_disk():
        park(own)
    assert addresses(own) == before and not list(folder.iterdir())
    # no folder, as where none can be written to
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "missing"))
    park(own)
    assert addresses(own) == before


@pytest.mark.parametrize("full", [False, True], ids=["room", "no room"])
def test_what_is_freed_is_given_back_when_all_is_parked(full: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    own = network()
    before, found = addresses(own), []
    monkeypatch.setattr(parked, "return_freed", lambda: found.append(addresses(own)))
    with full_disk() if full else nullcontext():
        park(own)
    assert found == [addresses(own)] and (found == [before]) is full
