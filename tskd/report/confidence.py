"""Which arms of a case cannot be said to be worse than the best: the model confidence set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tskd.report.shown import finished
from tskd.report.table import errors_by_window

if TYPE_CHECKING:
    from tskd.experiment.results import Results


def confidence(results: Results) -> tuple[list[str], str]:
    """The arms in the set, at 95 %; or an empty list, and why there is none."""
    if len(finished(results)) < 2:
        return [], "fewer than two arms have results"
    errors = errors_by_window(results)
    if errors.empty:
        return [], "no seed is common to all arms"
    try:
        from tskd.experiment.confidence_set import confidence_set

        return confidence_set(errors, block=results.facts["lookback"] + results.facts["horizon"]), ""
    except (ImportError, ValueError) as error:
        return [], str(error)
