"""The model confidence set against the library, and where nothing can be told."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest

from tests.helpers.series import moving_average
from tskd.experiment.statistics.confidence_set import REPETITIONS, confidence_set

bootstrap = pytest.importorskip("arch.bootstrap")


def table(windows: int = 200, **levels: float) -> pd.DataFrame:
    """Errors [W, arms] of these means."""
    arms = {arm: level + 0.5 * moving_average(windows, seed) for seed, (arm, level) in enumerate(levels.items())}
    return pd.DataFrame(arms)


@pytest.mark.parametrize("level", [0.75, 0.95, 0.999])
@pytest.mark.parametrize("seed", range(3))
def test_the_library_says_the_same(level: float, seed: int) -> None:
    draw = np.random.default_rng(seed)
    errors = pd.DataFrame(draw.normal(size=(120, 5)) + 0.1 * np.arange(5), columns=list("vwxyz"))
    direct = bootstrap.MCS(errors, size=1 - level, reps=REPETITIONS, block_size=6, bootstrap="circular", seed=0)
    direct.compute()
    assert sorted(confidence_set(errors, 6, level)) == direct.included


def test_worse_arms_go_and_equals_stay_in_order() -> None:
    errors = table(worst=5.0, second=1.01, best=1.0)
    assert errors["best"].mean() != errors["second"].mean()
    assert confidence_set(errors, 5) == errors[["best", "second"]].mean().sort_values().index.tolist()


def test_identical_arms_stay_or_go_together() -> None:
    errors = table(alone=1.0, bad=3.0)
    errors["distilled"], errors["worse"] = errors["alone"], errors["bad"]
    assert confidence_set(errors, 5) == ["alone", "distilled"]
    assert confidence_set(errors[["alone", "distilled"]], 5) == ["alone", "distilled"]


def test_an_arm_that_is_always_worse_by_the_same_goes() -> None:
    errors = pd.DataFrame({"a": np.arange(100.0) % 8, "b": np.arange(100.0) % 8 + 1})
    assert confidence_set(errors, 5) == ["a"]


def test_windows_that_an_arm_lacks_are_left_out() -> None:
    errors = table(a=1.0, b=1.05, c=1.5)
    holes = errors.copy()
    holes.loc[::3, "b"] = np.nan
    assert confidence_set(holes, 5) == confidence_set(errors[np.arange(200) % 3 != 0], 5)


def test_too_few_blocks_exclude_no_arm() -> None:
    errors = table(99, a=9.0, b=1.0)
    assert confidence_set(errors, 25) == ["b", "a"]
    assert confidence_set(errors, 24) == ["b"]


def test_a_longer_block_is_more_careful() -> None:
    drift = np.sin(np.arange(400) * 2 * np.pi / 100)
    errors = pd.DataFrame({"a": 1 + 0.01 * moving_average(400), "b": 1.12 + drift})
    assert confidence_set(errors, 1) == ["a"]
    assert confidence_set(errors, 50) == ["a", "b"]


def test_one_arm_is_its_own_set() -> None:
    assert confidence_set(table(a=1.0), 5) == ["a"]


def test_unusable_arguments_are_refused() -> None:
    errors = table(a=1.0, b=2.0)
    with pytest.raises(ValueError, match="there is none"):
        confidence_set(errors[[]], 5)
    with pytest.raises(ValueError, match="the name 'a'"):
        confidence_set(errors[["a", "a"]], 5)
    with pytest.raises(ValueError, match="block must be at least 1 window; it is 0"):
        confidence_set(errors, 0)
    with pytest.raises(ValueError, match="level must be between 0 and 1; it is 95"):
        confidence_set(errors, 5, 95)


def test_without_the_package_the_install_line_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "arch.bootstrap", None)
    with pytest.raises(ImportError, match=r"confidence set needs arch: pip install 'tskd\[statistics\]'"):
        confidence_set(table(a=1.0, b=2.0), 5)
