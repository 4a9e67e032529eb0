"""By what a result was made: versions of packages, and the state of tskd's checkout."""

from __future__ import annotations

import platform
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path

from tskd import _version

PACKAGES = ("darts", "torch", "pytorch-lightning", "numpy", "pandas")


@cache
def versions() -> dict[str, str]:
    """Of Python, tskd, and the packages that compute."""
    found = {package: version(package) for package in PACKAGES}
    return {"python": platform.python_version(), "tskd": _version.__version__, **found}


@cache
def commit() -> str:
    """Hash of the commit of tskd's checkout, with '+' if files differ from it; '' where tskd is no checkout."""
    package = Path(_version.__file__).resolve().parent
    try:
        top = _git(package, "rev-parse", "--show-toplevel")
        # installed below some other project's checkout, tskd is none of its files
        if Path(top).resolve() != package.parent or not _git(package, "ls-files", "__init__.py"):
            return ""
        changed = _git(package, "status", "--porcelain", "--", ".")
        return _git(package, "rev-parse", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "--no-optional-locks", "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    return done.stdout.strip()
