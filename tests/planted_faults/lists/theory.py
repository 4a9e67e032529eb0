"""Faults in the closed forms."""

from __future__ import annotations

from tests.planted_faults.fault import faults_in

TESTS = ["theory/test_closed_forms", "theory/test_generators"]

FAULTS = (
    *faults_in(
        "theory/risks",
        TESTS,
        ("1 / (rows - columns - 1)", "1 / (rows - columns)"),
        ("world.m / rows * apart) / rows", "world.d / rows * apart) / rows"),
        ("(world.m + 2 * j) / ((n + 2 * j)", "(world.m + j) / ((n + 2 * j)"),
        ("rest * (world.m - world.shared)", "rest * (world.d - world.shared)"),
        ("(world.hidden + noise * world.m)", "(world.hidden + noise * world.d)"),
        ("ratio * (few - every)", "ratio * few"),
        ("(1 - balance) ** 2 * saved", "(1 - balance) * saved"),
        ("0.5 * chi2.sf(harm * effective_blocks, 1)", "chi2.sf(harm * effective_blocks, 1)"),
        ("d / (rows - 1)", "d / rows"),
        ("(world.d - world.shared) / rows", "(world.m - world.shared) / rows"),
    ),
    *faults_in(
        "theory/chain",
        TESTS,
        ("(h - 1) * a ** (2 * h)\n", "h * a ** (2 * h)\n"),
        ("slope ** (2 * horizon - 2)", "slope ** (2 * horizon)"),
        ("values[1:] *= np.sqrt(1 - self.slope**2)", "values *= np.sqrt(1 - self.slope**2)"),
        ("1 - left**2, slope=left)", "1 - left, slope=left)"),
    ),
    *faults_in(
        "theory/linear_gaussian",
        TESTS,
        ("1 - self.shared / self.m", "1 - self.shared / self.d"),
        ("np.square(self.mixing).sum(0)", "np.square(self.mixing).mean(0)"),
        ("(1 + variance) ** -0.5", "(1 + variance) ** -1"),
        ("min(self.d, self.m) * self.rho**2", "self.d * self.rho**2"),
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
        ("self.world.truth[list(known)] + bias", "fitted[list(known)] + bias"),
    ),
)
