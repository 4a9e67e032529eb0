"""`audit`: checks whether a fitted student depends on privileged data, and the report of these checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tskd._core.checks import check_bool, type_name
from tskd._core.darts.capabilities import is_fitted
from tskd._core.darts.inspect import trained_dtype
from tskd._core.series import SeriesBundle, SeriesLike
from tskd._core.time_grid import as_stamp
from tskd.distillation import leak_checks
from tskd.distillation.leak_checks import Finding
from tskd.distillation.model import DistilledModel

__all__ = ["Audit", "Finding", "audit"]


@dataclass(frozen=True)
class Audit:
    """The results of all checks of one model; its text lists them.

    Attributes:
        findings: one for each check.
    """

    findings: list[Finding] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether no check found a leak."""
        return all(finding.passed is not False for finding in self.findings)

    def __str__(self) -> str:
        marks = {True: "ok  ", False: "LEAK", None: "?   "}
        lines = [f"{marks[f.passed]}  {f.tried}: {f.detail}" for f in self.findings]
        leaks = sum(f.passed is False for f in self.findings)
        verdict = "no leak found" if not leaks else f"{leaks} of {len(self.findings)} checks found a leak"
        return "\n".join([*lines, verdict])


def audit(
    model: DistilledModel,
    series: SeriesLike,
    past_covariates: SeriesLike | None = None,
    future_covariates: SeriesLike | None = None,
    *,
    privileged: Mapping[str, SeriesLike],
    test_start: Any = None,
    verbose: bool = True,
) -> Audit:
    """Check whether a fitted student depends on privileged data; print and return the results.

    Args:
        model: a fitted model.
        series, past_covariates, future_covariates, privileged: the data of training and use, test part included.
        test_start: first time stamp of the test part, or its text; None to skip the check that training and test part
            do not overlap.
        verbose: whether to print the results.

    Raises:
        ValueError: the model is not fitted.
    """
    check_bool(verbose, "verbose")
    if not isinstance(model, DistilledModel):
        raise TypeError(f"model must be a DistilledModel, got {type_name(model)}")
    if not is_fitted(model.student):
        raise ValueError("audit needs a fitted model; call fit() first")
    data = SeriesBundle.of(series, past_covariates, future_covariates, dtype=trained_dtype(model.student))
    _check_lengths(model, data)
    if test_start is not None:
        test_start = as_stamp(test_start, "test_start", data.series[0])
    if not isinstance(privileged, Mapping):
        raise TypeError(f"privileged must be a dict of series by name, got {type_name(privileged)}")
    names = [name for teacher in model.teachers for name in teacher.names]
    hidden = dict(data.with_privileged(privileged, list(dict.fromkeys([*names, *privileged]))).privileged or {})
    findings = [
        leak_checks.among_inputs(model, data, hidden),
        *leak_checks.training_past(model, test_start),
        *leak_checks.beyond_cutoff(model, data, hidden),
        leak_checks.names_in_file(model, hidden),
        *leak_checks.perturbed(model, data, hidden),
    ]
    result = Audit(findings)
    if verbose:
        print(result)
    return result


def _check_lengths(model: DistilledModel, data: SeriesBundle) -> None:
    """Raise a ValueError for a target series whose first two thirds, which the audit forecasts from, are too short."""
    spans = [one.lookback + one.horizon[-1] for one in model.teachers if one.names]
    needed = max([model.student.input_chunk_length, *spans])
    for target in data.series:
        used = len(target) - len(target) // 3
        if used < needed:
            raise ValueError(
                f"series has {len(target)} steps: the audit forecasts from the first {used}, and a window needs "
                f"{needed}"
            )
