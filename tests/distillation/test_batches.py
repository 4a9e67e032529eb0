"""What a training compares before it begins: all windows once, in parts, each with its own forecasts and labels."""

from __future__ import annotations

import pytest
import torch
from darts.models import NLinearModel

from tests.helpers.models import fast
from tests.helpers.series import walk
from tskd._core.darts.capabilities import window_span
from tskd._core.model_inputs import ModelInputs
from tskd._core.window_keys import encode
from tskd._core.windows import Windows
from tskd.distillation.batches import PART, DistillationData
from tskd.teachers.outputs import TeacherOutputs

LOOKBACK, HORIZON, COUNT = 6, 4, 2 * PART + 3


@pytest.fixture
def data() -> DistillationData:
    """More windows than are compared at once, from the newest back as darts has them; the second teacher lacks some."""
    series = walk(LOOKBACK + COUNT + HORIZON, components=2).astype("float64")
    windows = Windows.of(ModelInputs([series]), window_span(NLinearModel(LOOKBACK, HORIZON, **fast())))
    draw = torch.Generator().manual_seed(0)
    keys = torch.stack([torch.zeros(COUNT, dtype=torch.long), LOOKBACK + torch.arange(COUNT)], 1)
    fields = [
        {
            "forecasts": torch.randn(COUNT, HORIZON, 2, generator=draw, dtype=torch.float64),
            "features.a": torch.randn(COUNT, 3, generator=draw),
        }
        for _ in range(2)
    ]
    valid = [torch.ones(COUNT, dtype=torch.bool), torch.arange(COUNT) % 5 != 1]
    spans = [slice(0, HORIZON)] * 2
    like = torch.zeros(1, HORIZON, 2, dtype=torch.float64)
    outputs = TeacherOutputs(encode(keys), fields, valid, like, [["features.a"]] * 2, spans)
    return DistillationData(keys.flip(0), windows, outputs)


def test_weightings_are_calibrated_on_every_window_once(data: DistillationData) -> None:
    parts = list(data.calibration_windows())
    assert len(parts) > 2
    keys = data.keys.flip(0)
    assert data.outputs is not None and data.windows is not None
    forecasts, valid = data.outputs.of(keys)
    torch.testing.assert_close(torch.cat([part.keys for part in parts]), keys)
    torch.testing.assert_close(torch.cat([part.forecasts for part in parts], 1), forecasts)
    torch.testing.assert_close(torch.cat([part.valid for part in parts], 1), valid)
    slots = data.windows.gather(keys)
    torch.testing.assert_close(torch.cat([part.target for part in parts]), slots["future_target"])
    torch.testing.assert_close(torch.cat([part.inputs["past_target"] for part in parts]), slots["past_target"])


def test_statistics_are_fitted_to_every_forecast_of_a_teacher(data: DistillationData) -> None:
    assert data.outputs is not None and data.windows is not None
    labels = data.windows.gather(data.keys.flip(0))["future_target"]
    for teacher, (fields, valid) in enumerate(zip(data.outputs.fields, data.outputs.valid, strict=True)):
        parts = list(data.forecasts_and_labels(teacher))
        assert len(parts) > 2
        torch.testing.assert_close(torch.cat([one for one, _ in parts]), fields["forecasts"][valid])
        torch.testing.assert_close(torch.cat([one for _, one in parts]), labels[valid])


@pytest.mark.parametrize("most", [COUNT + 1, PART + 7])
def test_probes_are_fitted_to_evenly_spaced_windows(data: DistillationData, most: int) -> None:
    assert data.outputs is not None
    chosen = torch.linspace(0, COUNT - 1, min(COUNT, most)).long()
    chosen = chosen[data.outputs.valid[1][chosen]]
    parts = list(data.features(1, "features.a", most))
    assert len(parts) > 1
    torch.testing.assert_close(torch.cat([one for one, _ in parts]), data.outputs.fields[1]["features.a"][chosen])
    torch.testing.assert_close(torch.cat([one for _, one in parts]), data.outputs.fields[1]["forecasts"][chosen])
