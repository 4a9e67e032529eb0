"""What a fit holds beside the student: the answers of the teachers and their weights, and nothing that is done with."""

from __future__ import annotations

import gc
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from darts.models import LinearRegressionModel, NLinearModel, TiDEModel
from pytorch_lightning import Callback
from pytorch_lightning.loggers import CSVLogger
from torch.nn import functional

from tests.helpers.models import fast
from tests.helpers.series import QUIET, walk
from tests.helpers.tensors import live_tensors
from tskd import DistilledModel, Teacher
from tskd._core.darts import training_step
from tskd._core.darts.forward import network_output
from tskd.distillation import student_step
from tskd.distillation.means import Means
from tskd.privileged import CostlySensors
from tskd.teachers.crossfit import CrossFit
from tskd.weighting import AEKD, CAMKD, LFME, InverseError, Uniform

L, H = 4, 3
Y, LAB = walk(120, 2), walk(120, seed=1, name="lab")
SMALL = {"hidden_size": 4, "decoder_output_dim": 2, "temporal_decoder_hidden": 3}


def alive(address: int) -> bool:
    """Whether any tensor still holds the memory at an address."""
    return any(one.untyped_storage().data_ptr() == address for one in live_tensors())


@pytest.mark.parametrize("add", ["a mean", "a mean by labels", "a loss"])
@pytest.mark.parametrize("error", [functional.mse_loss, functional.l1_loss, functional.huber_loss])
def test_the_losses_of_an_epoch_are_kept_without_their_errors(add: str, error: Any) -> None:
    """A mean of torch's losses stands in the memory of all that it is a mean of."""
    student = torch.full((5, 7, 3), 2.0, requires_grad=True)
    loss, means = error(student, torch.zeros(5, 7, 3)), Means()
    address, value = loss.untyped_storage().data_ptr(), float(loss.detach())
    if add == "a loss":
        means.end_step(loss)
    else:
        means.add("loss", loss, torch.ones(4) if add == "a mean by labels" else None)
    del loss
    assert not alive(address)
    trainer = SimpleNamespace(current_epoch=0, precision_plugin=None)
    found = means.end_epoch(torch.nn.Linear(2, 1), trainer)
    assert found == ({} if add == "a loss" else {"loss": value})


class LiveTensors(Callback):
    """Counts the tensors that are alive after each step."""

    def __init__(self) -> None:
        self.counts: list[int] = []

    def on_train_batch_end(self, *args: Any) -> None:
        self.counts.append(len(live_tensors()))


@pytest.mark.parametrize("weighting", [Uniform(), InverseError(), AEKD(), CAMKD(), LFME()], ids=repr)
def test_no_step_leaves_a_tensor_behind(weighting: Any) -> None:
    """What is kept of a step, alone in memory until the epoch ends, would keep the memory around it from the next."""
    live = LiveTensors()
    student = NLinearModel(L, H, **fast(batch_size=8, pl_trainer_kwargs=QUIET | {"callbacks": [live]}))
    teachers = [Teacher(NLinearModel(L, H, **fast(random_state=k)), name=f"{k}") for k in range(2)]
    model = DistilledModel(student, teachers, weighting=weighting)
    # what is there already need not be looked at in each step
    gc.freeze()
    try:
        model.fit(Y)
    finally:
        gc.unfreeze()
    # Lightning and Adam make theirs in the first steps, and the last of an epoch is logged
    settled = live.counts[2:-1]
    assert len(settled) > 5 and len(set(settled)) == 1


@pytest.mark.parametrize("every", [None, 2])
def test_no_step_begins_with_the_gradients_of_the_last(
    every: int | None, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the activations they would take as much as the weights, in the student's steps and in a teacher's.

    Steps that are logged, `every` so many batches, are Lightning's own, between those in bulk.
    """
    held: list[bool] = []

    def watched(network: Any, *args: Any) -> Any:
        held.append(any(parameter.grad is not None for parameter in network.parameters()))
        return network_output(network, *args)

    for module in (training_step, student_step):
        monkeypatch.setattr(module, "network_output", watched)
    settings: dict[str, Any] = {"batch_size": 32, "n_epochs": 2}
    logged = {} if every is None else {"logger": CSVLogger(tmp_path), "log_every_n_steps": every}
    student = NLinearModel(L, H, **fast(**settings, pl_trainer_kwargs=QUIET | logged))
    DistilledModel(student, Teacher(NLinearModel(L, H, **fast(**settings)), name="one")).fit(Y)
    # 114 windows are four batches, of which the teacher's last is darts' own in each epoch
    assert held == [False] * 2 * (3 + 4)


TEACHERS: dict[str, dict[str, Any]] = {
    "one": {},
    "privileged": {"privileged": CostlySensors("lab")},
    "cross-fitted": {"privileged": CostlySensors("lab"), "cross_fit": CrossFit(2, block=20)},
}


@pytest.mark.parametrize("case", list(TEACHERS))
def test_a_fitted_teacher_holds_its_weights_alone(case: str) -> None:
    """Neither gradients nor Adam's moments, each as large as the weights, stay behind; the student keeps darts' own."""
    teacher = Teacher(TiDEModel(L, H, **SMALL, **fast()), name="seer", **TEACHERS[case])
    other = Teacher(LinearRegressionModel(lags=L, output_chunk_length=H), name="linear")
    model = DistilledModel(NLinearModel(L, H, **fast()), [teacher, other])
    model.fit(Y, privileged=None if case == "one" else {"lab": LAB})
    networks = model.teachers[0].models
    assert len(networks) == (2 if case == "cross-fitted" else 1)
    for network in networks:
        assert all(parameter.grad is None for parameter in network.model.parameters())
        assert [dict(one.state) for one in network.trainer.optimizers] == [{}]
    assert model.student.trainer is not None
    assert any(optimizer.state for optimizer in model.student.trainer.optimizers)


def test_a_teacher_that_holds_its_weights_alone_is_saved_as_any_other(tmp_path: Any) -> None:
    teacher = Teacher(TiDEModel(L, H, **SMALL, **fast()), CostlySensors("lab"), name="seer")
    model = DistilledModel(NLinearModel(L, H, **fast()), teacher).fit(Y, privileged={"lab": LAB})
    model.save(tmp_path / "saved")
    loaded = DistilledModel.load(tmp_path / "saved")
    before, after = (one.teachers[0].historical_forecasts(Y, privileged={"lab": LAB}) for one in (model, loaded))
    assert before == after
