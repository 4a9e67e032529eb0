"""GARCH(1,1) beside a run of stock returns: what an econometrician would use, on the run's own test windows.

    python benchmarks/garch_beside.py configs/demo.yaml runs/demo

Needs `pip install 'tskd[arch]'`. In every fold it is fitted by maximum likelihood on the days of the training part,
with mean zero and normal innovations, and filtered through the days up to each forecast origin. Its forecast of an
absolute return is σ·√(2/π), and, scaled, σ times what makes the mean of the training part right. Errors are mean
squared errors on the scale of the run, over all its test windows.
"""

from __future__ import annotations

import sys
from pathlib import Path

import noisy_garch
import numpy as np

from tskd.datasets import load
from tskd.experiment import Experiment
from tskd.experiment.data.folds import prepared
from tskd.experiment.results.results import Results


def squared_errors(experiment: Experiment) -> dict[str, float]:
    """Mean squared errors of both forecasts, over folds."""
    data = load(str(experiment.data))
    found: dict[str, list[float]] = {"GARCH(1,1)": [], "GARCH(1,1), scaled": []}
    for fold in range(1, experiment.folds + 1):
        known = prepared(experiment, data, fold, experiment.sizes[0])
        reaches = ((known.train, 0), (known.validation, known.validation.reach), (known.test, known.test.reach))
        train, validation, test = (
            known.scale.undo(part.series.values()[reach:, 0].astype("float64")) for part, reach in reaches
        )
        model, variances = noisy_garch.fit(train)
        ahead = np.sqrt(noisy_garch.ahead(model, train[-1], np.concatenate([validation, test])))
        # the origin of the first test window is the last day of validation
        sigma = ahead[len(validation) : len(validation) + len(known.test.truth)]
        factors = np.sqrt(2 / np.pi), train.mean() / np.sqrt(variances).mean()
        for errors, factor in zip(found.values(), factors, strict=True):
            scaled = (sigma * factor - known.scale.mean[0]) / known.scale.deviation[0]
            errors.append(float(((scaled - known.test.truth[..., 0]) ** 2).mean()))
    return {name: float(np.mean(errors)) for name, errors in found.items()}


def main(config: str, run: str) -> None:
    """Print both beside the student alone."""
    results = Results.load(Path(run))
    alone = float(results.errors("alone").mean())
    print("\nBeside it, refitted in every fold on the days of its training part:\n")
    for name, error in squared_errors(Experiment.from_yaml(config)).items():
        print(f"{name:<19} {error:.3f}   {100 * (error / alone - 1):+.1f} % against alone")


if __name__ == "__main__":
    main(*sys.argv[1:])
