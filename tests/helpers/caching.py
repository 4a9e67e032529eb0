"""A teacher and a student whose fit writes to and reads from an output cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from darts import TimeSeries
from darts.models import DLinearModel, TiDEModel

from tests.helpers.models import fast
from tests.helpers.series import walk
from tskd import DistilledModel, Teacher
from tskd.privileged import CostlySensors

# the first step of Adam has one length, whatever the gradient: students of other answers would be the same
SETTINGS: dict[str, Any] = fast(optimizer_cls=torch.optim.SGD, optimizer_kwargs={"lr": 0.01})
SERIES, LAB = walk(120), walk(150, seed=1, name="lab")


def teacher(seed: int = 0, series: TimeSeries = SERIES) -> Teacher:
    model = TiDEModel(8, 4, **SETTINGS | {"random_state": seed})
    return Teacher(model, CostlySensors("lab"), name="t").fit(series, privileged={"lab": LAB})


def student(fitted: Teacher, cache: Path | None, series: TimeSeries = SERIES, lab: TimeSeries = LAB) -> torch.Tensor:
    """Weights of a student that learns from the teacher alone."""
    model = DLinearModel(8, 4, **SETTINGS)
    DistilledModel(model, fitted, balance=1).fit(series, privileged={"lab": lab}, cache=cache)
    return torch.cat([value.flatten() for value in model.model.state_dict().values()])


def entries(cache: Path) -> list[Path]:
    return [path for path in cache.iterdir() if not path.name.startswith(".")]
