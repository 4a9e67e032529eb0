"""A ridge regression in the student's place: it reads the inputs of the student's windows, and nothing else.

For each step and component the coefficients minimise mean squared error + penalty * sum of squared coefficients, over
the windows that have the label of that step: labels need not come in whole horizons.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from darts import TimeSeries
from torch import Tensor

from tskd._core.model_inputs import ModelInputs
from tskd._core.window_keys import WindowSpan
from tskd._core.windows import CHUNK, INPUT_SLOTS, Windows
from tskd.experiment.data.preparation import DataPart
from tskd.experiment.run.forecast import Forecasts


class Ridge:
    """A direct forecast of the steps that are scored.

    Args:
        lookback: of the student.
        steps: first and last step that are scored.
        soft_sensor: whether the past of the target is hidden.
        penalty: on the squared coefficients.
    """

    def __init__(self, lookback: int, steps: tuple[int, int], soft_sensor: bool, penalty: float) -> None:
        self.span = WindowSpan(lookback, steps[1] - steps[0] + 1, steps[0] - 1)
        self.soft_sensor, self.penalty = soft_sensor, penalty
        self._fitted: list[tuple[np.ndarray, Any]] = []

    def fit(self, parts: Sequence[tuple[DataPart, Mapping[str, TimeSeries]]]) -> Ridge:
        """Fit to the windows of the training parts of all series that have all inputs.

        Args:
            parts: of each series, with its covariates.

        Raises:
            ValueError: some step has no label.
        """
        from sklearn.linear_model import Ridge as Regression

        each = [self._rows(part, covariates) for part, covariates in parts]
        inputs, labels = (np.concatenate(both) for both in zip(*each, strict=True))
        known = np.isfinite(labels)
        if not known.any(axis=0).all():
            raise ValueError("some step has no label in any window that has all inputs")
        # outputs whose labels are in the same windows are fitted as one
        patterns, which = np.unique(known, axis=1, return_inverse=True)
        for number, chosen in enumerate(patterns.T):
            outputs = np.flatnonzero(which.ravel() == number)
            regression = Regression(alpha=self.penalty * int(chosen.sum()))
            self._fitted.append((outputs, regression.fit(inputs[chosen], labels[chosen][:, outputs])))
        return self

    def forecasts(self, part: DataPart, covariates: Mapping[str, TimeSeries]) -> Forecasts:
        """Forecasts of the windows of a part that have all inputs."""
        windows = self._windows(part, covariates)
        keys = torch.from_numpy(part.keys)
        positions = windows.covers(keys).nonzero()[:, 0]
        for some in positions.split(CHUNK):
            inputs = self._inputs(windows, keys[some])
            values = np.empty((len(some), self.span.horizon * part.truth.shape[2]), dtype="float32")
            for outputs, regression in self._fitted:
                values[:, outputs] = regression.predict(inputs).reshape(len(some), -1)
            yield some.numpy(), values.reshape(len(some), self.span.horizon, -1), self.span.output_shift + 1

    def _rows(self, part: DataPart, covariates: Mapping[str, TimeSeries]) -> tuple[np.ndarray, np.ndarray]:
        """Inputs [N, D] and labels [N, Q] of the windows of a part that have all inputs."""
        windows = self._windows(part, covariates)
        keys = torch.from_numpy(part.keys)
        keys = keys[windows.covers(keys)]
        inputs = np.concatenate([self._inputs(windows, some) for some in keys.split(CHUNK)])
        labels = part.truth[keys[:, 1].numpy() - part.reach + 1, self.span.output_shift :]
        return inputs, labels.reshape(len(labels), -1)

    def _windows(self, part: DataPart, covariates: Mapping[str, TimeSeries]) -> Windows:
        given: dict[str, Any] = {slot: [series] for slot, series in covariates.items()}
        windows = Windows.of(ModelInputs([part.series], **given), self.span, static_covariates=False)
        return windows.without("past_target") if self.soft_sensor else windows

    @staticmethod
    def _inputs(windows: Windows, keys: Tensor) -> np.ndarray:
        """Inputs [N, D] of windows, one beside the other."""
        found = windows.gather(keys, labels=False)
        return np.concatenate([found[slot].flatten(1).numpy() for slot in INPUT_SLOTS if slot in found], axis=1)
