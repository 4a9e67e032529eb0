"""The command line, `tskd COMMAND`.

What a command needs is imported when it runs, so that `--help` is instant.
"""

from __future__ import annotations

import os
import shlex
import sys
import warnings
from collections.abc import Sequence

from tskd._core.optional_imports import import_optional, is_installed
from tskd.cli.output import say, show_warning
from tskd.cli.parser import parser

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: of the command line, by default those of the process.

    Returns:
        The exit code: 0; 1 if cells failed or there are no results, 2 for what cannot be run, 130 if interrupted.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    commands = parser()
    # a shell asks what may follow
    if "_ARGCOMPLETE" in os.environ and is_installed("argcomplete"):
        import_optional("argcomplete", "Completion", "completion").autocomplete(commands)
    options = commands.parse_args(given)
    with warnings.catch_warnings():
        warnings.showwarning = show_warning
        try:
            code: int = options.command(options, shlex.join(["tskd", *given]))
            sys.stdout.flush()
            return code
        except BrokenPipeError:
            # the reader of the output has closed it; Python would flush once more at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        except KeyboardInterrupt:
            return say("interrupted.", 130)
