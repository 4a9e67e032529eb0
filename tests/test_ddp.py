"""Training on two processes with losses that are not in every step."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# DDP runs the script again for the second process
SCRIPT = """
from darts.models import TiDEModel, TSMixerModel
from tests.conftest import QUIET, walk
from tskd import DistilledModel, Teacher
from tskd.balance import FixedBalance, ScheduledBalance
from tskd.losses import FeatureKD, OutputKD

series = walk(80, 2)
common = {"n_epochs": 2, "batch_size": 8, "random_state": 0}
teacher = Teacher(TSMixerModel(8, 4, hidden_size=4, ff_size=4, pl_trainer_kwargs=QUIET, **common), name="t").fit(series)
two = {**QUIET, "devices": 2, "strategy": "ddp"}
student = TiDEModel(8, 4, hidden_size=4, pl_trainer_kwargs=two, **common)
DistilledModel(student, teacher, [OutputKD(), FeatureKD()], balance=BALANCE).fit(series, verbose=False)
print("trained", student.epochs_trained)
"""


@pytest.mark.parametrize("balance", ["FixedBalance(0.0)", "ScheduledBalance(0.5, warm_up=1)"])
def test_projectors_need_not_be_in_every_step(balance: str, tmp_path: Path) -> None:
    script = tmp_path / "two.py"
    script.write_text(SCRIPT.replace("BALANCE", balance))
    settings = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, env=settings, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("trained 2") == 2
