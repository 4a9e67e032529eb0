"""Checks of metrics for darts' rolling evaluation."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any

import numpy as np

from tskd._core.checks import check_known, type_name


def check_metric_kwargs(darts_method: Callable[..., Any], kwargs: Mapping[str, Any]) -> None:
    """Raise a ValueError for arguments that a metric does not take."""
    metric = kwargs.get("metric") or inspect.signature(darts_method).parameters["metric"].default
    given = kwargs.get("metric_kwargs")
    for one, own in zip(metric, given or [], strict=False) if isinstance(metric, list | tuple) else [(metric, given)]:
        check_known(own or {}, inspect.signature(one).parameters, "argument in metric_kwargs")


def numeric(metric: Any) -> Any:
    """A metric, or several, of which users' own must give numbers: darts would iterate over series endlessly."""
    return list(map(_numeric, metric)) if isinstance(metric, list | tuple) else _numeric(metric)


def _numeric(metric: Callable[..., Any]) -> Callable[..., Any]:
    if str(getattr(metric, "__module__", "")).startswith("darts."):
        return metric

    @functools.wraps(metric)
    def checked(*args: Any, **kwargs: Any) -> Any:
        result = metric(*args, **kwargs)
        _check_numbers(result)
        return result

    return checked


def _check_numbers(result: Any) -> None:
    if isinstance(result, list | tuple):
        for one in result:
            _check_numbers(one)
    elif not isinstance(result, Real | np.ndarray):
        raise TypeError(f"metric: it must give numbers or arrays of them, and gives {type_name(result)}")
