"""Given answers are looked up some windows at a time, and each is that of its own window."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.helpers.series import walk
from tskd.teachers import answers
from tskd.teachers.answer_form import AnswerForm
from tskd.teachers.predictor import ModelPredictor, TeacherPredictor

SERIES = [walk(30, 2), walk(21, 2, seed=4)]
KEYS = torch.tensor([[1, 9], [0, 3], [0, 20], [1, 2], [0, 7], [1, 14], [0, 11]])


@pytest.mark.parametrize("by", ["time", "origin"])
def test_more_windows_than_are_gathered_at_once(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "CHUNK", 3)
    expected = np.stack([SERIES[i].values()[origin + 1 : origin + 5] for i, origin in KEYS.tolist()])
    base: ModelPredictor
    if by == "time":
        base = answers.AnswersByTime(SERIES, SERIES, range(1, 5), AnswerForm())
    else:
        order = [4, 1, 6, 0, 3, 2, 5]
        base = answers.AnswersByOrigin(KEYS[order], expected[order][..., None], AnswerForm())
    found, covered = TeacherPredictor(SERIES, base).forecasts(KEYS)
    assert bool(covered.all())
    assert np.array_equal(found.numpy(), expected)
