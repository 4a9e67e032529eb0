"""Results as rows of fev (github.com/autogluon/fev): one for each task and model, for `fev.leaderboard` and its like.

A leaderboard of fev has exactly one row for each model on each task, so seeds are averaged (`num_seeds` says how many)
and are no models of their own. A task is a data set, horizon, fold, training size and choice of labels; a model is an
arm and the class of its student. Students alone are models: teachers and bounds see what no deployed forecaster does.

tskd's protocol is not fev's, and its rows fall into no task of fev's own: all test windows count, one step after the
other, on the scale whose mean and deviation are those of the training part. `dataset_config`, `task_name` and the names
of metrics say so. 'z-scored MSE' and 'z-scored MAE' are means over all scored targets, and 'z-scored MQL', twice the
mean pinball loss over `quantile_levels`, is `crps` of tskd's tables. Nothing is computed by fev, nor is it needed.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import product, zip_longest
from typing import Any

import pandas as pd
from pandas.tseries.frequencies import to_offset

from tskd.experiment.config.grid import BETWEEN
from tskd.experiment.config.labels import ALL, labels_text
from tskd.experiment.results.experiment_info import ExperimentInfo
from tskd.experiment.results.measurements import Measurements, of_size

FEV_FILE = "fev.csv"
FEV_VERSION = "0.10.0"
"""The version of fev whose columns these are."""
MSE, MAE, MQL = METRICS = ("z-scored MSE", "z-scored MAE", "z-scored MQL")
TASK = (
    *("dataset_path", "dataset_config", "horizon", "initial_cutoff", "min_context_length", "max_context_length"),
    *("seasonality", "eval_metric", "extra_metrics", "quantile_levels", "id_column", "timestamp_column", "target"),
    *("generate_univariate_targets_from", "known_dynamic_columns", "past_dynamic_columns", "static_columns"),
)
"""Columns by which fev tells tasks apart."""
COLUMNS = (
    *("model_name", *TASK, "num_windows", "window_step_size", "task_name", "test_error", "training_time_s"),
    *("inference_time_s", "num_forecasts", "dataset_fingerprint", "trained_on_this_dataset", "fev_version"),
    *(*METRICS, "num_seeds", "case"),
)


def fev_rows(results: Measurements) -> pd.DataFrame:
    """Results of one experiment as rows of fev, in `COLUMNS`; see `tskd.experiment.Results.fev_rows`."""
    info, found = results.info, []
    for size, fold in product(info.sizes, range(1, info.folds + 1)):
        rows, windows = (
            table[(table.kind == "student") & (table.fold == fold)]
            for table in (of_size(results.rows, size), of_size(results.windows, size))
        )
        count = int(rows.windows.max()) if len(rows) else 0
        task = _task(info, fold, size, count, windows.start) if count else {}
        for name, own in rows.groupby("name", sort=False):
            scores = own[["mse", "mae", "crps"]].mean()
            found.append(
                {
                    "model_name": _model(info, str(name)),
                    **task,
                    "test_error": scores.mse,
                    "training_time_s": own.seconds.mean(),
                    "inference_time_s": own.inference_seconds.mean(),
                    "num_forecasts": count * len(info.data.components),
                    "dataset_fingerprint": info.fingerprint,
                    # fev asks for what a model saw beside the past of the task: no test part
                    "trained_on_this_dataset": False,
                    "fev_version": FEV_VERSION,
                    **dict(zip(METRICS, scores, strict=True)),
                    "num_seeds": len(own),
                    "case": info.case,
                }
            )
    return pd.DataFrame(found, columns=list(COLUMNS))


def fev_rows_of_cases(cases: Mapping[str, Measurements]) -> pd.DataFrame:
    """Rows of several experiments, by the label of their case; of models that are the same in all, those of the first.

    Where models of several cases would have one name on one task, as students of one class do, they are told apart by
    what is other in the labels of their cases.
    """
    each = [fev_rows(results).assign(case=case) for case, results in cases.items()]
    whole = pd.concat(each, ignore_index=True) if each else pd.DataFrame(columns=list(COLUMNS))
    whole = whole[~whole.duplicated([*TASK, "model_name", "test_error"])].reset_index(drop=True)
    alike = whole[whole.duplicated([*TASK, "model_name"], keep=False)]
    labels = [own.case.tolist() for _, own in alike.groupby([*TASK, "model_name"], dropna=False)]
    differing = sorted({position for several in labels for position in _differing(several)})
    for row in whole.index[whole.model_name.isin(alike.model_name)]:
        parts = dict(enumerate(str(whole.at[row, "case"]).split(BETWEEN)))
        apart = [parts[position] for position in differing if position in parts]
        whole.at[row, "model_name"] = BETWEEN.join([str(whole.at[row, "model_name"]), *apart])
    return whole


def _differing(labels: Sequence[str]) -> list[int]:
    """Positions of those parts of labels that are not the same in all."""
    parts = zip_longest(*(label.split(BETWEEN) for label in labels))
    return [position for position, found in enumerate(parts) if len(set(found)) > 1]


def _model(info: ExperimentInfo, arm: str) -> str:
    """Arm and class of the student; the ridge stands in the place of any."""
    ridge = info.controls.get(arm) == "linear"
    return BETWEEN.join([arm, "ridge" if ridge else info.student.partition("(")[0]])


def _task(info: ExperimentInfo, fold: int, size: int | None, count: int, starts: pd.Series) -> dict[str, Hashable]:
    """What all models of a fold and training size have in common; lists as texts, as CSV holds them.

    Args:
        count: of the test windows of all series.
        starts: first targets of the test windows, as often as may be.
    """
    data, distribution = info.data, info.distribution
    config = ["z-scored by the training part", f"all {count} test windows"]
    config += [] if info.scored[0] == 1 else [f"scored from step {info.scored[0]} on"]
    config += [] if size is None else [f"{size} training windows"]
    config += [] if info.labels == labels_text(ALL) else [info.labels]
    config += ["past of the target hidden"] if info.soft_sensor else []
    folds = [f"fold {fold} of {info.folds}"] if info.folds > 1 else []
    targets = sorted(data.components)
    return {
        "dataset_path": data.name,
        "dataset_config": ", ".join(config),
        "horizon": info.horizon,
        "num_windows": starts.nunique(),
        "initial_cutoff": _cutoff(info, starts.min()),
        "window_step_size": 1,
        "min_context_length": 1,
        "max_context_length": None,
        "seasonality": 1,
        "eval_metric": MSE,
        "extra_metrics": str([MAE] if distribution is None else [MAE, MQL]),
        "quantile_levels": str([] if distribution is None else list(distribution.levels)),
        "id_column": "id",
        "timestamp_column": "timestamp",
        "target": targets[0] if len(targets) == 1 else str(targets),
        "generate_univariate_targets_from": None,
        "known_dynamic_columns": _names(data.future_covariates),
        "past_dynamic_columns": _names(data.past_covariates),
        "static_columns": str([]),
        "task_name": BETWEEN.join([data.name, f"{info.horizon} steps", *config, *folds]),
    }


def _cutoff(info: ExperimentInfo, start: Any) -> str:
    """The last time stamp before the first target of all; in a series without stamps the number of rows before it."""
    if isinstance(start, pd.Timestamp):
        return (start - to_offset(info.data.step)).isoformat()
    return str((int(start) - int(info.data.first)) // int(info.data.step))


def _names(components: Sequence[str] | None) -> str | None:
    return None if components is None else str(sorted(components))
