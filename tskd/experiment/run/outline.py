"""What a study comes to: the blocks of each case and their cells, if its data hold what it reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tskd.experiment.config.errors import ConfigError
from tskd.experiment.config.experiment import Experiment
from tskd.experiment.config.study import Study
from tskd.experiment.controls.registry import Expanded, expanded
from tskd.experiment.data.validation import checked
from tskd.experiment.run.plan import Block, Planned, blocks, planned
from tskd.experiment.run.worker import loaded


@dataclass(frozen=True)
class Outline:
    """One case of a study: `given` as it is configured, `expanded` by its controls; `blocks`, each with its cells."""

    case: str
    given: Experiment
    expanded: Expanded
    fingerprint: str
    blocks: Sequence[tuple[Block, Sequence[Planned]]]

    @property
    def experiment(self) -> Experiment:
        """What is run."""
        return self.expanded.experiment


def outline(study: Study) -> list[Outline]:
    """All cases. Raises ConfigError for data that are not there or lack what is read."""
    found = []
    for case, experiment in study.cases.items():
        try:
            data, fingerprint = loaded(experiment)
            full = expanded(experiment, data)
        except (FileNotFoundError, ImportError, ValueError) as error:
            raise ConfigError(str(error)) from error
        checked(full.experiment, data)
        own = blocks(Study(study.name, {case: full.experiment}))
        cells = [(block, planned(block, fingerprint)) for block in own]
        found.append(Outline(case, experiment, full, fingerprint, cells))
    return found
