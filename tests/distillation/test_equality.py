"""Without weight on its teachers, a distilled student is bit for bit what darts' own `fit` gives."""

from __future__ import annotations

import os
import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
import pytorch_lightning as pl
import torch
from darts import TimeSeries
from darts.models import (
    BlockRNNModel,
    DLinearModel,
    NBEATSModel,
    NHiTSModel,
    NLinearModel,
    TCNModel,
    TFTModel,
    TiDEModel,
    TSMixerModel,
)
from darts.utils.likelihood_models.torch import GaussianLikelihood, LaplaceLikelihood, QuantileRegression
from pytorch_lightning.callbacks import (
    Callback,
    EarlyStopping,
    EMAWeightAveraging,
    GradientAccumulationScheduler,
    LearningRateMonitor,
    StochasticWeightAveraging,
)
from pytorch_lightning.loggers import CSVLogger
from torch import Tensor, nn
from torchmetrics import MeanAbsoluteError, MeanSquaredError, MetricCollection

from tests.helpers.series import QUIET, walk
from tskd import DistilledModel, Teacher
from tskd.balance import ScheduledBalance
from tskd.losses import DistillationLoss, OutputKD, StudentTeacherPair
from tskd.privileged import FutureHorizon

LOOKBACK, HORIZON, EPOCHS = 12, 4, 3

MODELS: dict[str, tuple[Any, dict[str, Any]]] = {
    "DLinear": (DLinearModel, {"kernel_size": 5, "const_init": False}),
    "NLinear": (NLinearModel, {"const_init": False}),
    "TiDE": (TiDEModel, {"hidden_size": 6, "decoder_output_dim": 3, "temporal_decoder_hidden": 4, "dropout": 0.2}),
    "TSMixer": (TSMixerModel, {"hidden_size": 6, "ff_size": 5, "num_blocks": 1, "dropout": 0.2}),
    "NHiTS": (NHiTSModel, {"num_stacks": 2, "layer_widths": 6, "dropout": 0.2}),
    "NBEATS": (NBEATSModel, {"num_stacks": 2, "num_layers": 2, "layer_widths": 6, "dropout": 0.2}),
    "BlockRNN": (BlockRNNModel, {"model": "GRU", "hidden_dim": 5, "n_rnn_layers": 2, "dropout": 0.2}),
    "TCN": (TCNModel, {"num_filters": 3, "weight_norm": True, "dropout": 0.2}),
    "TFT": (
        TFTModel,
        {
            "hidden_size": 4,
            "num_attention_heads": 2,
            "hidden_continuous_size": 3,
            "dropout": 0.2,
            "add_relative_index": True,
        },
    ),
}
MIXED = ("DLinear", "NLinear", "TiDE", "TSMixer", "BlockRNN", "TFT")


class Projected(DistillationLoss):
    """Distance from a trainable map of the teacher's forecast."""

    def set_up(self, probe: StudentTeacherPair) -> None:
        self.map = nn.Linear(probe.teacher.shape[-1], probe.student.shape[-1])

    def forward(self, pair: StudentTeacherPair) -> Tensor:
        return (pair.student - self.map(pair.teacher)).square()


@dataclass(frozen=True)
class Setup:
    """A student, its trainer and its data; made anew for each training, so that no object is shared."""

    model: str = "TiDE"
    lengths: tuple[int, ...] = (80,)
    components: int = 1
    past: bool = False
    future: bool = False
    static: bool = False
    weight: str | None = None
    val: bool = False
    val_weight: bool = False
    dtype: Literal["float32", "float64"] = "float32"
    teacher_shift: int = 0
    model_kwargs: dict[str, Any] = field(default_factory=dict)
    trainer_kwargs: dict[str, Any] = field(default_factory=dict)
    fit_kwargs: dict[str, Any] = field(default_factory=dict)

    def student(self, **kwargs: Any) -> Any:
        kind, sizes = MODELS[self.model]
        common = {"n_epochs": EPOCHS, "batch_size": 16, "random_state": 7}
        given = common | sizes | self.model_kwargs | kwargs
        if self.model == "NLinear" and "likelihood" in given:
            given["normalize"] = given["likelihood"] is None
        return kind(LOOKBACK, HORIZON, pl_trainer_kwargs=QUIET | self.trainer_kwargs, **given)

    def targets(self, seed: int = 0, lengths: Sequence[int] | None = None) -> list[TimeSeries]:
        series = [
            walk(n, self.components, seed=seed + i, dtype=self.dtype) for i, n in enumerate(lengths or self.lengths)
        ]
        if not self.static:
            return series
        return [
            s.with_static_covariates(pd.DataFrame({"size": [1.0 + i], "age": [0.5 * i]}).astype(self.dtype))
            for i, s in enumerate(series)
        ]

    def covariates(self, series: Sequence[TimeSeries], seed: int) -> dict[str, list[TimeSeries]]:
        given = {}
        if self.past:
            given["past_covariates"] = [
                walk(len(s), 2, seed=seed + i, name="p", dtype=self.dtype) for i, s in enumerate(series)
            ]
        if self.future:
            given["future_covariates"] = [
                walk(len(s) + 2 * HORIZON, 2, seed=seed + 10 + i, name="f", dtype=self.dtype)
                for i, s in enumerate(series)
            ]
        return given

    def arguments(self) -> dict[str, Any]:
        series = self.targets()
        given: dict[str, Any] = {"series": series, **self.covariates(series, 100)}
        if self.weight is not None:
            given["sample_weight"] = self.weights(series, self.weight)
        if self.val:
            held_out = self.targets(50, [max(LOOKBACK + 3 * HORIZON, n // 2) for n in self.lengths])
            given["val_series"] = held_out
            given |= {f"val_{name}": values for name, values in self.covariates(held_out, 200).items()}
            if self.val_weight:
                given["val_sample_weight"] = self.weights(held_out, "one")
        return given | self.fit_kwargs

    def weights(self, series: Sequence[TimeSeries], kind: str) -> Any:
        if kind in ("linear", "exponential"):
            return kind
        components = 1 if kind == "one" else self.components
        positive = [walk(len(s), components, seed=300 + i, name="v", dtype=self.dtype) for i, s in enumerate(series)]
        return [w.map(lambda values: np.exp(values / 2)) for w in positive]

    def inputs(self) -> dict[str, Any]:
        """What `predict` is given."""
        series = self.targets()
        return {"series": series, **self.covariates(series, 100)}

    def privileged(self, seed: int = 400) -> dict[str, list[TimeSeries]]:
        return {"w": [walk(n + 6, 1, seed=seed + i, name="w", dtype=self.dtype) for i, n in enumerate(self.lengths)]}

    def teacher(self, name: str = "future") -> Teacher:
        model = TiDEModel(
            LOOKBACK,
            HORIZON,
            output_chunk_shift=self.teacher_shift,
            hidden_size=4,
            decoder_output_dim=2,
            temporal_decoder_hidden=3,
            n_epochs=1,
            pl_trainer_kwargs=QUIET,
        )
        return Teacher(model, FutureHorizon("w"), name=name)

    def fitted_teacher(self) -> Teacher:
        known = {name: value for name, value in self.arguments().items() if not name.startswith("val_")}
        return self.teacher().fit(**known, privileged=self.privileged())


Feature = Callable[[Setup], Setup]


def having(**changes: Any) -> Feature:
    return lambda setup: replace(setup, **changes)


def fitting(of: Callable[[], dict[str, Any]]) -> Feature:
    return lambda setup: replace(setup, fit_kwargs=setup.fit_kwargs | of())


def made(of: Callable[[], dict[str, Any]]) -> Feature:
    return lambda setup: replace(setup, model_kwargs=setup.model_kwargs | of())


def trained(of: Callable[[], dict[str, Any]]) -> Feature:
    return lambda setup: replace(setup, trainer_kwargs=setup.trainer_kwargs | of())


def both(*features: Feature) -> Feature:
    def apply(setup: Setup) -> Setup:
        for feature in features:
            setup = feature(setup)
        return setup

    return apply


def encoders(*slots: str) -> Feature:
    return made(lambda: {"add_encoders": {"cyclic": {slot: ["hour", "day"] for slot in slots}}})


DATA: dict[str, Feature] = {
    "bare": having(),
    "past": having(past=True),
    "future": having(future=True),
    "static": having(static=True, lengths=(60, 60)),
    "all inputs": having(past=True, future=True, static=True, lengths=(60, 75), components=2, val=True),
    "components": having(components=3),
    "unequal": having(lengths=(60, 90, 31)),
    "val": having(val=True),
    "val unequal": having(val=True, lengths=(60, 90)),
    "weight one": having(weight="one", lengths=(60, 75), components=2),
    "weight by component": having(weight="component", components=2),
    "weight linear": having(weight="linear", lengths=(60, 75)),
    "weight exponential": having(weight="exponential"),
    "weight and val weight": having(weight="linear", val=True, val_weight=True),
    "val weight alone": having(val=True, val_weight=True),
    "float64": having(dtype="float64"),
    "float64 weighted": having(dtype="float64", weight="one", val=True),
    "stride": fitting(lambda: {"stride": 3}),
    "few samples": both(having(lengths=(60, 90)), fitting(lambda: {"max_samples_per_ts": 20})),
    "past encoders": encoders("past"),
    "future encoders": both(encoders("future"), having(future=True)),
    "both encoders": both(encoders("past", "future"), having(past=True, static=True, val=True)),
    "shift": both(made(lambda: {"output_chunk_shift": 2}), having(teacher_shift=2)),
    "shift with covariates": both(
        made(lambda: {"output_chunk_shift": 2}), having(teacher_shift=2, past=True, future=True, val=True)
    ),
    "instance norm": made(lambda: {"use_reversible_instance_norm": True}),
    "instance norm, affine": both(
        made(lambda: {"use_reversible_instance_norm": {"affine": True}}), having(components=2, val=True)
    ),
    "gaussian": made(lambda: {"likelihood": GaussianLikelihood()}),
    "laplace": both(made(lambda: {"likelihood": LaplaceLikelihood()}), having(components=2, val=True)),
    "quantiles": both(made(lambda: {"likelihood": QuantileRegression([0.1, 0.5, 0.9])}), having(val=True)),
    "quantiles weighted": both(
        made(lambda: {"likelihood": QuantileRegression([0.1, 0.5, 0.9])}), having(weight="component", components=2)
    ),
    "no likelihood": made(lambda: {"likelihood": None, "loss_fn": nn.L1Loss()}),
}
NOT_OF_ALL: dict[str, Sequence[str]] = {
    "future": MIXED,
    "static": MIXED,
    "all inputs": MIXED,
    "future encoders": MIXED,
    "both encoders": MIXED,
    "shift with covariates": MIXED,
}
DATA_CASES = [(model, name) for model in MODELS for name in DATA if model in NOT_OF_ALL.get(name, MODELS)]

TRAINING: dict[str, Feature] = {
    "clipped norm": trained(lambda: {"gradient_clip_val": 0.05}),
    "clipped values": trained(lambda: {"gradient_clip_val": 0.01, "gradient_clip_algorithm": "value"}),
    "accumulated": trained(lambda: {"accumulate_grad_batches": 2}),
    "accumulated and clipped": trained(lambda: {"accumulate_grad_batches": 3, "gradient_clip_val": 0.05}),
    "bf16": trained(lambda: {"precision": "bf16-mixed"}),
    "plateau": both(
        made(
            lambda: {
                "lr_scheduler_cls": torch.optim.lr_scheduler.ReduceLROnPlateau,
                "lr_scheduler_kwargs": {"monitor": "val_loss", "patience": 0, "factor": 0.1, "threshold": 0.5},
            }
        ),
        having(val=True),
    ),
    "plateau on train_loss": made(
        lambda: {
            "lr_scheduler_cls": torch.optim.lr_scheduler.ReduceLROnPlateau,
            "lr_scheduler_kwargs": {"monitor": "train_loss", "patience": 0, "factor": 0.1, "threshold": 0.99},
        }
    ),
    "scheduler by step": made(
        lambda: {
            "lr_scheduler_cls": torch.optim.lr_scheduler.ExponentialLR,
            "lr_scheduler_kwargs": {"gamma": 0.8, "interval": "step"},
        }
    ),
    "accumulation schedule": trained(lambda: {"callbacks": [GradientAccumulationScheduler({0: 1, 1: 3})]}),
    "averaged weights": trained(lambda: {"callbacks": [StochasticWeightAveraging(swa_lrs=1e-2, swa_epoch_start=1)]}),
    "moving average of weights": trained(lambda: {"callbacks": [EMAWeightAveraging()]}),
    "frozen in part": made(lambda: {"enable_finetuning": {"freeze": ["*bias"]}}),
    "double precision": trained(lambda: {"precision": "64-true"}),
    "sgd": made(lambda: {"optimizer_cls": torch.optim.SGD, "optimizer_kwargs": {"lr": 1e-2, "momentum": 0.9}}),
    "lbfgs": made(lambda: {"optimizer_cls": torch.optim.LBFGS, "optimizer_kwargs": {"lr": 1e-2, "max_iter": 3}}),
    "metrics": both(
        made(lambda: {"torch_metrics": MetricCollection([MeanAbsoluteError(), MeanSquaredError()])}), having(val=True)
    ),
    "metrics of samples": both(
        made(lambda: {"torch_metrics": MeanAbsoluteError(), "likelihood": GaussianLikelihood()}), having(val=True)
    ),
    "own loss": made(lambda: {"loss_fn": nn.HuberLoss(delta=0.1)}),
    "limited batches": trained(lambda: {"limit_train_batches": 2}),
    "sanity check": both(trained(lambda: {"num_sanity_val_steps": 2}), having(val=True)),
    "validation within epochs": both(trained(lambda: {"val_check_interval": 0.5}), having(val=True)),
    "seldom validation": both(trained(lambda: {"check_val_every_n_epoch": 2}), having(val=True)),
    "deterministic": trained(lambda: {"deterministic": True}),
    "loader": fitting(lambda: {"dataloader_kwargs": {"batch_size": 7, "drop_last": True}}),
    "loader in order": fitting(lambda: {"dataloader_kwargs": {"shuffle": False}}),
    "more epochs": fitting(lambda: {"epochs": 4}),
    "early stopping": both(
        trained(lambda: {"callbacks": [EarlyStopping("val_loss", patience=1, min_delta=1e-2)]}),
        having(val=True),
        made(lambda: {"n_epochs": 30, "optimizer_kwargs": {"lr": 2e-2}}),
    ),
    "early stopping on train_loss": both(
        trained(lambda: {"callbacks": [EarlyStopping("train_loss", patience=2, min_delta=1e-3)]}),
        made(lambda: {"n_epochs": 60, "optimizer_kwargs": {"lr": 2e-2}}),
    ),
}


class Diary(Callback):
    """What a user's callback sees at the end of each epoch."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.entries.append(
            {
                "epoch": trainer.current_epoch,
                "step": trainer.global_step,
                "rate": trainer.optimizers[0].param_groups[0]["lr"],
                "optimizers": len(trainer.optimizers),
                "metrics": {name: float(value) for name, value in trainer.callback_metrics.items()},
                "lookback": pl_module.input_chunk_length,
                "horizon": pl_module.output_chunk_length,
                "criterion": repr(pl_module.train_criterion),
                "trained": pl_module.epochs_trained,
                "hyperparameters": str(pl_module.hparams),
                "dtype": pl_module.dtype,
            }
        )


class BatchDiary(Callback):
    """What a user's callback sees of each batch."""

    def __init__(self) -> None:
        self.batches: list[list[Tensor]] = []

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.batches.append([batch.past_target, batch.past_covariates, batch.future_target, outputs["loss"]])


@pytest.fixture(autouse=True)
def _no_needless_warning() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pytorch_lightning|torchmetrics|torch")
        yield


def seed_everything() -> None:
    random.seed(11)
    np.random.seed(12)
    torch.manual_seed(13)


def random_states() -> tuple[Any, Any, bytes]:
    numpy_state: Any = np.random.get_state()
    kind, keys, *rest = numpy_state
    return random.getstate(), (kind, keys.tolist(), *rest), torch.get_rng_state().numpy().tobytes()


def plainly(setup: Setup) -> tuple[Any, Any]:
    """A student fitted by darts, and the random states that this leaves."""
    seed_everything()
    student = setup.student()
    student.fit(**setup.arguments())
    return student, random_states()


def distilled(
    setup: Setup,
    teachers: Sequence[Teacher] | None = None,
    losses: Sequence[DistillationLoss] | None = None,
    balance: Any = 0.0,
) -> tuple[DistilledModel, Any]:
    teachers = [setup.teacher()] if teachers is None else teachers
    losses = [OutputKD(), Projected()] if losses is None else losses
    seed_everything()
    model = DistilledModel(setup.student(), teachers, losses, balance=balance)
    model.fit(**setup.arguments(), privileged=setup.privileged() if teachers else None)
    return model, random_states()


def weights_of(student: Any) -> dict[str, Tensor]:
    """Parameters and buffers, those that no state_dict holds included."""
    network = student.model
    return dict(network.named_parameters()) | dict(network.named_buffers()) | network.state_dict()


def assert_same_weights(one: Any, other: Any) -> None:
    first, second = weights_of(one), weights_of(other)
    assert list(first) == list(second)
    different = [name for name in first if not torch.equal(first[name], second[name])]
    assert not different
    assert [v.dtype for v in first.values()] == [v.dtype for v in second.values()]


def differ(one: Any, other: Any) -> bool:
    first, second = weights_of(one), weights_of(other)
    return any(not torch.equal(first[name], second[name]) for name in first)


def assert_same_forecasts(one: Any, other: Any, inputs: dict[str, Any]) -> None:
    for a, b in zip(one.predict(HORIZON, **inputs), other.predict(HORIZON, **inputs), strict=True):
        assert np.array_equal(a.all_values(), b.all_values())
        assert a.time_index.equals(b.time_index)
        assert list(a.components) == list(b.components)


def assert_same(plain: Any, model: DistilledModel, inputs: dict[str, Any]) -> None:
    assert_same_weights(plain, model.student)
    assert plain.epochs_trained == model.student.epochs_trained
    assert plain.trainer.global_step == model.student.trainer.global_step
    logged, ours = plain.trainer.callback_metrics, model.student.trainer.callback_metrics
    # a metric that is not a number is one for both
    assert {name: str(value) for name, value in logged.items()} == {name: str(ours.get(name)) for name in logged}
    assert all(torch.equal(value.nan_to_num(), ours[name].nan_to_num()) for name, value in logged.items())
    assert_same_forecasts(plain, model, inputs)


def assert_equals_darts(setup: Callable[[], Setup], **distillation: Any) -> tuple[Any, DistilledModel]:
    plain, states = plainly(setup())
    model, states_too = distilled(setup(), **distillation)
    assert states == states_too
    assert_same(plain, model, setup().inputs())
    return plain, model


@pytest.mark.parametrize(("model", "data"), DATA_CASES, ids=[f"{m}-{d}" for m, d in DATA_CASES])
def test_every_model_with_every_input(model: str, data: str) -> None:
    if model == "TFT" and data == "bare":
        assert TFTModel(LOOKBACK, HORIZON, add_relative_index=True).likelihood is not None
    assert_equals_darts(lambda: DATA[data](Setup(model)))


# darts cannot predict with a TFT whose weights Lightning has averaged
TRAINING_CASES = [(m, t) for m in ("TiDE", "NHiTS", "TFT") for t in TRAINING if (m, t) != ("TFT", "averaged weights")]


@cache
def no_bf16_lstm() -> str | None:
    """Why an LSTM cannot be trained in bfloat16 here, as on a CPU for which oneDNN has no such kernel."""
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            nn.LSTM(4, 4, batch_first=True)(torch.zeros(2, 3, 4))[0].sum().backward()
    except RuntimeError as error:
        return f"no LSTM in bfloat16 on this machine: {error}"
    return None


@pytest.mark.parametrize(("model", "training"), TRAINING_CASES, ids=[f"{m}-{t}" for m, t in TRAINING_CASES])
def test_every_way_of_training(model: str, training: str) -> None:
    if (model, training) == ("TFT", "bf16") and (reason := no_bf16_lstm()):
        pytest.skip(reason)
    assert_equals_darts(lambda: TRAINING[training](Setup(model)))


@pytest.mark.parametrize("training", [name for name in TRAINING if name.startswith("early stopping")])
@pytest.mark.parametrize("model", ["DLinear", "TiDE", "NHiTS", "TFT"])
def test_early_stopping_stops_in_the_same_epoch(model: str, training: str) -> None:
    plain, _ = plainly(TRAINING[training](Setup(model)))
    found, _ = distilled(TRAINING[training](Setup(model)))
    assert 1 < plain.epochs_trained < plain.n_epochs
    assert found.student.epochs_trained == plain.epochs_trained


@pytest.mark.parametrize("training", ["plateau", "plateau on train_loss", "scheduler by step"])
@pytest.mark.parametrize("model", ["TiDE", "NHiTS"])
def test_schedulers_act(model: str, training: str) -> None:
    diaries = [Diary(), Diary()]
    plainly(both(TRAINING[training], trained(lambda: {"callbacks": [diaries[0]]}))(Setup(model)))
    distilled(both(TRAINING[training], trained(lambda: {"callbacks": [diaries[1]]}))(Setup(model)))
    rates = [entry["rate"] for entry in diaries[0].entries]
    assert rates == [entry["rate"] for entry in diaries[1].entries]
    assert rates[-1] < rates[0]


@pytest.mark.parametrize("model", ["DLinear", "TiDE", "TCN"])
@pytest.mark.parametrize(
    "training",
    ["clipped norm", "accumulated and clipped", "bf16", "metrics of samples", "early stopping on train_loss"],
)
def test_training_with_every_input(model: str, training: str) -> None:
    inputs = having(past=True, components=2, weight="component", val=True, lengths=(60, 75))
    assert_equals_darts(lambda: both(inputs, TRAINING[training])(Setup(model)))


@pytest.mark.parametrize("model", MODELS)
def test_a_millionth_of_balance_is_not_nothing(model: str) -> None:
    setup = Setup(model)
    plain, states = plainly(setup)
    model_, states_too = distilled(setup, balance=1e-6)
    assert differ(plain, model_.student)
    assert states == states_too


@pytest.mark.parametrize("data", ["bare", "float64", "gaussian", "weight by component"])
@pytest.mark.parametrize("loss", [OutputKD("mae"), Projected()], ids=repr)
def test_each_loss_moves_the_student(data: str, loss: DistillationLoss) -> None:
    setup = DATA[data](Setup("DLinear"))
    plain, _ = plainly(setup)
    model, _ = distilled(setup, losses=[loss], balance=1e-6)
    assert differ(plain, model.student)


@pytest.mark.parametrize("model", MODELS)
def test_no_teachers(model: str) -> None:
    setup = having(past=True, val=True)(Setup(model))
    assert_equals_darts(lambda: setup, teachers=[], losses=None, balance=0.5)


@pytest.mark.parametrize("balance", [0.0, 0.9, 1.0, ScheduledBalance(0.5, warm_up=1)])
@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Adam])
def test_no_teachers_whatever_the_balance(balance: Any, optimizer: type) -> None:
    setup = Setup("DLinear", model_kwargs={"optimizer_cls": optimizer, "optimizer_kwargs": {"lr": 1e-2}})
    assert_equals_darts(lambda: setup, teachers=[], losses=[], balance=balance)


def test_a_schedule_without_height() -> None:
    assert_equals_darts(Setup, balance=ScheduledBalance(0.0, warm_up=2))


def test_a_schedule_still_at_nothing() -> None:
    # α is 0 in the first epoch of a warm-up
    setup = fitting(lambda: {"epochs": 1})(Setup())
    assert_equals_darts(lambda: setup, balance=ScheduledBalance(0.7, warm_up=3))


@pytest.mark.parametrize("data", ["bare", "all inputs", "unequal", "weight linear", "shift", "gaussian", "float64"])
def test_a_teacher_given_fitted(data: str) -> None:
    setup = DATA[data](Setup())
    teacher = setup.fitted_teacher()
    before = {name: value.clone() for name, value in weights_of(teacher.model).items()}
    _, model = assert_equals_darts(lambda: setup, teachers=[teacher])
    assert model.teachers[0] is teacher
    assert all(torch.equal(before[name], value) for name, value in weights_of(teacher.model).items())


def test_several_teachers() -> None:
    setup = having(val=True)(Setup("NLinear"))
    plain = Teacher(NBEATSModel(LOOKBACK, HORIZON, num_stacks=1, layer_widths=4, n_epochs=1, pl_trainer_kwargs=QUIET))
    assert_equals_darts(lambda: setup, teachers=[setup.teacher("a"), setup.teacher("b"), plain])


@pytest.mark.parametrize("model", ["DLinear", "TiDE", "TFT"])
def test_nan_in_a_teachers_forecasts(model: str) -> None:
    setup = Setup(model)
    broken = setup.fitted_teacher()
    with torch.no_grad():
        for parameter in broken.model.model.parameters():
            parameter.fill_(torch.nan)
    plain, states = plainly(setup)
    with pytest.warns(UserWarning, match=r"'future' forecasts NaN or infinity for 65 of 65 windows"):
        found, states_too = distilled(setup, teachers=[broken])
    assert states == states_too
    assert_same(plain, found, setup.inputs())


def test_nan_in_some_of_a_teachers_forecasts() -> None:
    setup = Setup()
    broken = setup.fitted_teacher()
    with torch.no_grad():
        for parameter in broken.model.model.parameters():
            parameter.mul_(1e4)
    # it overflows where a privileged value is huge: in the newest windows alone
    values = setup.privileged()["w"][0].values()
    values[76:] = 3e38
    privileged = {"w": setup.privileged()["w"][0].with_values(values)}
    plain, states = plainly(setup)
    seed_everything()
    model = DistilledModel(setup.student(), [broken], [OutputKD(), Projected()], balance=0)
    with pytest.warns(UserWarning, match=r"forecasts NaN or infinity for [1-9] of 65 windows"):
        model.fit(**setup.arguments(), privileged=privileged)
    assert states == random_states()
    assert_same(plain, model, setup.inputs())


@pytest.mark.parametrize("model", ["DLinear", "TiDE", "NBEATS", "TFT"])
def test_without_a_random_state(model: str) -> None:
    setup = made(lambda: {"random_state": None})(Setup(model))
    plain, model_ = assert_equals_darts(lambda: setup)
    seeded = Setup(model).student()
    seeded.fit(**setup.arguments())
    assert differ(plain, seeded)
    assert differ(model_.student, seeded)


@pytest.mark.parametrize("model", ["DLinear", "TiDE", "NHiTS", "TFT"])
@pytest.mark.parametrize("changed", ["nothing", "weights"])
def test_a_second_fit(model: str, changed: str) -> None:
    setup = having(val=True)(Setup(model))
    again = having(weight="linear", val_weight=True)(setup) if changed == "weights" else setup
    plain, _ = plainly(setup)
    model_, _ = distilled(setup)
    for student, privileged in ((plain, {}), (model_, {"privileged": setup.privileged()})):
        seed_everything()
        student.fit(**again.arguments() | privileged, epochs=2)
    assert_same(plain, model_, setup.inputs())
    once, _ = plainly(setup)
    assert differ(once, plain)


def test_weights_in_the_first_fit_alone() -> None:
    weighted, setup = having(weight="one")(Setup()), Setup()
    plain, _ = plainly(weighted)
    model, _ = distilled(weighted)
    plain.fit(**setup.arguments())
    model.fit(**setup.arguments(), privileged=setup.privileged())
    assert_same(plain, model, setup.inputs())


def test_a_students_own_darts_fit_goes_on_where_distillation_ended() -> None:
    setup = Setup()
    plain, _ = plainly(setup)
    model, _ = distilled(setup)
    for student in (plain, model.student):
        seed_everything()
        student.fit(**setup.arguments(), epochs=2)
    assert_same(plain, model, setup.inputs())


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_trainer_passed_to_fit(precision: Any) -> None:
    def setup() -> Setup:
        trainer = pl.Trainer(**QUIET, max_epochs=EPOCHS, gradient_clip_val=0.1, precision=precision)
        return fitting(lambda: {"trainer": trainer})(Setup())

    plain, states = plainly(setup())
    model, states_too = distilled(replace(setup()), teachers=[Setup().fitted_teacher()])
    assert states == states_too
    assert_same(plain, model, Setup().inputs())


def test_what_a_users_callback_sees() -> None:
    diaries = [Diary(), Diary()]

    def setup(diary: Diary) -> Setup:
        return both(
            having(val=True),
            made(lambda: {"torch_metrics": MeanAbsoluteError()}),
            trained(lambda: {"callbacks": [diary]}),
        )(Setup())

    plainly(setup(diaries[0]))
    distilled(setup(diaries[1]))
    assert len(diaries[0].entries) == len(diaries[1].entries) == EPOCHS
    for one, other in zip(diaries[0].entries, diaries[1].entries, strict=True):
        # ours has metrics of the distillation besides
        other["metrics"] = {name: other["metrics"].get(name) for name in one["metrics"]}
        assert one == other
    assert {"train_loss", "val_loss", "train_MeanAbsoluteError"} <= set(diaries[0].entries[-1]["metrics"])


def test_a_users_callback_is_given_darts_batches() -> None:
    diaries = [BatchDiary(), BatchDiary()]
    plainly(both(having(past=True), trained(lambda: {"callbacks": [diaries[0]]}))(Setup()))
    distilled(both(having(past=True), trained(lambda: {"callbacks": [diaries[1]]}))(Setup()))
    assert len(diaries[0].batches) == len(diaries[1].batches) == EPOCHS * 5
    for one, other in zip(diaries[0].batches, diaries[1].batches, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("model", ["TiDE", "TFT"])
def test_a_logger_is_told_the_same(model: str, tmp_path: Path) -> None:
    def setup(folder: str) -> Setup:
        return both(
            having(val=True, weight="one"),
            made(lambda: {"torch_metrics": MeanAbsoluteError()}),
            trained(
                lambda: {
                    "logger": CSVLogger(tmp_path / folder),
                    "log_every_n_steps": 1,
                    "callbacks": [LearningRateMonitor()],
                }
            ),
        )(Setup(model))

    plain, _ = plainly(setup("plain"))
    found, _ = distilled(setup("distilled"))
    # read before forecasts are asked for: they log too
    one, other = (next((tmp_path / f).rglob("metrics.csv")) for f in ("plain", "distilled"))
    theirs, ours = (pd.read_csv(path).set_index(["epoch", "step"]) for path in (one, other))
    assert {"train_loss", "val_loss", "lr-Adam"} <= set(theirs)
    for name, values in theirs.items():
        pd.testing.assert_series_equal(ours[name].dropna(), values.dropna(), check_exact=True)
    assert (one.parent / "hparams.yaml").read_text() == (other.parent / "hparams.yaml").read_text()
    assert_same(plain, found, setup("none").inputs())


def saving(folder: Path, **kwargs: Any) -> Feature:
    def options() -> dict[str, Any]:
        return {"save_checkpoints": True, "force_reset": True, "model_name": "m", "work_dir": str(folder), **kwargs}

    return both(
        having(val=True),
        made(options),
        trained(lambda: {"enable_checkpointing": True}),
    )


def checkpoints(folder: Path) -> dict[str, Path]:
    return {path.name: path for path in sorted((folder / "m" / "checkpoints").iterdir())}


@pytest.fixture(params=["TiDE", "NBEATS"])
def saved(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Setup, dict[str, Path]]:
    """The folders of a plain and of a distilled training that saved checkpoints."""
    folders = {"plain": tmp_path / "plain", "distilled": tmp_path / "distilled"}
    setup = Setup(request.param)
    plain, _ = plainly(saving(folders["plain"])(setup))
    model, _ = distilled(saving(folders["distilled"])(setup))
    assert_same(plain, model, setup.inputs())
    return having(val=True)(setup), folders


def test_checkpoints_have_darts_names_and_layout(saved: tuple[Setup, dict[str, Path]]) -> None:
    _, folders = saved
    one, other = checkpoints(folders["plain"]), checkpoints(folders["distilled"])
    assert list(one) == list(other)
    assert {name.split("-")[0] for name in one} == {"best", "last"}
    for name in one:
        plain, ours = (torch.load(found[name], weights_only=False) for found in (one, other))
        assert set(ours) - set(plain) <= {"distillation"}
        assert set(plain) <= set(ours)
        assert list(plain["state_dict"]) == list(ours["state_dict"])
        assert all(torch.equal(plain["state_dict"][n], ours["state_dict"][n]) for n in plain["state_dict"])
        for key in ("epoch", "global_step", "hyper_parameters", "hparams_name", "model_dtype", "train_sample_shape"):
            assert str(plain.get(key)) == str(ours.get(key)), key
        assert str(plain["optimizer_states"]) == str(ours["optimizer_states"])


@pytest.mark.parametrize("best", [True, False])
def test_checkpoints_load_as_plain_darts_models(saved: tuple[Setup, dict[str, Path]], best: bool) -> None:
    setup, folders = saved
    kind = MODELS[setup.model][0]
    plain, ours = (kind.load_from_checkpoint("m", str(folders[f]), best=best) for f in ("plain", "distilled"))
    assert_same_weights(plain, ours)
    assert_same_forecasts(plain, ours, setup.inputs())


@pytest.mark.parametrize("first", ["plain", "distilled"])
@pytest.mark.parametrize("best", [False, True])
def test_training_is_resumed_from_either_by_either(
    saved: tuple[Setup, dict[str, Path]], first: str, best: bool
) -> None:
    setup, folders = saved
    kind = MODELS[setup.model][0]

    def resumed(folder: str) -> Any:
        model = kind.load_from_checkpoint("m", str(folders[folder]), best=best)
        model.trainer_params.update(enable_checkpointing=True)
        return model

    # read before any of them writes further checkpoints
    begin, reference, plain, student = (resumed(folder) for folder in ("plain", "plain", first, first))
    seed_everything()
    reference.fit(**setup.arguments(), epochs=EPOCHS + 2)
    expected = random_states()
    seed_everything()
    plain.fit(**setup.arguments(), epochs=EPOCHS + 2)
    model = DistilledModel(student, [setup.teacher()], [OutputKD(), Projected()], balance=0)
    seed_everything()
    model.fit(**setup.arguments(), epochs=EPOCHS + 2, privileged=setup.privileged())
    assert expected == random_states()
    assert reference.epochs_trained == EPOCHS + 2
    assert_same_weights(reference, plain)
    assert_same(reference, model, setup.inputs())
    assert differ(reference, begin)


def test_a_resumed_distillation_is_one_that_was_never_interrupted(tmp_path: Path) -> None:
    """With weight on the teachers: the projector and its optimizer are taken up again too."""

    def setup() -> Setup:
        in_order = fitting(lambda: {"dataloader_kwargs": {"shuffle": False}})
        return both(having(val=True), in_order, made(lambda: {"dropout": 0.0}))(Setup())

    teacher = setup().fitted_teacher()

    def fitted(student: Any, **kwargs: Any) -> Any:
        model = DistilledModel(student, [teacher], [OutputKD(), Projected()], balance=0.5)
        return model.fit(**setup().arguments(), privileged=setup().privileged(), **kwargs).student

    whole = fitted(setup().student(), epochs=EPOCHS + 2)
    part = fitted(saving(tmp_path)(setup()).student())
    resumed = fitted(TiDEModel.load_from_checkpoint("m", str(tmp_path), best=False), epochs=EPOCHS + 2)
    assert differ(part, resumed)
    assert_same_weights(whole, resumed)


@pytest.mark.parametrize("model", ["TiDE", "NHiTS"])
def test_the_best_checkpoint_is_loaded(model: str, tmp_path: Path) -> None:
    def setup(folder: str) -> Setup:
        # ever faster epochs: the last is not the best
        faster = {
            "n_epochs": 8,
            "optimizer_kwargs": {"lr": 5e-3},
            "lr_scheduler_cls": torch.optim.lr_scheduler.ExponentialLR,
            "lr_scheduler_kwargs": {"gamma": 2.0},
        }
        fast = made(lambda: faster)
        return both(saving(tmp_path / folder), fast, fitting(lambda: {"load_best": True}))(Setup(model))

    plain, states = plainly(setup("plain"))
    found, states_too = distilled(setup("distilled"))
    assert states == states_too
    assert list(checkpoints(tmp_path / "plain")) == list(checkpoints(tmp_path / "distilled"))
    kind = MODELS[model][0]
    # before anything else uses the student's trainer: darts itself would write the last weights here
    path = os.fspath(tmp_path / "student.pt")
    found.student.save(path)
    assert_same_weights(plain, kind.load(path))
    assert_same_weights(plain, found.student)
    assert_same_forecasts(plain, found, setup("none").inputs())
    assert differ(found.student, kind.load_from_checkpoint("m", str(tmp_path / "distilled"), best=False))


def test_teachers_do_not_see_what_the_student_is_trained_with() -> None:
    """The student's trainer does not reach into the teachers' own fit."""
    setup = both(TRAINING["clipped norm"], TRAINING["bf16"])(Setup())
    seed_everything()
    alone = setup.teacher()
    np.random.seed(3)
    seen = DistilledModel(setup.student(), [alone], balance=0)
    np.random.seed(4)
    seen.fit(**setup.arguments(), privileged=setup.privileged())
    np.random.seed(4)
    expected = alone.fit(**setup.arguments(), privileged=setup.privileged())
    assert_same_weights(expected.model, seen.teachers[0].models[0])
    assert not alone.fitted
