"""A study: several experiments that vary along axes, run and reported together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tskd.experiment.config import Experiment


@dataclass(frozen=True)
class Study:
    """Experiments by the label of their case."""

    name: str
    cases: Mapping[str, Experiment]

    @classmethod
    def from_yaml(cls, path):
        e = Experiment.from_yaml(path)
        return cls(e.name, {e.name: e})

    def run(self, folder=None, workers=1, engine="processes", address=None, progress=True):
        from tskd.experiment.runner import run

        return run(self, folder, workers, engine, address, progress)

    def to_yaml(self) -> str:
        """Temporary."""
        return next(iter(self.cases.values())).to_yaml()
