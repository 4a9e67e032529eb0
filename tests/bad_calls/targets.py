"""What is called by keyword: public classes, with arguments that they accept, and what may be put in their place."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.bad_calls import odd
from tests.bad_calls.scope import PARTS
from tests.bad_calls.tables import TABLES

Pools = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Target:
    """Something that is called by keyword.

    Attributes:
        kind: of call, for counting.
        callee: its text.
        given: texts of arguments that it accepts.
        others: names of arguments that it takes beside them.
        pools: odd values for some of its arguments; any for the others.
        subject: text of what the call may change, which it knows as `model`; empty for nothing. Arguments are those
            of a model of darts if it holds `**odd`.
    """

    kind: str
    callee: str
    given: Mapping[str, str] = field(default_factory=dict)
    others: Sequence[str] = ()
    pools: Pools = field(default_factory=dict)
    subject: str = ""

    @property
    def arguments(self) -> list[str]:
        return list(dict.fromkeys([*self.given, *self.others]))


REQUIRED: Mapping[str, Mapping[str, str]] = {
    "AutoregressiveKD": {"steps": "2"},
    "Fixed": {"weights": "[1, 2]"},
    "FutureHorizon": {"name": "'lab'"},
    "WayPoint": {"name": "'lab'", "step": "2"},
    "CostlySensors": {"name": "'lab'"},
    "HighResolution": {"name": "'lab'", "coarse": "'mean'"},
    "FixedBalance": {"value": "0.5"},
    "ScheduledBalance": {"value": "0.5", "warm_up": "2"},
}
NESTED: Pools = {
    "loss": odd.OBJECTS,
    "weights": (
        "[0, 0]",
        "[1, -1]",
        "[nan, 1]",
        "[1, inf]",
        "['a']",
        "{'a': -1}",
        "{1: 1}",
        "'12'",
        "[True]",
        "[1e308] * 2",
    ),
    "responsibility": ("{'a': []}", "{'a': [nan]}", "{'a': [-1]}", "{1: [1]}", "{'a': 1}", "{'a': '1'}", "[[1]]"),
}


def _parts() -> list[Target]:
    """Constructors of losses, weightings, sources and balances."""
    classes = {name: getattr(module, name) for module in PARTS for name in module.__all__}
    return [
        Target("constructor", name, REQUIRED.get(name, {}), list(inspect.signature(made).parameters), NESTED)
        for name, made in classes.items()
        if inspect.isclass(made) and hasattr(made, "settings") and not inspect.isabstract(made)
        if inspect.signature(made).parameters
    ]


DATA: Pools = {
    **dict.fromkeys(
        [
            *("series", "past_covariates", "future_covariates", "val_series", "val_past_covariates"),
            *(
                "val_future_covariates",
                "sample_weight",
                "val_sample_weight",
                "historical_forecasts",
                "std",
                "forecasts",
            ),
        ],
        odd.SERIES,
    ),
    "epochs": odd.SHORT,
    **dict.fromkeys(["privileged", "val_privileged"], odd.MAPPINGS),
    **dict.fromkeys(["start", "test_start", "validation_start", "seen_until"], odd.STAMPS),
    **dict.fromkeys(["dataloader_kwargs", "fit_kwargs", "predict_kwargs", "metric_kwargs"], odd.FOR_DARTS),
}
SETTINGS: Pools = {
    "student": odd.OBJECTS,
    "model": odd.OBJECTS,
    "teachers": odd.OBJECTS,
    "losses": odd.OBJECTS,
    "weighting": odd.OBJECTS,
    "balance": odd.OBJECTS,
    "privileged": odd.OBJECTS,
    "cross_fit": odd.OBJECTS,
    "taught_by": odd.OBJECTS,
}
DATA_SET = {
    "name": "'toy'",
    "series": "Y",
    "validation_start": "Y.time_index[20]",
    "test_start": "Y.time_index[30]",
    "privileged": "{'lab': LAB}",
    "past_covariates": "PAST",
}
BY_SERIES = "Teacher.from_series"

CONSTRUCTORS = [
    *_parts(),
    Target("constructor", "CrossFit", {"folds": "2"}, ["block"]),
    Target(
        "constructor", "new", {}, [*("student", "teachers", "losses", "weighting", "balance", "soft_sensor")], SETTINGS
    ),
    Target("constructor", "teacher", {}, ["privileged", "name", "sees_inputs", "target", "cross_fit"], SETTINGS),
    Target("constructor", "Teacher", {"model": "student()"}, ["privileged", "name"], SETTINGS),
    Target("constructor", "Reconstruction", {"privileged": "'lab'"}, ["model", "steps", "name", "fills_past"]),
    Target("constructor", BY_SERIES, {"series": "Y", "name": "'given'"}, ["std", "seen_until"], DATA),
    Target(
        "constructor",
        "Teacher.from_forecasts",
        {"forecasts": "FORECASTS", "name": "'given'"},
        ["first_step", "seen_until"],
        {**DATA, "forecasts": (*odd.SERIES, *TABLES)},
    ),
    Target("constructor", "DataSet", DATA_SET, ["future_covariates", "filled", "archive", "title", "unit"], DATA),
    Target("constructor", "ArchiveSeries", {"name": "'a'", "series": "Y"}, ["privileged", "past_covariates"], DATA),
]
