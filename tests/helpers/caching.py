"""A teacher and a student whose fit writes to and reads from an output cache, here or in another process."""

from __future__ import annotations

import subprocess
import sys
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


SCRIPT = """
import sys, time
from pathlib import Path
import numpy as np
from tests.helpers.caching import entries, student, teacher
from tskd.teachers import output_cache as store
folder = Path(sys.argv[1])
if len(sys.argv) > 2:
    write, digest = store.CacheEntry.write, store._digest
    slow = float(sys.argv[2])
    store.CacheEntry.write = lambda self, *a: (print("writing", flush=True), time.sleep(slow), write(self, *a))[0]
    store._digest = lambda *a: (time.sleep(slow), digest(*a))[1]
known = folder.joinpath("cache").is_dir() and bool(entries(folder / "cache"))
weights = student(teacher(), folder / "cache")
np.save(folder / "student.npy", weights.numpy())
print("complete" if known else "computed", file=sys.stderr)
"""


def run(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """A process that trains a student with the cache in a folder, and writes its weights there.

    Args:
        arguments: seconds by which whatever is written is late; it says that it begins.
    """
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
