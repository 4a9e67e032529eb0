"""What is called: public classes and methods with arguments that they accept, and what may be put in their place."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.bad_calls import odd
from tests.bad_calls.scope import PARTS

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
VALIDATION = {"val_series": "Y", "val_past_covariates": "PAST", "val_privileged": "{'lab': LAB}"}
KNOWN = {"series": "Y", "past_covariates": "PAST", "privileged": "{'lab': LAB}"}
DEPLOYED = {"series": "Y", "past_covariates": "PAST"}
FIT = (
    *("future_covariates", "trainer", "verbose", "epochs", "max_samples_per_ts", "dataloader_kwargs", "sample_weight"),
    *("val_sample_weight", "val_future_covariates", "stride", "load_best", "cache"),
)
ROLL = (
    *("future_covariates", "forecast_horizon", "num_samples", "train_length", "start", "start_format", "stride"),
    *("last_points_only", "overlap_end", "verbose", "show_warnings", "predict_likelihood_parameters", "random_state"),
    *("enable_optimization", "data_transformers", "fit_kwargs", "predict_kwargs", "sample_weight", "privileged"),
    *("apply_globally", "val_length"),
)
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
        {**DATA, "forecasts": (*odd.SERIES, *odd.TABLES)},
    ),
    Target("constructor", "DataSet", DATA_SET, ["future_covariates", "filled", "archive", "title", "unit"], DATA),
    Target("constructor", "ArchiveSeries", {"name": "'a'", "series": "Y"}, ["privileged", "past_covariates"], DATA),
]
FITS = [
    Target("fit", "model.fit", KNOWN, FIT, DATA, "new()"),
    Target("fit", "model.fit", {**KNOWN, **VALIDATION}, FIT, DATA, "new()"),
    Target("fit", "model.fit", {"series": "[Y, Y]", "privileged": "{'lab': [LAB, LAB]}"}, FIT, DATA, "new()"),
    Target("fit", "model.fit", KNOWN, FIT, DATA, "new(soft_sensor=True)"),
    Target("fit", "model.fit", KNOWN, FIT, DATA, "new(teachers=Reconstruction('lab', fills_past=True))"),
    Target("fit", "model.fit", KNOWN, FIT, DATA, "new(teachers=[teacher(cross_fit=2), teacher(name='b')])"),
    *(
        Target("fit of odd parts", f"new(**odd).fit(Y, PAST, privileged={{'lab': LAB}}){end}", {}, parts, SETTINGS)
        for end, parts in (("", ["teachers", "losses", "weighting", "balance"]),)
    ),
]
DARTS = {
    "n_epochs": odd.SHORT,
    "lr_scheduler_kwargs": ("{'gamma': nan}", "{'nope': 1}"),
    "optimizer_kwargs": ("{'lr': -1}", "{'lr': nan}", "{'lr': '1'}", "{'lr': inf}", "{'lr': 1e30}", "{'nope': 1}", "3"),
    "pl_trainer_kwargs": (
        *("{'nope': 1}", "QUIET | {'max_steps': 1}", "QUIET | {'max_steps': -5}", "QUIET | {'max_time': 'x'}"),
        *(
            "QUIET | {'callbacks': 3}",
            "QUIET | {'callbacks': [3]}",
            "QUIET | {'precision': '8'}",
            "QUIET | {'devices': 0}",
        ),
        *("QUIET | {'accelerator': 'gpu'}", "QUIET | {'gradient_clip_val': -1}", "QUIET | {'limit_train_batches': 0}"),
        *("QUIET | {'max_epochs': 0}", "QUIET | {'accumulate_grad_batches': 0}", "QUIET | {'fast_dev_run': True}"),
    ),
    "add_encoders": ("{'cyclic': {'future': ['hour']}}", "{'cyclic': {'past': ['hour']}}", "{'nope': 1}"),
    "likelihood": ("GaussianLikelihood()", "QuantileRegression([0.1, 0.5, 0.9])", "DirichletLikelihood()"),
    "loss_fn": ("torch.nn.L1Loss()", "torch.nn.MSELoss(reduction='sum')", "torch.nn.Identity()"),
    "output_chunk_shift": ("1", "40", "-1"),
    "optimizer_cls": ("torch.optim.LBFGS", "torch.optim.SGD", "torch.nn.Linear"),
    "lr_scheduler_cls": ("torch.optim.lr_scheduler.ExponentialLR", "torch.optim.SGD"),
    "torch_metrics": ("torch.nn.Linear",),
}
STUDENTS = [
    Target(
        "fit of an odd student",
        f"model.fit(Y, PAST, privileged={{'lab': LAB}}{more})",
        {},
        [
            *DARTS,
            "batch_size",
            "const_init",
            "shared_weights",
            "random_state",
            "use_static_covariates",
            "save_checkpoints",
        ],
        DARTS,
        f"new(student=student(**odd), balance={balance})",
    )
    for more in ("", ", val_series=Y, val_past_covariates=PAST, val_privileged={'lab': LAB}")
    for balance in (0, 0.5)
]
SECOND_FITS = [
    Target("second fit", "model.fit", KNOWN, FIT, DATA, "fitted()"),
    Target("second fit", "model.fit", {**KNOWN, **VALIDATION}, FIT, DATA, "fitted()"),
    Target("second fit", "model.fit", KNOWN, FIT, DATA, "fitted(sensor=True)"),
]
PREDICT = (
    *("future_covariates", "start", "num_samples", "batch_size", "verbose", "mc_dropout", "roll_size", "random_state"),
    *("predict_likelihood_parameters", "show_warnings", "trainer", "dataloader_kwargs"),
)
PREDICTIONS = [
    Target("predict", "model.predict", {"n": "3", **DEPLOYED}, PREDICT, DATA, "fitted()"),
    Target(
        "predict",
        "model.predict",
        {"n": "2", "series": "[Y, Y]", "past_covariates": "[PAST, PAST]"},
        PREDICT,
        DATA,
        "fitted()",
    ),
    Target("predict", "model.predict", {"n": "3", **DEPLOYED}, PREDICT, DATA, "fitted(sensor=True)"),
    Target("predict", "model.predict", {"n": "3", **DEPLOYED}, PREDICT, DATA, "new()"),
]
ROLLING = [
    Target("rolling", f"model.{method}", {**DEPLOYED, "retrain": retrain} | more, others, DATA, subject)
    for method, more, extra in (
        ("historical_forecasts", {}, ()),
        ("backtest", {}, ("historical_forecasts", "metric", "reduction", "metric_kwargs")),
        ("residuals", {}, ("historical_forecasts", "metric", "metric_kwargs", "values_only")),
    )
    for retrain, subject in (("False", "fitted()"), ("False", "fitted(sensor=True)"))
    for others in [(*ROLL, *extra)]
] + [
    Target(
        "rolling",
        "model.historical_forecasts",
        {**KNOWN, "start": "36", "retrain": "True"},
        ROLL,
        DATA,
        "new()",
    )
]
TEACHERS = [
    Target(
        "teacher",
        "teacher().fit",
        {"series": "Y", "privileged": "{'lab': LAB}"},
        [*FIT[:9], "stride", "load_best", "taught_by", "val_series", "val_privileged"],
        {**DATA, "taught_by": odd.OBJECTS},
    ),
    Target("teacher", "fitted().teachers[0].historical_forecasts", KNOWN, ["future_covariates"], DATA),
    Target("teacher", "Reconstruction('lab').fit", {"series": "Y", "privileged": "{'lab': LAB}"}, [], DATA),
    Target("teacher", "new(teachers=Teacher.from_series(series=Y, name='given')).fit", {"series": "Y"}, FIT, DATA),
    Target("teacher", "new(teachers=Teacher.from_forecasts(FORECASTS, name='given')).fit", {"series": "Y"}, FIT, DATA),
    Target(
        "run",
        "Study('toy', {'toy': Experiment(**config({}))}).run",
        {"progress": "False"},
        ["folder", "workers", "engine", "address"],
    ),
    Target("expected gain", "expected_gain", {"model": "new()", **KNOWN}, ["future_covariates"], DATA),
    Target("audit", "audit", {"model": "fitted()", **KNOWN, "verbose": "False"}, ["test_start"], DATA),
]
