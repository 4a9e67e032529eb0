"""Windows by which teachers are judged, written down by hand; and closed forms of what follows."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from darts import TimeSeries
from torch import Tensor

from tests.helpers.closed_form import H, L, descending, windows
from tests.helpers.steps import make_step
from tskd import Teacher
from tskd._core.model_inputs import ModelInputs
from tskd.teachers import network as networks
from tskd.teachers.predictor import Chunks, TeacherPredictor
from tskd.weighting import CalibrationSet, CalibrationWindows, Step, Weighting

# labels [M, H, C] and whether they are held out → a teacher's forecasts, and spread
Answer = Callable[[np.ndarray, bool], np.ndarray]


def calibration(
    forecasts: Tensor,
    target: Tensor,
    valid: Tensor | None = None,
    spread: Tensor | None = None,
    keys: Tensor | None = None,
    chunk: int = 10**9,
) -> CalibrationSet:
    """Forecasts `[K, m, H, C]` of windows that, unless keys say otherwise, do not overlap."""
    count, horizon = forecasts.shape[1:3]
    keys = torch.stack([torch.zeros(count).long(), torch.arange(count) * horizon], 1) if keys is None else keys
    valid = torch.ones(forecasts.shape[:2], dtype=torch.bool) if valid is None else valid
    spread = torch.full_like(forecasts, torch.nan) if spread is None else spread
    forecasts = forecasts.where(valid[:, :, None, None], 0)

    def chunks() -> list[CalibrationWindows]:
        return [
            CalibrationWindows(keys[rows], {}, forecasts[:, rows], valid[:, rows], spread[:, rows], target[rows])
            for rows in torch.arange(count).split(chunk)
        ]

    return CalibrationSet(True, chunks, lambda judged: torch.zeros_like(judged.target))


def step(
    forecasts: Tensor, valid: Tensor | None = None, spread: Tensor | None = None, covers: Tensor | None = None
) -> Step:
    covers = torch.ones(1, 1, dtype=torch.bool) if covers is None else covers
    known = forecasts if valid is None else forecasts.where(valid[:, :, None, None], 0)
    return make_step(known, valid, covers=covers, spread=spread)


def calibrated(weighting: Weighting, *args: Any, **kwargs: Any) -> Weighting:
    """The weighting after it has judged teachers by `calibration(...)`."""
    found = calibration(*args, **kwargs)
    weighting.set_up([f"t{k}" for k in range(len(next(iter(found.chunks())).forecasts))])
    weighting.calibrate(found)
    return weighting


def of_a_window(weighting: Weighting, forecasts: Tensor, **kwargs: Any) -> Tensor:
    """Weights `[K, H, C]` or `[K]` of the first window, with `step(...)` made of the rest."""
    return weighting(step(forecasts, **kwargs))[:, 0]


def blended(weights: Tensor, forecasts: Tensor) -> Tensor:
    """Σ_k w_k t_k `[B, H, C]`."""
    weights = weights[:, :, None, None] if weights.dim() == 2 else weights
    return (weights * forecasts).sum(0)


class Saying(Teacher):
    """A teacher of forecasts `[M, H, C]`, with a spread or without, that are a function of the labels and of whether
    they are held out: the windows of the series on which it is fitted are not, and no other has as many."""

    def __init__(self, forecast: Answer, spread: Answer | None = None, *, name: str, source: Any = None) -> None:
        super().__init__(descending(n_epochs=1), source, name=name)
        self.forecast, self.spread, self.trained = forecast, spread, 0

    def fit_on(self, inputs: ModelInputs, *args: Any, **kwargs: Any) -> Saying:
        fitted = copy.copy(self)
        fitted.__dict__.update(super().fit_on(inputs, *args, **kwargs).__dict__)
        fitted.trained = len(windows(inputs.series[0])[0])
        return fitted

    def predictor_on(self, *args: Any, **kwargs: Any) -> TeacherPredictor:
        asked = super().predictor_on(*args, **kwargs)
        assert isinstance(asked.base, networks.NetworkPredictor)
        return replace(asked, base=_Said(asked.base, self))


class _Said(networks.NetworkPredictor):
    def __init__(self, honest: networks.NetworkPredictor, teacher: Saying) -> None:
        super().__init__(honest.models, honest.windows)
        self.teacher = teacher

    def outputs(self, model: int, keys: Tensor, fields: Sequence[str] = ()) -> Chunks:
        labels = self.windows.gather(keys)["future_target"].numpy()
        held_out = len(labels) != self.teacher.trained
        found = {"forecasts": torch.from_numpy(self.teacher.forecast(labels, held_out))}
        if self.teacher.spread is not None:
            found["spread"] = torch.from_numpy(self.teacher.spread(labels, held_out))
        yield slice(0, len(keys)), found


def off(size: float, held_out: float | None = None, seed: int = 0) -> Answer:
    """Forecasts that miss the labels by noise of this size; in windows that are held out, of another."""

    def answer(labels: np.ndarray, new: bool) -> np.ndarray:
        noise = np.random.default_rng(seed).normal(size=labels.shape)
        return labels + (held_out if new and held_out is not None else size) * noise

    return answer


def squares(answer: Answer, series: TimeSeries, held_out: bool = False) -> np.ndarray:
    """Mean squared errors `[H, C]`."""
    labels = windows(series)[1]
    return ((answer(labels, held_out) - labels) ** 2).mean(0)


def believing(series: TimeSeries, shrinkage: float) -> float:
    """n / (n + shrinkage), n the number of blocks of H steps in which windows of the series begin."""
    blocks = len({origin // H for origin in range(L - 1, len(series) - H)})
    return blocks / (blocks + shrinkage)


def corrupted(seed: int, bad: float = 2.0) -> tuple[Tensor, Tensor, Tensor]:
    """Case A: truth, labels and teachers, the third of which is `bad` on a random half of the windows."""
    draw = np.random.default_rng(seed)
    truth = np.sin(2 * np.pi * np.arange(24) / 24)[None, :, None] + draw.normal(size=(400, 1, 7))
    labels = truth + 0.5 * draw.normal(size=truth.shape)
    said = truth + 0.3 * draw.normal(size=(3, *truth.shape))
    said[2] += bad * draw.normal(size=(400, 1, 7)) * draw.permutation(np.arange(400) < 200)[:, None, None]
    return torch.from_numpy(truth), torch.from_numpy(labels), torch.from_numpy(said)
