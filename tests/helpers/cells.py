"""The planned cells of an experiment, and a configuration that uses every field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.helpers.experiments import toy_model, toy_stations
from tskd.experiment import Experiment
from tskd.experiment.controls.expansion import expanded
from tskd.experiment.run.plan import PlannedCell, blocks_of, planned


def cells_of(experiment: Experiment, fingerprint: str = "data") -> list[PlannedCell]:
    blocks = blocks_of("c", expanded(experiment).experiment)
    return [cell for block in blocks for cell in planned(block, fingerprint)]


def config() -> dict[str, Any]:
    """Every field of a configuration has a value that another can take the place of."""
    kwargs = {"optimizer_kwargs": {"lr": 0.01, "weight_decay": 0.1}, "optimizer_cls": "AdamW", "batch_size": 16}
    return {
        "name": "toy",
        "data": toy_stations(),
        "student": toy_model(**kwargs),
        "teachers": {
            "own": {
                "model": toy_model(),
                "privileged": [{"class": "CostlySensors", "kwargs": {"name": "own", "until": 0}}],
                "sees_inputs": True,
                "cross_fit": {"folds": 3, "block": 40},
                "archive": False,
                "taught_by": "last",
            },
            "last": {
                "model": toy_model(),
                "privileged": [{"class": "FutureHorizon", "kwargs": {"start": 1, "end": 2}}],
            },
            "elsewhere": {"model": toy_model(), "archive": True},
        },
        "arms": [
            {"name": "alone"},
            {
                "name": "taught",
                "teachers": ["own", "elsewhere"],
                "losses": [{"class": "OutputKD", "kwargs": {"metric": "mse", "weight": 1.0}}],
                "weighting": {"class": "Fixed", "kwargs": {"weights": {"own": 1.0, "elsewhere": 2.0}}},
                "balance": [0.25, {"class": "ScheduledBalance", "kwargs": {"value": 0.5, "warm_up": 1}}],
                "placebo": False,
            },
            {"name": "tuned", "students": [{"optimizer_kwargs": {"weight_decay": 2.0}}], "archive": "pooled"},
        ],
        "seeds": [3, 5],
        "soft_sensor": False,
        "scored": [1, 3],
        "sizes": [100],
        "folds": 1,
        "labels": {"last_days": 8},
    }


def adding(number: int) -> Callable[[int], Callable[[int], int]]:
    """A function with one within it, whose code has no name of its own."""

    def outer(x: int) -> Callable[[int], int]:
        return lambda y: x + y + number

    return outer
