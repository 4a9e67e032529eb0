"""Excess risks of least-squares students, without an intercept, in the linear-Gaussian world, and what follows."""

from __future__ import annotations

import numpy as np
from scipy.stats import chi2, nbinom

from tskd.theory.linear_gaussian import LinearGaussian

# probability that the sum over a negative binomial leaves out
LEFT_OUT = 1e-13


def labels_risk(world: LinearGaussian, rows: int) -> float:
    """R_C = (σ² + τ²)·d/(n − d − 1), exact, n > d + 1: labels alone.

    A student of a nested teacher on the same rows (one on x and z, or on a z of which x is a linear function), a
    student of a teacher that sees the target, and linear self-training on any rows have the same risk: they equal
    labels alone.

    Args:
        world: that the rows are drawn from.
        rows: n.

    Raises:
        ValueError: there are too few rows; the risk is infinite.
    """
    return (world.noise + world.hidden) * _share(world.d, rows)


def oracle_risk(world: LinearGaussian, rows: int) -> float:
    """R_O = τ²·d/(n − d − 1), exact, n > d + 1: a teacher that knows E[y | z], where the label depends on z alone.

    Args:
        world: that the rows are drawn from.
        rows: n.

    Raises:
        ValueError: there are too few rows, or the label depends on x directly.
    """
    _check_that_z_suffices(world)
    return world.hidden * _share(world.d, rows)


def same_rows_risk(world: LinearGaussian, rows: int) -> float:
    """R_P = τ²·d/(n − d − 1) + σ²·[S + (m/n)·(d − S)]/n, leading order, good for n/d ≥ 6: a least-squares teacher on z
    alone, fitted on the student's own rows.

    d − S is Σ(1 − r_i²) over all d inputs: those beyond the min(d, m) canonical correlations have r_i = 0, and learn
    from the noise that the teacher fits as the others do.

    Arguments and errors are those of `oracle_risk`: `world` and `rows`.
    """
    apart = world.d - world.shared
    return oracle_risk(world, rows) + world.noise * (world.shared + world.m / rows * apart) / rows


def same_rows_risk_of_one_input(world: LinearGaussian, rows: int) -> float:
    """R_P for d = 1, exact, n > m + 1: τ²/(n − 2) + σ²·q, q = E[(m + 2J)/((n + 2J)(n + 2J − 2))]/(1 − r²).

    J is negative binomial (n/2, 1 − r²), r the multiple correlation of x with z; q = 1/(n − 2) for r = 1.

    Arguments are those of `oracle_risk`, `world` and `rows`.

    Raises:
        ValueError: as `oracle_risk`, or there are several inputs.
    """
    if world.d != 1:
        raise ValueError(f"d={world.d}: the exact form is for one input")
    r2, n = world.rho**2, rows
    if r2 == 1:
        q = 1 / (n - 2)
    else:
        j = np.arange(int(nbinom.isf(LEFT_OUT, n / 2, 1 - r2)) + 2)
        terms = (world.m + 2 * j) / ((n + 2 * j) * (n + 2 * j - 2))
        q = float((nbinom.pmf(j, n / 2, 1 - r2) * terms).sum() / (1 - r2))
    return oracle_risk(world, n) + world.noise * q


def archive_risk(world: LinearGaussian, fitted: int, rows: int) -> float:
    """R = σ²/(N − m − 1)·[S + d(m − S)/(n − d − 1)] + τ²·d/(n − d − 1), exact: a teacher on z alone of N other rows.

    The teacher's coefficients err by δ, E[δδ'] = σ²/(N − m − 1)·I. The student learns the part Aδ of δ'z, hence the S;
    the part that x does not tell, δ'u, is noise to a regression on n rows, as b'u is. The formula covers an archive
    (few rows of the student, many of the archive) as well as few labels (few rows of the teacher, many without a
    label).

    Args:
        world: that all rows are drawn from.
        fitted: N, rows of the teacher, all labelled.
        rows: n, other rows, on which the student learns its answers.

    Raises:
        ValueError: there are too few rows, or the label depends on x directly.
    """
    _check_that_z_suffices(world)
    noise, rest = world.noise * _inverse(world.m, fitted), _share(world.d, rows)
    return noise * (world.shared + rest * (world.m - world.shared)) + world.hidden * rest


def nested_risk(world: LinearGaussian, fitted: int, rows: int) -> float:
    """R_XZ = σ²·d/(N − m − d − 1) + (τ² + σ²·m/(N − m − d − 1))·d/(n − d − 1), exact: a teacher on x and z.

    Args:
        world: that all rows are drawn from.
        fitted: N, rows of the teacher, all labelled.
        rows: n, other rows, on which the student learns its answers.

    Raises:
        ValueError: there are too few rows.
    """
    noise = world.noise * _inverse(world.m + world.d, fitted)
    return noise * world.d + (world.hidden + noise * world.m) * _share(world.d, rows)


def one_fit_risk(world: LinearGaussian, labelled: int, rows: int) -> float:
    """A teacher on x and z, of n labelled rows, teaches on all M rows, its own among them. Exact:

    σ²·[d/(n − d − 1) + m/(n − m − d − 1)·(d/(n − d − 1) − d/(M − d − 1))] + τ²·d/(M − d − 1)

    x and u of all rows are X and U, those of the labelled ones X₁ and U₁; G = X'X, P = G⁻¹X'U, and G₁, P₁ likewise.
    Given them the student's coefficients err by Pb on average, about which they vary with the covariance
    σ²·(I P)([X₁ U₁]'[X₁ U₁])⁻¹(I P)' = σ²·[G₁⁻¹ + (P − P₁)Q⁻¹(P − P₁)']. Q is Wishart with n − d degrees of freedom and
    independent of P − P₁, whose columns have, given X, covariances in proportion to G₁⁻¹ − G⁻¹.
    M = n gives R_C, as nesting says, M → ∞ R_XZ.

    Args:
        world: that all rows are drawn from.
        labelled: n.
        rows: M, with those.

    Raises:
        ValueError: there are too few rows.
    """
    few, every = _share(world.d, labelled), _share(world.d, rows)
    ratio = world.m * _inverse(world.m + world.d, labelled)
    return world.noise * (few + ratio * (few - every)) + world.hidden * every


def expected_gain_of_privilege(world: LinearGaussian, rows: int) -> float:
    """R_C − R_P ≈ σ²·Σ(1 − r_i²)/n over all d inputs, leading order: what a teacher of z alone saves on the same rows.

    0 if the teacher sees the target (σ² = 0) or its privileged values contain x (r = 1); σ²·d·v/((1 + v)·n) for a
    noisy proxy of variance v.

    Args:
        world: that the rows are drawn from.
        rows: n.

    Raises:
        ValueError: the label depends on x directly.
    """
    _check_that_z_suffices(world)
    return world.noise * (world.d - world.shared) / rows


def ceiling(d: int, rows: int) -> float:
    """d/(n − 1), exact: the largest cut of the test error that any teacher of an unbiased linear student can make, as a
    share of the error of labels alone; the rest is what no student can know.

    Args:
        d: inputs of the student.
        rows: n.
    """
    return d / (rows - 1)


def balance_risk(labels: float, saved: float, squared_bias: float, balance: float) -> float:
    """R(λ) = R_C − D + (1 − λ)²·D + λ²·B, exact where the variance that the teacher saves is uncorrelated with
    the error that it leaves: an oracle's, or a teacher's on z alone.

    Args:
        labels: R_C, of labels alone.
        saved: D, the variance that the student of the teacher alone saves.
        squared_bias: B, what that student's squared bias adds.
        balance: λ, the teacher's share.
    """
    return labels - saved + (1 - balance) ** 2 * saved + balance**2 * squared_bias


def best_balance(saved: float, squared_bias: float) -> float:
    """λ* = D/(D + B), exact where `balance_risk` is, whose least it gives: R_C − D + D·B/(D + B), never more than
    labels alone or the teacher alone. 0 for a teacher that saves nothing.

    Arguments are those of `balance_risk`: `saved` and `squared_bias`.
    """
    return saved / (saved + squared_bias) if saved > 0 else 0.0


def probability_of_harm(harm: float, effective_blocks: float) -> float:
    """P(harm > h) = ½·P(χ²₁ > h·n_eff), leading order: that a share estimated by stacking makes a student worse by more
    than h of its error, if the teacher is worth nothing, whatever it is. Half of such shares come out negative, are 0
    and do no harm: hence the ½, and a mean harm of 1/(2·n_eff).

    Args:
        harm: h, as a share of the error.
        effective_blocks: n_eff, see `BalanceChoice`.
    """
    return float(0.5 * chi2.sf(harm * effective_blocks, 1)) if harm >= 0 else 1.0


def _share(d: int, rows: int) -> float:
    """E tr (X'X)⁻¹ of rows from N(0, I_d)."""
    return d * _inverse(d, rows)


def _inverse(columns: int, rows: int) -> float:
    """Each entry on the diagonal of E (X'X)⁻¹ of rows from N(0, I)."""
    if rows <= columns + 1:
        raise ValueError(f"{rows} rows for {columns} inputs: the risk is infinite, give more than {columns + 1}")
    return 1 / (rows - columns - 1)


def _check_that_z_suffices(world: LinearGaussian) -> None:
    if world.direct:
        raise ValueError(f"direct={world.direct}: this form is of labels that depend on z alone, see `balance_risk`")
