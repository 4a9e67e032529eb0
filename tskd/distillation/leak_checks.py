"""The checks of an audit, each of which looks for one way in which a student could depend on privileged data."""

from __future__ import annotations

import pickle
import pickletools
import re
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from darts import TimeSeries

from tskd._core.components import names_of
from tskd._core.correlation import squared_correlations
from tskd._core.darts.capabilities import reads_covariates
from tskd._core.darts.inspect import kept_components, trained_until
from tskd._core.darts.storage import class_name, load_model
from tskd._core.series import SeriesBundle, without_gaps
from tskd.distillation.model import DistilledModel
from tskd.distillation.soft_sensor import blanked

# largest share of unexplained variance between two columns that are affine copies of one another
SAME = 1e-6
SHIFTS = range(-3, 4)
# the end of a name such as wind+12
STEP = re.compile(r"[+-]\d{1,6}$")


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        tried: what was checked.
        passed: whether no leak was found; None if this cannot be decided.
        detail: what was observed.
    """

    tried: str
    passed: bool | None
    detail: str


def among_inputs(model: DistilledModel, data: SeriesBundle, privileged: Mapping[str, list[TimeSeries]]) -> Finding:
    """Check for privileged columns among the student's inputs: by value, as an affine copy, or shifted by some steps.

    A column whose name says of which step it is, as those of `tskd.datasets.as_issued`, is compared with that step too.

    Args:
        data: the deployable series.
        privileged: the privileged series by name.
    """
    tried = f"privileged columns among the student's inputs, by value, affine copy, or shifted by up to {max(SHIFTS)}"
    sources = [source for teacher in model.teachers for source in teacher.sources]
    past_is_open = {s.name for s in sources if s.slot == "future"} - {s.name for s in sources if s.slot == "past"}
    for what, items in data.deployable.items():
        for index, series in enumerate(items or []):
            for name, hidden in privileged.items():
                if series.freq != hidden[index].freq:
                    continue
                for column, other, lead in _matches(series, hidden[index]):
                    # a series whose future alone is privileged may be observed up to the origin
                    if name in past_is_open and what != "future_covariates" and lead <= 0:
                        continue
                    detail = f"{what} {column!r} is privileged[{name!r}] {other!r}"
                    return Finding(tried, False, detail + (f" of {lead} steps later" if lead else ""))
    return Finding(tried, True, "none found")


def _matches(series: TimeSeries, hidden: TimeSeries) -> Iterator[tuple[str, str, int]]:
    """Pairs of columns of the two series that are the same, and how many steps the first is ahead."""
    named = {int(found[0]) for name in map(str, series.components) if (found := STEP.search(name))}
    named &= set(range(-len(series), len(series)))
    for lead in sorted({*SHIFTS, *named}):
        a, b = _overlapping(series, hidden.shift(-lead))
        if len(a) < 3:
            continue
        for i, j in zip(*np.where(squared_correlations(a, b) > 1 - SAME), strict=True):
            yield str(series.components[i]), str(hidden.components[j]), lead


def _overlapping(a: TimeSeries, b: TimeSeries) -> tuple[np.ndarray, np.ndarray]:
    common = pd.Index(a.time_index).intersection(pd.Index(b.time_index))
    return tuple(s.values(copy=False)[pd.Index(s.time_index).get_indexer(common)].astype(np.float64) for s in (a, b))


def training_past(model: DistilledModel, test_start: Any) -> Iterator[Finding]:
    """Check that the training data of student and teachers end before the test part."""
    if test_start is None:
        return
    ends = {"student": trained_until(model.student)}
    ends |= {f"teacher {teacher.name!r}": teacher.seen_until for teacher in model.teachers}
    for who, end in ends.items():
        tried = f"training rows of the {who} from {test_start} on"
        if end is None:
            yield Finding(tried, None, "the end of its training series is not known")
        else:
            yield Finding(tried, bool(end < test_start), f"its training ends at {end}")


def beyond_cutoff(
    model: DistilledModel, data: SeriesBundle, privileged: Mapping[str, list[TimeSeries]]
) -> Iterator[Finding]:
    """Change every privileged value after a cutoff, and check that the teachers' forecasts before it stay the same."""
    for teacher in model.teachers:
        if not teacher.sources and not teacher.names:
            continue
        tried = f"privileged values after a training cutoff, read by teacher {teacher.name!r}"
        cut = [target[: -(len(target) // 3)] for target in data.series]
        own = {name: privileged[name] for name in teacher.names}
        changed = {
            name: [_moved(s, after=c.end_time() + c.freq) for s, c in zip(items, cut, strict=True)]
            for name, items in own.items()
        }
        forecasts = [
            teacher.historical_forecasts(cut, data.past_covariates, data.future_covariates, values)
            for values in (own, changed)
        ]
        same = all(
            np.array_equal(a.values(), b.values())
            for first, second in zip(*forecasts, strict=True)
            for a, b in zip(first, second, strict=True)
        )
        yield Finding(tried, same, "none is read" if same else "its forecasts moved")


def names_in_file(model: DistilledModel, privileged: Mapping[str, list[TimeSeries]]) -> Finding:
    """Check for names of privileged series and components in the saved student."""
    deployable = {name for orders in kept_components(model.student).values() for names in orders for name in names}
    names = {name for items in privileged.values() for one in items for name in names_of(one)} | set(privileged)
    tried = f"names {sorted(names - deployable)} in the saved student"
    with tempfile.TemporaryDirectory() as folder:
        try:
            model.student.save(str(Path(folder) / "student.pt"))
        except (pickle.PicklingError, AttributeError, TypeError):
            # a user's callback that cannot be pickled; darts' clean form leaves it out
            model.student.save(str(Path(folder) / "student.pt"), clean=True)
        texts = {text for path in Path(folder).iterdir() for text in _texts(path)}
    found = [name for name in sorted(names - deployable) if any(name in text.split(":") for text in texts)]
    return Finding(tried, not found, f"found {found}" if found else "none found")


def _texts(path: Path) -> Iterator[str]:
    """Every string in a file that torch wrote."""
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            if member.endswith(".pkl"):
                for _, argument, _ in pickletools.genops(archive.read(member)):
                    if isinstance(argument, str):
                        yield argument


def perturbed(
    model: DistilledModel, data: SeriesBundle, privileged: Mapping[str, list[TimeSeries]]
) -> Iterator[Finding]:
    """Change everything but the deployable inputs of one forecast, and check that it stays the same."""
    horizon = model.student.output_chunk_length
    origins = [target[: -(len(target) // 3)] for target in data.series]
    start = [origin.end_time() + origin.freq for origin in origins]
    inputs = blanked(origins) if model.soft_sensor else without_gaps(origins)
    past = without_gaps(data.past_covariates) if reads_covariates(model.student, "past") else None
    future = without_gaps(data.future_covariates) if reads_covariates(model.student, "future") else None

    def forecasts(student: Any, covariates: list[TimeSeries] | None) -> list[np.ndarray]:
        predicted = student.predict(
            horizon, inputs, past_covariates=covariates, future_covariates=future, random_state=0, verbose=False
        )
        return [forecast.values() for forecast in predicted]

    try:
        before = forecasts(model.student, past)
    except ValueError as error:
        raise ValueError(f"the student cannot forecast from two thirds of each series: {error}") from error
    with _changed_in_place([item for items in privileged.values() for item in items]):
        yield _compared("every privileged value changed in place", before, forecasts(model.student, past))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "student.pt"
        model.student.save(str(path), clean=True)
        alone = load_model(class_name(model.student), path, trusted=[type(model.student)])
        yield _compared("the student saved and loaded alone", before, forecasts(alone, past))
    if model.soft_sensor:
        others = [_moved(origin, after=origin.start_time()) for origin in origins]
        kept, moved = (
            [f.values() for f in model.predict(horizon, o, past, future, random_state=0, verbose=False)]
            for o in (origins, others)
        )
        yield _compared("the target's past changed", kept, moved)
    if past is not None:
        later = [_moved(p, after=s) for p, s in zip(past, start, strict=True)]
        yield _compared("past covariates after the origin changed", before, forecasts(model.student, later))


def _compared(what: str, before: list[np.ndarray], after: list[np.ndarray]) -> Finding:
    """The result of a check that a forecast is the same before and after a change."""
    same = all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    return Finding(f"the forecast, with {what}", same, "it did not move" if same else "it moved")


@contextmanager
def _changed_in_place(series: Sequence[TimeSeries]) -> Iterator[None]:
    """Change every value in the user's own arrays, to detect memory shared with the student; put back at the end."""
    views = [s.values(copy=False) for s in series]
    writable = [view for view in views if view.flags.writeable]
    kept = [view.copy() for view in writable]
    try:
        for view in writable:
            view[...] = -3 * view + 7 * (1 + np.nanmax(np.abs(view)))
        yield
    finally:
        for view, values in zip(writable, kept, strict=True):
            view[...] = values


def _moved(series: TimeSeries, after: Any) -> TimeSeries:
    """The series with every value changed from a time stamp on."""
    values = series.values(copy=True)
    late = np.asarray(series.time_index >= after)
    values[late] = -3 * values[late] + 7 * (1 + np.nanmax(np.abs(values)))
    return series.with_values(values)
