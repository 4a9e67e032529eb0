"""Making, calibrating and running a weighting in its tests, and comparing its weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from tskd._core.aspects import Aspect
from tskd.testing._battery import Battery, require
from tskd.testing._cases import WeightingCase
from tskd.testing._random_cases import random_cases
from tskd.weighting.base import Weighting
from tskd.weighting.step_inputs import Step


class Trial(Battery[Weighting]):
    """The weighting under test; the attributes are described in `WeightingConformance`."""

    renormalised = True
    even_for_equal = True
    scale_free = True
    sees_batch: bool | frozenset[Aspect] = False
    saved = True
    tolerance = 1e-6
    count = 30
    aspect: Aspect = "forecast"

    def make_for(self, names: list[str]) -> Weighting:
        """A fresh weighting for these teachers, if it depends on their names."""
        return self.make()

    def aspects(self) -> list[Aspect]:
        """Aspects that are tested: the forecasts, and those with weights of their own."""
        return ["forecast", *sorted(self.make_for(["teacher 0"]).aspects)]

    def cases(
        self, teachers: int | None = None, dtype: torch.dtype | None = None, partial: bool = True, agree: bool = False
    ) -> Iterator[WeightingCase]:
        """Random cases, the same at every call.

        Args:
            teachers: number of teachers of each case; None for 1 to 5.
            dtype: of each case; None for float32 and float64 in turn.
            partial: whether some have teachers of a part of the horizon.
            agree: whether the teachers have the same forecasts.
        """
        probe = self.make_for(["teacher 0"])
        for made in random_cases(probe, self.count, teachers=teachers, dtype=dtype, partial=partial, agree=agree):
            yield made.with_features(alike=agree) if self.aspect == "features" else made

    def prepared(self, case: WeightingCase, weighting: Weighting | None = None) -> Weighting:
        """A weighting as it is at its first step: set up, calibrated, and its epoch started."""
        if weighting is None:
            weighting = self.make_for(case.names)
            weighting.set_up(case.names)
        self._calibrate(weighting, case)
        self._start(weighting, case)
        return weighting

    def weights_of(self, weighting: Weighting, step: Step) -> Tensor:
        """Weights of the aspect under test."""
        return weighting(step) if self.aspect == "forecast" else weighting.weights_of(step, self.aspect)

    def weights(self, case: WeightingCase) -> Tensor:
        """Weights of a fresh weighting `[K, B, H, C]`, as float64."""
        return whole(self.weights_of(self.prepared(case), case.step), case)

    def close(self, found: Tensor, expected: Tensor, case: WeightingCase, what: str) -> None:
        """Raise an AssertionError where weights differ, or one is not finite."""
        finite = bool(found.isfinite().all()) and bool(expected.isfinite().all())
        require(finite, f"{what}: a weight is not finite: guard roots, logarithms and divisions")
        tolerance = self.tolerance if case.step.target.dtype == torch.float64 else max(self.tolerance, 1e-4)
        torch.testing.assert_close(found, expected, rtol=0, atol=tolerance, msg=lambda text: f"{what}: {text}")

    def _calibrate(self, weighting: Weighting, case: WeightingCase) -> None:
        if weighting.needs.calibration:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                weighting.calibrate(case.calibration)
        # as a trainer does before it starts
        if case.step.target.dtype == torch.float64:
            weighting.double()

    def _start(self, weighting: Weighting, case: WeightingCase) -> None:
        if weighting.needs.calibration:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                weighting.start_epoch(case.step.epoch, case.calibration)

    def _check_shares(self, weights: Tensor, case: WeightingCase) -> None:
        require(bool(weights.isfinite().all()), f"not finite: {weights.tolist()}")
        require(bool((weights >= 0).all()), f"negative: {weights.min()}")
        out = weights.masked_select(~case.usable.expand_as(weights))
        require(not bool(out.any()), "somebody who has no say has a weight")
        if not self.renormalised:
            require(bool((weights <= 1 + 1e-6).all()), f"above 1: {weights.max()}")
            return
        anybody = case.usable.any(0).double().expand(weights.shape[1:])
        torch.testing.assert_close(weights.sum(0), anybody, rtol=0, atol=1e-5, msg=lambda text: f"sum over K: {text}")


def whole(weights: Tensor, case: WeightingCase) -> Tensor:
    """Weights as `[K, B, H, C]` in float64.

    Raises:
        AssertionError: they are of another shape than `[K, B]`, `[K, B, 1 or H]` and `[K, B, 1 or H, 1 or C]`, or of a
            narrower type than float32.
    """
    size = case.step.forecasts.shape
    shape = tuple(weights.shape) + (1,) * (4 - weights.dim())
    fits = len(shape) == 4 and shape[:2] == size[:2] and shape[2] in (1, size[2]) and shape[3] in (1, size[3])
    require(fits and weights.dim() >= 2, f"weights {tuple(weights.shape)} for forecasts {tuple(size)}")
    require(weights.dtype in (torch.float32, torch.float64), f"weights of {weights.dtype}")
    return weights.reshape(shape).expand(size).double()


def for_each(**kind: object) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a check of one case a test of all cases that `self.cases(**kind)` yields, for each aspect with weights.

    A failure names the case and the aspect.
    """

    def made(check: Callable[..., None]) -> Callable[..., None]:
        def test(self: Any) -> None:
            for aspect in self.aspects():
                self.aspect = aspect
                found: Iterator[WeightingCase] = self.cases(**kind)
                for case in found:
                    try:
                        check(self, case)
                    except Exception as error:
                        error.add_note(f"in {case}, weights of {aspect}")
                        raise

        # without functools.wraps, through which pytest would take the case for a fixture
        test.__name__, test.__qualname__, test.__doc__ = check.__name__, check.__qualname__, check.__doc__
        return test

    return made
