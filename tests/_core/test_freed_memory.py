"""Freed memory is given back where the allocator can, and nothing fails where it cannot."""

from __future__ import annotations

import ctypes
import platform
from types import SimpleNamespace
from typing import Any

import pytest

from tskd._core.freed_memory import return_freed


def test_all_that_is_freed_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[int] = []
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace(malloc_trim=kept.append))
    return_freed()
    assert kept == [0]


@pytest.mark.parametrize("error", [TypeError, OSError, None], ids=["Windows", "no library", "another allocator"])
def test_other_systems_keep_it(error: type[Exception] | None, monkeypatch: pytest.MonkeyPatch) -> None:
    def library(_: Any) -> Any:
        if error is not None:
            raise error
        return SimpleNamespace()

    monkeypatch.setattr(ctypes, "CDLL", library)
    return_freed()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives it back when asked")
def test_glibc_is_asked() -> None:
    assert ctypes.CDLL(None).malloc_trim is not None
    return_freed()
