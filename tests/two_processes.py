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

from tests.conftest import QUIET, walk
from tests.scripted import Script, Scripted
from tskd import DistilledModel, Teacher
from tskd.balance import ScheduledBalance
from tskd.losses import AttentiveImitation, FeatureKD, OutlierRejection, OutputKD, TeacherBounded
from tskd.weighting import (
    AEKD,
    CAMKD,
    DEMKD,
    LFME,
    MMKD,
    BatesGranger,
    Imitability,
    InverseError,
    Uniform,
    Weighting,
)

LOOKBACK, HORIZON, BATCH = 6, 3, 8
# six batches of two processes
SERIES = walk(LOOKBACK + HORIZON - 1 + 6 * 2 * BATCH, 2)
VALIDATION = walk(100, 2, seed=1, start="2021-01-01")
NEWEST = len(SERIES) - HORIZON - 1

WEIGHTINGS: dict[str, Callable[[], Weighting]] = {
    "Uniform": Uniform,
    "CAMKD": CAMKD,
    "InverseError": InverseError,
    "DEMKD": DEMKD,
    "LFME": partial(LFME, curriculum=0, lead=3.0),
    "Imitability": Imitability,
    "BatesGranger": BatesGranger,
    "AEKD output": partial(AEKD, 0.9),
    "AEKD head": partial(AEKD, 0.9, space="head"),
    "AEKD parameters": partial(AEKD, 0.9, space="parameters"),
}


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
    common: dict[str, Any] = {"n_epochs": 2, "batch_size": 2 * BATCH // processes, "random_state": 0}
    common |= {"optimizer_cls": torch.optim.SGD, "optimizer_kwargs": {"lr": 0.02}} | kwargs
    told = NLinearModel(LOOKBACK, HORIZON, n_epochs=1, random_state=0, pl_trainer_kwargs=QUIET)
    told.fit(SERIES, verbose=False)
    teachers = [Scripted(told, script, f"t{number}") for number, script in enumerate(scripts)] or [Teacher(told)]
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


def weighted(processes: int) -> dict[str, Any]:
    """By every weighting, of teachers of which the processes know unlike many windows."""
    return {name: trained(processes, make()) for name, make in WEIGHTINGS.items()}


def compared(processes: int) -> dict[str, Any]:
    """By losses that read statistics, a loss that weighs labels, and a teacher that one process lacks."""
    bounded = [OutputKD(), AttentiveImitation(), TeacherBounded()]
    return {
        "statistics": trained(processes, losses=bounded),
        "outliers": trained(processes, losses=[OutputKD(), OutlierRejection()]),
        "one-sided": trained(processes, scripts=(one_sided,), balance=1.0),
    }


def unseeded(processes: int) -> dict[str, Any]:
    """With a scorer and projectors of which every process has drawn its own, which are not in every step."""
    torch.manual_seed(own_rank())
    sizes = {"hidden_size": 4, "temporal_decoder_hidden": 4, "dropout": 0.0, "random_state": None}
    hint = {"losses": [OutputKD(), FeatureKD("auto", "layer")], "student": TiDEModel, "scripts": (), **sizes}
    return {
        "MMKD": trained(processes, MMKD(every=2)),
        "labels": trained(processes, balance=0.0, **hint),
        "projectors": trained(processes, balance=ScheduledBalance(0.5, warm_up=1), **hint),
    }


SCENARIOS = {one.__name__: one for one in (weighted, compared, unseeded)}


def main() -> None:
    """Write what each process has found."""
    scenario, folder = sys.argv[1:]
    found = SCENARIOS[scenario](2)
    Path(folder, f"{own_rank()}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
