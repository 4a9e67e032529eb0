"""The public surface: what is exported, how fast it imports, and where darts' private names may stand."""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from pathlib import Path

import pytest
from darts.models.forecasting.pl_forecasting_module import PLForecastingModule
from darts.models.forecasting.torch_forecasting_model import TorchForecastingModel

import tskd
import tskd.balance
import tskd.experiment
import tskd.losses
import tskd.privileged
import tskd.weighting

PACKAGE = Path(tskd.__file__).parent
MODULES = [path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE / "_core" / "darts"]


def test_public_names() -> None:
    classes = ["CrossFit", "DistilledModel", "Reconstruction", "Teacher"]
    returned = ["Audit", "BalanceChoice", "EpochRecords", "ExpectedGain", "Finding", "WindowCounts"]
    assert tskd.__all__ == [*sorted(classes + returned), "__version__", "audit", "expected_gain"]
    assert callable(tskd.audit) and callable(tskd.expected_gain)
    assert all(hasattr(tskd, name) for name in tskd.__all__)
    assert {"Comparison", "Results", "StudyResults", "Verdict"} <= set(tskd.experiment.__all__)
    assert all(hasattr(tskd.experiment, name) for name in tskd.experiment.__all__)
    assert {"CostlySensors", "FutureHorizon", "HighResolution"} <= set(tskd.privileged.__all__)
    assert "OutputKD" in tskd.losses.__all__
    assert {"Fixed", "Uniform"} <= set(tskd.weighting.__all__)
    assert {"AutoBalance", "FixedBalance", "ScheduledBalance"} <= set(tskd.balance.__all__)
    with pytest.raises(AttributeError, match="Studend"):
        _ = tskd.Studend


@pytest.mark.parametrize(
    "statement",
    ["import tskd", "import contextlib, tskd.cli\nwith contextlib.suppress(SystemExit): tskd.cli.main(['--help'])"],
)
def test_starts_under_a_second_without_torch_or_darts(statement: str) -> None:
    heavy = "print([name for name in ('torch', 'darts', 'pandas', 'matplotlib', 'pydantic') if name in sys.modules])"
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{statement}\n{heavy}"], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert time.perf_counter() - started < 1


def test_private_names_of_darts_stand_in_one_package() -> None:
    private = {
        name
        for cls in (TorchForecastingModel, PLForecastingModule)
        for name in dir(cls)
        if name.startswith("_") and not name.startswith("__")
    }
    private -= set(dir(object)) | {name for name in dir(__import__("torch").nn.Module)}
    private -= set(dir(__import__("pytorch_lightning").LightningModule))
    found = []
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("darts"):
                names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
                found += [f"{path.name}: {name}" for name in names if name.startswith("_")]
            if isinstance(node, ast.Attribute) and node.attr in private:
                found.append(f"{path.name}:{node.lineno}: {node.attr}")
    assert not found
