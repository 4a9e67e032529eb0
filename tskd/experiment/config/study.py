"""A study: several experiments that vary along axes, run and reported together."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tskd.experiment.config.arm import merged
from tskd.experiment.config.errors import ConfigError
from tskd.experiment.config.experiment import Experiment, safe, validated
from tskd.experiment.config.objects import plain
from tskd.experiment.config.yaml_file import read_yaml, to_yaml

if TYPE_CHECKING:
    from tskd.experiment.results.study_results import StudyResults
    from tskd.experiment.run.engines import EngineName

BETWEEN = " · "


@dataclass(frozen=True)
class Study:
    """Experiments by the label of their case: `Study(name, cases)` or `Study.from_yaml(path)`.

    A YAML file with a `grid` holds an experiment and, for each axis, by a label, what of it is other there; an overlay
    is merged into the experiment key by key, and the product of all axes gives the cases. Their labels are those of the
    axes, joined by ' · '.
    """

    name: str
    cases: Mapping[str, Experiment]

    def __post_init__(self) -> None:
        try:
            safe(self.name)
        except ValueError as error:
            raise ValueError(f"study {self.name!r}: {error}") from error
        if not self.cases:
            raise ValueError(f"study {self.name!r} has no case; give an Experiment by its label.")
        for label, experiment in self.cases.items():
            if not isinstance(label, str) or not isinstance(experiment, Experiment):
                given = f"{label!r}: {type(experiment).__name__}"
                raise ValueError(f"study {self.name!r}: give an Experiment by its label, not {given}.")

    @classmethod
    def from_yaml(cls, path: str | Path) -> Study:
        """The study described by a YAML file; without a `grid`, one of a single case that bears its name. Raises
        ConfigError."""
        try:
            config = read_yaml(path)
            grid = config.pop("grid", None)
            overlays = {"": config} if grid is None else _product(config, grid)
        except ValueError as error:
            raise ConfigError(f"{path}: {error}") from error
        cases = {
            label: validated(overlay, str(path) if grid is None else f"{path}, case {label!r}")
            for label, overlay in overlays.items()
        }
        try:
            name = safe(config.get("name"))
        except ValueError as error:
            raise ConfigError(f"{path}: name: the study needs one, beside its grid; {error}") from error
        return cls(name, {name: cases[""]} if grid is None else cases)

    def to_yaml(self) -> str:
        """All cases, defaults included, as `from_yaml` reads them; Python objects stand there as their repr."""
        if list(self.cases) == [self.name] and self.cases[self.name].name == self.name:
            return self.cases[self.name].to_yaml()
        whole = {"name": self.name, "grid": {"case": {label: plain(case) for label, case in self.cases.items()}}}
        return to_yaml(whole)

    def run(
        self,
        folder: str | Path | None = None,
        workers: int | None = 1,
        engine: EngineName = "processes",
        address: str | None = None,
        progress: bool = True,
    ) -> StudyResults:
        """Run all cases as one; arguments as in `Experiment.run`.

        A fit that cases share is computed once. A case whose student alone failed with every seed is left out, and the
        results' facts say why; RunError if all are. Raises ConfigError for data that lack what a case reads.
        """
        from tskd.experiment.run.scheduler import run

        return run(self, folder, workers, engine, address, progress)


def _product(config: dict[str, Any], grid: Any) -> dict[str, dict[str, Any]]:
    """The configurations of all cases, by label."""
    if not isinstance(grid, dict) or not grid:
        raise ValueError("grid: give axes, each a mapping of labels to what is other there.")
    for axis, overlays in grid.items():
        if not isinstance(overlays, dict) or not overlays:
            raise ValueError(f"grid.{axis}: give labels, each with what is other there.")
        for label, overlay in overlays.items():
            if not (overlay is None or isinstance(overlay, dict)) or "grid" in (overlay or {}):
                raise ValueError(f"grid.{axis}.{label}: give a part of a configuration, not {overlay!r}.")
    cases = {}
    combinations = list(itertools.product(*grid.values()))
    for labels in combinations:
        case = config
        for overlays, label in zip(grid.values(), labels, strict=True):
            case = merged(case, overlays[label] or {})
        cases[BETWEEN.join(map(str, labels))] = case
    if len(cases) < len(combinations):
        raise ValueError(f"grid: two cases have the same label; they are {', '.join(cases)}.")
    return cases
