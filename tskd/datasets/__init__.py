"""Named data sets: the series of a deployed model, the privileged series, and the split.

A data set is one function that returns a `DataSet`, and one line in `catalogue.py`. Values are in the units of the
source: an experiment scales them by the training part alone. Files are looked for in the folder that TSKD_DATA names;
those that their source offers without an account are otherwise downloaded on use. `availability.py` lists them.
"""

from __future__ import annotations

from tskd._core.suggest import closest
from tskd.datasets.base import ArchiveSeries, DataSet
from tskd.datasets.catalogue import CATALOGUE
from tskd.datasets.panel import Panel
from tskd.datasets.transforms import carry_forward, fill_from_past
from tskd.datasets.vintages import as_issued

__all__ = ["ArchiveSeries", "DataSet", "Panel", "as_issued", "carry_forward", "fill_from_past", "load", "names"]


def names() -> list[str]:
    """Names that `load` accepts, sorted."""
    return sorted(CATALOGUE)


def load(name: str) -> DataSet:
    """The data set called `name`.

    Raises:
        ValueError: there is none of this name (the closest one is named), or its file is damaged.
        FileNotFoundError: its file is not in the folder TSKD_DATA, and is not downloaded or cannot be.
        ImportError: its file needs a package that is not installed.
    """
    if name not in CATALOGUE:
        near = closest(name, CATALOGUE)
        hint = f" Did you mean {near!r}?" if near else ""
        raise ValueError(f"There is no data set {name!r}; there are: {', '.join(names())}.{hint}")
    return CATALOGUE[name].load()
