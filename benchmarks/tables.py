"""Tables of results in Markdown files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from tskd.experiment import Experiment, Results, RunError, Study
from tskd.experiment.results.collect import results_so_far
from tskd.experiment.statistics.intervals import Comparison


def finished(experiment: Experiment, folder: Path) -> Results | None:
    """The results of this very experiment, on these very data, if a run of it in the folder is finished."""
    try:
        results = results_so_far(Study(experiment.name, {experiment.name: experiment}), folder).cases[experiment.name]
    except RunError:
        return None
    cells = results.info.cells
    return results if cells.finished == cells.planned else None


def results_of(
    experiments: Iterable[Experiment], folder: Path, workers: int, wanted: Callable[[Experiment], bool]
) -> dict[str, Results]:
    """Results by name: experiments that are wanted are run, or gone on with, in folders of their own; of the others
    those that are finished."""
    found = {}
    for experiment in tqdm(list(experiments), desc="experiments", unit="run"):
        place = folder / experiment.name
        results = experiment.run(place, workers=workers) if wanted(experiment) else finished(experiment, place)
        if results is not None:
            found[experiment.name] = results
    return found


def ratio(comparison: Comparison) -> str:
    """A ratio of errors with its 95 % interval; bold where the interval excludes 1."""
    text = f"{1 + comparison.relative:.3f} [{1 + comparison.low:.3f}, {1 + comparison.high:.3f}]"
    return f"**{text}**" if comparison.lower or comparison.higher else text


def markdown(header: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """A table, one column for each entry of the header."""
    columns = list(header)
    lines = [columns, ["---"] * len(columns), *([str(row.get(column, "")) for column in columns] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write_section(path: Path, name: str, section: str) -> None:
    """Put a section between its marks in a file, at the end if it has none yet."""
    begin, end = f"<!-- {name}: written by {name}.py -->", f"<!-- {name}: end -->"
    text = path.read_text(encoding="utf-8")
    before, _, rest = text.partition(begin)
    after = rest.partition(end)[2] if rest else "\n"
    path.write_text(f"{before.rstrip()}\n\n{begin}\n\n{section}\n\n{end}{after}", encoding="utf-8")
