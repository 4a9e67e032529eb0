"""The folder that a run is kept in, and the locks by which several runs share it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from filelock import FileLock, Timeout

from tskd._core.checks import as_path
from tskd.experiment.config.errors import ConfigError

CONFIG, CELLS, TEACHERS, LOCKS = "config.yaml", "parts", "models", "locks"
"""What lies in it: the configuration, and folders of finished cells, of fitted teachers, and of locks on blocks."""


@contextmanager
def run_folder(folder: str | Path | None) -> Iterator[Path]:
    """The folder of a run, which is made if need be; a temporary one if none is given."""
    if folder is None:
        with TemporaryDirectory(prefix="tskd-") as temporary:
            yield Path(temporary)
        return
    try:
        place = as_path(folder, "folder")
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{error}.") from error
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"the folder {place} cannot be made: {error.strerror}.") from error
    yield place


def lock_of(path: Path) -> FileLock:
    """A lock between processes, to be waited for; it is released when its holder dies, however it dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # runs of several users may share a folder
    return FileLock(path, mode=0o666)


def take_lock(path: Path) -> FileLock | None:
    """A `lock_of` a path that is held; None while another one holds it."""
    lock = lock_of(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return None
    return lock
