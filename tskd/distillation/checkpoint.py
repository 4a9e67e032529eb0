"""The layout of a checkpoint: the student as darts would write it, and the state of losses and weighting beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from tskd.distillation.objective import Objective

STUDENT = "student."
OWN_STATE = "distillation"


def split(checkpoint: dict[str, Any], objective: Objective, optimizer: torch.optim.Optimizer | None) -> None:
    """Convert the checkpoint of a module with a `student` and an `objective` to this layout, in place."""
    state = checkpoint["state_dict"]
    own = {name: value for name, value in state.items() if not name.startswith(STUDENT)}
    checkpoint["state_dict"] = {
        name.removeprefix(STUDENT): value for name, value in state.items() if name.startswith(STUDENT)
    }
    if own:
        kept = None if optimizer is None else optimizer.state_dict()
        checkpoint[OWN_STATE] = {"state_dict": own, "optimizer": kept, **_identity(objective)}


def join(checkpoint: dict[str, Any], objective: Objective, state: Mapping[str, Any]) -> dict[str, Any] | None:
    """Convert a checkpoint in this layout back to one of such a module, in place.

    Args:
        state: the current state of the module.

    Returns:
        The state of the optimizer of the losses; None if there is none, or if the losses differ.
    """
    own = checkpoint.get(OWN_STATE)
    # a checkpoint of plain darts training has none of this state, which then stays as it is
    kept = {name: value for name, value in state.items() if not name.startswith(STUDENT)}
    student = {STUDENT + name: value for name, value in checkpoint["state_dict"].items()}
    restored = {} if own is None else _shared(own, kept, objective)
    checkpoint["state_dict"] = student | kept | restored
    if own is None or own["losses"] != objective.loss_identities:
        return None
    return own["optimizer"]


def _identity(objective: Objective) -> dict[str, Any]:
    """What the state belongs to: pairs of loss and teacher, the teachers in order, and the weighting."""
    return {
        "losses": objective.loss_identities,
        "teachers": objective.teacher_identities,
        "weighting": objective.weighting_identity,
    }


def _shared(own: Mapping[str, Any], kept: Mapping[str, Any], objective: Objective) -> dict[str, Any]:
    """The part of a checkpoint that belongs to losses and weighting of this fit.

    Statistics of the training windows stay those of this fit. So does the state of the weighting if the teachers or
    their order differ, as it belongs to teachers by position.
    """
    trained = {f"objective.{name}" for name, _ in objective.named_parameters()}
    shared: dict[str, Any] = {}
    identity = _identity(objective)
    for number, loss in enumerate(identity["losses"]):
        if loss in own["losses"]:
            current, saved = (f"objective._copies.{n}." for n in (number, own["losses"].index(loss)))
            shared |= {
                name: own["state_dict"][saved + name.removeprefix(current)]
                for name in trained
                if name.startswith(current)
            }
    if own["weighting"] == identity["weighting"] and own["teachers"] == identity["teachers"]:
        shared |= {name: own["state_dict"][name] for name in kept if name.startswith("objective.weighting.")}
    return {name: value for name, value in shared.items() if _same_shape(value, kept[name])}


def _same_shape(one: Any, other: Any) -> bool:
    return not isinstance(one, Tensor) or (isinstance(other, Tensor) and one.shape == other.shape)
