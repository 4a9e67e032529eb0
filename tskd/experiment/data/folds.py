"""Chronological folds, and training parts of a given size: the data set that one block of an experiment is given.

The newest of F folds has the data set's own split. Fold k has the same split moved back by F - k lengths of the test
part, and ends where the test part of fold k + 1 begins: test parts do not overlap, and nothing after its end exists in
a fold. Of a training size n the newest n windows of the student are left: older rows do not exist for anybody. Of
several series each has folds and sizes of its own.
Some labels of what is left may be hidden (`tskd.experiment.data.thinning`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from darts import TimeSeries

from tskd.datasets import ArchiveSeries, DataSet
from tskd.datasets.base import other_series
from tskd.experiment.config.experiment import ExperimentConfig
from tskd.experiment.config.labels import ALL
from tskd.experiment.config.outside_teacher import GivenSeriesConfig
from tskd.experiment.data.complete_windows import with_complete_windows
from tskd.experiment.data.outside import with_given_series
from tskd.experiment.data.preparation import Prepared, prepare
from tskd.experiment.data.thinning import thinned


class FoldSize(NamedTuple):
    """A fold, from 1, the earliest, and a training size in windows, None for all of the training part: arms are
    compared, and candidates chosen, within one."""

    fold: int
    size: int | None


def prepared(experiment: ExperimentConfig, data: DataSet, fold: int, size: int | None) -> Prepared:
    """The three parts of one fold and size, scaled, with their complete windows.

    Args:
        experiment: with its controls among its arms.
        data: the whole data set.
        fold: from 1, the earliest, to the experiment's `folds`.
        size: in training windows; None for all.

    Raises:
        ValueError: some part is left without a window.
    """
    lookback = experiment.chunk_lengths(experiment.student)[0]
    found = prepare(cut(experiment, data, fold, size), lookback, experiment.steps, experiment.longest)
    return with_complete_windows(experiment, found, experiment.readable) if found.missing else found


def cut(experiment: ExperimentConfig, data: DataSet, fold: int, size: int | None) -> DataSet:
    """The data set that one fold and size are given, with the labels that there are.

    Raises:
        ValueError: it lacks training rows, or its labels cannot be thinned.
    """
    span = sum(experiment.chunk_lengths(experiment.student))
    if any(isinstance(teacher, GivenSeriesConfig) for teacher in experiment.teachers.values()):
        data = with_given_series(experiment, data)
    found = moved_back(data, fold, experiment.folds, span)
    if experiment.labels != ALL:
        found = thinned(found, experiment.labels)
    return found if size is None else newest(found, size, span)


def moved_back(data: DataSet, fold: int, folds: int, span: int) -> DataSet:
    """The data set with its split moved back; of an archive what lies before the validation part of the fold.

    Args:
        span: rows of one training window.
    """
    index = data.series.time_index
    validation, test = (index.get_loc(stamp) for stamp in (data.validation_start, data.test_start))
    back = (folds - fold) * (len(index) - test)
    if back == 0:
        return data
    if validation - back < span:
        possible = 1 + max(0, validation - span) // (len(index) - test)
        raise ValueError(
            f"data set {data.name!r}: fold {fold} of {folds} lacks training rows: it has {max(0, validation - back)}, "
            f"and one window takes {span}. There can be {possible} fold{'s' * (possible > 1)}."
        )
    end, split = index[len(index) - back], index[validation - back]
    for what, series in {
        **other_series(data),
        **{f"archive series {item.name!r}": item.series for item in data.archive},
    }.items():
        if series.start_time() >= split:
            raise ValueError(
                f"data set {data.name!r}: in fold {fold} of {folds}, {what} has no row before the validation part, "
                f"{split}."
            )
    return replace(
        data,
        **_each(data, partial(_before, stamp=end)),
        validation_start=split,
        test_start=index[test - back],
        filled=frozenset(stamp for stamp in data.filled if stamp < end),
        archive=tuple(replace(item, **_each(item, partial(_before, stamp=split))) for item in data.archive),
    )


def newest(data: DataSet, size: int, span: int) -> DataSet:
    """The data set without the training rows before the newest `size` windows of `span` rows each."""
    index = data.series.time_index
    available = index.get_loc(data.validation_start)
    first = available - (size + span - 1)
    if first < 0:
        raise ValueError(
            f"data set {data.name!r}: a training size of {size} windows is asked for; of {available} training rows "
            f"there are {max(0, available - span + 1)}, of {span} rows each."
        )
    return data if first == 0 else replace(data, **_each(data, partial(_from, stamp=index[first])))


def _each(item: DataSet | ArchiveSeries, change: Callable[[TimeSeries], TimeSeries]) -> dict[str, Any]:
    """All series of a data set, or of one of its archive, changed; by field."""
    covariates = {"past_covariates": item.past_covariates, "future_covariates": item.future_covariates}
    return {
        "series": change(item.series),
        "privileged": {name: change(series) for name, series in item.privileged.items()},
        **{slot: None if series is None else change(series) for slot, series in covariates.items()},
    }


def _before(series: TimeSeries, stamp: Any) -> TimeSeries:
    return series if series.end_time() < stamp else series.drop_after(stamp)


def _from(series: TimeSeries, stamp: Any) -> TimeSeries:
    return series if series.start_time() >= stamp else series.drop_before(stamp, keep_point=True)
