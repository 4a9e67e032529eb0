"""GARCH(1,1), fitted on the days of a training part, as a forecaster of absolute or squared returns.

With mean zero and normal innovations, sigma²(t+1) = omega + alpha·r²(t) + beta·sigma²(t). The likelihood knows r by its
square alone, so that absolute returns are enough.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from noisy_folds import HORIZON, LOOKBACK, Fold


class Garch(NamedTuple):
    """The parameters, and the variance of the last day of the training part."""

    omega: float
    alpha: float
    beta: float
    last: float


def fit(returns: np.ndarray) -> tuple[Garch, np.ndarray]:
    """The model of absolute returns [T], and its variances [T] of their days."""
    from arch import arch_model

    found = arch_model(returns, mean="Zero", vol="GARCH", p=1, q=1, rescale=False).fit(disp="off", show_warning=False)
    variances = np.asarray(found.conditional_volatility) ** 2
    return Garch(*(float(found.params[name]) for name in ("omega", "alpha[1]", "beta[1]")), variances[-1]), variances


def ahead(model: Garch, last: float, days: np.ndarray) -> np.ndarray:
    """Variances `[len(days) + 1, H]` expected 1 to H days ahead: after the training part, and after each later day.

    Args:
        last: absolute return of the last day of the training part.
        days: absolute returns of the days after it.
    """
    found, variance = [], model.last
    for value in (last, *days):
        variance = model.omega + model.alpha * value**2 + model.beta * variance
        steps = [variance]
        for _ in range(HORIZON - 1):
            steps.append(model.omega + (model.alpha + model.beta) * steps[-1])
        found.append(steps)
    return np.array(found)


def forecasts(fold: Fold, label: str) -> dict[str, np.ndarray]:
    """Forecasts `[n, H]` for the test windows of a fold.

    *garch*: sigma·√(2/π) of an absolute return, sigma² of a squared one. *garch, scaled*: sigma, or sigma², times what
    makes the mean of the training part right, whatever the innovations are.
    """
    power = 1 if label == "absolute" else 2
    model, variances = fit(fold.train.labels ** (1 / power))
    later = fold.test.labels[LOOKBACK:] ** (1 / power)
    # a test window ends within the stretch: the last origin lies H days before its end
    expected = ahead(model, fold.train.labels[-1] ** (1 / power), later[:-HORIZON]) ** (power / 2)
    scale = fold.train.labels.mean() / (variances ** (power / 2)).mean()
    return {"garch": expected * (np.sqrt(2 / np.pi) if power == 1 else 1.0), "garch, scaled": expected * scale}
