"""Uses of models and teachers: fits, predictions, rolling evaluation, audits and runs."""

from __future__ import annotations

from tests.bad_calls import odd
from tests.bad_calls.targets import DATA, SETTINGS, Target

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
