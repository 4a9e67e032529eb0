"""The outputs of a fitted teacher for windows of some series, out of fold where it is cross-fitted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import torch
from darts import TimeSeries
from torch import Tensor

from tskd.teachers.crossfit import Folds

# of the fingerprint; raised when the outputs computed from the same teacher and data change
VERSION = 2

# slices of the windows, and the outputs of these by name
Chunks: TypeAlias = Iterator[tuple[slice, dict[str, Tensor]]]


class ModelPredictor(Protocol):
    """The outputs of fitted models of one kind for windows of some series.

    Attributes:
        can_be_fingerprinted: whether everything that the outputs depend on can be hashed.
        covers_cheaply: whether `covers` forecasts nothing.
    """

    @property
    def can_be_fingerprinted(self) -> bool: ...

    @property
    def covers_cheaply(self) -> bool: ...

    def covers(self, keys: Tensor) -> Tensor:
        """`[M]`, true for the windows `keys [M, 2]` whose inputs exist."""

    def outputs(self, model: int, keys: Tensor, fields: Sequence[str] = ()) -> Chunks:
        """Outputs of one model for the windows `keys [M, 2]`, all of which must be covered.

        Args:
            model: index of the model.
            keys: of the windows.
            fields: requested beside the forecasts: `parameters`, `features.<layer>`.

        Yields:
            A slice of the windows, and for these `forecasts [m, H, C]`, `spread [m, H, C]` (the standard deviation, if
            the model forecasts a distribution), and the fields: `parameters [m, H, C, P]`, `features.<layer> [m, …]`.
        """

    def add_to(self, digest: Any) -> None:
        """Update a hash with everything that the outputs depend on."""


@dataclass(frozen=True)
class OutputRequest:
    """A request for outputs of a teacher.

    Attributes:
        keys: of the windows, distinct and sorted `[M, 2]`.
        steps: the part of the teacher's horizon.
        dtype: of the stored outputs.
        fields: requested beside the forecasts, see `ModelPredictor.outputs`.
    """

    keys: Tensor
    steps: slice
    dtype: torch.dtype
    fields: Sequence[str] = ()


@dataclass(frozen=True)
class TeacherPredictor:
    """Predictor of a fitted teacher for windows of some series.

    Attributes:
        series: the teacher's target series.
        base: predictor of its models, one or one for each fold.
        models: number of models.
        folds: of a cross-fitted teacher, or None.
        columns: indices of the student's components in the teacher's forecasts; None if they are the same.
    """

    series: Sequence[TimeSeries]
    base: ModelPredictor
    models: int = 1
    folds: Folds | None = None
    columns: tuple[int, ...] | None = None

    def covers(self, keys: Tensor) -> Tensor:
        """`[M]`, true for the windows `keys [M, 2]` whose inputs exist."""
        return self.base.covers(keys)

    def outputs(self, keys: Tensor, fields: Sequence[str] = ()) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
        """Outputs for the windows `keys [M, 2]`, all of which must be covered.

        With folds, those of the model that was not fitted on the window's fold; for windows after the training, the
        mean over all models.

        Args:
            fields: requested beside the forecasts, see `ModelPredictor.outputs`.

        Yields:
            Rows of `keys [m]`, and `forecasts`, `spread` and the fields for these windows.
        """
        for rows, outputs in self._by_fold(keys, fields):
            if self.columns is not None:
                chosen = list(self.columns)
                outputs = {name: values if "." in name else values[:, :, chosen] for name, values in outputs.items()}
            yield rows, outputs

    def forecasts(self, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Point forecasts `[M, H, C]` over the teacher's own horizon, NaN for windows that are not covered, and
        which are `[M]`."""
        covered = self.covers(keys)
        at = torch.nonzero(covered)[:, 0]
        values: Tensor | None = None
        for rows, outputs in self.outputs(keys[covered]):
            forecasts = outputs["forecasts"]
            if values is None:
                values = forecasts.new_full((len(keys), *forecasts.shape[1:]), torch.nan)
            values[at[rows]] = forecasts
        return torch.full((len(keys), 1, 1), torch.nan) if values is None else values, covered

    def forecast_series(self, keys: Tensor, targets: Sequence[TimeSeries], first: int) -> list[list[TimeSeries]]:
        """Point forecasts for those windows `keys [M, 2]` that are covered, as a list of series for each target series.

        Args:
            targets: target series, by whose time stamps the forecasts are dated.
            first: first step after the origin that is forecast.
        """
        values, covered = self.forecasts(keys)
        by_target: list[list[TimeSeries]] = [[] for _ in targets]
        for (index, origin), forecast in zip(keys[covered].tolist(), values[covered].numpy(), strict=True):
            target, start = targets[index], origin + first
            times = target.time_index[start : start + len(forecast)]
            by_target[index].append(TimeSeries.from_times_and_values(times, forecast, columns=target.components))
        return by_target

    def fingerprint(self, request: OutputRequest) -> str | None:
        """A hash of the request and of everything that the outputs depend on: weights, data, windows, folds.

        None for a model whose weights cannot be hashed (an ensemble of networks), whose outputs are not kept.
        """
        if not self.base.can_be_fingerprinted:
            return None
        keys, digest = request.keys, hashlib.blake2b(digest_size=20)
        settings = (
            VERSION,
            keys.shape,
            request.steps,
            str(request.dtype),
            tuple(request.fields),
            self.models,
            self.folds and self.folds.fingerprint(),
            self.columns,
        )
        digest.update(repr(settings).encode())
        digest.update(keys.numpy().tobytes())
        if self.folds is not None:
            digest.update(self.folds.of_windows(self.series, keys).numpy().tobytes())
        self.base.add_to(digest)
        return digest.hexdigest()

    def _by_fold(self, keys: Tensor, fields: Sequence[str]) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
        models = torch.zeros(len(keys), dtype=torch.long)
        if self.folds is not None:
            models = self.folds.of_windows(self.series, keys)
        for model in models.unique().tolist():
            rows = torch.nonzero(models == model)[:, 0]
            if model >= 0:
                for part, outputs in self.base.outputs(model, keys[rows], fields):
                    yield rows[part], outputs
                continue
            each = (self.base.outputs(number, keys[rows], fields) for number in range(self.models))
            for parts in zip(*each, strict=True):
                each_outputs = [outputs for _, outputs in parts]
                names = each_outputs[0]
                yield rows[parts[0][0]], {name: torch.stack([o[name] for o in each_outputs]).mean(0) for name in names}
