"""`tskd run`, `resume` and `report`: what computes, and what writes tables and page."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tskd.cli.output import say

if TYPE_CHECKING:
    from tskd.experiment import Study
    from tskd.experiment.results.study_results import StudyResults


def run(options: argparse.Namespace, command: str) -> int:
    """Run the study that a configuration describes, or say what that would be."""
    from tskd.experiment import ConfigError, Study

    try:
        study = Study.from_yaml(options.config, allowed_modules(options))
        if options.seeds is not None:
            study = study.with_seeds(options.seeds)
    except ConfigError as error:
        return say(error, 2)
    folder = Path(options.out) if options.out else Path("runs") / study.name
    return (_try if options.dry_run else _compute)(study, folder, options, command)


def resume(options: argparse.Namespace, command: str) -> int:
    """Go on with the run in a folder."""
    from tskd.experiment import ConfigError

    folder = Path(options.folder)
    try:
        study = kept(folder, allowed_modules(options))
    except ConfigError as error:
        return say(error, 2)
    return _compute(study, folder, options, _recorded(folder))


def report(options: argparse.Namespace, command: str) -> int:
    """Write tables and page of what is finished."""
    from tskd.experiment import ConfigError, RunError
    from tskd.experiment.results.collect import results_so_far

    folder = Path(options.folder)
    try:
        results = results_so_far(kept(folder, allowed_modules(options)), folder)
    except (ConfigError, OSError) as error:
        return say(error, 2)
    except RunError as error:
        return say(error, 1)
    return _present(results, folder, _recorded(folder))


def allowed_modules(options: argparse.Namespace) -> Sequence[str]:
    """The modules whose classes a configuration may name; those of the working folder are found too."""
    if options.allow_module and (here := os.getcwd()) not in sys.path:
        sys.path.append(here)
    modules: list[str] = options.allow_module
    return modules


def kept(folder: Path, allow_modules: Sequence[str] = ()) -> Study:
    """The study whose run is in a folder. Raises ConfigError."""
    from tskd.experiment import ConfigError, Study

    if folder.is_file():
        raise ConfigError(f"{folder} is a file: give the folder of the run, {folder.parent}.")
    path = folder / "config.yaml"
    if not os.path.lexists(path):
        start = f"tskd run CONFIG --out {shlex.quote(str(folder))}"
        raise ConfigError(f"there is no run in {folder}: it has no config.yaml. To start one there: {start}")
    return Study.from_yaml(path, allow_modules)


def _try(study: Study, folder: Path, options: argparse.Namespace, command: str) -> int:
    from tskd.experiment import ConfigError, RunError
    from tskd.experiment.run.dry_run import dry_run
    from tskd.experiment.run.engines import EngineOptions

    try:
        print(dry_run(study, folder, EngineOptions(options.engine, options.workers, options.address)))
    except (ConfigError, OSError) as error:
        return say(error, 2)
    except RunError as error:
        return say(error, 1)
    return 0


def _compute(study: Study, folder: Path, options: argparse.Namespace, command: str) -> int:
    from tskd.experiment import ConfigError, RunError

    try:
        results = study.run(folder, options.workers, options.engine, options.address)
    except (ConfigError, OSError) as error:
        return say(error, 2)
    except RunError as error:
        return say(error, 1)
    except KeyboardInterrupt:
        return say(f"interrupted; what is finished is kept. To go on: tskd resume {shlex.quote(str(folder))}", 130)
    return _present(results, folder, command)


def _recorded(folder: Path) -> str:
    """The command that the tables in a folder were computed by; one that computes them, if there are none yet."""
    try:
        return str(json.loads((folder / "study.json").read_text(encoding="utf-8"))["facts"]["command"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return shlex.join(["tskd", "run", str(folder / "config.yaml"), "--out", str(folder)])


def _present(results: StudyResults, folder: Path, command: str) -> int:
    """Write everything into the folder and the table to the terminal, where it stands even if the folder is full or
    cannot be written to."""
    from tskd.experiment.report import write_page

    results = results.with_command(command)
    try:
        results.save(folder)
        page = write_page(results, folder)
    except OSError as error:
        print(f"\n{results}\n")
        say(error, 2)
        return say(f"tables and page are not written; they would be in {folder}.", 2)
    print(f"\n{results}\n\n{page}")
    cells = results.info.cells
    if cells.failed or results.left_out:
        again = f"tskd resume {shlex.quote(str(folder))}"
        message = f"{cells.failed} cells failed; to try them again: {again}"
        if not cells.failed:
            message = f"{cells.missing} cells are not finished; to go on: {again}"
        return say("\n  ".join([message, *results.left_out]), 1)
    return 0
