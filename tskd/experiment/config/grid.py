"""The grid of a study: axes along which an experiment varies, and the product of all of them."""

from __future__ import annotations

import itertools
from typing import Any

import yaml

from tskd.experiment.config.labels import labels_text, parse_labels
from tskd.experiment.config.merge import deep_merge

BETWEEN = " · "


def with_label_axis(config: dict[str, Any], grid: Any) -> tuple[dict[str, Any], Any]:
    """A configuration and its grid, to which `labels` is an axis more if the configuration lists several.

    Raises:
        ValueError: some entry is none, two are the same, or the grid has an axis of that name.
    """
    several = config.get("labels")
    if not isinstance(several, list) or len(several) < 2:
        return config, grid
    try:
        cases = {labels_text(parse_labels(one)): {"labels": one} for one in several}
    except ValueError as error:
        raise ValueError(f"labels: {error}") from error
    if len(cases) < len(several):
        raise ValueError(f"labels: give none twice; they are {', '.join(cases)}.")
    if isinstance(grid, dict) and "labels" in grid:
        raise ValueError("labels: the grid has an axis of that name; leave one of them out.")
    rest = {key: value for key, value in config.items() if key != "labels"}
    return rest, {**grid, "labels": cases} if isinstance(grid, dict) else grid or {"labels": cases}


def axis_names(config: str) -> str:
    """What the parts of a label of a case are called, joined as they are; empty for a configuration without axes.

    Args:
        config: of the study, as YAML.
    """
    known = yaml.safe_load(config) or {}
    _, grid = with_label_axis(known, known.get("grid")) if isinstance(known, dict) else ({}, None)
    return BETWEEN.join(map(str, grid)) if isinstance(grid, dict) else ""


def expand_grid(config: dict[str, Any], grid: Any) -> dict[str, dict[str, Any]]:
    """The configurations of all cases, by label.

    Args:
        config: of the experiment that the cases vary.
        grid: for each axis, by a label, the part of a configuration that is merged into `config` key by key.

    Raises:
        ValueError: the grid is no such mapping, or two cases have the same label.
    """
    if not isinstance(grid, dict) or not grid:
        raise ValueError("grid: give axes, each a mapping of labels to what differs there.")
    for axis, overlays in grid.items():
        if not isinstance(overlays, dict) or not overlays:
            raise ValueError(f"grid.{axis}: give labels, each with what differs there.")
        for label, overlay in overlays.items():
            if not (overlay is None or isinstance(overlay, dict)) or "grid" in (overlay or {}):
                raise ValueError(f"grid.{axis}.{label}: give a part of a configuration, not {overlay!r}.")
    cases = {}
    combinations = list(itertools.product(*grid.values()))
    for labels in combinations:
        case = config
        for overlays, label in zip(grid.values(), labels, strict=True):
            case = deep_merge(case, overlays[label] or {})
        cases[BETWEEN.join(map(str, labels))] = case
    if len(cases) < len(combinations):
        raise ValueError(f"grid: two cases have the same label; they are {', '.join(cases)}.")
    return cases
