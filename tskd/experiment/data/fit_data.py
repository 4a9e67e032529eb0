"""The data that each fit of an experiment is given, as arguments of `fit`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict, cast

from darts import TimeSeries

from tskd._core.quiet_logs import quiet
from tskd.datasets import ArchiveSeries, DataSet
from tskd.experiment.config.chunk_lengths import chunks
from tskd.experiment.config.experiment import ExperimentConfig
from tskd.experiment.config.labels import ALL
from tskd.experiment.config.objects import Spec
from tskd.experiment.config.roles import TEACHER
from tskd.experiment.config.teacher import with_inputs
from tskd.experiment.config.training_arguments import watches_validation
from tskd.experiment.controls.teacher_variants import TeacherVariant, with_placebo_series
from tskd.experiment.data.complete_windows import with_complete_windows
from tskd.experiment.data.folds import FoldSize, cut
from tskd.experiment.data.preparation import DataPart, Prepared, prepare
from tskd.privileged import Source

PlaceboSources = Mapping[TeacherVariant, Sequence[Source]]


class FitArguments(TypedDict, total=False):
    """Arguments of `fit`, under the names that darts and tskd have for them."""

    series: TimeSeries | list[TimeSeries]
    past_covariates: TimeSeries | list[TimeSeries]
    future_covariates: TimeSeries | list[TimeSeries]
    privileged: dict[str, Any]
    val_series: TimeSeries | list[TimeSeries]
    val_past_covariates: TimeSeries | list[TimeSeries]
    val_future_covariates: TimeSeries | list[TimeSeries]
    val_privileged: dict[str, Any]


class FitData:
    """Arguments for the `fit` of students and teachers; of several series as lists, of which all are trained together.

    Args:
        prepared: the parts of the data set of each series.
        readable: slots of covariates, `"past"` and `"future"`, that the student reads.
        lookback: the student's.
    """

    def __init__(self, prepared: Sequence[Prepared], readable: Sequence[str], lookback: int) -> None:
        self.prepared = tuple(prepared)
        self.lookback = lookback
        data = self.prepared[0].data
        self.slots = [slot for slot in readable if getattr(data, f"{slot}_covariates") is not None]

    @property
    def missing(self) -> bool:
        """Whether values of targets or covariates are missing in some series."""
        return any(one.missing for one in self.prepared)

    def training(
        self, model: Spec, privileged: Iterable[str] = (), validates: bool = False, lookback: int | None = None
    ) -> FitArguments:
        """The training part, and the validation part for a model whose callbacks or weighting need it.

        Args:
            model: that is fitted.
            privileged: names of the privileged series that it reads.
            validates: whether its weighting needs the validation part.
            lookback: of the model, if it is not the student's. The validation part reaches back as far: further, and
                some targets would lie in the training part; less far, and its first windows would be missing.
        """
        names, validates = list(privileged), validates or self._watches(model)
        return _together([self._training(one, names, validates, lookback or self.lookback) for one in self.prepared])

    def labels(self, privileged: Iterable[str] = ()) -> dict[str, Any]:
        """The target of the training part and some privileged series, for what is fitted without covariates."""
        names = list(privileged)
        parts = [one.train for one in self.prepared]
        each: list[Any] = [{"series": one.series, "privileged": {n: one.privileged[n] for n in names}} for one in parts]
        return {**_together(each)}

    def _training(self, prepared: Prepared, names: Sequence[str], validates: bool, lookback: int) -> FitArguments:
        """The arguments of one series."""
        train, held_out = prepared.train, prepared.validation
        data: dict[str, Any] = {"series": train.series, **self.covariates(train)}
        if names:
            data["privileged"] = {name: train.privileged[name] for name in names}
        if validates:
            data |= {f"val_{slot}": series for slot, series in self.covariates(held_out).items()}
            data["val_series"] = held_out.series[held_out.reach - lookback :]
            if names:
                data["val_privileged"] = {name: held_out.privileged[name] for name in names}
        return cast("FitArguments", data)

    @staticmethod
    def _watches(model: Spec) -> bool:
        """Whether what trains a model needs the validation part; darts' own classes have it from their arguments."""
        names = ("pl_trainer_kwargs", "lr_scheduler_cls")
        if isinstance(model.class_, str) and not any(model.kwargs.get(name) for name in names):
            return False
        with quiet():
            made = model.build(TEACHER)
        return hasattr(made, "trainer_params") and watches_validation(made)

    def rows(self, model: Spec, archive: str | None) -> list[FitArguments]:
        """Arguments for a student that learns from labels alone, of one fit after the other.

        Args:
            model: the student.
            archive: None for the training part, `"pooled"` for that and the archive in one fit, `"pre-trained"` for the
                archive first.
        """
        own = self.training(model, lookback=chunks(model)[0])
        if archive is None:
            return [own]
        elsewhere = self.archive(())
        if archive == "pre-trained":
            return [{**own, **elsewhere}, own]
        mine: dict[str, Any] = {**own}
        theirs: dict[str, Any] = {**elsewhere}
        both = {name: [mine[name], *items] for name, items in theirs.items()}
        return [cast("FitArguments", {**mine, **both})]

    def oracle(self, model: Spec) -> FitArguments:
        """Arguments for a student that learns from all labels, also those that the experiment hides."""
        given: list[Any] = [{"series": one.every_label} for one in self.prepared]
        return {**self.training(model, lookback=chunks(model)[0]), **_together(given)}

    def archive(self, privileged: Iterable[str]) -> FitArguments:
        """The archive, in place of the training part."""
        items = self.prepared[0].archive
        each = [self.covariates(item) for item in items]
        data: dict[str, Any] = {slot: [covariates[slot] for covariates in each] for slot in each[0]}
        names = list(privileged)
        if names:
            data["privileged"] = {name: [item.privileged[name] for item in items] for name in names}
        return cast("FitArguments", {"series": [item.series for item in items], **data})

    def covariates(self, part: DataPart | ArchiveSeries) -> dict[str, TimeSeries]:
        """Covariates of a part that a deployed student reads; teachers get no more of it but by their sources."""
        return {f"{slot}_covariates": getattr(part, f"{slot}_covariates") for slot in self.slots}


def prepared_for_fits(
    experiment: ExperimentConfig,
    whole: DataSet,
    place: FoldSize,
    seed: int,
    readable: Sequence[str],
    longest: int,
) -> tuple[Prepared, PlaceboSources]:
    """The parts of one series, with what placebos and soft sensors read, and the sources of each placebo.

    A series is cut, thinned, scaled and shuffled by itself: nothing of one is in the statistics of another.

    Args:
        experiment: with its controls among its arms.
        whole: the data set of the series.
        place: fold and training size.
        seed: of the shuffling.
        readable: slots of covariates that the student reads.
        longest: the longest lookback of student and teachers.

    Raises:
        ValueError: some part is left without a window.
    """
    data = cut(experiment, whole, *place)
    if experiment.soft_sensor:
        data = with_inputs(data, readable)
    sources: PlaceboSources = {}
    if any(arm.placebo for arm in experiment.arms):
        data, sources = with_placebo_series(experiment, data, seed)
    lookback, _ = experiment.chunk_lengths(experiment.student)
    every_label = None
    if any(arm.oracle for arm in experiment.arms):
        every_label = cut(experiment.model_copy(update={"labels": ALL}), whole, *place).series
    prepared = prepare(data, lookback, experiment.steps, longest, every_label)
    return (with_complete_windows(experiment, prepared, readable) if prepared.missing else prepared), sources


def _together(each: Sequence[FitArguments]) -> FitArguments:
    """The arguments of several series as one: lists of them, one an item; those of a single series as they are."""
    if len(each) == 1:
        return each[0]
    items: list[dict[str, Any]] = [{**one} for one in each]

    def listed(name: str) -> Any:
        values = [item[name] for item in items]
        if isinstance(values[0], dict):
            return {label: [value[label] for value in values] for label in values[0]}
        return values

    return cast("FitArguments", {name: listed(name) for name in items[0]})
