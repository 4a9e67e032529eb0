"""Asking fitted teachers: which of several models judges which window."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from darts import TimeSeries
from torch import Tensor

from tskd.teachers import network as networks
from tskd.teachers import regression as global_models
from tskd.teachers.crossfit import Folds

# of what is computed from teacher and data; raised when that changes
VERSION = 2


@dataclass(frozen=True)
class TeacherPredictor:
    """A fitted teacher in front of some series.

    Attributes:
        series: the targets.
        answers: of its models, one or as many as there are folds.
        models: how many there are.
        folds: of a cross-fitted teacher.
        columns: of its forecasts, those of the student's components; None for all.
    """

    series: Sequence[TimeSeries]
    answers: networks.NetworkPredictor | global_models.RegressionPredictor
    models: int = 1
    folds: Folds | None = None
    columns: tuple[int, ...] | None = None

    def covers(self, keys: Tensor) -> Tensor:
        """`[M]`, for which of the windows `keys [M, 2]` the inputs exist."""
        return self.answers.covers(keys)

    def of(self, keys: Tensor, extra: Sequence[str] = ()) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
        """What the teacher says of covered windows `keys [M, 2]`.

        A window that a fold was kept from is judged by the model of that fold, any later one by the mean of all.

        Args:
            extra: further fields that are wanted: `parameters`, `features.<layer>`.

        Yields:
            Rows of `keys [m]`, and `forecasts`, `spread` and the extra fields of these windows.
        """
        for rows, found in self._of(keys, extra):
            if self.columns is not None:
                chosen = list(self.columns)
                found = {name: values if "." in name else values[:, :, chosen] for name, values in found.items()}
            yield rows, found

    def _of(self, keys: Tensor, extra: Sequence[str]) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
        judge = torch.zeros(len(keys), dtype=torch.long)
        if self.folds is not None:
            judge = self.folds.of_windows(self.series, keys)
        for model in judge.unique().tolist():
            rows = torch.nonzero(judge == model)[:, 0]
            if model >= 0:
                for part, found in self.answers.of(model, keys[rows], extra):
                    yield rows[part], found
                continue
            each = (self.answers.of(number, keys[rows], extra) for number in range(self.models))
            for parts in zip(*each, strict=True):
                given = [found for _, found in parts]
                yield rows[parts[0][0]], {name: torch.stack([g[name] for g in given]).mean(0) for name in given[0]}

    def fingerprint(self, keys: Tensor, steps: slice, dtype: torch.dtype, extra: Sequence[str] = ()) -> str | None:
        """A name for what the teacher says of these windows: another for other weights, data, windows or wishes.

        None for a model whose weights cannot be told (an ensemble of networks): what it says is not kept.
        """
        if not self.answers.can_be_named:
            return None
        digest = hashlib.blake2b(digest_size=20)
        wishes = (
            VERSION,
            keys.shape,
            steps,
            str(dtype),
            tuple(extra),
            self.models,
            self.folds and repr(self.folds),
            self.columns,
        )
        digest.update(repr(wishes).encode())
        digest.update(keys.numpy().tobytes())
        if self.folds is not None:
            digest.update(self.folds.of_windows(self.series, keys).numpy().tobytes())
        self.answers.add_to(digest)
        return digest.hexdigest()

    def forecasts(self, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Point forecasts `[M, H, C]` over the teacher's own horizon, NaN where an input is missing, and where none is
        `[M]`."""
        covered = self.covers(keys)
        at = torch.nonzero(covered)[:, 0]
        values: Tensor | None = None
        for rows, found in self.of(keys[covered]):
            given = found["forecasts"]
            if values is None:
                values = given.new_full((len(keys), *given.shape[1:]), torch.nan)
            values[at[rows]] = given
        return torch.full((len(keys), 1, 1), torch.nan) if values is None else values, covered
