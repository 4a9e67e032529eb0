"""What is simpler than distilling and may do as well: one neighbour, a linear model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tskd._core.correlation import squared_correlations
from tskd._core.darts.capabilities import is_linear
from tskd.distillation.expected import ridge
from tskd.distillation.expected.held_out import HeldOut
from tskd.distillation.preflight import PreparedFit
from tskd.distillation.recipe import Recipe


def neighbour(prepared: PreparedFit) -> float:
    """Largest squared correlation of a privileged component with a target's, from one label to the next."""
    found = [0.0]
    for parts in (prepared.train.privileged or {}).values():
        for part, target in zip(parts, prepared.train.series, strict=True):
            if part.freq != target.freq:
                continue
            shared = part.slice_intersect(target), target.slice_intersect(part)
            if len(shared[0]) == len(shared[1]):
                values, labels = (one.values(copy=False) for one in shared)
                # labels may be single, as one a day, with no change from step to step
                for column in labels.T:
                    known = np.isfinite(column)
                    if known.sum() > 2:
                        found.append(float(squared_correlations(values[known], column[known, None]).max()))
    return max(found)


def linear_is_as_good(held_out: HeldOut, recipe: Recipe) -> bool:
    """Whether a tuned linear model of labels has no more held-out error than the probe of a network."""
    if is_linear(recipe.student):
        return False
    rows = held_out.rows
    order = np.lexsort(held_out.origins.T[::-1])
    half = held_out.origins[order][len(order) // 2, 1]
    early, late = rows.labelled & (rows.at < half - (rows.last - rows.first)), rows.labelled & (rows.at >= half)
    if early.sum() < 3 or not late.any():
        return False
    folds: Sequence[tuple[np.ndarray, np.ndarray]] = [(early, late), (late & (rows.at > half + rows.last), early)]
    errors = [
        sum(ridge.held_out_errors(x, rows.labels, fold, ridge.PENALTIES * fold[0].sum()) for fold in folds)
        for x in (rows.inputs, held_out.inputs)
    ]
    return bool(np.min(errors[0]) <= np.min(errors[1]))
