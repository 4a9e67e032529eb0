"""The data set of an experiment with its fingerprint: loaded once in a process if it is named or lies in a file, read
once if it is an object."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from tskd import datasets
from tskd.datasets.panel import Data
from tskd.experiment.config.experiment import ExperimentConfig
from tskd.experiment.config.own_data import OwnDataConfig
from tskd.experiment.data.preparation import fingerprint


@dataclass(frozen=True, eq=False)
class LoadedData:
    """A data set, whole, and its fingerprint."""

    data: Data
    fingerprint: str


def load(experiment: ExperimentConfig) -> LoadedData:
    """The data set of an experiment; one that is named, or lies in a file, is loaded once in a process."""
    if isinstance(experiment.data, str):
        return _named(experiment.data)
    if isinstance(experiment.data, OwnDataConfig):
        return _own(experiment.data.model_dump_json(), experiment.data.state)
    return LoadedData(experiment.data, fingerprint(experiment.data))


class DataLoader:
    """Loads the data of several experiments; an object that they share is fingerprinted once."""

    def __init__(self) -> None:
        self._objects: dict[int, LoadedData] = {}

    def load(self, experiment: ExperimentConfig) -> LoadedData:
        """As the function `load`."""
        if not isinstance(experiment.data, Data):
            return load(experiment)
        key = id(experiment.data)
        if key not in self._objects:
            self._objects[key] = load(experiment)
        return self._objects[key]


@lru_cache(maxsize=4)
def _named(name: str) -> LoadedData:
    data = datasets.load(name)
    return LoadedData(data, fingerprint(data))


@lru_cache(maxsize=4)
def _own(config: str, state: tuple[tuple[int, int], ...]) -> LoadedData:
    """The data in a file.

    Args:
        config: the configuration as JSON.
        state: of the files: one that was written anew is read anew.
    """
    data = OwnDataConfig.model_validate_json(config).load()
    return LoadedData(data, fingerprint(data))
