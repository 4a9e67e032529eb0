"""The student is deployed without tskd: what its files hold, and where they can be read."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import types
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from darts import TimeSeries
from darts.models import DLinearModel, NBEATSModel, TFTModel, TiDEModel
from darts.utils.likelihood_models.torch import GaussianLikelihood, QuantileRegression
from pytorch_lightning.callbacks import Callback, EarlyStopping
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from torch import Tensor, nn
from torchmetrics import MeanAbsoluteError

from tests.helpers.models import fast
from tests.helpers.series import QUIET, walk
from tskd import DistilledModel, Teacher
from tskd._core.checksums import checksums
from tskd._core.windows import Slot, Windows
from tskd.balance import ScheduledBalance
from tskd.distillation.batches import Batch
from tskd.distillation.module import Distillation
from tskd.distillation.serialization import CHECKSUMS
from tskd.losses import DistillationLoss, OutputKD, StudentTeacherPair
from tskd.privileged import CostlySensors, FutureHorizon
from tskd.teachers.outputs import TeacherOutputs
from tskd.weighting import Fixed

LOOKBACK, HORIZON = 12, 4
# keys and components of the privileged series
SECRET_WORDS = ("outlook", "assay", "prescient", "laboratory")
TEACHERS = ("oracle", "chemist")

NEUTRAL_READER = """
import json, sys


class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tskd", "tests"):
            raise ImportError(f"{name} is not to be had here")


sys.meta_path.insert(0, Refuse())
try:
    import tskd
except ImportError:
    pass
else:
    raise SystemExit("tskd can be imported")

import logging
from contextlib import nullcontext
from importlib import import_module

import numpy as np
import pandas as pd
import torch
from darts import TimeSeries, models
from darts.utils.serialization import safe_globals

torch.set_num_threads(1)
logging.disable(logging.ERROR)
outcomes = {}
for name, case in json.load(open(sys.argv[1])).items():
    try:
        allowed = [getattr(import_module(module), kind) for module, kind in case["allowed"]]
        with safe_globals(allowed) if allowed else nullcontext():
            model = getattr(models, case["class"]).load(
                case["path"], pl_trainer_kwargs={"accelerator": "cpu", "enable_progress_bar": False, "logger": False}
            )
        series = None
        if case["series"] is not None:
            values = np.load(case["series"])
            times = np.arange(len(values)) * np.timedelta64(1, "h") + np.datetime64("2020-01-01T00:00:00", "ns")
            series = TimeSeries.from_times_and_values(pd.DatetimeIndex(times, freq="h"), values, columns=["y0"])
        forecast = model.predict(case["n"], series=series, random_state=5, **case["how"])
        np.save(case["path"] + ".npy", forecast.all_values())
        outcomes[name] = [str(forecast.time_index[0]), *map(str, forecast.components)]
    except Exception as error:
        outcomes[name] = f"{type(error).__name__}: {error}"
assert not [name for name in sys.modules if name.split(".")[0] == "tskd"]
json.dump(outcomes, open(sys.argv[1] + ".out", "w"))
"""


class Projected(DistillationLoss):
    def set_up(self, probe: StudentTeacherPair) -> None:
        self.map = nn.Linear(probe.teacher.shape[-1], probe.student.shape[-1])

    def forward(self, pair: StudentTeacherPair) -> Tensor:
        return (pair.student - self.map(pair.teacher)).square()


class OwnCallback(Callback):
    """A user's own, which no other process knows."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.losses.append(float(trainer.callback_metrics["train_loss"]))

    def state_dict(self) -> dict[str, Any]:
        return {"losses": self.losses}


def privileged() -> dict[str, TimeSeries]:
    # values unlike any of the student's, so that they can be recognised anywhere
    return {
        "outlook": walk(90, seed=1, name="prescient") + 512.0,
        "laboratory": walk(80, 2, seed=2, name="assay") - 512.0,
    }


def teachers() -> list[Teacher]:
    # darts' default work_dir is the folder in which it was imported, and every model's file names it
    sizes = {"hidden_size": 4, "decoder_output_dim": 2, "n_epochs": 1, "work_dir": "", "pl_trainer_kwargs": QUIET}
    return [
        Teacher(TiDEModel(LOOKBACK, HORIZON, **sizes), FutureHorizon("outlook", end=2), name=TEACHERS[0]),
        Teacher(
            TiDEModel(LOOKBACK, HORIZON, **sizes),
            [CostlySensors("laboratory"), FutureHorizon("outlook")],
            name=TEACHERS[1],
        ),
    ]


def distil(student: Any, **fit_kwargs: Any) -> DistilledModel:
    model = DistilledModel(student, teachers(), [OutputKD(), Projected()], balance=0.5)
    return model.fit(walk(80), privileged=privileged(), **fit_kwargs)


@dataclass(frozen=True)
class Case:
    """A student, and how it is saved and asked."""

    student: Callable[[Path], Any]
    fit: dict[str, Any] = field(default_factory=dict)
    dtype: str = "float32"
    clean: bool = False
    n: int = HORIZON
    how: dict[str, Any] = field(default_factory=dict)
    allowed: tuple[tuple[str, str], ...] = ()

    def asked(self, model: Any) -> TimeSeries:
        # darts keeps no series in a clean file
        series = walk(80, dtype=self.dtype) if self.clean else None
        return model.predict(self.n, series=series, random_state=5, **self.how)


def dlinear(folder: Path, **kwargs: Any) -> Any:
    kwargs = {"n_epochs": 2, "random_state": 3, "pl_trainer_kwargs": QUIET, "work_dir": str(folder), **kwargs}
    return DLinearModel(LOOKBACK, HORIZON, kernel_size=5, **kwargs)


def logging_to(logger: Callable[[Path], Any]) -> Callable[[Path], Any]:
    return lambda folder: dlinear(folder, pl_trainer_kwargs=QUIET | {"logger": logger(folder)})


def with_tensorboard(student: Callable[[Path], Any]) -> Callable[[Path], Any]:
    def made(folder: Path) -> Any:
        pytest.importorskip("tensorboard", reason="tensorboard is not installed")
        return student(folder)

    return made


CASES: dict[str, Case] = {
    "plain": Case(dlinear),
    "clean": Case(dlinear, clean=True),
    "autoregressive": Case(dlinear, n=3 * HORIZON),
    "instance norm": Case(lambda folder: dlinear(folder, use_reversible_instance_norm={"affine": True})),
    "gaussian": Case(lambda folder: dlinear(folder, likelihood=GaussianLikelihood()), how={"num_samples": 20}),
    "gaussian, clean": Case(
        lambda folder: dlinear(folder, likelihood=GaussianLikelihood()), clean=True, how={"num_samples": 20}
    ),
    "parameters": Case(
        lambda folder: dlinear(folder, likelihood=GaussianLikelihood()),
        how={"predict_likelihood_parameters": True},
    ),
    "quantiles": Case(
        lambda folder: dlinear(folder, likelihood=QuantileRegression([0.1, 0.5, 0.9])),
        how={"predict_likelihood_parameters": True},
    ),
    "TFT": Case(
        lambda folder: TFTModel(
            LOOKBACK,
            HORIZON,
            hidden_size=4,
            num_attention_heads=2,
            add_relative_index=True,
            work_dir=str(folder),
            **fast(random_state=3),
        ),
        how={"num_samples": 20},
    ),
    "validation, metrics, encoders, early stopping": Case(
        lambda folder: NBEATSModel(
            LOOKBACK,
            HORIZON,
            num_stacks=2,
            layer_widths=6,
            n_epochs=3,
            random_state=3,
            torch_metrics=MeanAbsoluteError(),
            add_encoders={"cyclic": {"past": ["hour"]}},
            optimizer_kwargs={"lr": 1e-2},
            lr_scheduler_cls=torch.optim.lr_scheduler.ReduceLROnPlateau,
            pl_trainer_kwargs=QUIET | {"callbacks": [EarlyStopping("val_loss", patience=1)], "gradient_clip_val": 1.0},
            work_dir=str(folder),
        ),
        fit={"val_series": walk(40, seed=9), "sample_weight": "linear"},
    ),
    "float64": Case(dlinear, dtype="float64"),
    "checkpoints": Case(
        lambda folder: dlinear(
            folder,
            save_checkpoints=True,
            model_name="student",
            pl_trainer_kwargs=QUIET | {"enable_checkpointing": True},
        ),
        fit={"val_series": walk(40, seed=9), "load_best": True},
    ),
    "Lightning's default logger": Case(
        lambda folder: dlinear(
            folder, pl_trainer_kwargs=QUIET | {"logger": True, "default_root_dir": str(folder), "log_every_n_steps": 1}
        )
    ),
    "CSVLogger": Case(
        logging_to(CSVLogger),
        allowed=(
            ("pytorch_lightning.loggers.csv_logs", "CSVLogger"),
            ("pytorch_lightning.loggers.csv_logs", "ExperimentWriter"),
            ("fsspec.spec", "make_instance"),
            ("fsspec.implementations.local", "LocalFileSystem"),
        ),
    ),
    "CSVLogger, clean": Case(logging_to(CSVLogger), clean=True),
    "TensorBoardLogger, clean": Case(with_tensorboard(logging_to(TensorBoardLogger)), clean=True),
    "darts' log_tensorboard, clean": Case(
        with_tensorboard(lambda folder: dlinear(folder, log_tensorboard=True)), clean=True
    ),
    "own callback, clean": Case(
        lambda folder: dlinear(folder, pl_trainer_kwargs=QUIET | {"callbacks": [OwnCallback()]}), clean=True
    ),
}


class Saved:
    """A saved student: the distillation that it came from, its files, and what another process made of them."""

    def __init__(self, name: str, folder: Path) -> None:
        self.case = CASES[name]
        self.folder = folder
        self.outcome: Any = None
        self._failure: Exception | None = None
        try:
            self._save()
        except Exception as failure:
            # one case that fails leaves the others to their own tests
            self._failure = failure

    def _save(self) -> None:
        case = self.case
        self._model = DistilledModel(case.student(self.folder), teachers(), [OutputKD(), Projected()], balance=0.5)
        known = {name: series.astype(case.dtype) for name, series in privileged().items()}
        self._model.fit(walk(80, dtype=case.dtype), privileged=known, **case.fit)
        if case.clean:
            self._model.student.save("student.pt", clean=True)
            np.save(self.folder / "series.npy", walk(80, dtype=case.dtype).values())
        else:
            self._model.student.save("student.pt")
        self.expected = case.asked(self._model)

    @property
    def model(self) -> DistilledModel:
        if self._failure is not None:
            raise self._failure
        return self._model

    @property
    def files(self) -> list[Path]:
        """Everything that fit and save wrote."""
        assert self.model
        return [path for path in files_of(self.folder) if path.suffix != ".npy"]

    def request(self) -> dict[str, Any]:
        return {
            "class": type(self.model.student).__name__,
            "path": str(self.folder / "student.pt"),
            "series": str(self.folder / "series.npy") if self.case.clean else None,
            "n": self.case.n,
            "how": self.case.how,
            "allowed": self.case.allowed,
        }


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Saved]:
    """Every case, saved with darts' `save` and read again in one process that knows no tskd."""
    root = tmp_path_factory.mktemp("neutral")
    cases = {}
    with pytest.MonkeyPatch.context() as patch:
        for number, name in enumerate(CASES):
            folder = root / f"case{number}"
            folder.mkdir()
            patch.chdir(folder)
            cases[name] = Saved(name, folder)
    (root / "reader.py").write_text(NEUTRAL_READER)
    usable = {name: case.request() for name, case in cases.items() if case._failure is None}
    (root / "cases.json").write_text(json.dumps(usable))
    done = subprocess.run(
        [sys.executable, "-I", "-W", "ignore", str(root / "reader.py"), str(root / "cases.json")],
        cwd=root,
        env={"PATH": "/usr/bin:/bin", "HOME": str(root), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for name, outcome in json.loads((root / "cases.json.out").read_text()).items():
        cases[name].outcome = outcome
    return cases


def files_of(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]


def is_log(path: Path) -> bool:
    return path.name.startswith("events.out.tfevents") or path.name in ("metrics.csv", "hparams.yaml")


def names_a_secret(item: Any) -> bool:
    if not isinstance(item, TimeSeries):
        return False
    return any(word in component for word in SECRET_WORDS for component in item.components)


def contents(path: Path) -> Iterator[bytes]:
    """Raw bytes of a file, and if it is a zip those of each member."""
    yield path.read_bytes()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                yield name.encode()
                yield archive.read(name)


@pytest.mark.parametrize("name", CASES)
def test_the_student_predicts_the_same_where_there_is_no_tskd(saved: dict[str, Saved], name: str) -> None:
    case = saved[name]
    assert case.model
    assert case.outcome == [str(case.expected.time_index[0]), *case.expected.components]
    assert np.array_equal(np.load(case.folder / "student.pt.npy"), case.expected.all_values())
    assert np.isfinite(case.expected.all_values()).all()


@pytest.mark.parametrize("name", CASES)
def test_no_file_names_tskd_or_anything_privileged(saved: dict[str, Saved], name: str) -> None:
    files = saved[name].files
    assert {"student.pt", "student.pt.ckpt"} <= {path.name for path in files}
    for path in files:
        # a logger is told the weights of teachers by name, and darts saves a user's CSVLogger with what it was told
        told = is_log(path) or (name == "CSVLogger" and path.name == "student.pt")
        words = ["tskd", Path(__file__).stem, *SECRET_WORDS, *(() if told else TEACHERS)]
        for part in contents(path):
            assert not [word for word in words if word.encode() in part.lower()], path


@pytest.mark.parametrize("name", CASES)
def test_no_file_holds_privileged_values(saved: dict[str, Saved], name: str) -> None:
    values = np.concatenate([series.values().ravel() for series in privileged().values()])
    # three in a row, as they would lie in a series of one component
    outlook = privileged()["outlook"].values().ravel()
    patterns = [outlook[i : i + 3].astype(dtype).tobytes() for i in range(0, 85, 7) for dtype in ("float32", "float64")]
    for path in saved[name].files:
        for part in contents(path):
            assert not [pattern for pattern in patterns if pattern in part]
    for path in (saved[name].folder / "student.pt", saved[name].folder / "student.pt.ckpt"):
        for found in reachable(torch.load(path, weights_only=False)):
            assert not names_a_secret(found)
            assert not holds_any(found, values)


def test_a_logger_that_darts_does_not_allow_is_refused_as_it_is_for_a_plain_model(tmp_path: Path) -> None:
    plain = logging_to(CSVLogger)(tmp_path)
    plain.fit(walk(80))
    model = distil(logging_to(CSVLogger)(tmp_path))
    for student, path in ((plain, "plain.pt"), (model.student, "distilled.pt")):
        student.save(str(tmp_path / path))
        with pytest.raises(Exception, match=r"pytorch_lightning\.loggers\.csv_logs\.CSVLogger.*is not allow-listed"):
            DLinearModel.load(str(tmp_path / path))


def test_a_word_that_is_there_would_be_found(tmp_path: Path) -> None:
    """The search sees names and values where a saved teacher does hold them."""
    model = distil(dlinear(tmp_path))
    path = tmp_path / "teacher.pt"
    model.teachers[0].models[0].save(str(path))
    assert any(b"prescient" in part for part in contents(path))
    values = privileged()["outlook"].values().ravel()
    assert any(holds_any(found, values) for found in reachable(torch.load(path, weights_only=False)))
    assert any(names_a_secret(found) for found in reachable(model.teachers))


def test_the_students_checkpoints_hold_darts_own_classes_alone(saved: dict[str, Saved]) -> None:
    paths = [path for path in saved["checkpoints"].files if path.suffix == ".ckpt"]
    assert {"best", "last"} <= {path.name.split("-")[0] for path in paths}
    for path in paths:
        with zipfile.ZipFile(path) as archive:
            assert b"tskd" not in archive.read(next(n for n in archive.namelist() if n.endswith("data.pkl")))
    loaded = DLinearModel.load_from_checkpoint("student", str(saved["checkpoints"].folder), best=True)
    forecast = loaded.predict(HORIZON, series=walk(80))
    assert np.array_equal(forecast.values(), saved["checkpoints"].expected.values())


# what is reachable from an object


def reachable(start: Any) -> Iterator[Any]:
    """Everything that an object refers to, by way of anything but modules, classes and functions' globals."""
    seen: set[int] = set()
    waiting = [start]
    kept = []
    while waiting:
        item = waiting.pop()
        if id(item) in seen or isinstance(item, type | types.ModuleType | types.CodeType | types.FrameType):
            continue
        seen.add(id(item))
        # an id must not be used again while the walk lasts
        kept.append(item)
        yield item
        if isinstance(item, types.FunctionType):
            waiting += [item.__closure__, item.__defaults__, item.__kwdefaults__, item.__dict__]
        elif isinstance(item, Tensor):
            waiting += [item.grad_fn, item.__dict__]
        else:
            waiting += gc.get_referents(item)


def holds_any(item: Any, values: np.ndarray) -> bool:
    if isinstance(item, Tensor):
        item = item.detach().float().cpu().numpy()
    if not isinstance(item, np.ndarray) or item.dtype.kind != "f":
        return False
    return bool(np.isin(item.astype("float32"), values.astype("float32")).any())


@pytest.mark.parametrize("name", [name for name in CASES if name != "float64"])
def test_nothing_privileged_can_be_reached_from_the_student(saved: dict[str, Saved], name: str) -> None:
    model = saved[name].model
    values = np.concatenate([series.values().ravel() for series in privileged().values()])
    for found in reachable(model.student):
        assert not isinstance(found, TeacherOutputs | Windows | Slot | Batch | Distillation | Teacher | DistilledModel)
        assert not isinstance(found, DistillationLoss)
        assert not names_a_secret(found)
        assert not holds_any(found, values)


@pytest.mark.parametrize("when", ["after fit", "after a second fit", "after a failed fit"])
def test_the_trainer_lets_go_of_privileged_data(when: str, tmp_path: Path) -> None:
    model = distil(dlinear(tmp_path))
    if when == "after a second fit":
        model.fit(walk(80), privileged=privileged())
    if when == "after a failed fit":

        class Failing(Callback):
            def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
                raise RuntimeError("enough")

        trainer = pl.Trainer(**QUIET, max_epochs=2, callbacks=[Failing()])
        with pytest.raises(RuntimeError, match="enough"):
            model.fit(walk(80), privileged=privileged(), trainer=trainer)
        assert not [found for found in reachable(trainer) if isinstance(found, TeacherOutputs | Windows)]
    assert not [
        found for found in reachable(model.student) if isinstance(found, TeacherOutputs | Windows | Slot | Batch)
    ]
    assert model.student.trainer.lightning_module is model.student.model


def test_the_students_attributes_are_those_of_a_plain_student(tmp_path: Path) -> None:
    plain = dlinear(tmp_path)
    plain.fit(walk(80))
    student = distil(dlinear(tmp_path)).student
    assert type(student) is DLinearModel
    assert type(student.model) is type(plain.model)
    assert set(vars(student)) == set(vars(plain))
    assert set(vars(student.model)) == set(vars(plain.model))
    assert student.model_params.keys() == plain.model_params.keys()
    assert str(student.trainer_params) == str(plain.trainer_params)
    assert not student.model._forward_hooks
    assert not student.model._forward_pre_hooks
    assert list(student.model.state_dict()) == list(plain.model.state_dict())


# DistilledModel.save and load


@pytest.fixture(scope="module")
def whole() -> DistilledModel:
    model = DistilledModel(
        dlinear(Path("unused")),
        teachers(),
        [OutputKD("huber", weight=2.0), OutputKD("mae", weight=0.25)],
        Fixed({TEACHERS[0]: 3.0, TEACHERS[1]: 1.0}),
        ScheduledBalance(0.6, warm_up=1, hold=2, decay=3, final=0.1),
    )
    return model.fit(walk(80), privileged=privileged())


@pytest.fixture
def folder(whole: DistilledModel, tmp_path: Path) -> Path:
    whole.save(tmp_path / "model")
    return tmp_path / "model"


def test_a_distillation_comes_back_whole(whole: DistilledModel, folder: Path) -> None:
    found = DistilledModel.load(folder)
    assert type(found.student) is DLinearModel
    assert found.predict(HORIZON) == whole.predict(HORIZON)
    assert found.predict(HORIZON, walk(50, seed=3)) == whole.predict(HORIZON, walk(50, seed=3))
    ours, theirs = found.student.model.state_dict(), whole.student.model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    for part in ("losses", "weighting", "balance"):
        assert repr(getattr(found, part)) == repr(getattr(whole, part))
    assert found.balance == whole.balance
    assert [loss.settings() for loss in found.losses] == [loss.settings() for loss in whole.losses]
    assert found.weighting.settings() == whole.weighting.settings()


def test_teachers_come_back_as_they_were(whole: DistilledModel, folder: Path) -> None:
    found = DistilledModel.load(folder)
    assert [teacher.name for teacher in found.teachers] == list(TEACHERS)
    for ours, theirs in zip(found.teachers, whole.teachers, strict=True):
        assert ours.fitted
        assert ours.sources == theirs.sources
        assert ours.names == theirs.names
        known = {name: privileged()[name] for name in ours.names}
        forecasts = ours.historical_forecasts(walk(80), privileged=known)
        assert forecasts == theirs.historical_forecasts(walk(80), privileged=known)
        assert len(forecasts) == 65


def test_what_was_loaded_can_be_fitted_further(whole: DistilledModel, folder: Path) -> None:
    found = DistilledModel.load(folder)
    before = [teacher.models[0].model.state_dict()["encoders.0.skip.weight"].clone() for teacher in found.teachers]
    found.fit(walk(80), privileged=privileged(), epochs=1)
    after = [teacher.models[0].model.state_dict()["encoders.0.skip.weight"] for teacher in found.teachers]
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
    weight = next(iter(whole.student.model.state_dict()))
    assert not torch.equal(found.student.model.state_dict()[weight], whole.student.model.state_dict()[weight])


def test_components_are_checked_after_loading(folder: Path) -> None:
    found = DistilledModel.load(folder)
    with pytest.raises(ValueError, match=r"series has components \['y0', 'y1'\].*\['y0'\]"):
        found.predict(HORIZON, walk(50, 2))


def test_the_student_of_a_saved_distillation_stands_alone(whole: DistilledModel, folder: Path) -> None:
    words = [word.encode() for word in ("tskd", *SECRET_WORDS, *TEACHERS)]
    for path in (folder / "student.pt", folder / "student.pt.ckpt"):
        for part in contents(path):
            assert not [word for word in words if word in part]
    assert DLinearModel.load(str(folder / "student.pt")).predict(HORIZON) == whole.predict(HORIZON)


def test_no_file_of_a_saved_distillation_needs_tskd_to_be_unpickled(folder: Path) -> None:
    for path in files_of(folder):
        if path.suffix != ".json":
            assert not [part for part in contents(path) if b"tskd" in part], path


def test_a_folder_in_use_is_refused(whole: DistilledModel, folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in files_of(folder)}
    with pytest.raises(FileExistsError, match="not an empty folder"):
        whole.save(folder)
    assert {path.name: path.read_bytes() for path in files_of(folder)} == before


def test_a_file_in_the_way_is_refused(whole: DistilledModel, tmp_path: Path) -> None:
    (tmp_path / "model").write_text("mine")
    with pytest.raises(FileExistsError, match="not an empty folder"):
        whole.save(tmp_path / "model")
    assert (tmp_path / "model").read_text() == "mine"


def test_empty_and_nested_folders_are_used(whole: DistilledModel, tmp_path: Path) -> None:
    whole.save(tmp_path)
    assert DistilledModel.load(str(tmp_path)).predict(HORIZON) == whole.predict(HORIZON)
    whole.save(str(tmp_path / "a" / "b"))
    assert DistilledModel.load(tmp_path / "a" / "b").predict(HORIZON) == whole.predict(HORIZON)


def test_an_unfitted_model_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not fitted"):
        DistilledModel(dlinear(tmp_path), teachers()).save(tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_where_nothing_was_saved(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no saved DistilledModel"):
        DistilledModel.load(tmp_path)
    with pytest.raises(FileNotFoundError, match="holds no saved DistilledModel"):
        DistilledModel.load(tmp_path / "nowhere")


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_an_unknown_format_is_refused(folder: Path, version: Any) -> None:
    edit(folder, lambda saved: saved.update(format=version))
    with pytest.raises(ValueError, match="format"):
        DistilledModel.load(folder)


UNKNOWN: dict[str, tuple[Callable[[Any], Any], str]] = {
    "student": (lambda saved: saved.update(student="LocalThing"), "LocalThing"),
    "a class that is no torch model": (lambda saved: saved.update(student="NaiveSeasonal"), "NaiveSeasonal"),
    "teacher": (lambda saved: saved["teachers"][0].update({"class": "LocalThing"}), "LocalThing"),
    "source": (lambda saved: saved["teachers"][1]["sources"][0].update({"class": "Source_"}), "Source_"),
    "loss": (lambda saved: saved["losses"][0].update({"class": "os.system"}), "os.system"),
    "weighting": (lambda saved: saved["weighting"].update({"class": "Described"}), "Described"),
    "balance": (lambda saved: saved["balance"].update({"class": "math"}), "math"),
    "a private name": (lambda saved: saved["balance"].update({"class": "_refuse_outside"}), "_refuse_outside"),
}


@pytest.mark.parametrize("what", UNKNOWN)
def test_unknown_class_names_are_refused(folder: Path, what: str) -> None:
    change, name = UNKNOWN[what]
    edit(folder, change)
    with pytest.raises(ValueError, match=name):
        DistilledModel.load(folder)


def edit(folder: Path, change: Callable[[Any], Any]) -> None:
    path = folder / "distilled.json"
    saved = json.loads(path.read_text())
    change(saved)
    path.write_text(json.dumps(saved))
    # as somebody would who wants it to be loaded
    (folder / CHECKSUMS).write_text(json.dumps(checksums(folder, CHECKSUMS)))
