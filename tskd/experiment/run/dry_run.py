"""What a run would be: data, parts, windows and cells, and how long it would take, before anything is written."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from darts import TimeSeries

from tskd.datasets import DataSet
from tskd.datasets.panel import members_of
from tskd.datasets.tables import listed
from tskd.experiment.config.labels import ALL
from tskd.experiment.config.study import StudyConfig
from tskd.experiment.data.loading import load
from tskd.experiment.data.thinning import thinned
from tskd.experiment.run.case_plan import CasePlan, plan_study
from tskd.experiment.run.cell_check import planned_store
from tskd.experiment.run.engines import EngineOptions
from tskd.experiment.run.engines.base import cores
from tskd.experiment.run.rehearsal import rehearse

MOST_CASES = 4
"""Cases, and series of each, whose data are described."""
WIDTH = 100
LABEL = 12


def dry_run(study: StudyConfig, folder: Path, options: EngineOptions) -> str:
    """A description of what `run` with the same arguments would do.

    The time is that of one fit of the student alone, in the last fold at the largest size, times the number of cells
    that are not finished.

    Raises:
        ConfigError: the data lack what is read, or a teacher or arm could be fitted in no cell.
        RunError: the fit fails.
    """
    plans = plan_study(study)
    text = [f"{study.name}: {_count(len(plans), 'case')}"] if len(plans) > 1 else [study.name]
    for plan in plans:
        rehearse(plan)
    for plan in plans[:MOST_CASES]:
        text += [*([f"\n{plan.case}"] if len(plans) > 1 else []), *_case(plan)]
    if len(plans) > MOST_CASES:
        text.append(f"\n… and {len(plans) - MOST_CASES} more cases")
    keys: set[str] = set().union(*(plan.keys for plan in plans))
    finished = len(planned_store(folder, plans).finished(keys))
    done = f", of which {finished:,} are finished in {folder}" if finished else ""
    text += ["", *_line("cells", f"{_count(len(keys), 'fit')} in all{done}")]
    text += _line("time", _time(plans, len(keys) - finished, options))
    return "\n".join(text)


def _case(plan: CasePlan) -> Iterator[str]:
    experiment, about = plan.experiment, plan.data
    members = members_of(load(experiment).data)
    first = next(iter(members.values()))
    several = f"{about.name}, {len(members)} series of {about.step}, {about.first} to {about.last}: {listed(members)}"
    span = f"{about.name}, {_span(first.series)}, {about.first} to {about.last}"
    yield from _line("data", several if about.series else span)
    yield from _line("target", listed(first.series.components))
    for slot, label in (("past_covariates", "past"), ("future_covariates", "future")):
        if getattr(first, slot) is not None:
            yield from _line(label, listed(getattr(first, slot).components))
    for name, series in first.privileged.items():
        length = f"a step of {series.freq_str}" if about.series else _span(series)
        yield from _line("privileged", f"{name}: {listed(series.components)}; {length}")
    for number, (label, member) in enumerate([*members.items()][:MOST_CASES]):
        parts = _parts(member if experiment.labels == ALL else thinned(member, experiment.labels))
        yield from _line("" if number else "parts", f"{label}: {parts}" if label else parts)
    if len(members) > MOST_CASES:
        yield from _line("", f"… and {len(members) - MOST_CASES} more series")
    lookback, _ = experiment.chunk_lengths(experiment.student)
    for place, summary in plan.summaries.items():
        if place.fold < experiment.folds:
            continue
        fold = f"in the last of {experiment.folds} folds " if experiment.folds > 1 else ""
        windows_of = (
            ("train", summary.training, summary.training_labelled),
            ("validate", summary.validation, summary.validation_labelled),
            ("test", summary.test, len(summary.scored)),
        )
        windows = ", ".join(f"{whole:,} to {use}{_with_label(whole, known)}" for use, whole, known in windows_of)
        yield from _line("windows", f"of {lookback} steps to {experiment.steps[1]}: {fold}{windows}")
    arms = [f"{arm.name} ({_count(len(arm.candidates), 'candidate')})" for arm in experiment.arms]
    yield from _line("arms", ", ".join(arms))
    for control, reason in plan.expanded.not_applicable.items():
        yield from _line("", f"not {control}: {reason}")
    counts = Counter(cell.kind for cell in {cell.key: cell for _, cells in plan.blocks for cell in cells}.values())
    seeds = f"{_count(len(experiment.seeds), 'seed')}, {_count(experiment.folds, 'fold')}"
    fits = ", ".join(f"{number:,} of {kind}s" for kind, number in sorted(counts.items()))
    yield from _line("fits", f"{seeds}, {_count(len(experiment.sizes), 'size')}: {fits}")


def _with_label(whole: int, known: int) -> str:
    return "" if known == whole else f" ({known:,} with inputs and a label)"


def _time(plans: Sequence[CasePlan], left: int, options: EngineOptions) -> str:
    if not left:
        return "nothing is left to compute"
    blocks = sum(len(plan.blocks) for plan in plans)
    workers = min(blocks, options.workers or cores())
    seconds = _timed_fit(plans[0])
    total = _duration(seconds * left / workers)
    of = f" ({plans[0].case})" if len(plans) > 1 else ""
    return (
        f"about {total} with {_count(workers, 'process', 'processes')}, if every fit takes as long as the one of the "
        f"student alone{of} that was timed now, {seconds:.2g} s; teachers of larger models take longer"
    )


def _timed_fit(plan: CasePlan) -> float:
    """Seconds of one fit of the student alone."""
    from tskd.experiment.run.block import BlockRun
    from tskd.experiment.run.worker import one_thread

    block, cells = max(
        plan.blocks, key=lambda planned: (planned[0].fold, plan.summaries[planned[0].fold_size].training)
    )
    with one_thread():
        return BlockRun(block, load(plan.experiment)).cell(cells[0]).seconds


def _parts(data: DataSet) -> str:
    times, values = data.series.time_index, data.series.values(copy=False)
    validation, test = (times.get_loc(stamp) for stamp in (data.validation_start, data.test_start))
    return (
        f"{_steps(values[:validation])} to train, {_steps(values[validation:test], '')} to validate from "
        f"{data.validation_start} on, {_steps(values[test:], '')} to test from {data.test_start} on"
    )


def _steps(values: np.ndarray, steps: str = " steps") -> str:
    """The number of steps of a part `[T, C]`, and of its labels if some are missing."""
    labels = int(np.isfinite(values).sum())
    return f"{len(values):,}{steps}" + ("" if labels == values.size else f" with {_count(labels, 'label')}")


def _span(series: TimeSeries) -> str:
    return f"{len(series):,} steps of {series.freq_str}"


def _line(label: str, text: str) -> list[str]:
    wrapped = textwrap.wrap(text, WIDTH - LABEL, break_on_hyphens=False)
    return [f"{label if not number else '':<{LABEL}}{line}" for number, line in enumerate(wrapped)]


def _count(number: int, what: str, several: str = "") -> str:
    return f"{number:,} {what if number == 1 else several or f'{what}s'}"


def _duration(seconds: float) -> str:
    for unit, length in (("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.2g} {unit}"
    return f"{max(1, round(seconds))} seconds"
