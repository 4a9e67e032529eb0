"""Which windows of a part have all inputs of the student: no other is scored, in any arm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from tskd._core.darts.capabilities import window_span
from tskd._core.darts.roll_forward import roll_starts
from tskd._core.model_inputs import ModelInputs
from tskd._core.quiet_logs import quiet
from tskd._core.series import has_gaps
from tskd._core.windows import Windows
from tskd.experiment.config.arm import with_settings
from tskd.experiment.config.experiment import ExperimentConfig
from tskd.experiment.config.roles import MODEL
from tskd.experiment.data.preparation import DataPart, Prepared, examples_of


def with_complete_windows(experiment: ExperimentConfig, prepared: Prepared, readable: Sequence[str]) -> Prepared:
    """The data with `complete` set in parts in which inputs are missing: of every student that the arms have.

    Args:
        experiment: with its controls among its arms.
        prepared: of one fold and size.
        readable: slots of covariates that the student reads.
    """
    changed: dict[str, Any] = {}
    for name in ("train", "validation", "test"):
        part: DataPart = getattr(prepared, name)
        covariates = {f"{slot}_covariates": getattr(part, f"{slot}_covariates") for slot in readable}
        given = {slot: series for slot, series in covariates.items() if series is not None}
        read = [*given.values(), *([] if experiment.soft_sensor else [part.series])]
        if any(map(has_gaps, read)):
            slots: dict[str, Any] = {slot: [series] for slot, series in given.items()}
            inputs = ModelInputs([part.series], **slots)
            complete = _complete(experiment, inputs, torch.from_numpy(part.keys)).numpy()
            changed[name] = replace(part, complete=complete, examples=examples_of(complete))
    return replace(prepared, **changed) if changed else prepared


def _complete(experiment: ExperimentConfig, inputs: ModelInputs, keys: Tensor) -> Tensor:
    specs = [experiment.student]
    specs += [with_settings(experiment.student, settings) for arm in experiment.arms for settings in arm.students]
    covered, last = torch.ones(len(keys), dtype=torch.bool), experiment.steps[1]
    for spec in specs:
        with quiet():
            student = spec.build(MODEL)
        windows = Windows.of(inputs, window_span(student))
        if experiment.soft_sensor:
            windows = windows.without("past_target")
        covered &= windows.covers(keys)
        # rolled forward, it reads covariates further on
        beyond = last - student.output_chunk_shift - student.output_chunk_length
        for start in roll_starts(student.output_chunk_length, beyond) if beyond > 0 else ():
            covered &= windows.without("past_target").covers(keys + torch.tensor([0, start]))
    return covered
