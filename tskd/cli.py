"""The command line: `tskd run CONFIG`. What it needs is imported when it is needed, so that `--help` is instant."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tskd import __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. Returns 0, or 1 for a run that failed, 2 for a configuration that cannot be run."""
    options = _parser().parse_args(arguments)
    try:
        return _run(options.config, options.out)
    except KeyboardInterrupt:
        print("tskd: interrupted; no results were written.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tskd", description="Knowledge distillation for time-series forecasting with privileged information."
    )
    parser.add_argument("--version", action="version", version=f"tskd {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser(
        "run",
        help="run the experiment that a YAML file describes",
        description="Run an experiment: the table goes to the terminal; tables, figures and one HTML page to a folder.",
    )
    run.add_argument("config", metavar="CONFIG", help="YAML file, for instance configs/demo.yaml")
    run.add_argument("--out", metavar="DIR", help="folder of the results (default: runs/<name of the experiment>)")
    return parser


def _run(config: str, out: str | None) -> int:
    from tskd.experiment import ConfigError, Experiment, RunError

    try:
        experiment = Experiment.from_yaml(config)
        folder = Path(out) if out else Path("runs") / experiment.name
        # before anything is trained: a folder that cannot be written must not cost a run
        folder.mkdir(parents=True, exist_ok=True)
        results = experiment.run(workers=_cores())
    except (ConfigError, OSError) as error:
        print(f"tskd: {error}", file=sys.stderr)
        return 2
    except RunError as error:
        print(f"tskd: {error}", file=sys.stderr)
        return 1

    from tskd.report import write_page

    command = shlex.join(["tskd", "run", config, *(["--out", out] if out else [])])
    results = replace(results, facts={**results.facts, "command": command})
    results.save(folder)
    page = write_page(results, folder)
    print(f"\n{results}\n\n{page}")
    return 0


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
