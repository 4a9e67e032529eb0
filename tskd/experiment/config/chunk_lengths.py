"""Lookback and horizon of models: filled in where a configuration leaves them out, and read back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tskd._core.quiet_logs import quiet
from tskd.experiment.config.objects import Spec
from tskd.experiment.config.outside_teacher import KINDS
from tskd.experiment.config.own_classes import initialiser
from tskd.experiment.config.roles import MODEL, TEACHER, Role


def with_default_lengths(config: Any, lookback: int | None, horizon: int | None) -> Any:
    """The configuration of an experiment with `lookback` and `horizon` in the arguments of its student and teachers,
    where these leave them out."""
    if (lookback is None and horizon is None) or not isinstance(config, Mapping):
        return config
    config = dict(config)
    if "student" in config:
        config["student"] = _model(config["student"], lookback, horizon, MODEL)
    if isinstance(config.get("teachers"), Mapping):
        config["teachers"] = {
            name: {**teacher, "model": _model(teacher["model"], lookback, horizon, TEACHER)}
            if isinstance(teacher, Mapping) and "model" in teacher and not teacher.keys() & KINDS.keys()
            else teacher
            for name, teacher in config["teachers"].items()
        }
    return config


def chunks(model: Spec) -> tuple[int, int, int]:
    """Lookback, first and last step of the horizon of a torch model."""
    if not isinstance(model.class_, str):
        # a class of the user's own may have other arguments than darts'
        with quiet():
            made = model.build(MODEL)
        return made.input_chunk_length, made.output_chunk_shift + 1, made.output_chunk_shift + made.output_chunk_length
    shift = model.kwargs.get("output_chunk_shift", 0)
    return model.kwargs["input_chunk_length"], shift + 1, shift + model.kwargs["output_chunk_length"]


def _model(value: Any, lookback: int | None, horizon: int | None, role: Role) -> Any:
    if isinstance(value, str):
        value = {"class": value}
    if not isinstance(value, Mapping) or not isinstance(value.get("class"), str | type):
        return value
    kwargs = value.get("kwargs") or {}
    if not isinstance(kwargs, Mapping):
        return value
    if isinstance(kwargs.get("forecasting_models"), list):
        members = [_model(member, lookback, horizon, role) for member in kwargs["forecasting_models"]]
        return {**value, "kwargs": {**kwargs, "forecasting_models": members}}
    return {**value, "kwargs": {**_lengths(value["class"], kwargs, lookback, horizon, role), **kwargs}}


def _lengths(
    made: str | type, kwargs: Mapping[str, Any], lookback: int | None, horizon: int | None, role: Role
) -> dict[str, int]:
    """The arguments for lookback and horizon that a class of models has."""
    try:
        known = initialiser(role.allowed(made) if isinstance(made, str) else made).parameters
    except ValueError:
        # an error with its reason where the model is made
        return {}
    found = {"output_chunk_length": horizon}
    if "input_chunk_length" in known:
        found["input_chunk_length"] = lookback
    elif "lags" in known and not any(argument.startswith("lags") for argument in kwargs):
        found["lags"] = lookback
    return {argument: steps for argument, steps in found.items() if steps is not None and argument in known}
