"""Named data sets: the series a deployed model has, the privileged series beside it, and the split.

A data set is one function that returns a `DataSet`, and one line in `_LOADERS`. Values are in the units of the source:
scaling is the experiment's business, from the training part alone. Data that no package ships are read from the folder
that TSKD_DATA names.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable

from tskd.datasets import beijing, carbon_dioxide, electricity, household, shanghai, weather
from tskd.datasets.base import ArchiveSeries, DataSet
from tskd.datasets.filling import carry_forward, fill_from_past

__all__ = ["ArchiveSeries", "DataSet", "carry_forward", "fill_from_past", "load", "names"]


def names() -> list[str]:
    """Names that `load` accepts, sorted."""
    return sorted(_LOADERS)


def load(name: str) -> DataSet:
    """The data set called `name`.

    Raises:
        ValueError: there is none of this name; the nearest one is named.
        FileNotFoundError: its file is not in the folder TSKD_DATA.
        ImportError: its file needs a package that is not installed.
    """
    if name not in _LOADERS:
        near = difflib.get_close_matches(name, _LOADERS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"There is no data set {name!r}; there are: {', '.join(names())}.{hint}")
    return _LOADERS[name]()


_LOADERS: dict[str, Callable[[], DataSet]] = {
    "beijing-met": beijing.met,
    "beijing-neighbours": beijing.neighbours,
    "co2": carbon_dioxide.co2,
    "ett-all": electricity.ett_all,
    "ett-fine": electricity.ett_fine,
    "ett-loads": electricity.ett_loads,
    "etth1": electricity.etth1,
    "etth2": electricity.etth2,
    "ettm1": electricity.ettm1,
    "household": household.household,
    "shanghai": shanghai.shanghai,
    "spain-load": electricity.spain_load,
    "weather": weather.weather,
    "weather-all": weather.weather_all,
    "weather-future": weather.weather_future,
}
