"""Windows in which values are missing or hidden, step by step and by hand: two series of unequal lengths."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from darts import TimeSeries
from torch import Tensor

from tskd._core.coverage import check_windows
from tskd._core.model_inputs import ModelInputs
from tskd._core.series import SeriesBundle
from tskd._core.window_keys import WindowSpan, training_keys
from tskd._core.windows import Slot, Windows

NAN = float("nan")


def series(*columns: list[float], first: int = 0) -> TimeSeries:
    values = np.array(columns).T
    return TimeSeries.from_times_and_values(pd.RangeIndex(first, first + len(values)), values)


def keys(*pairs: tuple[int, int]) -> Tensor:
    return torch.tensor(pairs)


def test_a_step_that_is_hidden_may_be_missing() -> None:
    # steps 1 and 2 after the origin; of the second component the first of them is hidden
    covariates = series([0, 1, 2, 3, 4, 5], [0, 1, NAN, 3, 4, 5])
    visible = torch.tensor([[True, False], [True, True]])
    slot = Slot.of([covariates], [covariates], 1, 2, visible)
    # step 2 is the hidden one after origin 1, and a visible one after origin 0
    origins = keys((0, 0), (0, 1), (0, 2))
    assert slot.covers(origins).tolist() == [False, True, True]
    assert slot.gather(origins[1:]).tolist() == [[[2, 0], [3, 3]], [[3, 0], [4, 4]]]


def test_components_beyond_a_mask_are_visible() -> None:
    values = series([0, 1, 2, 3], [10, 11, 12, 13])
    slot = Slot.of([values], [values], 1, 2, torch.tensor([[False], [True]]))
    assert slot.gather(keys((0, 0))).tolist() == [[[0, 11], [2, 12]]]


def test_one_missing_component_is_a_gap() -> None:
    covariates = [series([0, 1, 2, 3], [0, NAN, 2, 3]), series([0, 1, 2, 3, 4, 5, 6], [0, 1, 2, 3, 4, NAN, 6])]
    slot = Slot.of(covariates, covariates, 0, 2)
    origins = keys((0, 0), (0, 1), (0, 2), (1, 3), (1, 4), (1, 5))
    assert slot.covers(origins).tolist() == [False, False, True, True, False, False]


def test_missing_labels_are_filled_within_their_own_series() -> None:
    targets = [series([1, NAN, 3, NAN]), series([NAN, NAN, 7, NAN, 9, NAN])]
    windows = Windows.of(ModelInputs(targets), WindowSpan(1, 2))
    labels = windows.gather(keys((0, 0), (0, 1), (1, 0), (1, 3)))
    # by the last known value before, the second series' beginning by the next
    assert labels["future_target"][..., 0].tolist() == [[1, 3], [3, 3], [7, 7], [9, 9]]
    assert labels["labelled"][..., 0].tolist() == [[False, True], [True, False], [False, True], [True, False]]


def test_a_window_with_one_label_of_one_component_has_labels() -> None:
    target = series([0, 1, NAN, NAN, NAN, 5, 6], [0, 1, NAN, NAN, NAN, NAN, NAN])
    windows = Windows.of(ModelInputs([target]), WindowSpan(1, 2))
    assert windows.has_labels(keys((0, 0), (0, 1), (0, 2), (0, 3))).tolist() == [True, False, False, True]


def test_what_stands_for_the_past_is_read_in_its_place() -> None:
    target, filled = series([0, NAN, 2, 3]), series([0, 11, 2, 3])
    windows = Windows.of(ModelInputs([target], past_target=[filled]), WindowSpan(2, 1))
    batch = windows.gather(keys((0, 1)))
    assert batch["past_target"][..., 0].tolist() == [[0, 11]]
    assert batch["future_target"][..., 0].tolist() == [[2]]
    assert windows.covers(keys((0, 1))).tolist() == [True]


def test_coverage_is_asked_of_the_windows_of_each_series() -> None:
    """Up to the last label for future covariates, up to the origin for past ones, from the first step on that is read:
    exactly as much is accepted, and one step less is not."""
    targets = [series([0.0] * 12), series([0.0] * 8)]
    origins = training_keys([12, 8], WindowSpan(3, 2, 1))

    def refused(past: tuple[int, int], future: tuple[int, int]) -> str:
        def covering(span: tuple[int, int]) -> list[TimeSeries]:
            return [targets[0], series([0.0] * (span[1] - span[0] + 1), first=span[0])]

        try:
            check_windows(SeriesBundle(targets, covering(past), covering(future)), origins, 3, range(2, 4), "student")
        except ValueError as error:
            return str(error)
        return ""

    # of the series of 8 steps, origins are 2 to 4
    assert not refused((0, 4), (0, 7))
    assert refused((1, 4), (0, 7)).startswith("student: past_covariates[1] ")
    assert refused((0, 3), (0, 7)).startswith("student: past_covariates[1] ")
    assert refused((0, 4), (1, 7)).startswith("student: future_covariates[1] ")
    assert refused((0, 4), (0, 6)).startswith("student: future_covariates[1] ")
