"""Students trained by one process, or by several: `python two_processes.py SCENARIO FOLDER`, which DDP runs again."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from darts.models import NLinearModel, TiDEModel
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from tests.helpers.models import fast
from tests.helpers.scripted import Script, Scripted
from tests.helpers.series import QUIET, walk
from tskd import DistilledModel, Teacher
from tskd.balance import ScheduledBalance
from tskd.losses import AttentiveImitation, FeatureKD, LevelShapeKD, OutlierRejection, OutputKD, TeacherBounded
from tskd.weighting import AEKD, CAMKD, DEMKD, LFME, MMKD, BatesGranger, Imitability, InverseError, Uniform, Weighting

LOOKBACK, HORIZON, BATCH, EPOCHS = 6, 3, 8, 2
# four batches of two processes
SERIES = walk(LOOKBACK + HORIZON - 1 + 4 * 2 * BATCH, 2)
VALIDATION = walk(100, 2, seed=1, start="2021-01-01")
NEWEST = len(SERIES) - HORIZON - 1

WEIGHTINGS: dict[str, Callable[[], Weighting]] = {
    "Uniform": Uniform,
    "CAMKD": CAMKD,
    "InverseError": InverseError,
    "DEMKD": partial(DEMKD, 1.0),
    "LFME": partial(LFME, curriculum=0, lead=3.0),
    "Imitability": Imitability,
    "BatesGranger": BatesGranger,
    "AEKD": partial(AEKD, 0.9),
}
DECOUPLED = partial(DEMKD, decoupled=True)
# of which the last layers are not all
DEEP: dict[str, Any] = {"student": TiDEModel, "hidden_size": 4, "temporal_decoder_hidden": 4, "dropout": 0.0}


class Watcher(Callback):
    """Keeps what losses and weighting have learned."""

    state: dict[str, Any]

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        state = pl_module.objective.state_dict()
        self.state = {name: value for name, value in state.items() if isinstance(value, Tensor)}


def own_rank() -> int:
    return int(os.environ.get("LOCAL_RANK", 0))


def ranks(origins: Tensor) -> Tensor:
    """Which of two processes has a window in its batches, the newest of which come first."""
    return (NEWEST - origins) % 2


def uneven(number: int) -> Script:
    """Noisy labels. The second process has fewer windows with a teacher, and none in the first batch."""

    def answer(labels: Tensor, keys: Tensor) -> Tensor:
        noise = torch.randn(len(labels), *labels.shape[1:], generator=torch.Generator().manual_seed(number))
        origins = keys[:, 1]
        gone = (ranks(origins) == 1) & ((origins > NEWEST - 2 * BATCH) | (origins % 5 < 2))
        gone |= (origins + number) % 7 == 0
        said = labels + (0.2 + 0.4 * number) * noise.to(labels) + 0.3 * number
        return said.masked_fill(gone[:, None, None], torch.nan)

    return answer


def one_sided(labels: Tensor, keys: Tensor) -> Tensor:
    """The second process has no teacher at all."""
    return (labels + 1).masked_fill((ranks(keys[:, 1]) == 1)[:, None, None], torch.nan)


def trained(
    processes: int,
    weighting: Weighting | None = None,
    scripts: tuple[Script, ...] = (uneven(0), uneven(1), uneven(2)),
    losses: Any = None,
    balance: Any = 0.7,
    student: Any = NLinearModel,
    **kwargs: Any,
) -> dict[str, Any]:
    """What can be told of a student whose batches are as large in all, in order, whatever the processes."""
    watcher = Watcher()
    together: dict[str, Any] = {"devices": processes, "callbacks": [watcher], "limit_val_batches": 0}
    if processes > 1:
        # Lightning's own sampler shuffles
        together |= {"strategy": "ddp", "use_distributed_sampler": False}
    order = range(own_rank(), len(SERIES) - LOOKBACK - HORIZON + 1, processes)
    common: dict[str, Any] = {"n_epochs": EPOCHS, "batch_size": 2 * BATCH // processes, "random_state": 0}
    common |= {"optimizer_cls": torch.optim.SGD, "optimizer_kwargs": {"lr": 0.02}} | kwargs
    told = NLinearModel(LOOKBACK, HORIZON, **fast())
    told.fit(SERIES, verbose=False)
    teachers: list[Teacher] = [Scripted(told, script, f"t{number}") for number, script in enumerate(scripts)]
    teachers = teachers or [Teacher(told)]
    model = DistilledModel(
        student(LOOKBACK, HORIZON, pl_trainer_kwargs=QUIET | together, **common), teachers, losses, weighting, balance
    )
    model.fit(SERIES, val_series=VALIDATION, verbose=False, dataloader_kwargs={"shuffle": False, "sampler": order})
    logged = {name: float(value) for name, value in model.student.trainer.callback_metrics.items()}
    return {
        "student": [value.tolist() for value in model.student.model.state_dict().values()],
        "state": {name: value.tolist() for name, value in watcher.state.items()},
        "history": model.history,
        "logged": logged,
        "trained": model.student.epochs_trained,
    }


def weighted(make: Callable[[], Weighting], processes: int, **kwargs: Any) -> dict[str, Any]:
    return trained(processes, make(), **kwargs)


def unseeded(processes: int, **kwargs: Any) -> dict[str, Any]:
    """A student, a scorer and projectors of which every process draws its own."""
    torch.manual_seed(own_rank())
    losses = [OutputKD(), FeatureKD("auto", "layer")]
    return trained(processes, scripts=(), losses=losses, random_state=None, **DEEP, **kwargs)


def rehearsing(processes: int) -> dict[str, Any]:
    """A scorer of which every process draws its own, and of which one process has nothing to learn in some steps."""
    torch.manual_seed(own_rank())
    return trained(processes, MMKD(every=1))


def hidden(weighting: Weighting, processes: int) -> dict[str, Any]:
    """Features are weighed by what a process has of a batch: by one of the two, nothing."""
    losses = [OutputKD(), FeatureKD("auto", "layer")]
    return trained(processes, weighting, (one_sided,) * 2, losses, **DEEP)


Case = Callable[[int], dict[str, Any]]

# teachers of which the processes know unlike many windows, and losses that read statistics or weigh labels
ALIKE: dict[str, Case] = {
    **{name: partial(weighted, make) for name, make in WEIGHTINGS.items()},
    "AEKD head": partial(weighted, partial(AEKD, 0.9, space="head"), **DEEP),
    "AEKD parameters": partial(weighted, partial(AEKD, 0.9, space="parameters"), **DEEP),
    "statistics": partial(trained, losses=[OutputKD(), AttentiveImitation(), TeacherBounded()]),
    "outliers": partial(trained, losses=[OutputKD(), OutlierRejection(2.0)]),
    "one-sided": partial(trained, scripts=(one_sided,), balance=1.0),
    # one process weighs nothing apart in its first batch, or in any
    "aspects": partial(weighted, DECOUPLED, losses=LevelShapeKD()),
    "aspects, one-sided": partial(weighted, DECOUPLED, scripts=(one_sided,) * 2, losses=[OutputKD(), LevelShapeKD()]),
}
# the processes agree with one another, if not with one alone
DRAWN: dict[str, Case] = {
    "MMKD": rehearsing,
    "projectors that are in no step": partial(unseeded, balance=0.0),
    "projectors": partial(unseeded, balance=ScheduledBalance(0.5, warm_up=1)),
    "features, one-sided": partial(hidden, DEMKD(features=True)),
}
SCENARIOS = {"alike": ALIKE, "drawn": DRAWN}


def main() -> None:
    """Write what each process has found."""
    scenario, folder = sys.argv[1:]
    found = {name: case(2) for name, case in SCENARIOS[scenario].items()}
    Path(folder, f"{own_rank()}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
