"""Shared by all tests: one torch thread, quiet logs, real data where there are any."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
import torch

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
