"""A distillation that keeps checkpoints, and goes on from the last of them: `python -m tests.helpers.checkpointed
FOLDER PAUSE`, which says every step."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import torch
from darts.models import TiDEModel

from tests.helpers.models import fast
from tests.helpers.series import QUIET, walk
from tskd import DistilledModel, Teacher
from tskd.distillation.student_step import StudentStep
from tskd.losses import FeatureKD, OutputKD
from tskd.privileged import FutureHorizon

NAME = "student"
EPOCHS, BATCHES = 4, 5
SERIES = walk(8 + 4 - 1 + BATCHES * 8)
LAB = walk(60, seed=1, name="lab")
# Lightning keeps no random state in a checkpoint, with which the batches of a later epoch could be drawn again
LOADER: dict[str, Any] = {"shuffle": False}
SMALL: dict[str, Any] = {"hidden_size": 4, "decoder_output_dim": 4, "temporal_decoder_hidden": 4, "dropout": 0.0}


def checkpoints(folder: Path) -> list[Path]:
    """Those of the last epoch that is finished."""
    return sorted((folder / NAME / "checkpoints").glob("last*.ckpt"))


def student(folder: Path) -> Any:
    """One that goes on from the last checkpoint, or a new one."""
    if checkpoints(folder):
        return TiDEModel.load_from_checkpoint(NAME, str(folder), best=False)
    keeping: dict[str, Any] = {"save_checkpoints": True, "model_name": NAME, "work_dir": str(folder)}
    trainer = QUIET | {"enable_checkpointing": True}
    settings = fast(n_epochs=EPOCHS, batch_size=8, pl_trainer_kwargs=trainer, force_reset=True)
    return TiDEModel(8, 4, **SMALL, **keeping, **settings)


def trained(folder: Path) -> DistilledModel:
    """A student that is trained to the end, with a projector that is trained beside it."""
    teacher = Teacher(TiDEModel(8, 4, **SMALL, **fast()), FutureHorizon("lab"), name="seer")
    losses = [OutputKD(), FeatureKD()]
    model = DistilledModel(student(folder), teacher, losses)
    return model.fit(SERIES, privileged={"lab": LAB}, epochs=EPOCHS, dataloader_kwargs=LOADER, verbose=False)


def same(one: DistilledModel, other: DistilledModel) -> bool:
    """Whether two students have the same parameters, bit for bit."""
    mine, theirs = (model.student.model.state_dict() for model in (one, other))
    return mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)


def main(folder: Path, pause: float) -> None:
    """Train slowly, and say every step of the student before it is taken."""
    loss = StudentStep.loss

    def slow(self: StudentStep, *args: Any, **kwargs: Any) -> Any:
        print("step", flush=True)
        time.sleep(pause)
        return loss(self, *args, **kwargs)

    StudentStep.loss = slow  # type: ignore[method-assign]
    torch.set_num_threads(1)
    trained(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
