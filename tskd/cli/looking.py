"""`tskd show`, `compare`, `expected-gain` and `datasets`: what trains nothing and writes nothing."""

from __future__ import annotations

import argparse
import shlex
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from tskd.cli.output import say
from tskd.cli.running import allowed_modules, kept

if TYPE_CHECKING:
    from tskd.experiment import StudyResults


def show(options: argparse.Namespace, command: str) -> int:
    """Print the table of a run and what was found."""
    from tskd.experiment import ConfigError

    folder = Path(options.folder)
    try:
        results = _written(folder)
    except (ConfigError, OSError) as error:
        return say(error, 2)
    cells, page = results.info.cells, folder / "report.html"
    print(f"{results}\n\n{cells.finished:,} of {cells.planned:,} cells are finished", end="")
    print(f", {cells.failed:,} failed" if cells.failed else "", end="")
    print(f"; by: {results.info.command}" if results.info.command else "")
    if page.exists():
        print(page)
    return 0


def compare(options: argparse.Namespace, command: str) -> int:
    """Compare two runs arm by arm."""
    from tskd.experiment import ConfigError
    from tskd.experiment.results.run_comparison import comparison_text

    try:
        first, second = (_written(Path(folder)) for folder in (options.folder, options.other))
    except (ConfigError, OSError) as error:
        return say(error, 2)
    print(comparison_text(first, second, (options.folder, options.other)))
    return 0


def expected_gain(options: argparse.Namespace, command: str) -> int:
    """Print what distillation is expected to give."""
    from tskd.experiment import ConfigError, Study
    from tskd.experiment.run.expected_gains import expected_gains

    try:
        study = Study.from_yaml(options.config, allowed_modules(options))
        for case, arm, gain in expected_gains(study):
            print(f"{f'{case}, ' if len(study.cases) > 1 else ''}{arm}\n{textwrap.indent(str(gain), '  ')}\n")
    except (ConfigError, OSError) as error:
        return say(error, 2)
    return 0


def datasets(options: argparse.Namespace, command: str) -> int:
    """List the data sets, or describe one."""
    from tskd.datasets.availability import description, listing

    if options.name is None:
        print(listing(options.verify))
        return 0
    try:
        print(description(options.name))
    except ValueError as error:
        return say(error, 2)
    return 0


def _written(folder: Path) -> StudyResults:
    """The results of a run as they were last written. Raises ConfigError if there is no run, or nothing is written."""
    from tskd.experiment import ConfigError, StudyResults

    try:
        return StudyResults.load(folder)
    except FileNotFoundError as error:
        kept(folder)
        again = f"tskd report {shlex.quote(str(folder))}"
        raise ConfigError(
            f"the run in {folder} has written no results yet; to write what is finished: {again}"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError(f"the results in {folder} cannot be read: {error}") from error
