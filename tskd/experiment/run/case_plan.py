"""The plan of a study: the blocks of each case and their cells, once its data are known to hold what it reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tskd.datasets.panel import Data, members_of
from tskd.experiment.config.errors import ConfigError
from tskd.experiment.config.experiment import ExperimentConfig
from tskd.experiment.config.study import StudyConfig
from tskd.experiment.controls.expansion import Expanded, expanded
from tskd.experiment.data.data_checks import check_data
from tskd.experiment.data.folds import FoldSize
from tskd.experiment.data.loading import DataLoader
from tskd.experiment.data.summary import DataSummary
from tskd.experiment.run.plan import Block, PlannedCell, blocks_of, planned

if TYPE_CHECKING:
    from darts import TimeSeries


@dataclass(frozen=True)
class DataDescription:
    """A data set, as a report describes it; of several series, whose names are in `series`, the earliest stamp of each
    kind, and the latest of the last rows. Of targets and covariates the names of their components."""

    name: str
    title: str
    unit: str
    source: str
    licence: str
    notes: str
    components: tuple[str, ...]
    step: str
    first: str
    validation_start: str
    test_start: str
    last: str
    series: tuple[str, ...] = ()
    past_covariates: tuple[str, ...] = ()
    future_covariates: tuple[str, ...] = ()

    @classmethod
    def of(cls, data: Data) -> DataDescription:
        """The description of a data set."""
        members = members_of(data)
        items: list[Any] = list(members.values())
        shown = items[0].series
        return cls(
            name=data.name,
            title=data.title,
            unit=data.unit,
            source=data.source,
            licence=data.licence,
            notes=data.notes,
            components=tuple(shown.components),
            step=shown.freq_str,
            first=str(min(item.series.start_time() for item in items)),
            validation_start=str(min(item.validation_start for item in items)),
            test_start=str(min(item.test_start for item in items)),
            last=str(max(item.series.end_time() for item in items)),
            series=tuple(name for name in members if name),
            past_covariates=_names(items[0].past_covariates),
            future_covariates=_names(items[0].future_covariates),
        )


def _names(series: TimeSeries | None) -> tuple[str, ...]:
    return () if series is None else tuple(series.components)


@dataclass(frozen=True)
class CasePlan:
    """One case of a study.

    Attributes:
        case: its label.
        configured: the experiment as it is configured.
        expanded: the experiment with its controls.
        data: description of the data set.
        fingerprint: of the data set.
        summaries: of the data of every fold and size.
        blocks: each with its cells.
    """

    case: str
    configured: ExperimentConfig
    expanded: Expanded
    data: DataDescription
    fingerprint: str
    summaries: Mapping[FoldSize, DataSummary]
    blocks: Sequence[tuple[Block, Sequence[PlannedCell]]]

    @property
    def experiment(self) -> ExperimentConfig:
        """What is run."""
        return self.expanded.experiment

    @property
    def keys(self) -> set[str]:
        """The keys of all cells."""
        return {cell.key for _, cells in self.blocks for cell in cells}


def plan_study(study: StudyConfig) -> list[CasePlan]:
    """The plans of all cases.

    Raises:
        ConfigError: data are not there, or lack what is read.
    """
    found, loader = [], DataLoader()
    for case, experiment in study.cases.items():
        try:
            loaded = loader.load(experiment)
            full = expanded(experiment, loaded.data)
        except (FileNotFoundError, ImportError, ValueError) as error:
            raise ConfigError(str(error)) from error
        found.append(
            CasePlan(
                case=case,
                configured=experiment,
                expanded=full,
                data=DataDescription.of(loaded.data),
                fingerprint=loaded.fingerprint,
                summaries=check_data(full.experiment, loaded.data),
                blocks=[(block, planned(block, loaded.fingerprint)) for block in blocks_of(case, full.experiment)],
            )
        )
    return found
