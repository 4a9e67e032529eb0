"""The commands and their options."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from tskd._version import __version__
from tskd.cli import looking, own_file, running

Command = Callable[[argparse.Namespace, str], int]


def parser() -> argparse.ArgumentParser:
    """The parser of the command line; `command` of what it parses is the function to call with it and with the command
    as text."""
    made = argparse.ArgumentParser(
        prog="tskd", description="Knowledge distillation for time-series forecasting with privileged information."
    )
    made.add_argument("--version", action="version", version=f"tskd {__version__}")
    commands = made.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, function: Command, summary: str, description: str) -> argparse.ArgumentParser:
        found = commands.add_parser(name, help=summary, description=description)
        found.set_defaults(command=function)
        return found

    init = command(
        "init",
        own_file.init,
        "look at a file of your own, and write a configuration for it",
        "Look at a CSV file (also .csv.gz) or a Parquet file of your own, and write a configuration for it, with "
        "comments, that runs as it is: FILE's name with .yaml, in the same folder. Nothing is overwritten.",
    )
    init.add_argument("file", metavar="FILE", type=_path, help="for instance my.csv")
    run = command(
        "run",
        running.run,
        "run the experiment or study that a YAML file describes",
        "Run an experiment or a study, or what is missing of it in its folder: the table goes to the terminal; tables, "
        "figures and one HTML page to the folder.",
    )
    _add_config(run)
    run.add_argument("--out", metavar="DIR", type=_path, help="folder of the run (default: runs/<its name>)")
    run.add_argument(
        "--dry-run",
        action="store_true",
        help="write nothing, and say what would be run: data, parts and their labels, windows, cells, and how long, "
        "from one timed fit",
    )
    run.add_argument("--seeds", metavar="N", type=int, help="0 to N - 1, in place of those of the configuration")
    _add_modules(run)
    _add_engine(run)
    resume = command(
        "resume",
        running.resume,
        "go on with a run",
        "Compute what is missing of a run, and again what failed. Nothing finished is computed again.",
    )
    _add_folder(resume)
    _add_modules(resume)
    _add_engine(resume)
    report = command(
        "report",
        running.report,
        "write tables and page of what is finished of a run",
        "Write tables and page of what is finished of a run, which may be at work.",
    )
    _add_folder(report)
    _add_modules(report)
    show = command(
        "show",
        looking.show,
        "print the table of a run and what was found",
        "Print the table of a run and what was found, as they were last written. Nothing is computed.",
    )
    _add_folder(show)
    compare = command(
        "compare",
        looking.compare,
        "compare two runs arm by arm",
        "Compare two runs, the second against the first: what differs between their configurations, and the error of "
        "each arm, with an interval where the same windows were scored.",
    )
    _add_folder(compare, "folder")
    _add_folder(compare, "other")
    expected = command(
        "expected-gain",
        looking.expected_gain,
        "say what distillation is expected to give, before anything is trained",
        "Say for each arm with teachers what its distillation is expected to give, from the training part alone (the "
        "first fold, size and seed), and what to try first. No network is trained, but for teachers of an archive.",
    )
    _add_config(expected)
    _add_modules(expected)
    datasets = command(
        "datasets",
        looking.datasets,
        "list the data sets, and which of their files are here; or describe one",
        "List the data sets, which of their files are here, and where a user gets the others; or describe one of them.",
    )
    datasets.add_argument("name", metavar="NAME", nargs="?", help="of the data set to describe, for instance sp500")
    datasets.add_argument("--verify", action="store_true", help="read every file that is here, and compare checksums")
    return made


def _path(text: str) -> str:
    if "\0" in text:
        raise argparse.ArgumentTypeError(f"{text!r} holds a NUL, which no path can")
    return text


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", type=_path, help="YAML file, for instance configs/demo.yaml")


def _add_modules(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--allow-module",
        metavar="MODULE",
        action="append",
        default=[],
        help="of your own, for instance mypkg.models, whose classes the configuration may name; its code is run; may "
        "be given several times",
    )


def _add_folder(parser: argparse.ArgumentParser, name: str = "folder") -> None:
    parser.add_argument(name, metavar="DIR", type=_path, help="folder of the run")


def _add_engine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workers", metavar="N", type=int, help="processes (default: as many as there are cores)")
    parser.add_argument(
        "--engine", choices=("processes", "ray"), default="processes", help="on this machine, or by Ray on many"
    )
    parser.add_argument("--address", metavar="A", help="of a Ray cluster (default: one on this machine for this run)")
