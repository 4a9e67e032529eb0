"""`tskd init`: from a file to a configuration."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from tskd.cli.output import say


def init(options: argparse.Namespace, command: str) -> int:
    """Look at a file, and write a configuration beside it."""
    from tskd.datasets.profile import profile
    from tskd.datasets.tables import stem
    from tskd.experiment.config.starter import starter

    path = Path(options.file)
    config = path.with_name(f"{stem(path)}.yaml")
    try:
        text = starter(profile(path))
        with config.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return say(f"{config} is there already, and is not overwritten; move it away, or run it.", 2)
    except (OSError, ImportError, ValueError) as error:
        return say(error, 2)
    print("\n".join(line.removeprefix("# ") for line in text.partition("\n#\n")[0].splitlines()))
    print(f"\nwrote {config}; read its comments, then: tskd run {shlex.quote(str(config))} --dry-run")
    return 0
