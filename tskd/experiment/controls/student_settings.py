"""Candidate settings of the student for the controls without teachers.

Every control chooses on validation among as many candidates as the largest distilled arm does, its budget. What the
candidates are follows from the student: weight decay, dropout and input size are varied in the order of how far they
are from its own settings, which come first. AdamW's weight decay below 0.1 was measured to do nothing in as few steps
as these students take; a tenth of the inputs, to do more than any teacher.
"""

from __future__ import annotations

import inspect
import itertools
from typing import Any

from tskd.experiment.config.arm import CANDIDATES, with_settings
from tskd.experiment.config.chunk_lengths import chunks
from tskd.experiment.config.experiment import ExperimentConfig
from tskd.experiment.config.merge import deep_merge
from tskd.experiment.config.own_classes import initialiser
from tskd.experiment.config.roles import MODEL, OPTIMIZER
from tskd.experiment.config.teacher import scorable

LOOKBACK_DIVISORS = (4, 2, 8)
WEIGHT_DECAYS = (1.0, 0.1, 10.0, 0.3, 3.0, 15.0)
DROPOUTS = (0.3, 0.1, 0.5)


def largest_balances(experiment: ExperimentConfig) -> tuple[Any, ...]:
    """The longest list of balances of a distilled arm: as many candidates as every control has."""
    return max((arm.balance for arm in experiment.arms if arm.teachers), key=len, default=CANDIDATES)


def candidate_settings(
    experiment: ExperimentConfig,
    always: dict[str, Any] | None = None,
    *,
    vary_lookback: bool = False,
    least: int = 1,
) -> tuple[dict[str, Any], ...]:
    """As many settings as the budget has, if the student can be varied in so many ways; the nearest to its own first.

    Args:
        always: settings that all of them have.
        vary_lookback: whether shorter lookbacks are among them.
        least: how many, if the budget is smaller.
    """
    budget = max(least, len(largest_balances(experiment)))
    axes = [_lookbacks(experiment) if vary_lookback else [{}], _weight_decays(experiment), _dropouts(experiment)]
    levels = itertools.product(*(range(len(axis)) for axis in axes))
    ranked = sorted(levels, key=lambda at: (sum(at), max(at), *(-level for level in at)))
    found: list[dict[str, Any]] = []
    for at in ranked:
        settings = dict(always or {})
        for axis, level in zip(axes, at, strict=True):
            settings = deep_merge(settings, axis[level])
        if _can_be_made(experiment, settings):
            found.append(settings)
        if len(found) == budget:
            break
    return tuple(found)


def _lookbacks(experiment: ExperimentConfig) -> list[dict[str, Any]]:
    lookback = chunks(experiment.student)[0]
    shorter = dict.fromkeys(lookback // divisor for divisor in LOOKBACK_DIVISORS)
    return [{}, *({"input_chunk_length": steps} for steps in shorter if 0 < steps < lookback)]


def _weight_decays(experiment: ExperimentConfig) -> list[dict[str, Any]]:
    kwargs = experiment.student.seeded(MODEL, 0).kwargs
    given = kwargs.get("optimizer_cls") or "Adam"
    optimizer = OPTIMIZER.allowed(given) if isinstance(given, str) else given
    if "weight_decay" not in inspect.signature(optimizer).parameters:
        return [{}]
    # Adam adds it to the gradient, and then divides by the gradient's size: the decay that is meant is AdamW's
    decoupled = {"optimizer_cls": "AdamW"} if optimizer.__name__ == "Adam" else {}
    own = (kwargs.get("optimizer_kwargs") or {}).get("weight_decay")
    return [
        {},
        *({**decoupled, "optimizer_kwargs": {"weight_decay": value}} for value in WEIGHT_DECAYS if value != own),
    ]


def _dropouts(experiment: ExperimentConfig) -> list[dict[str, Any]]:
    known = initialiser(experiment.student.made(MODEL)).parameters
    if "dropout" not in known:
        return [{}]
    own = experiment.student.seeded(MODEL, 0).kwargs.get("dropout", known["dropout"].default)
    return [{}, *({"dropout": value} for value in DROPOUTS if value != own)]


def _can_be_made(experiment: ExperimentConfig, settings: dict[str, Any]) -> bool:
    try:
        scorable(with_settings(experiment.student, settings))
    except ValueError:
        return False
    return True
