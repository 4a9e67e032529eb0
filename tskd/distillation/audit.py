"""Trying to make a student depend on privileged data, and saying what was tried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from tskd._core.darts.capabilities import is_fitted
from tskd._core.series import SeriesLike, as_list, as_privileged
from tskd.distillation import audit_checks as attempts
from tskd.distillation.audit_checks import Finding
from tskd.distillation.model import DistilledModel

__all__ = ["Audit", "Finding", "audit"]


@dataclass(frozen=True)
class Audit:
    """All that was tried on a model. `passed` only if nothing was found; printing it tells everything."""

    findings: list[Finding] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return all(finding.passed is not False for finding in self.findings)

    def __str__(self) -> str:
        marks = {True: "ok  ", False: "LEAK", None: "?   "}
        lines = [f"{marks[f.passed]}  {f.tried}: {f.detail}" for f in self.findings]
        found = sum(f.passed is False for f in self.findings)
        verdict = "no leak found" if not found else f"{found} of {len(self.findings)} checks found a leak"
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
    """Try to make a fitted student depend on privileged data; print and return what was tried.

    Args:
        model: fitted.
        series, past_covariates, future_covariates, privileged: the data it was fitted on and is to be used on, test
            part included.
        test_start: first time stamp of the test part, or its text; None if overlap of training and test does not
            matter.

    Raises:
        ValueError: the model is not fitted.
    """
    if not is_fitted(model.student):
        raise ValueError("audit needs a fitted model; call fit() first")
    if isinstance(test_start, str):
        test_start = pd.Timestamp(test_start)
    targets = as_list(series, "series") or []
    past = as_list(past_covariates, "past_covariates", len(targets))
    future = as_list(future_covariates, "future_covariates", len(targets))
    names = [name for teacher in model.teachers for name in teacher.names]
    known = as_privileged(privileged, list(dict.fromkeys([*names, *privileged])), len(targets), "privileged")
    findings = [
        attempts.among_inputs(model, {"series": targets, "past_covariates": past, "future_covariates": future}, known),
        *attempts.training_past(model, test_start),
        *attempts.beyond_cutoff(model, targets, past, future, known),
        attempts.names_in_file(model, known),
        *attempts.perturbed(model, targets, past, future, known),
    ]
    result = Audit(findings)
    if verbose:
        print(result)
    return result
