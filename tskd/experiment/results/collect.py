"""From finished cells to results: reading them, and choosing each arm's candidate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tskd.experiment.config.arm import Arm
from tskd.experiment.config.errors import RunError
from tskd.experiment.config.experiment import ExperimentConfig
from tskd.experiment.config.study import StudyConfig
from tskd.experiment.data.folds import FoldSize
from tskd.experiment.data.summary import DataSummary
from tskd.experiment.results.candidate_choice import choose
from tskd.experiment.results.describe import describe_case
from tskd.experiment.results.experiment_info import CellCounts, PendingCell, StudyInfo
from tskd.experiment.results.results import Results
from tskd.experiment.results.study_results import StudyResults
from tskd.experiment.results.tabulation import CellsOfTables, FailedCell, FinishedCell, tables_of
from tskd.experiment.run.case_plan import CasePlan, plan_study
from tskd.experiment.run.cell_check import planned_store
from tskd.experiment.run.cell_store import CellStore
from tskd.experiment.run.provenance import commit, versions


def collect(study: StudyConfig, plans: Sequence[CasePlan], store: CellStore) -> StudyResults:
    """The results of what is finished. A case of which too little is, is left out. Raises RunError if all are."""
    cases, left_out = {}, {}
    for plan in plans:
        try:
            cases[plan.case] = _results(plan, store)
        except RunError as error:
            left_out[plan.case] = str(error)
    if not cases:
        raise RunError(next(iter(left_out.values())))
    info = StudyInfo(
        name=study.name,
        command=None,
        config=study.to_yaml(),
        reproducible=all(results.info.reproducible for results in cases.values()),
        cells=counts(plans, store),
        left_out=left_out,
        versions=versions(),
        commit=commit(),
    )
    return StudyResults(study.name, cases, info)


def results_so_far(study: StudyConfig, folder: str | Path) -> StudyResults:
    """The results of what is finished in the folder of a run, which may still go on.

    Raises:
        RunError: nothing is finished yet.
    """
    plans = plan_study(study)
    return collect(study, plans, planned_store(Path(folder), plans))


def counts(plans: Iterable[CasePlan], store: CellStore) -> CellCounts:
    """How many cells there are, and how many of them are finished or failed."""
    keys: set[str] = set().union(*(plan.keys for plan in plans))
    finished = store.finished(keys)
    failed = {name.partition(".")[0] for name in store.failures(keys)} - finished
    return CellCounts(planned=len(keys), finished=len(finished), failed=len(failed))


@dataclass
class _Progress:
    """The cells of a case: those that are finished, those that failed, and of what some is still to be computed."""

    found: list[FinishedCell] = field(default_factory=list)
    failures: list[FailedCell] = field(default_factory=list)
    pending: list[PendingCell] = field(default_factory=list)


def _results(plan: CasePlan, store: CellStore) -> Results:
    experiment, progress = plan.experiment, _read(plan, store)
    cells = CellsOfTables(progress.failures)
    summaries: dict[FoldSize, DataSummary] = {}
    for place in dict.fromkeys(block.fold_size for block, _ in plan.blocks):
        here = [item for item in progress.found if (item.cell.fold, item.cell.size) == place]
        lost = [failure for failure in progress.failures if (failure.fold, failure.size) == place]
        chosen = {arm.name: choose(arm, (item.cell for item in here), _failed(arm, lost)) for arm in experiment.arms}
        used = [item for item in here if item.cell.kind != "student" or item.cell.candidate == chosen[item.cell.name]]
        if used:
            summaries[place] = plan.summaries[place]
        cells.used += used
        cells.candidates += [item.cell for item in here if item.cell.kind == "student"]
    if not any(item.cell.kind == "student" and item.cell.name == experiment.alone.name for item in cells.used):
        raise RunError(_nothing(experiment, progress.failures))
    info = describe_case(
        plan,
        summaries,
        counts([plan], store),
        progress.pending,
        [item.cell for item in progress.found],
        [item.cell for item in cells.used],
    )
    return Results(**tables_of(experiment, plan.fingerprint, cells, summaries), info=info)


def _read(plan: CasePlan, store: CellStore) -> _Progress:
    """The cells of a case, under the names that they have in it."""
    read = _Progress()
    for block, cells in plan.blocks:
        own = store.read({cell.key for cell in cells})
        fold, size, seed = block.fold, block.size, block.seed
        for planned in cells:
            stored, kind, name = own.get(planned.key), planned.kind, planned.name
            if stored is None:
                pending = PendingCell(kind=kind, name=name, fold=fold, size=size, seed=seed)
                read.pending += [pending] if pending not in read.pending[-1:] else []
            elif stored.failed:
                error = stored.row["failed"]
                read.failures.append(
                    FailedCell(
                        *(kind, name, fold, size, seed, planned.candidate),
                        error=f"{error['type']}: {error['message']}",
                        traceback=error["traceback"],
                    )
                )
            else:
                # the same fit has other names in other cases
                cell = stored.cell()
                cell = replace(cell, kind=kind, name=name, candidate=planned.candidate, fold=fold, size=size, seed=seed)
                read.found.append(FinishedCell(cell, stored.row["versions"], stored.row["commit"]))
    return read


def _failed(arm: Arm, failures: Iterable[FailedCell]) -> list[tuple[int, int]]:
    own = (failure for failure in failures if failure.kind == "student" and failure.name == arm.name)
    return [(failure.candidate, failure.seed) for failure in own]


def _nothing(experiment: ExperimentConfig, failures: Sequence[FailedCell]) -> str:
    """Why there is nothing to compare anything with."""
    own = [failure for failure in failures if failure.kind == "student" and failure.name == experiment.alone.name]
    if not own:
        return f"{experiment.name}: the student alone is not finished with any seed yet; there is nothing to report."
    return f"arm {experiment.alone.name!r}, seed {own[0].seed} failed: {own[0].error}"
