"""What every data set promises, as tests that a new one inherits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from darts import TimeSeries

from tskd.datasets import DataSet
from tskd.datasets.base import other_series
from tskd.experiment.data.preparation import Prepared, fingerprint, prepare
from tskd.testing._battery import Battery, require, require_close
from tskd.testing._grids import shifted

LEADS = 3
"""Steps ahead at which the target is looked for among the deployable covariates."""
FEW_GAPS = 3
ROUNDING = 1e-6


class DataSetConformance(Battery[DataSet]):
    """The tests of a data set: `TestMine = DataSetConformance.of(mine)`, of the function that returns it.

    Attributes:
        lookback, horizon: of the windows that its parts must hold.
        standardised: whether its values have mean 0 and deviation 1 because they are so at their source.
    """

    lookback = 8
    horizon = 2
    standardised = False
    _made: DataSet | None = None

    @property
    def data(self) -> DataSet:
        """The data set, made once for all tests."""
        kind = type(self)
        if kind._made is None:
            kind._made = self.make()
        return kind._made

    def prepared(self, data: DataSet) -> Prepared:
        """The data set as an experiment uses it: scaled by the training part, and cut at the split."""
        return prepare(data, self.lookback, (1, self.horizon))

    def test_made_twice_it_is_the_same(self) -> None:
        first, second = self.data, self.make()
        require(
            fingerprint(first) == fingerprint(second), "made twice, values differ: draw nothing, and sort what you read"
        )
        for name in ("name", "title", "unit", "source", "licence", "notes"):
            require(getattr(first, name) == getattr(second, name), f"made twice, {name} differs")

    def test_its_parts_are_in_order_and_do_not_overlap(self) -> None:
        data, prepared = self.data, self.prepared(self.data)
        times: Any = data.series.time_index
        require(
            times[0] < data.validation_start < data.test_start <= times[-1],
            f"the split is not in order: {times[0]}, validation {data.validation_start}, test {data.test_start}",
        )
        last: Any = None
        for name in ("train", "validation", "test"):
            part = getattr(prepared, name)
            ends = part.series.time_index[-1]
            require(len(part.starts) > 0, f"the {name} part holds no window of {self.lookback} + {self.horizon} steps")
            first: Any = part.starts[0]
            require(last is None or first > last, f"the {name} part scores {first}, which a part before it scores too")
            last = ends
        for what, series in {"the training part": prepared.train.series, **_named(prepared.train.privileged)}.items():
            end: Any = series.end_time()
            require(end < data.validation_start, f"{what} holds {end}, of the validation part")

    def test_its_validation_and_test_parts_reach_no_scaler(self) -> None:
        """Neither one of an experiment nor one of its own."""
        data = self.data
        series = [data.series, *other_series(data).values()]
        changed = {id(one): shifted(one, np.asarray(one.time_index >= data.validation_start)) for one in series}

        def other(one: TimeSeries | None) -> Any:
            return None if one is None else changed[id(one)]

        moved = replace(
            data,
            series=other(data.series),
            privileged={name: other(one) for name, one in data.privileged.items()},
            past_covariates=other(data.past_covariates),
            future_covariates=other(data.future_covariates),
        )
        mine, theirs = self.prepared(data).train, self.prepared(moved).train
        message = "other values from the validation part on change the scaled training part"
        require_close(theirs.series.values(), mine.series.values(), 0, message)
        for name, one in mine.privileged.items():
            require_close(theirs.privileged[name].values(), one.values(), 0, f"{message} of privileged {name!r}")
        if self.standardised:
            return
        for what, one in {"the series": data.series, **other_series(data)}.items():
            for name in one.components:
                values = one[name].values(copy=False).astype(np.float64)
                known = values[np.isfinite(values)]
                whole = len(known) > 2 and abs(known.mean()) < 1e-3 and abs(known.std() - 1) < 1e-3
                require(
                    not whole,
                    f"{name!r} of {what} has mean 0 and deviation 1 over all rows, the test part included: leave it in "
                    "the units of its source, an experiment scales it (if it is so there: standardised = True)",
                )

    def test_missing_values_are_nan(self) -> None:
        for what, one in {"the series": self.data.series, **other_series(self.data)}.items():
            require(not np.isinf(one.values(copy=False)).any(), f"{what} holds infinite values: give NaN")
            known = np.isfinite(one.values(copy=False)).any(0)
            empty = [str(name) for name, there in zip(one.components, known, strict=True) if not there]
            require(not empty, f"{what} has no value in {empty}: leave these components out")

    def test_filled_targets_are_known_and_filled_from_the_past(self) -> None:
        data = self.data
        times = data.series.time_index
        strange = sorted(stamp for stamp in data.filled if stamp not in times)[:3]
        require(not strange, f"filled names {strange}, which are no time stamps of the series")
        values = data.series.values(copy=False)[:, 0].astype(np.float64)
        lines = [_on_a_line(values, rows) for rows in _gaps(data)]
        known = [line for line in lines if line is not None]
        require(
            len(known) < FEW_GAPS or not all(known),
            f"all {len(known)} gaps are filled by straight lines to the next value, which is of their future: fill "
            "from the past, as `carry_forward` does",
        )

    def test_no_deployable_covariate_is_the_target(self) -> None:
        data = self.data
        slots = {"past_covariates": (data.past_covariates, 1), "future_covariates": (data.future_covariates, 0)}
        for slot, (given, first) in slots.items():
            if given is None:
                continue
            both = data.series.slice_intersect(given)
            targets, covariates = both.values(), given.slice_intersect(both).values()
            for name, beside in zip(given.components, covariates.T, strict=True):
                for target, own in zip(both.components, targets.T, strict=True):
                    leads = [lead for lead in range(first, LEADS + 1) if _same(own[lead:], beside[: len(own) - lead])]
                    require(
                        not leads,
                        f"{slot} has in {name!r} the target {target!r} of {leads} steps later: a deployed model does "
                        "not know it; make it privileged, or leave it out",
                    )


def _named(privileged: dict[str, TimeSeries]) -> dict[str, TimeSeries]:
    return {f"privileged {name!r}": series for name, series in privileged.items()}


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two sequences have the same values where both are known, and these vary."""
    known = np.isfinite(one) & np.isfinite(other)
    return bool(known.sum() > 2 and np.ptp(one[known]) > 0 and np.allclose(one[known], other[known]))


def _gaps(data: DataSet) -> Iterator[np.ndarray]:
    """Positions of each run of filled targets."""
    places = np.flatnonzero(data.series.time_index.isin(list(data.filled)))
    return (run for run in np.split(places, np.flatnonzero(np.diff(places) > 1) + 1) if len(run))


def _on_a_line(values: np.ndarray, rows: np.ndarray) -> bool | None:
    """Whether these rows lie on the line from the value before them to the one after; None if that is level."""
    first, last = rows[0] - 1, rows[-1] + 1
    if first < 0 or last >= len(values) or not abs(values[last] - values[first]) > ROUNDING * abs(values[first]):
        return None
    line = np.interp(rows, [first, last], values[[first, last]])
    return bool(np.allclose(values[rows], line, rtol=0, atol=1e-4 * abs(values[last] - values[first])))
