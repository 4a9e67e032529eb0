"""Downloads: through darts where darts has the data set, else into a cache folder of our own."""

from __future__ import annotations

import contextlib
import http.client
import io
import os
import tempfile
import urllib.error
import urllib.request
import zipfile
import zlib
from pathlib import Path, PurePosixPath

# a server that is silent for longer counts as unreachable
SECONDS = 30.0


class DownloadError(Exception):
    """A file could not be downloaded from its source; the message has the reason."""


def cache_folder() -> Path:
    """Where our own downloads are kept: `tskd` in XDG_CACHE_HOME, which is ~/.cache unless it is set."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # a relative one is to be ignored, by the XDG base directory specification
    return (base if base.is_absolute() else Path.home() / ".cache") / "tskd"


def darts_folder() -> Path:
    """Where darts keeps its data sets."""
    return Path.home() / ".darts" / "datasets"


def by_darts(name: str, loader: str) -> Path:
    """The file `name` where darts keeps it; downloaded by its class `loader`, unless it is there.

    Raises:
        DownloadError: darts cannot download it.
        ValueError: darts' copy of it is damaged.
    """
    from darts import datasets
    from darts.datasets.dataset_loaders import DatasetLoadingException

    path = darts_folder() / name
    there = path.is_file()
    try:
        getattr(datasets, loader)().load()
    except DatasetLoadingException as error:  # no Exception, but a BaseException
        if there:
            raise ValueError(f"{path}, which darts downloaded, is damaged; delete it. {error}") from error
        raise DownloadError(str(error)) from error
    return path


def download(address: str, name: str) -> bytes:
    """What is at `address`, with a progress bar; of a zip file, its member `name`.

    Raises:
        DownloadError: there is no network, no answer, no such file, or not all of it.
    """
    from tqdm.auto import tqdm

    content = io.BytesIO()
    request = urllib.request.Request(address, headers={"User-Agent": "tskd"})
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            size = int(answer.headers.get("Content-Length") or 0)
            with tqdm(total=size or None, unit="B", unit_scale=True, desc=name, leave=False) as bar:
                while block := answer.read(1 << 16):
                    content.write(block)
                    bar.update(len(block))
    except urllib.error.HTTPError as error:
        raise DownloadError(f"{address} answers {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        raise DownloadError(f"{address} cannot be read ({error!r})") from error
    if size and content.tell() < size:
        raise DownloadError(f"{address} ended after {content.tell()} of {size} bytes")
    return _member(content, address, name) if address.endswith(".zip") else content.getvalue()


def keep(content: bytes, name: str) -> Path:
    """Write a file into the cache folder, whole or not at all, whatever other processes do meanwhile."""
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, folder / name)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    return folder / name


def _member(content: io.BytesIO, address: str, name: str) -> bytes:
    try:
        with zipfile.ZipFile(content) as archive:
            found = [item for item in archive.namelist() if PurePosixPath(item).name == name]
            if not found:
                raise DownloadError(f"{address} holds no {name!r} but {', '.join(archive.namelist())}")
            return archive.read(found[0])
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise DownloadError(f"{address} is no zip file, or a damaged one ({error})") from error
