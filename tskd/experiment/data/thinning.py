"""A data set of which some labels are kept from whoever trains or selects: their rows of the target are NaN.

The test part keeps all labels, for errors are always those of true values, and so do privileged series and covariates:
what is hidden is the target, not what was measured beside it.
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from tskd.datasets import DataSet
from tskd.experiment.config.labels import LabelsConfig


def thinned(data: DataSet, labels: LabelsConfig) -> DataSet:
    """The data set with those labels of the training and the validation part that there are.

    Args:
        data: of one fold, from its first row on.
        labels: that there are.

    Raises:
        ValueError: days are asked for, and the series has no time stamps.
    """
    values = data.series.values(copy=True)
    values[~_kept(data, labels)] = np.nan
    return replace(data, series=data.series.with_values(values))


def _kept(data: DataSet, labels: LabelsConfig) -> np.ndarray:
    """Whether a row [T] keeps its label."""
    times: Any = data.series.time_index
    validation, test = (times.get_loc(stamp) for stamp in (data.validation_start, data.test_start))
    position = np.arange(len(times))
    kept = position >= test
    if labels.last_days is not None:
        if not isinstance(times, pd.DatetimeIndex):
            raise ValueError(
                f"data set {data.name!r}: labels: last_days needs time stamps, and its rows are numbered; "
                "give `every` or `share`."
            )
        return kept | (times >= data.validation_start - pd.Timedelta(days=labels.last_days))
    if labels.every is not None:
        return kept | (position % labels.every == labels.offset)
    # parts of another length are drawn from otherwise: so is each fold
    rng = np.random.default_rng(zlib.crc32(b"labels"))
    for first, end in ((0, validation), (validation, test)):
        count = max(1, round((labels.share or 0) * (end - first)))
        kept[first + rng.choice(end - first, count, replace=False)] = True
    return kept
