"""Planting faults one at a time in a copy of the package, and running the tests that must notice them."""

from __future__ import annotations

import contextlib
import importlib.util
import multiprocessing
import os
import shutil
import signal
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from tests.planted_faults.fault import ROOT, Fault

Outcome = Literal["noticed", "survived", "stale", "broken"]
"""What became of a fault: `"stale"` if its old text is not there, `"broken"` if its tests could not be run."""

COPIED = ("tskd", "tests", "configs", "pyproject.toml", "README.md")
LIMIT = 600
"""Seconds after which the tests are taken to hang, which is noticed too."""
HEAVY = ["darts.models", "lightgbm", "pytest", "scipy.stats", "sklearn.ensemble", "statsmodels.api", "torch"]
"""What is imported once, in a process from which each run is forked."""


class Planting:
    """A copy of the package and its tests, in which one fault is planted at a time.

    Args:
        folder: for the copy.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in COPIED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / name, folder / name)
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([name for name in HEAVY if importlib.util.find_spec(name.split(".")[0])])

    def outcome(self, fault: Fault) -> Outcome:
        """Plant a fault, run its tests, and take it out again."""
        path = self.folder / fault.file
        text = path.read_text(encoding="utf-8")
        try:
            faulty = fault.planted_in(text)
        except ValueError:
            return "stale"
        try:
            self._write(path, faulty)
            status = self.status(fault.tests)
        finally:
            self._write(path, text)
        return "survived" if status == 0 else "noticed" if status in (1, None) else "broken"

    def status(self, tests: Sequence[str]) -> int | None:
        """Exit status of pytest for some test files, until the first failure; None if they ran too long."""
        run = self._context.Process(target=_run, args=(str(self.folder), list(tests)))
        run.start()
        run.join(LIMIT)
        if run.exitcode is None:
            assert run.pid is not None
            with contextlib.suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGKILL)
            run.join()
            return None
        return run.exitcode

    def failing_without_a_fault(self, faults: Iterable[Fault]) -> list[str]:
        """Test files that fail as they are, and could not tell a fault."""
        return [file for file in sorted({file for fault in faults for file in fault.tests}) if self.status([file]) != 0]

    @staticmethod
    def _write(path: Path, text: str) -> None:
        path.write_text(text, encoding="utf-8")
        # of the same size and second, byte code would be taken for that of this text
        Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)


def _run(folder: str, tests: list[str]) -> None:
    """Run pytest in the copy, in this process, and end with its exit status."""
    os.setsid()
    os.chdir(folder)
    os.environ["PYTHONPATH"] = folder
    for name in [name for name in sys.modules if name.partition(".")[0] in ("tests", "tskd")]:
        del sys.modules[name]
    sys.path[:] = [folder, *(place for place in sys.path if Path(place or ".").resolve() != ROOT)]
    importlib.invalidate_caches()
    with open("output.txt", "w", encoding="utf-8") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
        import pytest

        status = pytest.main(["-x", "-n", "0", "-q", "-p", "no:cacheprovider", *tests])
        sys.stdout.flush()
        os._exit(int(status))
