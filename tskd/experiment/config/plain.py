"""A configuration as YAML can hold it, and whether that makes the same one again."""

from __future__ import annotations

from types import FunctionType
from typing import Any

from tskd._core.object_spec import dotted
from tskd.datasets import DataSet, Panel
from tskd.experiment.config.objects import Spec, Strict
from tskd.experiment.config.own_classes import can_be_named


def plain(value: Any) -> Any:
    """A configuration as YAML can hold it; Python objects become their repr."""
    if isinstance(value, Spec) and not value.kwargs:
        return value.name
    if isinstance(value, Strict):
        fields = type(value).model_fields
        return {fields[name].alias or name: plain(getattr(value, name)) for name in fields}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, DataSet | Panel):
        return value.name
    if isinstance(value, type | FunctionType):
        return dotted(value)
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)


def reproducible(value: Any) -> bool:
    """Whether the YAML of a configuration, or of a part of one, gives the same again, where modules of the user's own
    classes are allowed: not where it holds data or objects from Python, which stand there by their name or repr."""
    if isinstance(value, Strict):
        return all(reproducible(item) for _, item in value)
    if isinstance(value, dict):
        return all(reproducible(item) for pair in value.items() for item in pair)
    if isinstance(value, list | tuple):
        return all(map(reproducible, value))
    return value is None or isinstance(value, bool | int | float | str) or can_be_named(value)
