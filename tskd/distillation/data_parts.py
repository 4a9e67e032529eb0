"""The two parts of the data of a fit, for training and for validation, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from tskd._core.darts.inspect import trained_dtype
from tskd._core.series import SeriesBundle, SeriesLike, check_not_alone
from tskd.distillation.recipe import Recipe

# target, past covariates, future covariates, and privileged series by name
Given: TypeAlias = tuple[SeriesLike | None, SeriesLike | None, SeriesLike | None, Mapping[str, SeriesLike] | None]


def data_parts(recipe: Recipe, train: Given, validation: Given) -> tuple[SeriesBundle, SeriesBundle | None]:
    """The parts for training and for validation, all in one precision: the student's if it is fitted.

    Args:
        recipe: of the fit.
        train, validation: as the user passed them.

    Raises:
        TypeError, ValueError: a series cannot be used, or there is a validation part without a target.
    """
    series, past, future, privileged = train
    checked = SeriesBundle.of(series, past, future, dtype=trained_dtype(recipe.student))
    checked = checked.with_privileged(privileged, recipe.series_names)
    series, past, future, privileged = validation
    if series is None:
        check_not_alone(val_past_covariates=past, val_future_covariates=future, val_privileged=privileged)
        return checked, None
    held_out = SeriesBundle.of(series, past, future, "val_", checked.series[0].dtype)
    return checked, held_out if privileged is None else held_out.with_privileged(privileged, recipe.series_names)
