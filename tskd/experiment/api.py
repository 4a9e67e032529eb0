"""The public classes: an experiment and a study, from Python or from a YAML file, and how they are run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError, field_validator

from tskd._core.checks import check_bool
from tskd.experiment.config.arm import Arm
from tskd.experiment.config.errors import ConfigError, explain, nearest
from tskd.experiment.config.experiment import ExperimentConfig, folder_name
from tskd.experiment.config.grid import expand_grid, with_label_axis
from tskd.experiment.config.own_classes import with_own_classes
from tskd.experiment.config.seeds import MOST
from tskd.experiment.config.study import StudyConfig
from tskd.experiment.config.teacher import as_list
from tskd.experiment.config.yaml_file import read_yaml
from tskd.experiment.controls.registry import CONTROL_NAMES, control_of

if TYPE_CHECKING:
    from tskd.experiment.results.results import Results
    from tskd.experiment.results.study_results import StudyResults
    from tskd.experiment.run.engines import EngineName


class Experiment(ExperimentConfig):
    """A comparison of arms on one data set: `Experiment(...)` or `Experiment.from_yaml(path)`, then `run()`.

    The fields are those of `tskd.experiment.config.experiment.ExperimentConfig`. `controls` may be `"all"`. From Python
    a mistake in them is a pydantic `ValidationError`, which is a ValueError; from a file it is a `ConfigError`.
    """

    @field_validator("controls", mode="before")
    @classmethod
    def _controls(cls, value: Any) -> Any:
        names = as_list(value)
        for name in names:
            if name not in (*CONTROL_NAMES, "all"):
                raise ValueError(f"there is no control {name!r}. {nearest(str(name), [*CONTROL_NAMES, 'all'])}")
        return CONTROL_NAMES if "all" in names else tuple(dict.fromkeys(names))

    def control(self, arm: Arm) -> str | None:
        """Which control an `arm` is by what it does; None for the student alone and arms with privileged teachers."""
        return control_of(self, arm)

    @classmethod
    def from_yaml(cls, path: str | Path, allow_modules: Sequence[str] = ()) -> Experiment:
        """The experiment described by a YAML file.

        Args:
            path: of the file.
            allow_modules: modules of one's own whose classes the file may name, as in `class: mypkg.models.Mine`; they
                are imported.

        Raises:
            ConfigError: the file cannot be read, is a study, or does not describe an experiment.
        """
        try:
            config = read_yaml(path)
        except ValueError as error:
            raise ConfigError(f"{path}: {error}") from error
        if "grid" in config:
            raise ConfigError(f"{path}: it has a grid, and is a study of several experiments: use Study.from_yaml.")
        return _validated(config, str(path), path, allow_modules)

    def run(
        self,
        folder: str | Path | None = None,
        workers: int | None = 1,
        engine: EngineName = "processes",
        address: str | None = None,
        progress: bool = True,
    ) -> Results:
        """Train all arms with all seeds, and score them on the test part. A fit that fails is in `Results.failures`.

        Args:
            folder: where the run is kept; a run that was killed goes on by the same call, and what is finished is not
                computed again. None: nowhere.
            workers: how many blocks (fold, size and seed) are computed at once; None: as many as there are cores.
                Results do not depend on it. With more than one, a script must guard its entry with
                `if __name__ == "__main__":`, as always in multiprocessing.
            engine: `"processes"` on this machine, or `"ray"`.
            address: of a Ray cluster; None: one of this machine's cores, for this run.
            progress: whether to show a progress bar.

        Raises:
            ConfigError: the data lack what is read.
            RunError: the student alone failed with every seed.
        """
        study = Study(self.name, {self.name: self})
        return study.run(folder, workers, engine, address, progress).cases[self.name]


@dataclass(frozen=True)
class Study(StudyConfig):
    """Experiments by the label of their case: `Study(name, cases)` or `Study.from_yaml(path)`, then `run()`.

    A YAML file with a `grid` holds an experiment and, for each axis, labelled overlays that say what differs there; an
    overlay is merged into the experiment key by key, and the product of all axes gives the cases. Their labels are
    those of the axes, joined by ' · '. A list of `labels` is an axis too.

    Attributes:
        name: of the study and, by default, of the folder of its run.
        cases: at least one.

    Raises:
        ValueError: the name cannot be one of a folder, or there is no case.
    """

    cases: Mapping[str, Experiment]

    @classmethod
    def from_yaml(cls, path: str | Path, allow_modules: Sequence[str] = ()) -> Study:
        """The study described by a YAML file; without a `grid` or several `labels`, one case that bears its name.

        Arguments are those of `Experiment.from_yaml`: `path` and `allow_modules`.

        Raises:
            ConfigError: the file cannot be read, or does not describe a study.
        """
        try:
            config = read_yaml(path)
            config, grid = with_label_axis(config, config.pop("grid", None))
            overlays = {"": config} if grid is None else expand_grid(config, grid)
        except ValueError as error:
            raise ConfigError(f"{path}: {error}") from error
        cases = {
            label: _validated(overlay, str(path) if grid is None else f"{path}, case {label!r}", path, allow_modules)
            for label, overlay in overlays.items()
        }
        try:
            name = folder_name(config.get("name"))
        except ValueError as error:
            raise ConfigError(f"{path}: name: the study needs one, beside its grid; {error}") from error
        return cls(name, {name: cases[""]} if grid is None else cases)

    def with_seeds(self, number: int) -> Study:
        """The same study with the seeds from 0 to `number` - 1. Raises ConfigError for none or too many."""
        if not 1 <= number <= MOST:
            raise ConfigError(f"seeds={number} must be from 1 to {MOST:,}.")
        changes = {"seeds": tuple(range(number))}
        return Study(self.name, {label: case.model_copy(update=changes) for label, case in self.cases.items()})

    def run(
        self,
        folder: str | Path | None = None,
        workers: int | None = 1,
        engine: EngineName = "processes",
        address: str | None = None,
        progress: bool = True,
    ) -> StudyResults:
        """Run all cases as one; arguments as in `Experiment.run`.

        A fit that cases share is computed once. A case in which the student alone failed with every seed is left out,
        and `StudyResults.info` says why.

        Raises:
            ConfigError: the data lack what a case reads.
            RunError: no case has results.
        """
        from tskd.experiment.results.collect import collect
        from tskd.experiment.run.case_plan import plan_study
        from tskd.experiment.run.engines import EngineOptions
        from tskd.experiment.run.folder import run_folder
        from tskd.experiment.run.scheduler import compute

        check_bool(progress, "progress")
        options, plans = EngineOptions(engine, workers, address), plan_study(self)
        with run_folder(folder) as place:
            store = compute(self, plans, place, options, progress)
            results = collect(self, plans, store)
            if folder is not None:
                results.save(place)
        return results


def _validated(config: dict[str, Any], where: str, path: str | Path, modules: Sequence[str]) -> Experiment:
    """The experiment that a configuration in a file describes. Raises ConfigError, which names the place."""
    try:
        named = with_own_classes(config, modules)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error
    try:
        return Experiment.model_validate(named, context={"folder": Path(path).parent})
    except ValidationError as error:
        raise ConfigError("\n  ".join([f"{where}:", *explain(error)])) from error
