"""Checksums of the files in a folder."""

from __future__ import annotations

import hashlib
from pathlib import Path


def checksums(folder: Path, but: str) -> dict[str, str]:
    """SHA-256 of every file below a folder, by its path there, but for one that holds the checksums."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != but)
    return {path.relative_to(folder).as_posix(): _sha256(path) for path in files}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
