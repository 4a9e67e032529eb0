"""The fits of one block: the student alone, every teacher once, and every candidate of every arm."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from tskd._core.quiet_logs import quiet
from tskd.datasets import DataSet
from tskd.distillation.expected.expected_gain import ExpectedGain, expected_gain
from tskd.distillation.model import DistilledModel
from tskd.experiment.config.arm import Arm, with_settings
from tskd.experiment.config.errors import RunError
from tskd.experiment.config.objects import build_object, seeded_model
from tskd.experiment.config.roles import BALANCE, LOSS, WEIGHTING
from tskd.experiment.controls.teacher_variants import TeacherVariant
from tskd.experiment.data.fit_data import FitData, prepared_for_fits
from tskd.experiment.data.folds import FoldSize
from tskd.experiment.data.loading import LoadedData
from tskd.experiment.data.smoothing import moving_average
from tskd.experiment.run.block_teachers import BlockTeachers
from tskd.experiment.run.cell import Cell
from tskd.experiment.run.forecast import Forecasts, of_student, of_teacher
from tskd.experiment.run.plan import Block, PlannedCell
from tskd.experiment.run.scoring import Score, mean, pooled, score
from tskd.teachers.base import BaseTeacher
from tskd.teachers.teacher import Teacher


class BlockRun:
    """Everything that one block trains: the same seed gives every arm's student the same initial weights and batches.

    Args:
        block: what to train.
        loaded: the data set of the block's experiment, whole.
        models: folder of fitted teachers, which are looked up there by their key before they are fitted, and saved
            there; None for one that is gone with this object.

    Raises:
        ValueError: the data leave some part without a window.
    """

    def __init__(self, block: Block, loaded: LoadedData, models: Path | None = None) -> None:
        self.block = block
        self.experiment = experiment = block.experiment
        # all candidates of an arm learn from the same teacher outputs, and some teachers are slow to forecast
        self._outputs = tempfile.TemporaryDirectory(prefix="tskd-")
        members = [loaded.data] if isinstance(loaded.data, DataSet) else [*loaded.data.members.values()]
        place, slots = FoldSize(block.fold, block.size), block.readable
        each = [prepared_for_fits(experiment, one, place, block.seed, slots, block.longest) for one in members]
        self.prepared = tuple(prepared for prepared, _ in each)
        # they are named by what they shuffle, which is the same in all series
        self._placebo_sources = each[0][1]
        self.first_step, _ = experiment.steps
        self.supply = FitData(self.prepared, slots, experiment.chunk_lengths(experiment.student)[0])
        self._models = models or Path(self._outputs.name) / "models"
        self._fingerprint = loaded.fingerprint

    @cached_property
    def teachers(self) -> BlockTeachers:
        """The fitted teachers of the block."""
        return BlockTeachers(self.block, self._fingerprint, self._placebo_sources, self.supply, self._models)

    def cell(self, planned: PlannedCell) -> Cell:
        """Fit and score one cell. The numbers do not depend on which cells were computed before.

        Raises:
            RunError: the student's forecasts are not all finite.
        """
        if isinstance(planned.subject, TeacherVariant):
            return self._teacher_cell(planned, planned.subject)
        return self._student_cell(planned, planned.subject)

    def plain(self, arm: Arm, candidate: int = 0) -> Any:
        """The student of an arm that learns from labels alone, by darts' own training, with one candidate for its
        settings. Balance 0 is the student alone."""
        spec = self.experiment.student
        if arm.students:
            spec = with_settings(spec, arm.students[candidate])
        student: Any = seeded_model(spec, self.block.seed)
        # of a missing value, darts itself would learn that all is NaN
        if self.experiment.soft_sensor or self.supply.missing:
            student = DistilledModel(student, soft_sensor=self.experiment.soft_sensor)
        for number, rows in enumerate(
            [self.supply.oracle(spec)] if arm.oracle else self.supply.rows(spec, arm.archive)
        ):
            if number:
                # callbacks keep state: early stopping would measure this fit by the best of the one before
                darts_model = getattr(student, "student", student)
                fresh = seeded_model(spec, self.block.seed)
                darts_model.trainer_params["callbacks"] = fresh.trainer_params["callbacks"]
            student = student.fit(**rows)
        return student

    def distilled(self, arm: Arm, candidate: int) -> DistilledModel:
        """The student of an arm, with one candidate for the balance."""
        model, data = self.recipe(arm, candidate, [self.teacher(name, arm.placebo) for name in arm.teachers])
        return model.fit(**data, cache=self._outputs.name, verbose=False)

    def expected_gain(self, arm: Arm, candidate: int = 0) -> ExpectedGain:
        """What the distillation of an arm is expected to give, before anything but teachers of archives is trained."""
        variants = [TeacherVariant(name, arm.placebo) for name in arm.teachers]
        with quiet():
            model, data = self.recipe(arm, candidate, [self.teachers.before_training(one) for one in variants])
            arguments = {name: value for name, value in data.items() if not name.startswith("val_")}
            found: ExpectedGain = expected_gain(model, **arguments)
        return found

    def recipe(self, arm: Arm, candidate: int, teachers: Sequence[BaseTeacher]) -> tuple[DistilledModel, Any]:
        """The untrained model of an arm, and the arguments of its fit."""
        balance, seed = arm.balance[candidate], self.block.seed
        model = DistilledModel(
            student=seeded_model(self.experiment.student, seed),
            teachers=teachers,
            losses=[build_object(loss, LOSS, seed) for loss in arm.losses],
            weighting=build_object(arm.weighting, WEIGHTING, seed),
            balance=balance if isinstance(balance, float) else build_object(balance, BALANCE, seed),
            soft_sensor=self.experiment.soft_sensor,
        )
        names = dict.fromkeys(name for teacher in model.teachers for name in teacher.names)
        needs = model.weighting.needs
        return model, self.supply.training(self.experiment.student, names, needs.calibration or needs.validation)

    def smoothed(self, arm: Arm, candidate: int) -> DistilledModel:
        """The student of an arm that learns averages of labels, with one candidate for the width."""
        labels = [moving_average(one.train.series, arm.smoothing[candidate]) for one in self.prepared]
        model = DistilledModel(
            student=seeded_model(self.experiment.student, self.block.seed),
            teachers=Teacher.from_series(labels, name="average"),
            losses=[build_object(loss, LOSS, self.block.seed) for loss in arm.losses],
            balance=1.0,
            soft_sensor=self.experiment.soft_sensor,
        )
        return model.fit(**self.supply.training(self.experiment.student), verbose=False)

    def teacher(self, name: str, shuffled: bool = False) -> Any:
        """The fitted teacher, of any kind, or its placebo."""
        return self.teachers.fitted(TeacherVariant(name, shuffled)).teacher

    def _teacher_cell(self, planned: PlannedCell, variant: TeacherVariant) -> Cell:
        fitted = self.teachers.fitted(variant)
        with quiet() as warned:
            scores = self._scores(
                lambda part, *levels: of_teacher(fitted.teacher, part, self.supply.covariates(part), levels)
            )
        return self._cell(planned, scores, fitted.seconds, [*fitted.warnings, *warned])

    def _student_cell(self, planned: PlannedCell, arm: Arm) -> Cell:
        if arm.penalties:
            return self._ridge_cell(planned, arm)
        if planned.distils:
            # their time is not the student's
            for name in arm.teachers:
                self.teacher(name, arm.placebo)
        blind, began = self.experiment.soft_sensor, time.perf_counter()
        with quiet() as warned:
            fit = self.distilled if planned.distils else self.smoothed if arm.smoothing else self.plain
            model = fit(arm, planned.candidate)
            seconds = time.perf_counter() - began
            scores = self._scores(
                lambda part, *levels: of_student(model, part, self.supply.covariates(part), blind, levels)
            )
        weights = tuple(model.history) if planned.distils else ()
        if not all(part.whole for part in scores):
            raise RunError("the student's forecasts are not all finite; lower its learning rate.")
        return replace(self._cell(planned, scores, seconds, warned, weights), expected=_expected(model))

    def _ridge_cell(self, planned: PlannedCell, arm: Arm) -> Cell:
        from tskd.experiment.run.ridge import Ridge

        experiment, began = self.experiment, time.perf_counter()
        lookback, _ = experiment.chunk_lengths(experiment.student)
        ridge = Ridge(lookback, experiment.steps, experiment.soft_sensor, arm.penalties[planned.candidate])
        with quiet() as warned:
            ridge.fit([(one.train, self.supply.covariates(one.train)) for one in self.prepared])
            seconds = time.perf_counter() - began
            scores = self._scores(lambda part, *_: ridge.forecasts(part, self.supply.covariates(part)))
        return self._cell(planned, scores, seconds, warned)

    def _scores(self, forecasts: Callable[..., Forecasts]) -> tuple[Score, Score]:
        """Of the validation part, whose point forecasts alone are looked at, and of the test part; of all series.

        Args:
            forecasts: of a part, with quantiles of the levels that follow.
        """
        distribution, first = self.block.distribution, self.first_step
        levels = () if distribution is None else distribution.levels
        return (
            pooled([score(forecasts(one.validation), one.validation, first) for one in self.prepared]),
            pooled([score(forecasts(one.test, *levels), one.test, first, distribution) for one in self.prepared]),
        )

    def _cell(
        self,
        planned: PlannedCell,
        scores: tuple[Score, Score],
        seconds: float,
        warnings: Sequence[str],
        weights: tuple[dict[str, Any], ...] = (),
    ) -> Cell:
        held_out, test = scores
        return Cell(
            key=planned.key,
            kind=planned.kind,
            name=planned.name,
            fold=self.block.fold,
            size=self.block.size,
            seed=self.block.seed,
            candidate=planned.candidate,
            seconds=seconds,
            validation_mse=float(mean(held_out.mse, axis=0)),
            mse=test.mse,
            mae=test.mae,
            step_mse=test.step_mse,
            step_mae=test.step_mae,
            forecasts=test.forecasts,
            warnings=tuple(dict.fromkeys(warnings)),
            weights=weights,
            distribution=test.distribution,
            inference_seconds=test.seconds,
            step_distribution=test.step_distribution,
        )


def _expected(model: Any) -> tuple[float, float, float] | None:
    """What an automatic balance expected of the student; None for any other."""
    chosen = getattr(model, "chosen_balance", None)
    if chosen is None or chosen.expected is None:
        return None
    return chosen.expected.change, chosen.expected.low, chosen.expected.high
