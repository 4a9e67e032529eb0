"""Weights that are given."""

from __future__ import annotations

import pytest
import torch

from tests.helpers.steps import make_step
from tskd.weighting import Fixed


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [1e-50, 5e-324, 1, 5e307])
def test_given_weights_are_proportions_whatever_their_scale(scale: float, dtype: torch.dtype) -> None:
    forecasts = torch.zeros(2, 3, 4, 1, dtype=dtype)
    step = make_step(forecasts)
    weights = Fixed([scale, 3 * scale])(step)
    torch.testing.assert_close(weights, torch.tensor([0.25, 0.75], dtype=dtype)[:, None].expand(2, 3))
