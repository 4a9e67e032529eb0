"""What cannot work in any cell is an error before the first: every teacher and arm of an experiment is checked once, on
the data of its newest fold, as its fit would be before it trains anything."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from tskd._core.quiet_logs import quiet
from tskd._core.rng import isolated_randomness
from tskd._core.window_keys import WindowSampling
from tskd.datasets.panel import Data
from tskd.distillation.data_parts import Given, data_parts
from tskd.distillation.fit_options import FitOptions
from tskd.distillation.preflight import prepare
from tskd.distillation.untrained_outputs import check_outputs_trained
from tskd.experiment.config.arm import Arm
from tskd.experiment.config.errors import ConfigError
from tskd.experiment.config.teacher import TeacherConfig
from tskd.experiment.controls.teacher_variants import TeacherVariant
from tskd.experiment.data.loading import LoadedData, load
from tskd.experiment.run.block import BlockRun
from tskd.experiment.run.case_plan import CasePlan
from tskd.experiment.run.plan import Block

SLOTS = ("series", "past_covariates", "future_covariates", "privileged")


def rehearse(plan: CasePlan) -> None:
    """Check the teachers and arms of a case. Those that its controls add are left to their cells: a control that does
    not work stops nobody.

    Raises:
        ConfigError: one could be fitted in no cell; the message names it.
    """
    experiment, configured = plan.experiment, plan.configured
    known = isinstance(experiment.data, Data)
    loaded = LoadedData(experiment.data, plan.fingerprint) if known else load(experiment)
    smallest = min(experiment.sizes, key=lambda size: (size is None, size))
    with quiet():
        run = BlockRun(Block(plan.case, experiment, experiment.folds, smallest, experiment.seeds[0]), loaded)
        for name, config in configured.teachers.items():
            try:
                if isinstance(config, TeacherConfig):
                    _check_teacher(run, name, config)
            except (TypeError, ValueError) as error:
                raise ConfigError(_named(f"teacher {name!r}", error)) from error
        for arm in configured.arms:
            if not arm.teachers or any(configured.teachers[name].archive for name in arm.teachers):
                continue
            try:
                _check_arm(run, arm)
            except (TypeError, ValueError) as error:
                raise ConfigError(_named(f"arm {arm.name!r}", error)) from error


def _check_teacher(run: BlockRun, name: str, config: TeacherConfig) -> None:
    teacher = run.teachers.unfitted(TeacherVariant(name), config)
    data: dict[str, Any] = {**run.supply.training(config.model, teacher.names, lookback=teacher.lookback)}
    if config.archive:
        data |= run.supply.archive(teacher.names)
    past, future, privileged = (data.get(slot) for slot in SLOTS[1:])
    teacher.check_fit_on(teacher.inputs_on(teacher.data_of(data["series"], past, future, privileged), WindowSampling()))


def _check_arm(run: BlockRun, arm: Arm) -> None:
    candidates = [number for number in range(len(arm.balance)) if not arm.is_alone(number)]
    if not candidates:
        return
    teachers = [run.teachers.before_training(TeacherVariant(name, arm.placebo)) for name in arm.teachers]
    model, data = run.recipe(arm, candidates[0], teachers)
    train, validation = (tuple(data.get(f"{prefix}{slot}") for slot in SLOTS) for prefix in ("", "val_"))
    recipe = model._recipe()
    prepared = prepare(recipe, *data_parts(recipe, cast("Given", train), cast("Given", validation)), FitOptions(), {})
    for candidate in candidates:
        balance = run.recipe(arm, candidate, teachers)[0].balance
        with isolated_randomness():
            check_outputs_trained(replace(prepared, recipe=replace(recipe, balance=balance)))


def _named(who: str, error: Exception) -> str:
    return str(error) if str(error).startswith(who) else f"{who}: {error}"
