"""What the code of a user's own depends on: its module, and every module of the user's own that one imports."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import types
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from darts.models import NLinearModel
from darts.models.forecasting.pl_forecasting_module import PLForecastingModule

import tskd
from tests.helpers.experiments import toy_config
from tests.helpers.models import fast
from tests.helpers.series import walk
from tskd import Teacher
from tskd._core.own_code import source_digest
from tskd.experiment import Experiment
from tskd.experiment.run.plan import blocks_of, planned
from tskd.losses import OutputKD

FILES = {
    "__init__": "KIND = 1\n",
    "loss": """
from darts.models import LinearRegressionModel, NLinearModel
from tskd.losses import OutputKD
from own_of_test.helpers import scaled

class Mine(OutputKD):
    def forward(self, pair):
        return scaled(super().forward(pair))

class Net(NLinearModel):
    pass

class Lags(LinearRegressionModel):
    pass

def make(seed):
    from . import late
    return Mine(late.METRIC)
""",
    "helpers": "import numpy as np\nfrom .deep.inner import twice as double\n\ndef scaled(x):\n    return double(x)\n",
    "deep/__init__": "",
    "deep/inner": "def twice(x):\n    return 2 * x\n",
    "late": "METRIC = 'mae'\n",
    "unread": "X = 1\n",
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name, text in FILES.items():
        path = tmp_path / "own_of_test" / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path / "own_of_test"
    for name in [one for one in sys.modules if one.partition(".")[0] == "own_of_test"]:
        del sys.modules[name]


def edited(package: Path, name: str) -> None:
    with (package / f"{name}.py").open("a") as file:
        file.write("# edited\n")


COUNTS = ["__init__", "loss", "helpers", "deep/__init__", "deep/inner", "late"]


@pytest.mark.parametrize("what", ["Mine", "make", "Net"])
def test_every_module_that_is_imported_counts_and_no_other(package: Path, what: str) -> None:
    made = getattr(importlib.import_module("own_of_test.loss"), what)
    assert "own_of_test.late" not in sys.modules
    seen = [source_digest(made)]
    for name in COUNTS:
        edited(package, name)
        assert source_digest(made) not in seen, name
        seen.append(source_digest(made))
    edited(package, "unread")
    os.utime(package / "loss.py", (1, 1))
    assert source_digest(made) == seen[-1]


@pytest.mark.parametrize("made", [OutputKD, NLinearModel, PLForecastingModule, np.mean, OrderedDict])
def test_code_of_libraries_is_known_by_its_name(made: Any) -> None:
    assert source_digest(made) == ""


def keys(**changes: Any) -> set[str]:
    experiment = Experiment(**toy_config(seeds=[3], **changes))
    return {cell.key for block in blocks_of("c", experiment) for cell in planned(block, "data")}


@pytest.mark.parametrize("where", ["loss", "function", "student", "teacher", "nested"])
def test_a_helper_that_is_edited_makes_other_cells(package: Path, where: str) -> None:
    own = importlib.import_module("own_of_test.loss")
    nested = {"class": "HorizonWeighted", "kwargs": {"loss": own.Mine()}}
    losses = {"loss": own.Mine("mae"), "function": own.make, "nested": nested}
    changes: dict[str, Any] = {"arms": [{"name": "a", "teachers": "equal", "losses": losses.get(where, "OutputKD")}]}
    net = {"class": own.Net, "kwargs": {"input_chunk_length": 8, "output_chunk_length": 4}}
    if where == "student":
        changes["student"] = net
    if where == "teacher":
        changes["teachers"] = {"equal": {"model": net}}
    before = keys(**changes)
    assert before == keys(**changes)
    edited(package, "deep/inner")
    after = keys(**changes)
    # the student alone, unless it is the user's own, and teachers that are not, stay what they were
    lost, kept = len(before - after), len(before & after)
    balances = 3
    others = {"student": 3, "teacher": 1}.get(where, 1 + 3)
    assert (lost, kept) == {"student": (1 + balances, others), "teacher": (1 + balances, others)}.get(
        where, (balances, others)
    )


@pytest.mark.parametrize("kind", ["Net", "Lags"])
def test_answers_of_a_teacher_whose_code_was_edited_are_not_taken_from_a_cache(package: Path, kind: str) -> None:
    made = getattr(importlib.import_module("own_of_test.loss"), kind)
    series = walk(40)
    model = made(6, 3, **fast()) if kind == "Net" else made(lags=6, output_chunk_length=3)
    predictor = Teacher(model).fit(series).predictor(series)

    def digest() -> list[bytes]:
        parts: list[bytes] = []
        predictor.base.add_to(types.SimpleNamespace(update=parts.append))
        return parts

    before = digest()
    assert before == digest()
    edited(package, "helpers")
    assert before != digest()


def test_of_a_console_what_is_defined_there_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    def defined(helper: str, other: str = "seeds = 3") -> str:
        module = types.ModuleType("console_of_test")
        monkeypatch.setitem(sys.modules, "console_of_test", module)
        mine = "class Mine:\n    def f(self): return helper(1)\n"
        exec(f"{other}\ndef helper(x):\n    return x {helper}\n{mine}", vars(module))
        return source_digest(vars(module)["Mine"])

    assert defined("+ 1") == defined("+ 1", "seeds = 4") != defined("+ 2")
    assert defined("in {'a', 'b', 'c'}") != defined("in {'a', 'b', 'd'}")


def test_a_script_has_one_digest_in_all_its_processes(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import multiprocessing\nfrom tskd._core.own_code import source_digest\n"
        "class Mine:\n    pass\n\ndef digest(_):\n    return source_digest(Mine)\n\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        print(digest(0), *pool.map(digest, [0]))\n"
    )
    found = os.environ | {"PYTHONPATH": str(Path(tskd.__file__).parent.parent)}
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True, env=found)
    here, there = done.stdout.split()
    assert here == there != ""
