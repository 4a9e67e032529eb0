"""Which arms are not significantly worse than the best, and how likely a difference is by chance."""

from __future__ import annotations

import pandas as pd

from tskd.experiment.results.measurements import Measurements, of_size
from tskd.experiment.results.selection import compared, finished, largest, on_a_par


def confidence(results: Measurements) -> tuple[list[str], str]:
    """The arms in the model confidence set, at 95 %; or an empty list, and why there is none."""
    if len(finished(results)) < 2:
        return [], "fewer than two arms have results"
    names, _ = on_a_par(results)
    if len(names) < 2:
        return [], "no seed is common to all arms"
    errors = _by_window(results, names)
    try:
        from tskd.experiment.statistics.confidence_set import confidence_set

        return confidence_set(errors, block=results.info.block), ""
    except ImportError as error:
        return [], str(error)


def p_values(results: Measurements) -> dict[str, str]:
    """Diebold and Mariano's p-value of each arm against the student alone, as text; where there are windows enough."""
    alone, found = results.info.alone, {}
    for name in compared(results):
        errors = _by_window(results, [name, alone]).to_numpy().T
        try:
            from tskd.experiment.statistics.diebold_mariano import diebold_mariano

            p = diebold_mariano(errors[:1], errors[1:], results.info.horizon).p_value
        except (ImportError, ValueError):
            continue
        found[name] = "<\u20090.001" if p < 0.001 else f"{p:.3f}"
    return found


def _by_window(results: Measurements, names: list[str]) -> pd.DataFrame:
    """Errors [W, arms] at the largest training size, mean over the seeds that all of these arms have in a fold,
    and over the series that have a window there: errors at one time are one observation, however dependent they are."""
    table = of_size(results.windows, largest(results))
    table = table[(table.kind == "student") & table.name.isin(names)]
    wide = table.pivot(index=["fold", "seed", "start", "series"], columns="name", values="mse")[names]
    return wide.dropna().groupby(["fold", "start"]).mean()
