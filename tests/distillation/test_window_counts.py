"""What is said of the windows that a student learns from: kinds of which there are none are not mentioned."""

from __future__ import annotations

import pytest
import torch

from tskd.distillation.window_counts import WindowCounts


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        (WindowCounts(1200, 0, 0), "1,200 training windows: 1,200 with labels and teachers"),
        (
            WindowCounts(72, 3, 1399, 8, 15),
            "1,474 training windows: 72 with labels and teachers, 3 with labels alone, 1,399 with teachers alone; "
            "left out: 15 in which inputs are missing, 8 with neither",
        ),
        (WindowCounts(0, 5, 0, 7), "5 training windows: 5 with labels alone; left out: 7 with neither"),
        (WindowCounts(0, 0, 0, 0, 9), "0 training windows; left out: 9 in which inputs are missing"),
        (WindowCounts(0, 0, 0), "0 training windows"),
    ],
)
def test_kinds_of_which_there_are_any_are_said(counts: WindowCounts, said: str) -> None:
    assert str(counts) == said


def test_every_window_is_counted_once() -> None:
    labelled = torch.tensor([True, True, True, False, False, False, False, True, False, False])
    taught = torch.tensor([True, False, True, True, True, True, False, True, True, False])
    # by hand: windows 0, 2, 7; 1; 3, 4, 5, 8; 6, 9
    counts = WindowCounts.of(labelled, taught, incomplete=6)
    assert (counts.both, counts.labels, counts.teachers, counts.neither, counts.incomplete) == (3, 1, 4, 2, 6)
    assert counts.used == 8
