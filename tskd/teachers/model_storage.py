"""Saving and loading the models of a teacher: in darts' own format, with a description in a form that JSON can hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tskd import privileged
from tskd._core.components import restored_orders
from tskd._core.darts.storage import class_name, load_model
from tskd._core.object_spec import described, restored
from tskd.teachers.crossfit import CrossFit, Folds, stamp, stamp_text
from tskd.teachers.fitted import FittedModels
from tskd.teachers.spec import TeacherSpec


def save_models(spec: TeacherSpec, result: FittedModels, folder: Path, stem: str) -> dict[str, Any]:
    """Write fitted models to `folder`, in files whose names start with `stem`, and return the description."""
    for number, model in enumerate(result.models):
        model.save(str(folder / f"{stem}.{number}.pt"), clean=True)
    return {
        "name": spec.name,
        "class": class_name(spec.model),
        "sources": [described(source, privileged) for source in spec.sources],
        "sees_inputs": spec.sees_inputs,
        "target": spec.target,
        "models": len(result.models),
        "cross_fit": None if spec.cross_fit is None else spec.cross_fit.settings(),
        "folds": None if result.folds is None else result.folds.description(),
        "components": result.components,
        "seen_until": stamp_text(result.seen_until),
        "traces": result.traces,
    }


def restored_models(
    folder: Path, stem: str, entry: Mapping[str, Any], trusted: Sequence[type] = ()
) -> tuple[TeacherSpec, FittedModels]:
    """The specification and the models for which `save_models` returned `entry`, by darts' safe loading; `trusted` are
    classes of the user's own."""
    files = [folder / f"{stem}.{number}.pt" for number in range(entry["models"])]
    models = [load_model(entry["class"], file, trusted=trusted) for file in files]
    sources = [restored(source, privileged, trusted) for source in entry["sources"]]
    plan = None if entry["cross_fit"] is None else CrossFit(**entry["cross_fit"])
    spec = TeacherSpec(models[0], tuple(sources), entry["name"], entry["sees_inputs"], entry["target"], plan)
    folds = None if entry["folds"] is None else Folds.described(entry["folds"])
    traces = entry.get("traces")
    seen, traces = stamp(entry["seen_until"]), None if traces is None else tuple(traces)
    return spec, FittedModels(tuple(models), folds, restored_orders(entry["components"]), seen, traces)
