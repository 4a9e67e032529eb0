"""Where privilege helps and where it cannot: generators with known answers, and the answers in closed form.

A generator draws rows of a linear-Gaussian world, or a chain of time steps, as darts series with the privileged series
beside them; it knows the coefficients of the best student and the excess risk of any other. The closed forms say what
students of labels and of teachers risk; each docstring says whether it is exact or of leading order.
"""

from __future__ import annotations

from tskd.theory.chain import Chain, direct_variance, iterated_variance
from tskd.theory.linear_gaussian import LinearGaussian, Rows
from tskd.theory.risks import (
    archive_risk,
    balance_risk,
    best_balance,
    ceiling,
    expected_gain_of_privilege,
    labels_risk,
    nested_risk,
    one_fit_risk,
    oracle_risk,
    probability_of_harm,
    same_rows_risk,
    same_rows_risk_of_one_input,
)
from tskd.theory.several_teachers import SeveralTeachers, best_shares, mixture_risk

__all__ = [
    "Chain",
    "LinearGaussian",
    "Rows",
    "SeveralTeachers",
    "archive_risk",
    "balance_risk",
    "best_balance",
    "best_shares",
    "ceiling",
    "direct_variance",
    "expected_gain_of_privilege",
    "iterated_variance",
    "labels_risk",
    "mixture_risk",
    "nested_risk",
    "one_fit_risk",
    "oracle_risk",
    "probability_of_harm",
    "same_rows_risk",
    "same_rows_risk_of_one_input",
]
