"""Identities of linear students: what equals labels alone exactly, and what a mean of teachers teaches."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from tests.helpers.scarce_students import coefficients, distil, student, teacher
from tskd import DistilledModel, Teacher
from tskd.theory import LinearGaussian, Rows

WORLD, N = LinearGaussian(3, 2, 0.5, 1.0), 24


def nesting(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A teacher on x and z, of the student's own rows."""
    rows = WORLD.sample(N, rng)
    return coefficients(distil(rows, teacher(sees_inputs=True))), coefficients(distil(rows))


def inputs_known(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A teacher on z alone, of which x is a linear function."""
    rows = LinearGaussian.nested(3, 5, 1.0).sample(N, rng)
    return coefficients(distil(rows, teacher(sees_inputs=False))), coefficients(distil(rows))


def target_seen(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A teacher that sees the target."""
    rows = LinearGaussian.target_seen(3, 0.6).sample(N, rng)
    return coefficients(distil(rows, teacher(sees_inputs=False))), coefficients(distil(rows))


def self_training(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A teacher with the student's inputs, of the few labelled rows, on all rows."""
    rows = WORLD.sample(4 * N, rng, N)
    taught = distil(rows, teacher(sees_inputs=True, privileged=False))
    return coefficients(taught), coefficients(distil(rows[:N]))


def aggregation(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The mean of two teachers' answers."""
    rows = WORLD.sample(N, rng)
    answers = [rows.z @ WORLD.slopes, rng.normal(size=N)]
    given = [Teacher.from_series(Rows(rows.x, rows.z, a).series, name=f"teacher {k}") for k, a in enumerate(answers)]
    both = DistilledModel(student(), given, balance=1.0, soft_sensor=True)
    both.fit(rows.series, rows.past_covariates, verbose=False)
    each = [coefficients(distil(rows, one)) for one in given]
    return coefficients(both), np.mean(each, axis=0)


IDENTITIES: Mapping[str, Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]] = {
    "nesting": nesting,
    "x a linear function of z": inputs_known,
    "a teacher that sees the target": target_seen,
    "linear self-training": self_training,
    "linear aggregation": aggregation,
}
