"""Optional packages that are not there in every environment."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import pytest


def _has_statistics() -> bool:
    """Whether the packages of the extra `statistics` are there, statsmodels with the tests that 0.15 brought."""
    try:
        version("scikit-posthocs")
        return tuple(map(int, version("statsmodels").split(".")[:2])) >= (0, 15)
    except PackageNotFoundError:
        return False


needs_statistics = pytest.mark.skipif(not _has_statistics(), reason="the extra `statistics` is not installed")
