"""One way through: how many files a training step needs open, and what a fit does once."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
from darts import TimeSeries
from darts.models import DLinearModel, LinearRegressionModel, TiDEModel

import tskd
from tests.helpers.models import fast
from tests.helpers.series import QUIET, walk
from tskd import DistilledModel, Teacher
from tskd.distillation.batches import Batch
from tskd.losses import FeatureKD, OutputKD
from tskd.privileged import CostlySensors
from tskd.teachers.crossfit import CrossFit
from tskd.weighting import InverseError

PACKAGE = Path(tskd.__file__).parent
SETTINGS: dict[str, Any] = fast(n_epochs=2, batch_size=8)


class Entered(pl.Callback):
    """The files of tskd in which a function is called, from the arrival of a batch to the end of its step."""

    def __init__(self) -> None:
        self.files: list[set[str]] = []

    def start(self) -> None:
        self.files.append(set())
        sys.setprofile(self._profile)

    def on_train_batch_end(self, *_: Any) -> None:
        sys.setprofile(None)

    def _profile(self, frame: Any, event: str, argument: Any) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and PACKAGE in path.parents:
            self.files[-1].add(path.relative_to(PACKAGE).as_posix())


def test_a_step_enters_few_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With one cached teacher, under Uniform and OutputKD."""
    series, entered, move = walk(60, 2), Entered(), Batch.to

    def arriving(batch: Batch, device: Any) -> Batch:
        entered.start()
        return move(batch, device)

    teacher = Teacher(DLinearModel(8, 4, **SETTINGS)).fit(series)
    DistilledModel(DLinearModel(8, 4, **SETTINGS), teacher).fit(series, cache=tmp_path)
    monkeypatch.setattr(Batch, "to", arriving)
    student = DLinearModel(8, 4, **SETTINGS | {"pl_trainer_kwargs": {**QUIET, "callbacks": [entered]}})
    DistilledModel(student, teacher, OutputKD()).fit(series, cache=tmp_path)
    assert len(entered.files) == 2 * 7
    assert {f"distillation/{name}.py" for name in ("module", "student_step", "objective")} <= entered.files[0]
    assert max(map(len, entered.files)) <= 13, sorted(set.union(*entered.files))


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Calls: scans of a series for missing values, listings of windows, widened inputs, throwaway networks."""
    from tskd._core import series as series_module
    from tskd.distillation import model_interface, preflight
    from tskd.teachers import spec, teacher

    found: Counter[str] = Counter()

    def count(module: Any, name: str, label: Any) -> None:
        original = getattr(module, name)

        def counted(*args: Any, **kwargs: Any) -> Any:
            found[label(*args)] += 1
            return original(*args, **kwargs)

        monkeypatch.setattr(module, name, counted)

    count(series_module, "_check_usable", lambda series, where, complete: f"scan {where}")
    for module in (spec, preflight):
        count(module, "training_keys", lambda lengths, span, sampling: f"keys {span.lookback} {lengths}")
    count(teacher, "teacher_inputs", lambda spec, data, sampling=None: f"inputs {spec.name} {data.prefix}")
    count(model_interface, "untrained_copy", lambda model: f"copy {type(model).__name__}")
    return found


def parts() -> tuple[TimeSeries, TimeSeries, TimeSeries]:
    return walk(70, 2), walk(50, 2, seed=1), walk(90, seed=2, name="lab")


def test_a_fit_checks_lists_and_widens_once(counts: Counter[str]) -> None:
    """Two unfitted teachers, of other lookbacks than the student's, and one that is fitted; the weighting is
    calibrated on the validation part; a loss looks into the networks."""
    train, validation, lab = parts()
    fitted = Teacher(LinearRegressionModel(lags=5, output_chunk_length=4), name="fitted").fit(train)
    teachers = [
        Teacher(TiDEModel(9, 4, hidden_size=4, **SETTINGS), CostlySensors("lab"), name="a"),
        Teacher(TiDEModel(6, 4, hidden_size=4, **SETTINGS), CostlySensors("lab"), name="b", cross_fit=CrossFit(2, 24)),
        fitted,
    ]
    counts.clear()
    model = DistilledModel(TiDEModel(8, 4, hidden_size=4, **SETTINGS), teachers, OutputKD(), InverseError())
    model.fit(train, privileged={"lab": lab}, val_series=validation, val_privileged={"lab": lab})
    assert counts == {
        **{f"scan {name}": 1 for name in ("series", "privileged['lab']", "val_series", "val_privileged['lab']")},
        **{f"keys {lookback} [{length}]": 1 for lookback in (8, 9, 6) for length in (70, 50)},
        **{f"inputs {name} {prefix}": 1 for name in ("a", "b", "fitted") for prefix in ("", "val_")},
    }


def test_a_fit_makes_each_throwaway_network_once(counts: Counter[str]) -> None:
    train, _, lab = parts()
    teacher = Teacher(TiDEModel(9, 4, hidden_size=4, **SETTINGS), CostlySensors("lab"), name="a")
    model = DistilledModel(DLinearModel(8, 4, **SETTINGS), teacher, FeatureKD(student_layer="linear_trend"))
    model.fit(train, privileged={"lab": lab})
    assert counts["copy TiDEModel"] == counts["copy DLinearModel"] == 1
    counts.clear()
    # both are fitted now
    model.fit(train, privileged={"lab": lab})
    assert not any(name.startswith("copy") for name in counts)
