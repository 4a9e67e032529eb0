"""One fit: fits the unfitted teachers, computes the outputs of all, and trains the student on them."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tskd._core.darts.bulk_steps import BulkStep
from tskd._core.darts.capabilities import is_torch_model
from tskd._core.darts.dataset import dataset_windows, datasets_of
from tskd._core.darts.fit import fit_through, train_on
from tskd._core.darts.progress import named_bar
from tskd._core.darts.roll_forward import roll_starts
from tskd._core.darts.storage import forget_target
from tskd._core.parked import park
from tskd._core.rng import isolated_randomness
from tskd._core.windows import Windows
from tskd.balance import AutoBalance
from tskd.distillation.batches import DistillationData
from tskd.distillation.blend import Blender
from tskd.distillation.expected.chosen_balance import BalanceChoice, choose_balance
from tskd.distillation.filled_past import with_filled_past
from tskd.distillation.history import History, Hours, Tally
from tskd.distillation.linear_probe import MOST
from tskd.distillation.module import Distillation
from tskd.distillation.objective import Objective
from tskd.distillation.preflight import PreparedFit, TeacherInFit
from tskd.distillation.rehearsal import check_all_fits
from tskd.distillation.student_queries import Calibration
from tskd.distillation.untrained_outputs import check_outputs_trained
from tskd.distillation.window_counts import WindowCounts
from tskd.teachers.base import BaseTeacher
from tskd.teachers.output_cache import OutputCache
from tskd.teachers.outputs import OutputSource, StudentWindows, TeacherOutputs, collect_outputs
from tskd.teachers.predictor import TeacherPredictor

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FitResult:
    """The result of a fit.

    Attributes:
        teachers: all fitted.
        windows: number of training windows by what the student learned from in them.
        balance: what an `AutoBalance` chose; None for other balances.
    """

    teachers: tuple[BaseTeacher, ...]
    windows: WindowCounts
    balance: BalanceChoice | None = None


def fit(prepared: PreparedFit, history: History) -> FitResult:
    """Fit the teachers and train the student of a prepared fit.

    Args:
        prepared: the checked data and models.
        history: records the weights of the teachers in each epoch.
    """
    recipe, options = prepared.recipe, prepared.options
    with isolated_randomness():
        check_outputs_trained(prepared)
        check_all_fits(prepared)
        fitted = []
        for one in prepared.teachers:
            fitted.append(one.fit(options, prepared.student.series))
            # the next fit would take its memory beside these weights
            _park(one, fitted[-1][0])
        prepared = with_filled_past(prepared, [teacher for teacher, _ in fitted])
        chosen = None
        if isinstance(recipe.balance, AutoBalance):
            chosen = choose_balance(prepared, fitted, recipe.balance)
            prepared = chosen.applied_to(prepared)
    training = _StudentTraining(
        prepared, [teacher for teacher, _ in fitted], [predictor for _, predictor in fitted], history
    )
    fit_through(recipe.student, training.run, **prepared.fit_arguments())
    history.end()
    if recipe.soft_sensor:
        forget_target(recipe.student)
    assert training.windows is not None
    return FitResult(tuple(training.teachers), training.windows, chosen)


def _park(one: TeacherInFit, teacher: BaseTeacher) -> None:
    """Take the weights of a teacher out of memory until they are used, if this fit has fitted it."""
    if not one.teacher.fitted:
        for model in teacher.models:
            if is_torch_model(model):
                park(model.model)


def _chosen(keys: Tensor, wanted: Tensor) -> Tensor:
    return keys if bool(wanted.all()) else keys[wanted]


class _StudentTraining:
    """The training of the student within darts' own `fit`.

    Args:
        teachers: fitted teachers.
        predictors: of the teachers, for the training part.
        history: records the weights of the teachers in each epoch.
    """

    def __init__(
        self,
        prepared: PreparedFit,
        teachers: Sequence[BaseTeacher],
        predictors: Sequence[TeacherPredictor],
        history: History,
    ) -> None:
        self.prepared, self.teachers, self.predictors, self.history = prepared, teachers, predictors, history
        self.windows: WindowCounts | None = None
        self._cache = OutputCache(prepared.options.cache)
        self._held_out = self._held_out_predictors()

    def run(self, trainer: Any, network: Any, data: Any, checkpoint: str | None) -> None:
        """Train the network, in place of darts' call of `trainer.fit`."""
        prepared = self.prepared
        training_set, validation_set = datasets_of(data)
        with isolated_randomness():
            objective = prepared.objective()
            sets = [self._training_data(training_set, objective, trainer.max_epochs)]
            if validation_set is not None:
                sets.append(self._validation_data(validation_set))
            tally = Tally(Hours.of(prepared.student.series), objective.aspects)
            calibration = self._calibration(sets)
            module = Distillation(network, objective, prepared.recipe.balance, calibration, self.history, tally)
            module.calibrate()
            # processes that train together may differ in their numbers of windows
            if trainer.world_size == 1 and objective.reads_errors_only:
                module.step.blender = Blender.of(sets[0], objective.weighting)
            self.history.begin()
        # the weights were read for what the teachers know
        for one, teacher in zip(prepared.teachers, self.teachers, strict=True):
            _park(one, teacher)
        with named_bar(trainer, "student"):
            train_on(trainer, module, data, sets, checkpoint, BulkStep(module.step.loss, module.step_own_optimizer))

    def _training_data(self, dataset: Any, objective: Objective, epochs: int | None) -> DistillationData:
        """The training windows with teacher outputs; fits the statistics and linear probes of the objective on them."""
        prepared = self.prepared
        listed = prepared.student.keys
        assert listed is not None
        windows = dataset_windows(dataset, prepared.student)
        keys = _chosen(listed, windows.covers(listed))
        outputs = self._outputs(self.predictors, windows, keys, objective)
        labelled, taught = windows.has_labels(keys), torch.zeros(len(keys), dtype=torch.bool)
        if objective.compares and prepared.recipe.balance.ever_teaches(epochs):
            taught = outputs.valid_for(keys).any(0)
            self._warn_of_silent(outputs, keys[~labelled])
        self.windows = WindowCounts.of(labelled, taught, len(listed) - len(keys))
        if not self.windows.used:
            raise ValueError(f"no window is left to train on ({self.windows})")
        if self.windows.used < len(listed) or self.windows.teachers:
            logger.info("%s", self.windows)
        keys = _chosen(keys, labelled | taught)
        starts = roll_starts(len(prepared.recipe.horizon), objective.ahead)
        data = DistillationData(keys, windows, outputs, starts, prepared.recipe.weighting.needs.spread)
        for teacher in objective.needing_statistics():
            objective.fit_statistics(teacher, data.forecasts_and_labels(teacher))
        for teacher, field in objective.needing_probes():
            objective.fit_probe(teacher, field, data.features(teacher, field, MOST))
        return data

    def _warn_of_silent(self, outputs: TeacherOutputs, unlabelled: Tensor) -> None:
        """Warn of a teacher that forecasts none of the windows without a label, which would learn from it alone."""
        for teacher, valid in zip(self.teachers, outputs.valid_for(unlabelled), strict=True):
            if len(unlabelled) and not bool(valid.any()):
                warnings.warn(
                    f"teacher {teacher.name!r} is silent in all {len(unlabelled)} windows without a label: its "
                    "answers, or values that it reads, are missing there (a Teacher with sees_inputs=False does not "
                    "read the target's past)",
                    stacklevel=2,
                )

    def _validation_data(self, dataset: Any) -> DistillationData:
        """The validation windows that have a label; with teacher outputs if the weighting is calibrated on them."""
        validation = self.prepared.validation
        assert validation is not None and validation.keys is not None
        windows = dataset_windows(dataset, validation)
        keys = _chosen(validation.keys, windows.covers(validation.keys) & windows.has_labels(validation.keys))
        if not len(keys):
            raise ValueError("no validation window has all inputs of the student, and a label")
        return DistillationData(keys, windows, self._outputs(self._held_out, windows, keys))

    def _held_out_predictors(self) -> Sequence[TeacherPredictor]:
        """Predictors of the teachers for the validation part, if the weighting is calibrated on it."""
        prepared = self.prepared
        if not prepared.recipe.weighting.needs.calibration or prepared.validation is None:
            return ()
        predictors = []
        with isolated_randomness():
            for one, teacher in zip(prepared.teachers, self.teachers, strict=True):
                if one.validation is None:
                    logger.info("val_privileged is not given: the weighting is calibrated on the training part")
                    return ()
                predictors.append(teacher.predictor_on(one.validation, prepared.validation.series))
        return predictors

    def _calibration(self, sets: Sequence[DistillationData]) -> Calibration | None:
        """The windows for the calibration and the meta steps of the weighting, if it needs them."""
        needs = self.prepared.recipe.weighting.needs
        if not self.teachers or not (needs.calibration or needs.meta_step_every):
            return None
        # windows of a meta step need no teacher outputs
        held_out = bool(self._held_out) or needs.validation
        return Calibration(sets[1] if held_out else sets[0], held_out)

    def _outputs(
        self, predictors: Sequence[TeacherPredictor], windows: Windows, keys: Tensor, objective: Objective | None = None
    ) -> TeacherOutputs:
        """Teacher outputs for the windows `keys [N, 2]`, with the fields that the objective reads, if one is passed."""
        horizon, options = self.prepared.recipe.horizon, self.prepared.options
        like = windows.gather(keys[:1])["future_target"][:, -len(horizon) :]
        sources = [
            OutputSource(one.name, one.horizon, predictor, [] if objective is None else objective.fields(number))
            for number, (one, predictor) in enumerate(zip(self.teachers, predictors, strict=False))
        ]
        student_windows = StudentWindows(keys, horizon, like, 0 if objective is None else objective.ahead)
        progress = objective is not None and options.verbose is not False
        outputs = collect_outputs(sources, student_windows, self._cache, progress)
        trust = self.prepared.trust
        return outputs if trust is None or not sources else outputs.trusted(trust)
