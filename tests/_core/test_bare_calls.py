"""Batches and gradients of steps in bulk are those that Lightning's fetcher and torch's optimizer give."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from darts.models import TiDEModel
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loops.fetchers import _PrefetchDataFetcher
from pytorch_lightning.utilities.combined_loader import CombinedLoader
from torch.utils.data import DataLoader, IterableDataset

from tests.helpers.models import fast
from tests.helpers.series import QUIET, walk
from tests.helpers.steps import EveryStep
from tskd import DistilledModel
from tskd._core.darts.bare_calls import batches, forgetting

LOOKBACK, HORIZON, BATCH, EPOCHS = 6, 4, 7, 2
WINDOWS, STEPS = 44, 7


class Progress(Callback):
    """What is known of the loop at the end of every epoch."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def on_train_epoch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        fetcher: Any = trainer.fit_loop._data_fetcher
        self.seen.append((fetcher.fetched, fetcher.done, torch.get_rng_state().tolist()))


class DrawnLate:
    """Draws every window when it is asked for, from the random numbers that dropout draws from too."""

    def __iter__(self) -> Iterator[int]:
        return (int(torch.randint(WINDOWS, ())) for _ in range(WINDOWS))

    def __len__(self) -> int:
        return WINDOWS


LOADERS: dict[str, Callable[[], dict[str, Any]]] = {
    "darts' own": dict,
    "in order": lambda: {"shuffle": False},
    "a list": lambda: {"shuffle": False, "sampler": [*range(43, -1, -3), *range(29)]},
    "drawn late": lambda: {"shuffle": False, "sampler": DrawnLate()},
    "without the rest": lambda: {"drop_last": True},
}


def trained(callbacks: Sequence[Callback], loader: dict[str, Any], **kwargs: Any) -> dict[str, torch.Tensor]:
    """The parameters after some epochs."""
    sizes = {"hidden_size": 8, "decoder_output_dim": 3, "temporal_decoder_hidden": 5, "dropout": 0.2}
    settings = fast(n_epochs=EPOCHS, batch_size=BATCH, **sizes) | kwargs
    model = TiDEModel(LOOKBACK, HORIZON, **settings | {"pl_trainer_kwargs": {**QUIET, "callbacks": [*callbacks]}})
    DistilledModel(model, []).fit(walk(WINDOWS + LOOKBACK + HORIZON - 1), verbose=False, dataloader_kwargs=loader)
    return model.model.state_dict()


@pytest.mark.parametrize("case", LOADERS)
def test_batches_are_those_of_the_loader(case: str) -> None:
    one, other = Progress(), Progress()
    bulk = trained([one], LOADERS[case]())
    each = trained([other, EveryStep()], LOADERS[case]())
    for (name, value), twin in zip(bulk.items(), each.values(), strict=True):
        assert torch.equal(value, twin), name
    assert one.seen == other.seen and one.seen[0][:2] == ((6 if case == "without the rest" else STEPS), True)


@pytest.mark.slow
def test_batches_of_workers_are_taken_too() -> None:
    bulk, each = (trained(one, {"num_workers": 2}) for one in ([], [EveryStep()]))
    assert all(torch.equal(value, twin) for value, twin in zip(bulk.values(), each.values(), strict=True))


def numbers(*values: int) -> Any:
    return list(values)


class OfUnknownLength(IterableDataset):
    def __iter__(self) -> Iterator[int]:
        return iter(range(10, 16))


class Batches:
    """Batches that are no loader's."""

    def __init__(self, batches: list[torch.Tensor]) -> None:
        self._batches = batches

    def __iter__(self) -> Iterator[torch.Tensor]:
        return iter(self._batches)

    def __len__(self) -> int:
        return len(self._batches)


class Iterates(DataLoader):
    """Goes through its batches in a way of its own."""

    def __iter__(self) -> Any:
        return iter([torch.tensor([5, 6]), torch.tensor([7])])


def fetched(loaders: Any) -> Any:
    fetcher = _PrefetchDataFetcher()
    fetcher.setup(CombinedLoader(loaders, "max_size_cycle"))
    return iter(fetcher)


@pytest.mark.parametrize(
    ("loader", "expected"),
    [
        (DataLoader(numbers(*range(10, 16)), batch_size=2), [[10, 11], [12, 13], [14, 15]]),
        # drawn ahead, to know which is the last
        (DataLoader(OfUnknownLength(), batch_size=2), [[10, 11], [12, 13], [14, 15]]),
        (Batches([torch.tensor([1, 2]), torch.tensor([3])]), [[1, 2], [3]]),
        (Iterates(numbers(0, 1), batch_size=1), [[5, 6], [7]]),
    ],
    ids=["a loader", "of unknown length", "no loader", "of its own"],
)
def test_the_fetcher_goes_on_from_there(loader: Any, expected: list[list[int]]) -> None:
    fetcher = fetched(loader)
    following = batches(fetcher)
    given = [following().tolist() for _ in range(len(expected) - 1)]
    assert [*given, next(fetcher)[0].tolist()] == expected
    assert fetcher.done


@pytest.mark.parametrize("first", [[3], [3, 7]], ids=["one", "two"])
def test_batches_of_listed_loaders_come_in_a_list(first: list[int]) -> None:
    fetcher = fetched([DataLoader(numbers(one, one + 1), batch_size=1) for one in first])
    assert [one.tolist() for one in batches(fetcher)()] == [[one] for one in first]


class Counting(torch.optim.SGD):
    """Counts how often gradients are forgotten."""

    forgotten = 0

    def zero_grad(self, set_to_none: bool = True) -> None:
        type(self).forgotten += 1
        super().zero_grad(set_to_none)


def test_an_optimizers_own_way_to_forget_is_kept() -> None:
    Counting.forgotten = 0
    trained([], {}, optimizer_cls=Counting, optimizer_kwargs={"lr": 0.01})
    assert Counting.forgotten == EPOCHS * STEPS


@pytest.mark.parametrize("replaced", [False, True], ids=["of its class", "of its own"])
def test_gradients_of_all_groups_are_forgotten(replaced: bool) -> None:
    first, second = (torch.nn.Parameter(torch.ones(size)) for size in (2, 3))
    groups: list[dict[str, Any]] = [{"params": [first]}, {"params": [second], "lr": 0.1}]
    optimizer = torch.optim.SGD(groups, lr=0.2)
    calls: list[str] = []
    if replaced:
        optimizer.zero_grad = lambda *_: calls.append("own")  # type: ignore[method-assign]
    (first.sum() + second.sum()).backward()
    forgetting(optimizer)()
    assert calls == ["own"] * replaced
    assert [one.grad is None for one in (first, second)] == [not replaced] * 2
