"""The fitted teachers of a block: each is fitted once, kept in a folder, and read back where it is needed again."""

from __future__ import annotations

import time
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from tskd._core.quiet_logs import quiet
from tskd.experiment.config.any_teacher import AnyTeacherConfig
from tskd.experiment.config.objects import seeded_model
from tskd.experiment.config.outside_teacher import GivenForecastsConfig, OutsideTeacherConfig, ReconstructionConfig
from tskd.experiment.config.roles import TEACHER
from tskd.experiment.config.teacher import TeacherConfig, inputs_of
from tskd.experiment.controls.teacher_variants import TeacherVariant
from tskd.experiment.data.fit_data import FitData
from tskd.experiment.data.outside import given_forecasts
from tskd.experiment.run.folder import LOCKS, lock_of
from tskd.experiment.run.plan import Block, teacher_key
from tskd.experiment.run.teacher_store import FittedTeacher, load_teacher, save_teacher
from tskd.privileged import Source
from tskd.teachers.base import BaseTeacher
from tskd.teachers.teacher import Teacher


class BlockTeachers:
    """Fits, saves and loads the teachers of a block.

    Args:
        block: of which the teachers are.
        fingerprint: of the whole data set.
        placebo_sources: those of each placebo, which read shuffled series.
        supply: the data of the block.
        folder: of fitted teachers, which are looked up there by their key.
    """

    def __init__(
        self,
        block: Block,
        fingerprint: str,
        placebo_sources: Mapping[TeacherVariant, Sequence[Source]],
        supply: FitData,
        folder: Path,
    ) -> None:
        self.block, self.experiment, self.fingerprint = block, block.experiment, fingerprint
        self.placebo_sources, self.supply, self.folder = placebo_sources, supply, folder
        self._fitted: dict[TeacherVariant, FittedTeacher] = {}

    def fitted(self, variant: TeacherVariant) -> FittedTeacher:
        """A teacher, fitted at the first call. The placebo of a teacher without privilege is the teacher itself."""
        if variant.shuffled and not self.experiment.has_privilege(variant.name):
            variant = TeacherVariant(variant.name)
        if variant not in self._fitted:
            config = self.experiment.teachers[variant.name]
            if isinstance(config, TeacherConfig):
                # a process that needs the same teacher waits, and then reads what this one has kept
                with lock_of(self.folder.parent / LOCKS / self._key(variant)):
                    self._fitted[variant] = self._saved(variant, config) or self._fit(variant, config)
            else:
                self._fitted[variant] = self._outside(variant, config)
        return self._fitted[variant]

    def before_training(self, variant: TeacherVariant) -> BaseTeacher:
        """A teacher as it is before the training: unfitted, but for one of an archive or from outside."""
        config = self.experiment.teachers[variant.name]
        if not isinstance(config, TeacherConfig) or config.archive:
            return self.fitted(variant).teacher
        if variant.shuffled and not self.experiment.has_privilege(variant.name):
            variant = TeacherVariant(variant.name)
        return self.unfitted(variant, config)

    def _outside(self, variant: TeacherVariant, config: OutsideTeacherConfig) -> FittedTeacher:
        """A teacher that is no darts model: it is made in no time, and not kept."""
        began, prepared = time.perf_counter(), self.supply.prepared[0]
        names = [source.name for source in self._sources(variant, config) if source.name is not None]
        with quiet() as warned:
            teacher: BaseTeacher
            if isinstance(config, ReconstructionConfig):
                teacher = config.made(variant.name, names).fit(**self.supply.labels(names))
            elif isinstance(config, GivenForecastsConfig):
                target = [str(component) for component in prepared.train.series.components]
                frame = given_forecasts(config.forecasts, target, prepared.scale)
                teacher = Teacher.from_forecasts(frame, name=variant.name)
            else:
                # of all parts; what lies after the end of the series that it is asked about, it never reads
                teacher = Teacher.from_series(prepared.test.privileged[names[0]], name=variant.name)
        return FittedTeacher(teacher, time.perf_counter() - began, tuple(warned))

    def _saved(self, variant: TeacherVariant, config: TeacherConfig) -> FittedTeacher | None:
        with quiet():
            return load_teacher(self.folder, self._key(variant), self.unfitted(variant, config))

    def _fit(self, variant: TeacherVariant, config: TeacherConfig) -> FittedTeacher:
        by = None
        if config.taught_by is not None:
            taught_by = self.fitted(TeacherVariant(config.taught_by, variant.shuffled)).teacher
            # as the configuration has been checked
            assert isinstance(taught_by, Teacher)
            by = taught_by
        began = time.perf_counter()
        with quiet() as warned:
            unfitted = self.unfitted(variant, config)
            data = self.supply.training(config.model, unfitted.names, lookback=unfitted.lookback)
            if by is not None and by.names:
                data["privileged"] = data.get("privileged", {}) | self.supply.labels(by.names)["privileged"]
            if config.archive:
                data |= self.supply.archive(unfitted.names)
            teacher = unfitted.fit(**data, taught_by=by)
        fitted = FittedTeacher(teacher, time.perf_counter() - began, tuple(warned))
        with quiet():
            save_teacher(self.folder, self._key(variant), fitted)
        # as every other process will have it
        return self._saved(variant, config) or fitted

    def unfitted(self, variant: TeacherVariant, config: TeacherConfig) -> Teacher:
        """A teacher as it is before its fit."""
        name = variant.name
        # with the student's own seed, a teacher like the student would be its twin and teach it nothing
        model = seeded_model(config.model, zlib.crc32(f"{name} {self.block.seed}".encode()), TEACHER)
        inputs = inputs_of(model, self.supply.slots) if self.experiment.soft_sensor else None
        return config.teacher(name, model, self._sources(variant, config), inputs)

    def _sources(self, variant: TeacherVariant, config: AnyTeacherConfig) -> Sequence[Source]:
        return self.placebo_sources[variant] if variant.shuffled else config.sources()

    def _key(self, variant: TeacherVariant) -> str:
        return teacher_key(self.block, self.fingerprint, variant)
