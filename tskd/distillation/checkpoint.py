"""What a checkpoint holds: the student as darts would write it, and the state of the distillation beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from tskd.distillation.objective import Objective

STUDENT = "student."
OWN_STATE = "distillation"


def split(checkpoint: dict[str, Any], objective: Objective, optimizer: torch.optim.Optimizer | None) -> None:
    """Put what is not the student's aside, in the checkpoint of a module that has a `student` and an `objective`."""
    state = checkpoint["state_dict"]
    own = {name: value for name, value in state.items() if not name.startswith(STUDENT)}
    checkpoint["state_dict"] = {
        name.removeprefix(STUDENT): value for name, value in state.items() if name.startswith(STUDENT)
    }
    if own:
        kept = None if optimizer is None else optimizer.state_dict()
        checkpoint[OWN_STATE] = {"state_dict": own, "optimizer": kept, **_identity(objective)}


def join(checkpoint: dict[str, Any], objective: Objective, state: Mapping[str, Any]) -> dict[str, Any] | None:
    """Make it the checkpoint of such a module again.

    Args:
        state: of the module as it now is.

    Returns:
        The state of the optimizer that belongs to it, if there is one.
    """
    own = checkpoint.get(OWN_STATE)
    # a checkpoint of plain darts training has no state of ours: ours stays as it is
    kept = {name: value for name, value in state.items() if not name.startswith(STUDENT)}
    student = {STUDENT + name: value for name, value in checkpoint["state_dict"].items()}
    found = {} if own is None else _shared(own, kept, objective)
    checkpoint["state_dict"] = student | kept | found
    if own is None or own["losses"] != objective.loss_identities:
        return None
    return own["optimizer"]


def _identity(objective: Objective) -> dict[str, Any]:
    """What the state is of: pairs of loss and teacher, the teachers in order, and the weighting."""
    return {
        "losses": objective.loss_identities,
        "teachers": objective.teacher_identities,
        "weighting": objective.weighting_identity,
    }


def _shared(own: Mapping[str, Any], kept: Mapping[str, Any], objective: Objective) -> dict[str, Any]:
    """What a checkpoint holds of the losses and the weighting that this fit has too.

    Statistics of the training windows are those of this fit's. So is what the weighting has learned where the
    teachers are others or stand in another order: it is of teachers by their position.
    """
    trained = {f"objective.{name}" for name, _ in objective.named_parameters()}
    found: dict[str, Any] = {}
    mine = _identity(objective)
    for number, described in enumerate(mine["losses"]):
        if described in own["losses"]:
            ours, theirs = (f"objective._copies.{n}." for n in (number, own["losses"].index(described)))
            found |= {
                name: own["state_dict"][theirs + name.removeprefix(ours)] for name in trained if name.startswith(ours)
            }
    if own["weighting"] == mine["weighting"] and own["teachers"] == mine["teachers"]:
        found |= {name: own["state_dict"][name] for name in kept if name.startswith("objective.weighting.")}
    return {name: value for name, value in found.items() if _alike(value, kept[name])}


def _alike(one: Any, other: Any) -> bool:
    return not isinstance(one, Tensor) or (isinstance(other, Tensor) and one.shape == other.shape)
