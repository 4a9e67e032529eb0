"""Forecasts of every window of a part, many windows at a time; of a distribution also quantiles of given levels.

darts' `historical_forecasts` makes a series of every window, and where the student is rolled forward it forecasts them
one by one. Here windows are gathered as in training and handed to the network in batches; forecasts are the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from darts import TimeSeries
from torch import Tensor

from tskd._core.darts.capabilities import max_batch_size
from tskd._core.darts.quantiles import forecast_quantiles, has_quantiles
from tskd._core.darts.roll_forward import roll_starts, rolled_forecast
from tskd._core.model_inputs import ModelInputs
from tskd.experiment.data.preparation import DataPart
from tskd.teachers.base import BaseTeacher
from tskd.teachers.network import PARAMETERS, NetworkPredictor, model_windows

Forecasts = Iterator[tuple[np.ndarray, np.ndarray, int]]
"""Positions [M] of windows in their part, forecasts of them, and the first step that is forecast.

Forecasts are [M, H, C]; with quantiles [M, H, C, 1 + Q], the point forecast and then these."""

ROLLED_AT_ONCE = 256


def of_student(
    model: Any,
    part: DataPart,
    covariates: Mapping[str, TimeSeries],
    soft_sensor: bool,
    levels: Sequence[float] = (),
) -> Forecasts:
    """Forecasts of a student for the windows of a part; one whose output chunk is shorter than the last step that is
    scored goes on from its own forecasts, as in darts' `predict`.

    Args:
        model: a fitted darts model, or the `DistilledModel` that holds it.
        part: with the windows.
        covariates: by darts' names.
        soft_sensor: whether the past of the target is hidden.
        levels: of the quantiles that are wanted, of a student that forecasts a distribution and is not rolled forward.
    """
    student = getattr(model, "student", model)
    hidden = torch.zeros(student.input_chunk_length, part.truth.shape[2], dtype=torch.bool)
    given: dict[str, Any] = {slot: [series] for slot, series in covariates.items()}
    inputs = ModelInputs([part.series], **given, visible={"past_target": hidden} if soft_sensor else {})
    seen = model_windows(student, inputs)
    keys = torch.from_numpy(part.keys)
    beyond = part.truth.shape[1] - student.output_chunk_shift - student.output_chunk_length
    if beyond <= 0:
        known = seen.covers(keys).nonzero()[:, 0]
        likelihood = student.model.likelihood
        for rows, found in NetworkPredictor([student], seen).outputs(0, keys[known], [PARAMETERS] if levels else []):
            yield known[rows].numpy(), _values(found, likelihood, levels), student.output_chunk_shift + 1
        return
    starts = roll_starts(student.output_chunk_length, beyond)
    later = seen.without("past_target")
    covered = [seen.covers(keys), *(later.covers(_moved(keys, start)) for start in starts)]
    for some in torch.stack(covered).all(0).nonzero()[:, 0].split(max_batch_size(student, ROLLED_AT_ONCE)):
        chunks = [later.gather(_moved(keys[some], start), labels=False) for start in starts]
        rolled = rolled_forecast(student.model, seen.gather(keys[some], labels=False), chunks, beyond)
        yield some.numpy(), rolled.numpy(), 1


def of_teacher(
    teacher: BaseTeacher, part: DataPart, covariates: Mapping[str, TimeSeries], levels: Sequence[float] = ()
) -> Forecasts:
    """Forecasts of a teacher for the windows of a part, but for those whose inputs are missing or that its own horizon
    runs over. One that answers for any step is asked for those up to the last that is scored. Quantiles of the `levels`
    are given if it forecasts a distribution that has them."""
    teacher = teacher.answering(range(1, part.truth.shape[1] + 1))
    known = {name: part.privileged[name] for name in teacher.names}
    predictor = teacher.predictor(part.series, **covariates, privileged=known)
    keys = torch.from_numpy(part.keys)
    keys = keys[keys[:, 1] + teacher.horizon[-1] < len(part.series)]
    covered = predictor.covers(keys)
    positions = covered.nonzero()[:, 0]
    likelihood = teacher.models[0].model.likelihood if teacher.is_network else teacher.likelihood
    levels = levels if levels and has_quantiles(likelihood, levels) else ()
    for rows, found in predictor.outputs(keys[covered], [PARAMETERS] if levels else []):
        yield positions[rows].numpy(), _values(found, likelihood, levels), teacher.horizon[0]


def _values(found: Mapping[str, Tensor], likelihood: Any, levels: Sequence[float]) -> np.ndarray:
    point = found["forecasts"]
    if not levels:
        return point.numpy()
    return torch.cat([point[..., None], forecast_quantiles(likelihood, found[PARAMETERS], levels)], dim=-1).numpy()


def _moved(keys: Tensor, steps: int) -> Tensor:
    return keys + torch.tensor([0, steps])
