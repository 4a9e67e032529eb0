"""Net privileged lift: against the best control, not a convenient one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.helpers.series import moving_average
from tskd.experiment.statistics.intervals import Comparison, compare
from tskd.experiment.statistics.lift import lift, net_lift

BASE = np.exp(np.stack([moving_average(200, seed) for seed in range(3)]))


def test_the_best_control_is_the_one_that_counts() -> None:
    controls = {"alone": BASE, "placebo": 0.92 * BASE, "self": 0.95 * BASE[:, ::-1]}
    found = lift(0.9 * BASE, controls, 5, name="privileged")
    assert found == compare(0.9 * BASE, 0.92 * BASE, 5, names=("privileged", "placebo"))
    assert found.relative == pytest.approx(0.9 / 0.92 - 1)


def test_of_equal_controls_the_first() -> None:
    assert lift(BASE, {"a": BASE, "b": BASE.copy()}, 5).baseline == "a"


def test_folds_are_passed_on() -> None:
    found = lift(BASE, {"a": BASE[::-1]}, 5, segments=[80, 120])
    assert found == compare(BASE, BASE[::-1], 5, segments=[80, 120], names=("arm", "a"))


def test_each_control_on_what_it_shares_with_the_arm() -> None:
    """A control that lacks the hard half is not better for it."""
    hard = BASE * np.where(np.arange(200) < 100, 1, 10)
    lacking = np.where(np.arange(200) < 100, 0.99 * hard, np.nan)
    assert lift(0.9 * hard, {"lacking": lacking, "whole": 0.95 * hard}, 5).baseline == "whole"


def test_without_controls_there_is_no_lift() -> None:
    with pytest.raises(ValueError, match="lift of 'p': there is no control"):
        lift(BASE, {}, 5, name="p")


def test_net_lift_is_the_gain_turned_round() -> None:
    """Errors .8 [.5, 1.25] of the control's: the control's are 1.25 [.8, 2] of the arm's."""
    assert net_lift(Comparison("p", "c", -0.2, -0.5, 0.25, 100, 5)) == pytest.approx((0.25, -0.2, 1.0))
    assert net_lift(Comparison("p", "c", -0.5, -1.5, 0.0, 100, 5)) == pytest.approx((1.0, 0.0, math.inf))
    value, low, high = net_lift(Comparison("p", "c", -0.5, math.nan, math.nan, 10, 5))
    assert value == pytest.approx(1) and math.isnan(low) and math.isnan(high)


def test_a_control_of_another_class_has_the_wider_interval() -> None:
    """Errors that drift for longer than a block: the long blocks decide, and a degree of freedom more is lost."""
    rng = np.random.default_rng(3)
    own = 1 + 0.2 * rng.normal(size=(2, 400)) + np.repeat(0.5 * rng.normal(size=8), 50)
    other = 1.2 + 0.2 * rng.normal(size=(2, 400))
    near, apart = (lift(own, {"ridge": other}, 10, other_class=names) for names in ((), ("ridge",)))
    assert near.relative == apart.relative and apart.high - apart.low > near.high - near.low
