"""What a teacher is handed of a user's data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tskd import _darts, global_models
from tskd.checks import SeriesLike, as_list, as_privileged, require_windows
from tskd.views import View, own_targets, widen

if TYPE_CHECKING:
    from tskd.teacher import Teacher


def arguments_of(
    teacher: Teacher,
    series: SeriesLike,
    past_covariates: SeriesLike | None,
    future_covariates: SeriesLike | None,
    privileged: Mapping[str, SeriesLike] | None,
    what: str,
    rows: Mapping[str, Any] | None = None,
) -> tuple[dict[str, Any], View]:
    """The teacher's own series and covariates, checked and widened by what its sources show.

    Args:
        series, past_covariates, future_covariates, privileged: as the user gives them.
        what: the name of the argument `privileged` was given as.
        rows: darts' `stride` and `max_samples_per_ts`; if given, covariates must cover the training windows.
    """
    prefix = "val_" if what.startswith("val_") else ""
    targets = as_list(series, f"{prefix}series") or []
    known = as_privileged(privileged, teacher.names, len(targets), f"{what} of teacher {teacher.name!r}")
    deployable = {
        slot: as_list(given, f"{prefix}{slot}_covariates", len(targets))
        if teacher.sees_inputs and _darts.reads(teacher.model, slot)
        else None
        for slot, given in (("past", past_covariates), ("future", future_covariates))
    }
    if rows is not None:
        covariates = {f"{slot}_covariates": items for slot, items in deployable.items()}
        require_windows(
            {"series": targets, **covariates},
            teacher.training_keys(targets, rows),
            teacher.lookback,
            teacher.horizon,
            prefix,
        )
    own = targets if teacher.target is None else own_targets(known[teacher.target], targets, teacher.target)
    if not teacher.sees_inputs:
        own = [target.with_static_covariates(None) for target in own]
    view = widen(
        targets,
        deployable["past"],
        deployable["future"],
        known,
        teacher.sources,
        teacher.lookback,
        teacher.horizon,
        teacher.sees_inputs,
        components=own[0].n_components,
        pad=_darts.is_network(teacher.model),
    )
    if not _darts.is_network(teacher.model):
        futures = any(source.slot == "future" for source in teacher.sources)
        global_models.refuse_hidden(teacher.model, view, teacher.horizon, teacher.name, futures)
    arguments = {
        "series": own,
        "past_covariates": view.past_covariates,
        "future_covariates": view.future_covariates,
    }
    return arguments, view
