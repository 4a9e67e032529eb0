"""A study: several experiments that are run and reported together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tskd.experiment.config.experiment import ExperimentConfig, folder_name
from tskd.experiment.config.plain import plain
from tskd.experiment.config.yaml_file import to_yaml


@dataclass(frozen=True)
class StudyConfig:
    """Experiments by the label of their case.

    Attributes:
        name: of the study and, by default, of the folder of its run.
        cases: at least one.
    """

    name: str
    cases: Mapping[str, ExperimentConfig]

    def __post_init__(self) -> None:
        try:
            folder_name(self.name)
        except ValueError as error:
            raise ValueError(f"study {self.name!r}: {error}") from error
        if not self.cases:
            raise ValueError(f"study {self.name!r} has no case; give an Experiment by its label.")
        for label, experiment in self.cases.items():
            if not isinstance(label, str) or not isinstance(experiment, ExperimentConfig):
                given = f"{label!r}: {type(experiment).__name__}"
                raise ValueError(f"study {self.name!r}: give an Experiment by its label, not {given}.")

    def to_yaml(self) -> str:
        """All cases, defaults included, as `Study.from_yaml` reads them; Python objects stand there as their repr."""
        if list(self.cases) == [self.name] and self.cases[self.name].name == self.name:
            return self.cases[self.name].to_yaml()
        whole = {"name": self.name, "grid": {"case": {label: plain(case) for label, case in self.cases.items()}}}
        return to_yaml(whole)
