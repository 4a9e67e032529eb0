"""What a data set is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from darts import TimeSeries


@dataclass(frozen=True)
class ArchiveSeries:
    """Another series of the same kind (another station, another machine), for teachers that are fitted elsewhere.

    It is laid out like the data set it belongs to: the same components in every slot. An experiment scales it by its
    own mean and deviation.
    """

    name: str
    series: TimeSeries
    privileged: Mapping[str, TimeSeries] = field(default_factory=dict)
    past_covariates: TimeSeries | None = None
    future_covariates: TimeSeries | None = None


@dataclass(frozen=True)
class DataSet:
    """A forecasting task with privileged information, split in time.

    The training part ends before `validation_start`, the validation part before `test_start`; both are time stamps of
    `series`. `filled` lists the time stamps of `series` whose value rests on anything but measurements: models may
    read them, no error is counted there. A component of a privileged series that bears the name of a target component
    is the same quantity, and is scaled alike. The targets of `archive` end before `validation_start`.
    """

    name: str
    series: TimeSeries
    validation_start: pd.Timestamp
    test_start: pd.Timestamp
    privileged: Mapping[str, TimeSeries] = field(default_factory=dict)
    past_covariates: TimeSeries | None = None
    future_covariates: TimeSeries | None = None
    filled: frozenset[pd.Timestamp] = frozenset()
    archive: tuple[ArchiveSeries, ...] = ()
    title: str = ""
    unit: str = ""
    source: str = ""
    licence: str = ""
    notes: str = ""

    def __post_init__(self) -> None:
        first: Any = self.series.start_time()
        last: Any = self.series.end_time()
        if not first < self.validation_start < self.test_start <= last:
            raise ValueError(
                f"data set {self.name!r}: the split must lie in order inside the series, {first} < validation_start "
                f"({self.validation_start}) < test_start ({self.test_start}) <= {last}."
            )
        for other in self.archive:
            end: Any = other.series.end_time()
            if not end < self.validation_start:
                raise ValueError(
                    f"data set {self.name!r}: archive series {other.name!r} ends at {end}; it must end before the "
                    f"validation part, {self.validation_start}."
                )
            for slot in ("series", "past_covariates", "future_covariates"):
                own, found = _components(getattr(self, slot)), _components(getattr(other, slot))
                if own != found:
                    raise ValueError(
                        f"data set {self.name!r}: {slot} of archive series {other.name!r} has components {found}, the "
                        f"data set's has {own}; they must be the same."
                    )


def shares(series: TimeSeries) -> tuple[pd.Timestamp, pd.Timestamp]:
    """First stamp of the validation and of the test part: 70, 10 and 20 %, rounded as the common benchmark rounds."""
    n = len(series)
    times: Any = series.time_index
    return times[int(n * 0.7)], times[n - int(n * 0.2)]


def _components(series: TimeSeries | None) -> list[str]:
    return [] if series is None else [str(component) for component in series.components]
