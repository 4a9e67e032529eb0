"""A fitted teacher in front of some series: its outputs for any of their windows, out of fold where it is
cross-fitted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import torch
from darts import TimeSeries
from torch import Tensor

from tskd.teachers.crossfit import Folds

# of what is computed from teacher and data; raised when that changes
VERSION = 2

# stretches of windows, and by name the outputs of these windows
Chunks: TypeAlias = Iterator[tuple[slice, dict[str, Tensor]]]


class ModelPredictor(Protocol):
    """The outputs of fitted models of one kind for windows of some series.

    Attributes:
        can_be_fingerprinted: whether everything that the outputs depend on can be hashed.
    """

    @property
    def can_be_fingerprinted(self) -> bool: ...

    def covers(self, keys: Tensor) -> Tensor:
        """`[M]`, for which of the windows `keys [M, 2]` the inputs exist."""

    def outputs(self, model: int, keys: Tensor, fields: Sequence[str] = ()) -> Chunks:
        """Outputs of one of the models for the windows `keys [M, 2]`, all of which must be covered.

        Args:
            fields: those wanted beside the forecasts: `parameters`, `features.<layer>`.

        Yields:
            A stretch of the windows, and of these `forecasts [m, H, C]`, `spread [m, H, C]` (the standard deviation, if
            the model forecasts a distribution), and the fields: `parameters [m, H, C, P]`, `features.<layer> [m, …]`.
        """

    def add_to(self, digest: Any) -> None:
        """Feed everything that the outputs depend on to a hash."""


@dataclass(frozen=True)
class OutputRequest:
    """Which outputs of a teacher are wanted.

    Attributes:
        keys: of the windows, each once and sorted `[M, 2]`.
        steps: the part of the teacher's horizon.
        dtype: of what is kept.
        fields: beside the forecasts, see `ModelPredictor.outputs`.
    """

    keys: Tensor
    steps: slice
    dtype: torch.dtype
    fields: Sequence[str] = ()


@dataclass(frozen=True)
class TeacherPredictor:
    """A fitted teacher in front of some series.

    Attributes:
        series: the teacher's target series.
        base: outputs of its models, one or as many as there are folds.
        models: how many there are.
        folds: of a cross-fitted teacher, or None.
        columns: of its forecasts, those of the student's components; None for all.
    """

    series: Sequence[TimeSeries]
    base: ModelPredictor
    models: int = 1
    folds: Folds | None = None
    columns: tuple[int, ...] | None = None

    def covers(self, keys: Tensor) -> Tensor:
        """`[M]`, for which of the windows `keys [M, 2]` the inputs exist."""
        return self.base.covers(keys)

    def outputs(self, keys: Tensor, fields: Sequence[str] = ()) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
        """Outputs for the covered windows `keys [M, 2]`.

        The model of a fold answers for the windows that it was held out of; for later ones, the mean of all models.

        Args:
            fields: those wanted beside the forecasts, see `ModelPredictor.outputs`.

        Yields:
            Rows of `keys [m]`, and `forecasts`, `spread` and the fields of these windows.
        """
        for rows, found in self._by_fold(keys, fields):
            if self.columns is not None:
                chosen = list(self.columns)
                found = {name: values if "." in name else values[:, :, chosen] for name, values in found.items()}
            yield rows, found

    def forecasts(self, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Point forecasts `[M, H, C]` over the teacher's own horizon, NaN where an input is missing, and where none is
        `[M]`."""
        covered = self.covers(keys)
        at = torch.nonzero(covered)[:, 0]
        values: Tensor | None = None
        for rows, found in self.outputs(keys[covered]):
            given = found["forecasts"]
            if values is None:
                values = given.new_full((len(keys), *given.shape[1:]), torch.nan)
            values[at[rows]] = given
        return torch.full((len(keys), 1, 1), torch.nan) if values is None else values, covered

    def forecast_series(self, keys: Tensor, targets: Sequence[TimeSeries], first: int) -> list[list[TimeSeries]]:
        """Point forecasts of the covered windows `keys [M, 2]`, by target series.

        Args:
            first: step after the origin at which forecasts begin.
        """
        values, covered = self.forecasts(keys)
        found: list[list[TimeSeries]] = [[] for _ in targets]
        for (index, origin), forecast in zip(keys[covered].tolist(), values[covered].numpy(), strict=True):
            target, start = targets[index], origin + first
            times = target.time_index[start : start + len(forecast)]
            found[index].append(TimeSeries.from_times_and_values(times, forecast, columns=target.components))
        return found

    def fingerprint(self, request: OutputRequest) -> str | None:
        """A name for the outputs that are wanted: another for other weights, data, windows or wishes.

        None for a model whose weights cannot be hashed (an ensemble of networks): its outputs are not kept.
        """
        if not self.base.can_be_fingerprinted:
            return None
        keys, digest = request.keys, hashlib.blake2b(digest_size=20)
        wishes = (
            VERSION,
            keys.shape,
            request.steps,
            str(request.dtype),
            tuple(request.fields),
            self.models,
            self.folds and self.folds.fingerprint(),
            self.columns,
        )
        digest.update(repr(wishes).encode())
        digest.update(keys.numpy().tobytes())
        if self.folds is not None:
            digest.update(self.folds.of_windows(self.series, keys).numpy().tobytes())
        self.base.add_to(digest)
        return digest.hexdigest()

    def _by_fold(self, keys: Tensor, fields: Sequence[str]) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
        answering = torch.zeros(len(keys), dtype=torch.long)
        if self.folds is not None:
            answering = self.folds.of_windows(self.series, keys)
        for model in answering.unique().tolist():
            rows = torch.nonzero(answering == model)[:, 0]
            if model >= 0:
                for part, found in self.base.outputs(model, keys[rows], fields):
                    yield rows[part], found
                continue
            each = (self.base.outputs(number, keys[rows], fields) for number in range(self.models))
            for parts in zip(*each, strict=True):
                given = [found for _, found in parts]
                yield rows[parts[0][0]], {name: torch.stack([g[name] for g in given]).mean(0) for name in given[0]}
