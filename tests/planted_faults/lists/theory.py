"""Faults in the closed forms."""

from __future__ import annotations

from tests.planted_faults.fault import faults_in

TESTS = ["theory/test_closed_forms", "theory/test_generators"]

FAULTS = (
    *faults_in(
        "theory/risks",
        TESTS,
        ("world.m / rows * apart) / rows", "world.d / rows * apart) / rows"),
        ("(world.m + 2 * j) / ((n + 2 * j)", "(world.m + j) / ((n + 2 * j)"),
        ("(world.hidden + noise * world.m)", "(world.hidden + noise * world.d)"),
        ("(1 - balance) ** 2 * saved", "(1 - balance) * saved"),
    ),
    *faults_in(
        "theory/chain",
        TESTS,
        ("1 - left**2, slope=left)", "1 - left, slope=left)"),
    ),
    *faults_in(
        "theory/linear_gaussian",
        TESTS,
        ("1 - self.shared / self.m", "1 - self.shared / self.d"),
        ("(1 + variance) ** -0.5", "(1 + variance) ** -1"),
    ),
    *faults_in(
        "theory/several_teachers",
        TESTS,
        ("alone - 2 * shares @ np.diag(overlap)", "alone - shares @ np.diag(overlap)"),
        ("len(set(a) & set(b))", "len(set(a) | set(b))"),
        (
            '"fun": lambda w: 1 - w.sum(), "jac": lambda w: -np.ones(count)}',
            '"fun": lambda w: 2 - w.sum(), "jac": lambda w: -np.ones(count)}',
        ),
    ),
)
