"""Two runs side by side: what differs between their configurations, and the errors of their arms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import yaml

from tskd.experiment.results.experiment_info import ExperimentInfo
from tskd.experiment.results.measurements import WINDOW, of_size, windows_in_block
from tskd.experiment.results.results import Results
from tskd.experiment.results.study_results import StudyResults
from tskd.experiment.results.terminal import ruled
from tskd.experiment.statistics.intervals import Comparison, compare
from tskd.experiment.statistics.verdict import interval, percent

MOST_SETTINGS = 20
MISSING = "–"


def comparison_text(first: StudyResults, second: StudyResults, names: tuple[str, str]) -> str:
    """Both runs for a terminal: their settings that differ, then for each case that both have a line an arm.

    An arm that both have is compared with an interval over windows and seeds, if both runs scored the same windows of
    the same data on the same scale: errors are in deviations of the training part.

    Args:
        first: what `second` is compared with.
        second: a run.
        names: of the two, for the head of the table.
    """
    text = [f"{names[1]} against {names[0]}", "", *_settings(first, second)]
    pairs = {case: (first.cases[case], second.cases[case]) for case in first.cases if case in second.cases}
    if len(first.cases) == len(second.cases) == 1:
        pairs = {"": (*first.cases.values(), *second.cases.values())}  # type: ignore[dict-item]
    for case, (one, other) in pairs.items():
        text += ["", *([case] if case else []), *_table(one, other)]
    if not pairs:
        text += ["", f"They have no case in common: {', '.join(first.cases)}; {', '.join(second.cases)}."]
    return "\n".join(text)


def differing(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Settings that differ, by their dotted key; `MISSING` stands for one that is not there."""
    one, other = _flat(first), _flat(second)
    keys = [*one, *(key for key in other if key not in one)]
    pairs = {key: (one.get(key, MISSING), other.get(key, MISSING)) for key in keys}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def _settings(first: StudyResults, second: StudyResults) -> list[str]:
    found = differing(yaml.safe_load(first.info.config), yaml.safe_load(second.info.config))
    if not found:
        return ["The configurations are the same."]
    lines = [f"{key}: {_short(one)} → {_short(other)}" for key, (one, other) in found.items()]
    more = [f"… and {len(lines) - MOST_SETTINGS} more"] if len(lines) > MOST_SETTINGS else []
    return ["What differs in the configuration:", *(f"  {line}" for line in [*lines[:MOST_SETTINGS], *more])]


def _table(first: Results, second: Results) -> list[str]:
    reason = _apart(first.info, second.info)
    names = dict.fromkeys(arm.name for results in (first, second) for arm in results.info.arms)
    rows = []
    for name in names:
        one, other = _errors(first, name), _errors(second, name)
        found = None if reason else _paired(one, other, first.info.block)
        shown = [percent(found.relative), interval(found)] if found else [MISSING, ""]
        rows.append([name[:34], _mean(one), _mean(other), *shown])
    text = ruled(["", "MSE, first", "MSE, second", "second against first", "95 % interval"], rows, len(rows))
    return [*text, *([f"No differences are given: {reason}."] if reason else [])]


def _apart(first: ExperimentInfo, second: ExperimentInfo) -> str:
    """Why errors of two experiments cannot be compared; '' if they can."""
    pairs = {
        "the data are not the same": (first.fingerprint, second.fingerprint),
        "other steps of the horizon are scored": (first.scored, second.scored),
        "the numbers of folds differ": (first.folds, second.folds),
        "the training sizes differ, and with them the scale": (_largest(first), _largest(second)),
    }
    return "; ".join(reason for reason, (one, other) in pairs.items() if one != other)


def _largest(info: ExperimentInfo) -> int | None:
    return None if None in info.sizes else max(size for size in info.sizes if size is not None)


def _errors(results: Results, name: str) -> pd.DataFrame:
    """Squared errors of an arm at the largest size: a row a seed, a column a fold and window."""
    own = of_size(results.windows, _largest(results.info))
    own = own[(own.kind == "student") & (own.name == name)]
    return own.pivot(index="seed", columns=WINDOW, values="mse").sort_index(axis=1)


def _paired(one: pd.DataFrame, other: pd.DataFrame, steps: int) -> Comparison | None:
    seeds, windows = one.index.intersection(other.index), one.columns.intersection(other.columns).sort_values()
    if not len(seeds) or not len(windows):
        return None
    block = windows_in_block(windows, steps)
    segments = np.unique(windows.get_level_values("fold"), return_counts=True)[1].tolist()
    base, own = (frame.loc[seeds, windows].to_numpy("float64") for frame in (one, other))
    try:
        return compare(own, base, block, segments=segments, same_model_class=False)
    except ValueError:
        # nothing is left that both have
        return None


def _mean(errors: pd.DataFrame) -> str:
    values = errors.to_numpy("float64")
    return f"{np.nanmean(values):.4g}" if np.isfinite(values).any() else MISSING


def _flat(value: Any, at: str = "") -> dict[str, Any]:
    if isinstance(value, Mapping) and value:
        return {key: leaf for name, item in value.items() for key, leaf in _flat(item, f"{at}.{name}").items()}
    if isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        named = {
            str(item.get("name", number)) if isinstance(item, Mapping) else str(number): item
            for number, item in enumerate(value)
        }
        return _flat(named, at)
    return {at.lstrip("."): value}


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
