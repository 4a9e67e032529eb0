"""Teachers as an experiment fits them: as they are, and for placebo arms on shuffled privileged rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tskd.datasets import DataSet
from tskd.experiment.config.experiment import ExperimentConfig
from tskd.experiment.config.names import PLACEBO_SUFFIX
from tskd.experiment.controls.shuffling import archive_placebo, placebo
from tskd.privileged import Source


@dataclass(frozen=True)
class TeacherVariant:
    """A teacher of an experiment by its name, or its placebo, whose privileged rows are shuffled."""

    name: str
    shuffled: bool = False

    @property
    def label(self) -> str:
        """What tables call it."""
        return self.name + PLACEBO_SUFFIX if self.shuffled else self.name


def teacher_variants(experiment: ExperimentConfig) -> list[TeacherVariant]:
    """The teachers to fit: all as they are, and of the privileged ones of placebo arms the placebos."""
    shuffled = (
        link for arm in experiment.arms if arm.placebo for name in arm.teachers for link in experiment.chain(name)
    )
    return [TeacherVariant(name) for name in experiment.teachers] + [
        TeacherVariant(name, shuffled=True) for name in dict.fromkeys(shuffled) if experiment.has_privilege(name)
    ]


def with_placebo_series(
    experiment: ExperimentConfig, data: DataSet, seed: int
) -> tuple[DataSet, Mapping[TeacherVariant, list[Source]]]:
    """The data with shuffled copies of what placebos read, and fresh sources of every teacher variant.

    Args:
        experiment: with its controls among its arms.
        data: of one fold and size.
        seed: of the shuffling.
    """
    sources: dict[TeacherVariant, list[Source]] = {}
    privileged = dict(data.privileged)
    archive = [dict(item.privileged) for item in data.archive]
    for variant in teacher_variants(experiment):
        config = experiment.teachers[variant.name]
        own = config.sources()
        if variant.shuffled:
            for number, item in enumerate(data.archive if config.archive else ()):
                for source in own:
                    archive[number] |= archive_placebo(source, item, data, seed)
            replaced = [placebo(source, data, seed) for source in own]
            own = [source for source, _ in replaced]
            for _, series in replaced:
                privileged |= series
        sources[variant] = own
    items = tuple(replace(item, privileged=series) for item, series in zip(data.archive, archive, strict=True))
    return replace(data, privileged=privileged, archive=items), sources
