"""Few labels and many rows without: the settings of the tests and the benchmark, and their students by numpy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tskd.theory import LinearGaussian, Rows, archive_risk, labels_risk, nested_risk, one_fit_risk


@dataclass(frozen=True)
class Setting:
    """A case of the theory.

    Attributes:
        n: labelled rows.
        others: N, rows without a label.
        d, m, rho, noise: see `LinearGaussian`.
    """

    n: int
    others: int
    d: int
    m: int
    rho: float
    noise: float

    @cached_property
    def world(self) -> LinearGaussian:
        return LinearGaussian(self.d, self.m, self.rho, self.noise)

    def draw(self, rng: np.random.Generator) -> Draw:
        return Draw(self.world.sample(self.n + self.others, rng, self.n), self.n)


@dataclass(frozen=True)
class Draw:
    """Rows of one repetition, the n labelled ones first."""

    rows: Rows
    n: int

    @property
    def labelled(self) -> Rows:
        return self.rows[: self.n]

    @property
    def others(self) -> Rows:
        return self.rows[self.n :]


LABELS = "labels alone"
PRIVILEGED = "teacher on z"
BOTH = "teacher on x, z"
ONE_FIT = "on x, z, own rows too"
FORMULAS: Mapping[str, Callable[[Setting], float]] = {
    LABELS: lambda setting: labels_risk(setting.world, setting.n),
    PRIVILEGED: lambda setting: archive_risk(setting.world, setting.n, setting.others),
    BOTH: lambda setting: nested_risk(setting.world, setting.n, setting.others),
    ONE_FIT: lambda setting: one_fit_risk(setting.world, setting.n, setting.n + setting.others),
}


def two_stages(draw: Draw) -> dict[str, np.ndarray]:
    """Coefficients `[d]` of the student of each kind, by least squares."""
    rows, known, others = draw.rows, draw.labelled, draw.others
    answers = others.z @ least_squares(known.z, known.y)
    nested = np.hstack([rows.x, rows.z]) @ least_squares(np.hstack([known.x, known.z]), known.y)
    return {
        LABELS: least_squares(known.x, known.y),
        PRIVILEGED: least_squares(others.x, answers),
        BOTH: least_squares(others.x, nested[draw.n :]),
        ONE_FIT: least_squares(rows.x, nested),
    }


def least_squares(inputs: np.ndarray, target: np.ndarray) -> np.ndarray:
    return np.linalg.lstsq(inputs, target, rcond=None)[0]
