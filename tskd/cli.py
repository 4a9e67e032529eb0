"""The command line: `tskd run | resume | report | expected-gain | datasets`.

What a command needs is imported when it runs, so that `--help` is instant.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import textwrap
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tskd._version import __version__

if TYPE_CHECKING:
    from tskd.experiment import Study
    from tskd.experiment.results.study_results import StudyResults


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: of the command line, by default those of the process.

    Returns:
        The exit code: 0; 1 if cells failed or there are no results, 2 for what cannot be run, 130 if interrupted.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(given)
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            code: int = options.command(options, shlex.join(["tskd", *given]))
            sys.stdout.flush()
            return code
        except BrokenPipeError:
            # the reader of the output has closed it; Python would flush once more at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        except KeyboardInterrupt:
            return _say("interrupted.", 130)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tskd", description="Knowledge distillation for time-series forecasting with privileged information."
    )
    parser.add_argument("--version", action="version", version=f"tskd {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser(
        "run",
        help="run the experiment or study that a YAML file describes",
        description="Run an experiment or a study, or what is missing of it in its folder: the table goes to the "
        "terminal; tables, figures and one HTML page to the folder.",
    )
    run.add_argument("config", metavar="CONFIG", type=_path, help="YAML file, for instance configs/demo.yaml")
    run.add_argument("--out", metavar="DIR", type=_path, help="folder of the run (default: runs/<its name>)")
    _add_engine(run)
    run.set_defaults(command=_run)
    resume = commands.add_parser(
        "resume",
        help="go on with a run",
        description="Compute what is missing of a run, and again what failed. Nothing finished is computed again.",
    )
    resume.add_argument("folder", metavar="DIR", type=_path, help="folder of the run")
    _add_engine(resume)
    resume.set_defaults(command=_resume)
    report = commands.add_parser(
        "report",
        help="write tables and page of what is finished of a run",
        description="Write tables and page of what is finished of a run, which may be at work.",
    )
    report.add_argument("folder", metavar="DIR", type=_path, help="folder of the run")
    report.set_defaults(command=_report)
    expected = commands.add_parser(
        "expected-gain",
        help="say what distillation is expected to give, before anything is trained",
        description="Say for each arm with teachers what its distillation is expected to give, from the training part "
        "alone (the first fold, size and seed), and what to try first. No network is trained, but for "
        "teachers of an archive.",
    )
    expected.add_argument("config", metavar="CONFIG", type=_path, help="YAML file, for instance configs/demo.yaml")
    expected.set_defaults(command=_expected_gain)
    datasets = commands.add_parser(
        "datasets",
        help="list the data sets, and which of their files are here",
        description="List the data sets, which of their files are here, and where a user gets the others.",
    )
    datasets.add_argument("--verify", action="store_true", help="read every file that is here, and compare checksums")
    datasets.set_defaults(command=_datasets)
    return parser


def _path(text: str) -> str:
    if "\0" in text:
        raise argparse.ArgumentTypeError(f"{text!r} holds a NUL, which no path can")
    return text


def _add_engine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workers", metavar="N", type=int, help="processes (default: as many as there are cores)")
    parser.add_argument(
        "--engine", choices=("processes", "ray"), default="processes", help="on this machine, or by Ray on many"
    )
    parser.add_argument("--address", metavar="A", help="of a Ray cluster (default: one on this machine for this run)")


def _run(options: argparse.Namespace, command: str) -> int:
    from tskd.experiment import ConfigError, Study

    try:
        study = Study.from_yaml(options.config)
    except ConfigError as error:
        return _say(error, 2)
    return _compute(study, Path(options.out) if options.out else Path("runs") / study.name, options, command)


def _resume(options: argparse.Namespace, command: str) -> int:
    from tskd.experiment import ConfigError

    folder = Path(options.folder)
    try:
        study = _kept(folder)
    except ConfigError as error:
        return _say(error, 2)
    return _compute(study, folder, options, _recorded(folder))


def _kept(folder: Path) -> Study:
    """The study whose run is in a folder. Raises ConfigError."""
    from tskd.experiment import ConfigError, Study

    path = folder / "config.yaml"
    if not os.path.lexists(path):
        start = f"tskd run CONFIG --out {shlex.quote(str(folder))}"
        raise ConfigError(f"there is no run in {folder}: it has no config.yaml. To start one there: {start}")
    return Study.from_yaml(path)


def _compute(study: Study, folder: Path, options: argparse.Namespace, command: str) -> int:
    from tskd.experiment import ConfigError, RunError

    try:
        results = study.run(folder, options.workers, options.engine, options.address)
    except (ConfigError, OSError) as error:
        return _say(error, 2)
    except RunError as error:
        return _say(error, 1)
    except KeyboardInterrupt:
        return _say(f"interrupted; what is finished is kept. To go on: tskd resume {shlex.quote(str(folder))}", 130)
    return _present(results, folder, command)


def _report(options: argparse.Namespace, command: str) -> int:
    from tskd.experiment import ConfigError, RunError
    from tskd.experiment.results.collect import results_so_far

    folder = Path(options.folder)
    try:
        results = results_so_far(_kept(folder), folder)
    except (ConfigError, OSError) as error:
        return _say(error, 2)
    except RunError as error:
        return _say(error, 1)
    return _present(results, folder, _recorded(folder))


def _recorded(folder: Path) -> str:
    """The command that the tables in a folder were computed by; one that computes them, if there are none yet."""
    try:
        return str(json.loads((folder / "study.json").read_text(encoding="utf-8"))["facts"]["command"])
    except (OSError, ValueError, KeyError, TypeError):
        return shlex.join(["tskd", "run", str(folder / "config.yaml"), "--out", str(folder)])


def _expected_gain(options: argparse.Namespace, command: str) -> int:
    from tskd.experiment import ConfigError, Study
    from tskd.experiment.run.expected_gains import expected_gains

    try:
        study = Study.from_yaml(options.config)
        for case, arm, gain in expected_gains(study):
            print(f"{f'{case}, ' if len(study.cases) > 1 else ''}{arm}\n{textwrap.indent(str(gain), '  ')}\n")
    except (ConfigError, OSError) as error:
        return _say(error, 2)
    return 0


def _datasets(options: argparse.Namespace, command: str) -> int:
    from tskd.datasets.availability import listing

    print(listing(options.verify))
    return 0


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
        _say(error, 2)
        return _say(f"tables and page are not written; they would be in {folder}.", 2)
    print(f"\n{results}\n\n{page}")
    cells = results.info.cells
    if cells.failed or results.left_out:
        again = f"tskd resume {shlex.quote(str(folder))}"
        message = f"{cells.failed} cells failed; to try them again: {again}"
        if not cells.failed:
            message = f"{cells.missing} cells are not finished; to go on: {again}"
        return _say("\n  ".join([message, *results.left_out]), 1)
    return 0


def _say(message: object, code: int) -> int:
    if isinstance(message, OSError) and message.filename is not None:
        message = f"{message.filename}: {message.strerror}."
    print(f"tskd: {message}", file=sys.stderr)
    return code


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    print(f"tskd: {message}", file=sys.stderr)
