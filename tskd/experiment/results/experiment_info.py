"""What goes with tables of results: how an experiment or a study was set up, on what data, and how far it is."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class Info(BaseModel):
    """Typed content of a JSON file; keys that are not known are left out."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    def to_json(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return self.model_dump(mode="json")


class TeacherInfo(Info):
    """A teacher; `cross_fit` is the number of its folds."""

    name: str
    model: str
    privileged: tuple[str, ...]
    sees_inputs: bool
    cross_fit: int | None
    archive: bool | None


class ArmInfo(Info):
    """An arm.

    Attributes:
        candidates: labels of balances, or of settings of the student.
        privileged: whether its teachers saw privileged information.
        controls: arms that tell whether its gain is due to that; none of an arm that is not privileged.
    """

    name: str
    teachers: tuple[str, ...]
    losses: tuple[str, ...]
    weighting: str
    candidates: tuple[str, ...]
    placebo: bool
    archive: Literal["pooled", "pre-trained"] | None = None
    privileged: bool
    controls: tuple[str, ...]


class WindowCounts(Info):
    """Windows of each part, with and without labels, in the last fold at the largest size.

    Attributes:
        labelled: those of the training part that have all inputs of the student and a label; None: all.
        validation_labelled: the same of the validation part.
        scored: the same of the test part, but for targets that rest on filled values.
    """

    training: int
    validation: int
    test: int
    labelled: int | None = None
    validation_labelled: int | None = None
    scored: int | None = None

    @property
    def labelled_text(self) -> str:
        """How many windows of each part have all inputs of the student and a label; empty if all have."""
        counts = (
            ("training", self.labelled, self.training),
            ("validation", self.validation_labelled, self.validation),
            ("test", self.scored, self.test),
        )
        known = [(part, count, whole) for part, count, whole in counts if count is not None]
        if all(count == whole for _, count, whole in known):
            return ""
        return ", ".join(f"{count} of {whole} {part} windows" for part, count, whole in known)

    @property
    def scored_text(self) -> str:
        """The test windows that errors are means over, and all there are, in words."""
        if self.scored is None or self.scored == self.test:
            return f"{self.test} test windows"
        return f"{self.scored} of {self.test} test windows"


class DataInfo(Info):
    """A data set.

    Attributes:
        step: between two rows, as pandas calls it.
        first: time stamp of the first row; `validation_start`, `test_start` of the first rows of these parts, `last` of
            the last row.
        not_scored: targets of the test part that are not scored.
        incomplete: test windows in which inputs of the student are missing, which are not scored.
        series: names of the series of a panel, of which the stamps are the earliest, and of the last rows the latest;
            empty for a data set of one.
        past_covariates: names of their components, whether or not the student reads them, and so `future_covariates`;
            None where an earlier version wrote the file.
    """

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
    windows: WindowCounts
    not_scored: int
    incomplete: int = 0
    series: tuple[str, ...] = ()
    past_covariates: tuple[str, ...] | None = None
    future_covariates: tuple[str, ...] | None = None


class DistributionInfo(Info):
    """How forecast distributions are scored.

    Attributes:
        levels: of the quantiles.
        nominal: share of a distribution that the interval is to hold.
        point: what of the distribution is the point forecast.
    """

    levels: tuple[float, ...]
    nominal: float
    point: Literal["median", "mean"]

    def __str__(self) -> str:
        levels = ", ".join(f"{level:g}" for level in self.levels)
        return (
            f"MSE and MAE are of the {self.point}. CRPS: twice the mean pinball loss of the quantiles at {levels}. "
            f"Coverage and width: of the central interval that is to hold {100 * self.nominal:g}\u00a0%."
        )


class CellCounts(Info):
    """How many cells there are, and how many of them are finished or failed."""

    planned: int
    finished: int
    failed: int

    @property
    def missing(self) -> int:
        """How many are still to be computed."""
        return self.planned - self.finished - self.failed


class PendingCell(Info):
    """An arm or teacher of which some cell is still to be computed."""

    kind: Literal["student", "teacher", "bound"]
    name: str
    fold: int
    size: int | None
    seed: int


class ExperimentInfo(Info):
    """An experiment, its data, and how far it is.

    Attributes:
        command: that gave the results; None for a run from Python.
        config: the configuration as YAML.
        reproducible: whether that gives the same experiment again.
        alone: name of the arm without teachers.
        bounds: names of students that are no arms, and bound what can be reached.
        controls: arms that are controls, each with which.
        labels: which labels there were, in words.
        not_applicable: controls that were left out, each with the reason.
        examples: number of test windows whose forecasts are kept.
        versions: of packages that laid out the tables; so is `commit`, of tskd.
        fingerprint: of the data set.
        seconds: of all fits.
        distribution: how the distribution that the student forecasts is scored; None of point forecasts.
    """

    name: str
    command: str | None
    config: str
    reproducible: bool
    alone: str
    student: str
    soft_sensor: bool
    lookback: int
    horizon: int
    scored: tuple[int, int]
    seeds: tuple[int, ...]
    folds: int
    sizes: tuple[int | None, ...]
    labels: str = "all labels"
    controls: dict[str, str]
    not_applicable: dict[str, str]
    examples: int
    teachers: tuple[TeacherInfo, ...]
    arms: tuple[ArmInfo, ...]
    bounds: tuple[str, ...] = ()
    data: DataInfo
    case: str
    cells: CellCounts
    pending: tuple[PendingCell, ...]
    versions: dict[str, str]
    commit: str
    fingerprint: str
    seconds: float
    warnings: tuple[str, ...]
    distribution: DistributionInfo | None = None

    @property
    def block(self) -> int:
        """Steps of the test part in a block of the bootstrap: as many windows of each series."""
        return self.lookback + self.horizon

    @property
    def privileged(self) -> list[str]:
        """Names of the arms whose teachers saw privileged information."""
        return [arm.name for arm in self.arms if arm.privileged]


class StudyInfo(Info):
    """A study; the fields are those of `ExperimentInfo`.

    Attributes:
        left_out: cases that have no results, each with the reason.
    """

    name: str
    command: str | None
    config: str
    reproducible: bool
    cells: CellCounts
    left_out: dict[str, str]
    versions: dict[str, str]
    commit: str
