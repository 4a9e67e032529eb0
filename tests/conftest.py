"""Shared by all tests: one torch thread, quiet logs, real data where there are any."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"

torch.set_num_threads(1)
for name in ("pytorch_lightning", "lightning.pytorch", "darts"):
    logging.getLogger(name).setLevel(logging.ERROR)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real data; tests that need it skip where TSKD_DATA does not name one."""
    folder = os.environ.get("TSKD_DATA")
    if not folder:
        pytest.skip("TSKD_DATA is not set: no real data")
    return Path(folder)


@pytest.fixture
def steps() -> Iterator[list[str]]:
    """One entry for every optimizer step that anything takes."""
    taken: list[str] = []
    handle = register_optimizer_step_pre_hook(lambda optimizer, *_: taken.append(type(optimizer).__name__))
    yield taken
    handle.remove()


@pytest.fixture
def script(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The script of benchmarks/ of that name, which finds the others beside it."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    before = set(sys.modules)
    yield importlib.import_module(request.param)
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "").parent == BENCHMARKS:
            del sys.modules[name]
