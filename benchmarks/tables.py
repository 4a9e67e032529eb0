"""Tables of results in Markdown files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from tskd.experiment import Experiment, Results
from tskd.experiment.preparation import fingerprint
from tskd.experiment.statistics import Comparison


def is_finished(experiment: Experiment, folder: Path) -> bool:
    """Whether the folder holds the results of this very experiment, on these very data."""
    if not (folder / "facts.json").is_file():
        return False
    facts = Results.load(folder).facts
    return facts["config"] == experiment.to_yaml() and facts["fingerprint"] == fingerprint(experiment.dataset())


def run_missing(
    experiments: Iterable[Experiment], folder: Path, workers: int, wanted: Callable[[Experiment], bool]
) -> dict[str, Results]:
    """Results of those experiments that are finished, or wanted and run now, by name; each in a folder of its own."""
    finished = {}
    for experiment in tqdm(list(experiments), desc="experiments", unit="run"):
        place = folder / experiment.name
        if not is_finished(experiment, place):
            if not wanted(experiment):
                continue
            experiment.run(workers=workers).save(place)
        finished[experiment.name] = Results.load(place)
    return finished


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
