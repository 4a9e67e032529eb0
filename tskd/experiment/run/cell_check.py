"""Whether a stored cell is one that its plan asks for: in its fields, and in the shapes of its arrays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from tskd.experiment.run.case_plan import CasePlan
from tskd.experiment.run.cell import DISTRIBUTION
from tskd.experiment.run.cell_record import StoredCell
from tskd.experiment.run.cell_store import CellStore
from tskd.experiment.run.distribution_scoring import SCORES
from tskd.experiment.run.folder import CELLS


@dataclass(frozen=True)
class CellShape:
    """The lengths of the arrays of a cell: test windows, steps, and windows whose forecasts are kept; and whether the
    student forecasts a distribution, as teachers and controls of its experiment may, or not."""

    windows: int
    steps: int
    examples: int
    distribution: bool = False

    @property
    def arrays(self) -> dict[str, tuple[int, ...]]:
        """The shape of every array that all cells have."""
        windows, steps = (self.windows,), (self.steps,)
        return {
            "mse": windows,
            "mae": windows,
            "step_mse": steps,
            "step_mae": steps,
            "forecasts": (self.examples, self.steps),
        }

    @property
    def possible(self) -> list[dict[str, tuple[int, ...]]]:
        """The shapes of arrays that a cell can have."""
        scores = dict(zip(DISTRIBUTION, ((len(SCORES), self.windows), (len(SCORES), self.steps)), strict=True))
        return [self.arrays, *([self.arrays | scores] if self.distribution else [])]


class _Row(BaseModel):
    model_config = ConfigDict(strict=True)


class _Stamped(_Row):
    versions: dict[str, str]
    commit: str
    finished: float
    seconds: float


class _Epoch(_Row):
    epoch: int
    weights: dict[str, float]
    by_step: dict[str, list[float]]
    by_hour: dict[str, list[float]]
    effective: float
    masked: float


class _Finished(_Stamped):
    kind: Literal["student", "teacher", "bound"]
    name: str
    fold: int
    size: int | None
    seed: int
    candidate: int
    validation_mse: float
    warnings: list[str]
    weights: list[_Epoch]
    expected: Annotated[list[float], Field(min_length=3, max_length=3)] | None = None
    inference_seconds: Annotated[float, Field(ge=0)] | None = None


class _Failure(_Row):
    type: str
    message: str
    traceback: str


class _Failed(_Stamped):
    failed: _Failure


def shapes_of(plans: Iterable[CasePlan]) -> dict[str, CellShape]:
    """The shapes of all cells of some plans, by key."""
    shapes: dict[str, CellShape] = {}
    for plan in plans:
        distribution = plan.experiment.distribution is not None
        for block, cells in plan.blocks:
            summary = plan.summaries[block.fold_size]
            shape = CellShape(summary.test, plan.experiment.steps[1], len(summary.examples), distribution)
            shapes |= {cell.key: shape for cell in cells}
    return shapes


def check_cell(stored: StoredCell, shape: CellShape) -> None:
    """Raise a ValueError for a stored cell that is no finished cell of this shape, and no record of a failure."""
    if stored.failed:
        _Failed.model_validate(stored.row)
        possible: list[dict[str, tuple[int, ...]]] = [{}]
    else:
        _Finished.model_validate(stored.row)
        possible = shape.possible
    found = {name: array.shape for name, array in stored.arrays.items()}
    if found not in possible:
        raise ValueError(f"it has arrays of shapes {found}, not {' or '.join(map(str, possible))}")
    for name, array in stored.arrays.items():
        if array.dtype != np.float32:
            raise ValueError(f"{name} is of type {array.dtype}")


def planned_store(folder: Path, plans: Iterable[CasePlan]) -> CellStore:
    """The stored cells of a run, of which only those count that its plans ask for."""
    shapes = shapes_of(plans)

    def check(stored: StoredCell) -> None:
        if stored.key in shapes:
            check_cell(stored, shapes[stored.key])

    return CellStore(folder / CELLS, check)
