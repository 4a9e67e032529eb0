"""Whether a data set holds what an experiment reads; checked before any training."""

from __future__ import annotations

from tskd._core.series import as_list
from tskd.datasets import ArchiveSeries, DataSet
from tskd.datasets.panel import Data, members_of
from tskd.experiment.config.arm import with_settings
from tskd.experiment.config.chunk_lengths import chunks
from tskd.experiment.config.errors import ConfigError, nearest
from tskd.experiment.config.experiment import ExperimentConfig
from tskd.experiment.config.labels import labels_text
from tskd.experiment.config.outside_teacher import GivenForecastsConfig, GivenSeriesConfig
from tskd.experiment.data.folds import FoldSize, cut, prepared
from tskd.experiment.data.outside import with_given_series
from tskd.experiment.data.preparation import Prepared
from tskd.experiment.data.summary import DataSummary, summarize, together


def check_data(experiment: ExperimentConfig, data: Data) -> dict[FoldSize, DataSummary]:
    """Check that every fold and size of an experiment can be trained and scored, and summarize their data.

    Args:
        experiment: with its controls among its arms.
        data: its data set, whole; of a panel, each series is checked.

    Raises:
        ConfigError: the data lack what a model reads, or some fold or size is left without a window to train on or a
            target that is scored.
    """
    members = members_of(data)
    if len(members) > 1:
        _check_of_any_series(experiment, data.name)
    each = [_check_series(experiment, member, label) for label, member in members.items()]
    return {place: together([one[place] for one in each]) for place in each[0]}


def _check_of_any_series(experiment: ExperimentConfig, name: str) -> None:
    """Raise a ConfigError for teachers that answer for one series."""
    for teacher, config in experiment.teachers.items():
        if isinstance(config, GivenSeriesConfig | GivenForecastsConfig):
            raise ConfigError(
                f"teacher {teacher!r}: {config} is of one series, and panel {name!r} has several; give each series an "
                "experiment of its own, as cases of a Study, or show the values to a model as a privileged series."
            )


def _check_series(experiment: ExperimentConfig, data: DataSet, label: str) -> dict[FoldSize, DataSummary]:
    try:
        whole = with_given_series(experiment, data)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    _check_series_present(experiment, whole)
    if experiment.soft_sensor:
        _check_sees_something(experiment, data)
    _check_past_covariates(experiment, data)
    found: dict[FoldSize, DataSummary] = {}
    for fold in range(1, experiment.folds + 1):
        where = f"data set {data.name!r}: in fold {fold} of {experiment.folds}"
        # the largest size last
        for size in sorted(experiment.sizes, key=lambda size: (size is None, size)):
            try:
                _check_deterministic(experiment, cut(experiment, data, fold, size))
                parts = prepared(experiment, data, fold, size)
            except ValueError as error:
                raise ConfigError(str(error)) from error
            found[FoldSize(fold, size)] = summary = summarize(
                parts, chunks(experiment.student), experiment.steps, label
            )
            _check_labelled(experiment, parts, summary, where)
        _check_scored(parts, where)
    _check_fold_counts(experiment, data, min(summary.training for summary in found.values()))
    return found


def _check_deterministic(experiment: ExperimentConfig, data: DataSet) -> None:
    """Raise a ValueError for samples in what a model reads, and warn of infinite values, which count as missing."""
    slots = ["series", *(f"{slot}_covariates" for slot in experiment.readable)]
    teachers = experiment.teachers.values()
    items: list[tuple[str, DataSet | ArchiveSeries, set[str | None]]] = [
        (f"data set {data.name!r}", data, {source.name for teacher in teachers for source in teacher.sources()})
    ]
    elsewhere = [teacher for teacher in teachers if teacher.archive]
    if elsewhere or any(arm.archive for arm in experiment.arms):
        names = {source.name for teacher in elsewhere for source in teacher.sources()}
        items += [(f"archive series {item.name!r}", item, names) for item in data.archive]
    for where, item, names in items:
        for slot in slots:
            as_list(getattr(item, slot), f"{where}: {slot}")
        for name, series in item.privileged.items():
            if name in names:
                as_list(series, f"{where}: privileged series {name!r}")


def _check_scored(known: Prepared, where: str) -> None:
    """Without a validation error nothing could be chosen, without a test error nothing concluded."""
    for name, part in (("validation", known.validation), ("test", known.test)):
        if not part.counts.any():
            raise ConfigError(
                f"{where}, no target of the {name} part is scored: `filled` lists all of them, or they are missing, or "
                "inputs of the student are; choose another split, or list only what was not measured."
            )


def _check_labelled(experiment: ExperimentConfig, known: Prepared, summary: DataSummary, where: str) -> None:
    """Without a window that has inputs and a label, the student alone cannot be trained."""
    if summary.training_labelled:
        return
    lacking = int((~known.train.complete).sum())
    blind = "" if experiment.soft_sensor else "; with `soft_sensor: true` it does not read the past of the target"
    raise ConfigError(
        f"{where}, no training window has all inputs of the student and a label ({labels_text(experiment.labels)}): "
        f"{lacking} of {summary.training} lack inputs{blind}."
    )


def _check_fold_counts(experiment: ExperimentConfig, data: DataSet, windows: int) -> None:
    for name, teacher in experiment.teachers.items():
        if teacher.cross_fit is not None and teacher.cross_fit.folds > windows:
            raise ConfigError(
                f"teacher {name!r}: cross_fit asks for {teacher.cross_fit.folds} folds, and data set {data.name!r} "
                f"has {windows} training windows in its smallest training part; a handful of folds will do."
            )


def _check_series_present(experiment: ExperimentConfig, data: DataSet) -> None:
    for arm in experiment.arms:
        if arm.archive is not None and not data.archive:
            raise ConfigError(f"arm {arm.name!r}: data set {data.name!r} has no archive to train on.")
    for name, teacher in experiment.teachers.items():
        if teacher.archive and not data.archive:
            raise ConfigError(f"teacher {name!r}: data set {data.name!r} has no archive to fit it on.")
        rows: list[tuple[str, DataSet | ArchiveSeries]] = [(f"data set {data.name!r}", data)]
        rows += [(f"archive series {item.name!r}", item) for item in data.archive if teacher.archive]
        for source in teacher.sources():
            for where, item in rows:
                if source.name is not None and source.name not in item.privileged:
                    raise ConfigError(
                        f"teacher {name!r}: {where} has no privileged series {source.name!r}. "
                        f"{nearest(source.name, item.privileged)}"
                    )
        if isinstance(teacher, GivenSeriesConfig):
            given, target = data.privileged[teacher.series].components, data.series.components
            if not set(target) <= set(given):
                raise ConfigError(
                    f"teacher {name!r}: privileged series {teacher.series!r} has the components {', '.join(given)}; it "
                    f"must have those of the target, {', '.join(target)}."
                )


def _check_sees_something(experiment: ExperimentConfig, data: DataSet) -> None:
    readable = [f"{slot}_covariates" for slot in experiment.readable]
    if not any(getattr(data, slot) is not None for slot in readable):
        raise ConfigError(
            f"soft_sensor: the student reads {' and '.join(readable) or 'no covariates'}, and data set {data.name!r} "
            "has none: it would see nothing at all."
        )


def _check_past_covariates(experiment: ExperimentConfig, data: DataSet) -> None:
    """A student that is rolled forward reads past covariates of steps that are yet to come."""
    if "past" not in experiment.readable or data.past_covariates is None:
        return
    students = [("the student", experiment.student)] + [
        (f"arm {arm.name!r}", with_settings(experiment.student, settings))
        for arm in experiment.arms
        for settings in arm.students
    ]
    for who, student in students:
        last = chunks(student)[2]
        if last < experiment.steps[1]:
            raise ConfigError(
                f"{who}: step {experiment.steps[1]} is scored and {last} are forecast at once; rolled forward, it "
                f"would read the past covariates of data set {data.name!r} after the forecast origin."
            )
