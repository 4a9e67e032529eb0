"""How well the windows with labels cover those without."""

from __future__ import annotations

import numpy as np

# from which on held-out labels do not tell what a teacher is worth in the windows without one
UNCOVERED = 2.0


def coverage(inputs: np.ndarray, labelled: np.ndarray, penalty: float) -> float:
    """L_S: mean leverage of the unlabelled windows under the Gram matrix of the labelled ones, over the labelled
    windows' own mean. 1 where they are alike, more where a regression on labels extrapolates; 1 if all have labels.

    Args:
        inputs: `[N, D]`.
        labelled: `[N]`.
        penalty: of the regression, on sums of squares.
    """
    if labelled.all():
        return 1.0
    centred = inputs - inputs[labelled].mean(0)
    own = centred[labelled]
    gram = own.T @ own + penalty * np.eye(inputs.shape[1])
    leverage = 1 / len(own) + (centred * np.linalg.solve(gram, centred.T).T).sum(1)
    return float(leverage[~labelled].mean() / leverage[labelled].mean())
