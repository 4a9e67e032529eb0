"""Why an arm that is the student alone is that, in words."""

from __future__ import annotations

from collections.abc import Collection, Sequence

AUTOMATIC = "AutoBalance"


def why_the_same(candidates: Sequence[str], used: Collection[str]) -> str:
    """Who chose that an arm is the student alone.

    Args:
        candidates: labels of balances, or of settings of the student.
        used: those of the fits that are compared.
    """
    automatic = [label for label in used if label.startswith(AUTOMATIC)]
    reasons = ["held-out labels of the training part gave its teachers no share"] if automatic else []
    if len(automatic) < len(used):
        reasons.append("validation chose what that is" if len(candidates) > 1 else "its teachers change nothing")
    return " or ".join(reasons) or "validation chose what that is"
