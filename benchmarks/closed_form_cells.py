"""Cells of the benchmark of closed forms: each draws rows, and fits its student by numpy and by the package."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.helpers.scarce import least_squares
from tests.helpers.scarce_students import coefficients, distil, fitted, student, teacher
from tskd import DistilledModel, Teacher, theory
from tskd.theory import Chain, LinearGaussian, Rows, SeveralTeachers
from tskd.weighting import Fixed

Fits = tuple[np.ndarray, np.ndarray | None]
"""A student's coefficients by numpy, and by the package."""


@dataclass(frozen=True)
class Cell:
    """One closed form at one place.

    Attributes:
        generator: by which rows are drawn.
        name: of the cell.
        formula: excess risk.
        exact: whether the form is exact; else of leading order.
        risk: of a student's coefficients.
        draw: draws rows, and gives the student's coefficients by numpy, and by the package if asked.
    """

    generator: str
    name: str
    formula: float
    exact: bool
    risk: Callable[[np.ndarray], float]
    draw: Callable[[np.random.Generator, bool], Fits]


def cells() -> Iterator[Cell]:
    """All cells."""
    for n, world in ((8, (1, 1, 0.5, 1)), (20, (3, 2, 0.5, 2)), (40, (5, 8, 0.3, 0.5)), (30, (6, 3, 0.8, 4))):
        yield labels_alone(LinearGaussian(*world), n)
        yield oracle(LinearGaussian(*world), n)
    for n, m, rho, noise in ((8, 1, 0.5, 1), (20, 1, 0.5, 10), (20, 3, 0.3, 10), (20, 1, 0.95, 10), (60, 4, 0.6, 3)):
        yield same_rows("one input", LinearGaussian(1, m, rho, noise), n)
    for n, world in (
        (40, (4, 2, 0.6, 1.5)),
        (60, (3, 5, 0.4, 0.8)),
        (90, (10, 4, 0.3, 2)),
        (50, (6, 6, 0.7, 1)),
        (60, (5, 1, 0.3, 10)),
    ):
        yield same_rows("several inputs", LinearGaussian(*world), n)
    for fit, n, world in (
        (200, 20, (1, 3, 0.3, 10)),
        (60, 15, (3, 2, 0.5, 1)),
        (40, 30, (5, 8, 0.5, 0.5)),
        (300, 25, (8, 2, 0.8, 1)),
        (30, 12, (2, 6, 0.2, 4)),
        (80, 40, (6, 6, 0.9, 2)),
    ):
        yield archive(LinearGaussian(*world), fit, n)
    for few, more, world in ((15, 60, (2, 2, 0.6, 1)), (25, 90, (4, 3, 0.4, 0.5)), (40, 200, (6, 2, 0.7, 2))):
        yield from few_labels(LinearGaussian(*world), few, more)
    chain = Chain(0.9, 10)
    for step in range(1, 10):
        yield same_rows(f"way point {step}", chain.way_point(step), 30)
    for d, variance, n in ((2, 0.5, 30), (4, 0.25, 60), (4, 1.0, 60), (6, 2.0, 80)):
        yield same_rows("noisy proxy", LinearGaussian.noisy_proxy(d, variance, 3.0), n)
    for d, n in ((1, 12), (1, 40), (4, 50)):
        yield same_rows("noisy labels", LinearGaussian.noisy_labels(d, 0.9, 8.0), n)
    for d, n in ((1, 10), (3, 25)):
        yield same_rows("target seen", LinearGaussian.target_seen(d, 0.7), n)
    for share in (0.25, 0.5, 0.75, 1.0):
        yield violated(LinearGaussian(3, 2, 0.5, 2.0, direct=0.4), 20, share)
        yield violated(LinearGaussian(2, 3, 0.7, 1.0, direct=0.3), 60, share)
    for slope, horizon in ((0.8, 4), (0.6, 2), (0.9, 6)):
        yield autoregression(Chain(slope, horizon), 1500, iterated=False)
        yield autoregression(Chain(slope, horizon), 1500, iterated=True)
    several = SeveralTeachers(6, 2.0, [(0, 1, 2), (2, 3), (4, 5)], [0.1, 0.0, 0.9])
    best = theory.best_shares(several.overlap(24), several.bias_products).tolist()
    for shares in ([0.5, 0.3, 0.1], [0.2, 0.2, 0.6], [0.6, 0.0, 0.0], best):
        yield several_teachers(several, 24, shares)


def _text(world: LinearGaussian) -> str:
    more = f", |c| {world.direct:g}" if world.direct else ""
    return f"d {world.d}, m {world.m}, ρ {world.rho:.2g}, σ² {world.noise:.3g}{more}"


def labels_alone(world: LinearGaussian, n: int) -> Cell:
    def draw(rng: np.random.Generator, package: bool) -> Fits:
        rows = world.sample(n, rng)
        return least_squares(rows.x, rows.y), coefficients(distil(rows)) if package else None

    formula = theory.labels_risk(world, n)
    return Cell("labels alone", f"n {n}, {_text(world)}", formula, True, world.excess_risk, draw)


def _given(rows: Rows, answers: np.ndarray, name: str = "given") -> Any:
    return Teacher.from_series(Rows(rows.x, rows.z, answers).series, name=name)


def oracle(world: LinearGaussian, n: int) -> Cell:
    def draw(rng: np.random.Generator, package: bool) -> Fits:
        rows = world.sample(n, rng)
        answers = rows.z @ world.slopes
        return least_squares(rows.x, answers), coefficients(distil(rows, _given(rows, answers))) if package else None

    formula = theory.oracle_risk(world, n)
    return Cell("oracle teacher", f"n {n}, {_text(world)}", formula, True, world.excess_risk, draw)


def same_rows(generator: str, world: LinearGaussian, n: int) -> Cell:
    """A teacher on z alone, fitted within the student's fit."""
    seen = world.noise == 0
    exact = world.d == 1 or seen

    def draw(rng: np.random.Generator, package: bool) -> Fits:
        rows = world.sample(n, rng)
        mine = least_squares(rows.x, rows.z @ least_squares(rows.z, rows.y))
        return mine, coefficients(distil(rows, teacher(sees_inputs=False))) if package else None

    if seen:
        formula = theory.labels_risk(world, n)
    elif exact:
        formula = theory.same_rows_risk_of_one_input(world, n)
    else:
        formula = theory.same_rows_risk(world, n)
    return Cell(generator, f"n {n}, {_text(world)}", formula, exact, world.excess_risk, draw)


def archive(world: LinearGaussian, fit: int, n: int) -> Cell:
    def draw(rng: np.random.Generator, package: bool) -> Fits:
        older, rows = world.sample(fit, rng), world.sample(n, rng)
        mine = least_squares(rows.x, rows.z @ least_squares(older.z, older.y))
        if not package:
            return mine, None
        return mine, coefficients(distil(rows, fitted(teacher(sees_inputs=False), older)))

    formula = theory.archive_risk(world, fit, n)
    return Cell("archive", f"N {fit}, n {n}, {_text(world)}", formula, True, world.excess_risk, draw)


def few_labels(world: LinearGaussian, few: int, more: int) -> Iterator[Cell]:
    """Teachers of few labelled rows; students of rows without a label, or of all."""

    def answered(rows: Rows, both: bool) -> np.ndarray:
        inputs = np.hstack([rows.x, rows.z]) if both else rows.z
        return inputs @ least_squares(inputs[:few], rows.y[:few])

    def cell(name: str, formula: float, both: bool, own: bool) -> Cell:
        def draw(rng: np.random.Generator, package: bool) -> Fits:
            rows = world.sample(few + more, rng, few)
            taught = rows if own else rows[few:]
            mine = least_squares(taught.x, answered(rows, both)[0 if own else few :])
            if not package:
                return mine, None
            one = teacher(sees_inputs=both)
            return mine, coefficients(distil(taught, one if own else fitted(one, rows[:few])))

        text = f"{name}, n {few}, N {more}, {_text(world)}"
        return Cell("few labels", text, formula, True, world.excess_risk, draw)

    yield cell("teacher on z", theory.archive_risk(world, few, more), both=False, own=False)
    yield cell("on x, z", theory.nested_risk(world, few, more), both=True, own=False)
    yield cell("on x, z, own rows too", theory.one_fit_risk(world, few, few + more), both=True, own=True)


def violated(world: LinearGaussian, n: int, share: float) -> Cell:
    """A teacher that knows b and not c, trusted with a share."""

    def draw(rng: np.random.Generator, package: bool) -> Fits:
        rows = world.sample(n, rng)
        answers = rows.z @ world.slopes
        mine = least_squares(rows.x, (1 - share) * rows.y + share * answers)
        return mine, coefficients(_mixed(rows, [_given(rows, answers)], [share])) if package else None

    saved = world.noise * world.d / (n - world.d - 1)
    formula = theory.balance_risk(theory.labels_risk(world, n), saved, world.direct**2, share)
    name = f"λ {share:g}, n {n}, {_text(world)}"
    return Cell("violated assumption", name, formula, True, world.excess_risk, draw)


def _mixed(rows: Rows, teachers: Sequence[Any], shares: Sequence[float]) -> DistilledModel:
    weights = {one.name: max(share, 1e-12) for one, share in zip(teachers, shares, strict=True)}
    alpha = float(sum(shares))
    model = DistilledModel(
        student(), list(teachers), weighting=Fixed(weights), balance=min(alpha, 1.0), soft_sensor=True
    )
    return model.fit(rows.series, rows.past_covariates, verbose=False)


def several_teachers(several: SeveralTeachers, n: int, shares: Sequence[float]) -> Cell:
    def draw(rng: np.random.Generator, package: bool) -> Fits:
        rows = several.sample(n, rng)
        answers = several.answers(rows)
        mine = least_squares(rows.x, (1 - sum(shares)) * rows.y + np.asarray(shares) @ answers)
        if not package:
            return mine, None
        teachers = [_given(rows, own, f"teacher {number}") for number, own in enumerate(answers)]
        return mine, coefficients(_mixed(rows, teachers, shares))

    name = "shares " + ", ".join(f"{share:.2f}" for share in shares)
    return Cell("several teachers", name, several.risk(n, shares), True, several.world.excess_risk, draw)


def autoregression(chain: Chain, steps: int, iterated: bool) -> Cell:
    """Least squares over one series: of the step that is forecast, or of one step, iterated."""
    reach = 1 if iterated else chain.horizon

    def draw(rng: np.random.Generator, package: bool) -> Fits:
        series = chain.sample(steps, rng)
        x = series.values()[:, 0]
        slope = (x[reach:] @ x[:-reach]) / (x[:-reach] @ x[:-reach])
        mine = np.array([slope**chain.horizon if iterated else slope])
        if not package:
            return mine, None
        model = DistilledModel(student(reach), balance=0.0).fit(series, verbose=False)
        weight = float(model.student.model.layer.weight.detach()[-1, 0])
        return mine, np.array([weight**chain.horizon if iterated else weight])

    variance = theory.iterated_variance if iterated else theory.direct_variance
    formula = variance(chain.slope, chain.horizon) / (steps - reach)
    name = f"{'iterated' if iterated else 'direct'}, a {chain.slope:g}, H {chain.horizon}, {steps} steps"
    return Cell("AR(1) chain", name, formula, False, lambda found: chain.excess_risk(float(found[0])), draw)
