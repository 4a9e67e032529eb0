"""The data that each fit of an experiment is given, as arguments of `fit`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypedDict, cast

from darts import TimeSeries

from tskd._core.quiet_logs import quiet
from tskd.datasets import ArchiveSeries
from tskd.experiment.config.chunk_lengths import chunks
from tskd.experiment.config.objects import Spec
from tskd.experiment.config.roles import TEACHER
from tskd.experiment.config.training_arguments import watches_validation
from tskd.experiment.data.preparation import DataPart, Prepared


class FitArguments(TypedDict, total=False):
    """Arguments of `fit`, under the names that darts and tskd have for them."""

    series: TimeSeries | list[TimeSeries]
    past_covariates: TimeSeries | list[TimeSeries]
    future_covariates: TimeSeries | list[TimeSeries]
    privileged: dict[str, Any]
    val_series: TimeSeries
    val_past_covariates: TimeSeries
    val_future_covariates: TimeSeries
    val_privileged: dict[str, TimeSeries]


class FitData:
    """Arguments for the `fit` of students and teachers.

    Args:
        prepared: the parts of the data set.
        readable: slots of covariates, `"past"` and `"future"`, that the student reads.
        lookback: the student's.
    """

    def __init__(self, prepared: Prepared, readable: Sequence[str], lookback: int) -> None:
        self.prepared = prepared
        self.lookback = lookback
        data = prepared.data
        self.slots = [slot for slot in readable if getattr(data, f"{slot}_covariates") is not None]

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
        train, held_out = self.prepared.train, self.prepared.validation
        data: dict[str, Any] = {"series": train.series, **self.covariates(train)}
        names = list(privileged)
        if names:
            data["privileged"] = {name: train.privileged[name] for name in names}
        if validates or self._watches(model):
            data |= {f"val_{slot}": series for slot, series in self.covariates(held_out).items()}
            data["val_series"] = held_out.series[held_out.reach - (lookback or self.lookback) :]
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
        assert self.prepared.every_label is not None
        return {**self.training(model, lookback=chunks(model)[0]), "series": self.prepared.every_label}

    def archive(self, privileged: Iterable[str]) -> FitArguments:
        """The archive, in place of the training part."""
        items = self.prepared.archive
        each = [self.covariates(item) for item in items]
        data: dict[str, Any] = {slot: [covariates[slot] for covariates in each] for slot in each[0]}
        names = list(privileged)
        if names:
            data["privileged"] = {name: [item.privileged[name] for item in items] for name in names}
        return cast("FitArguments", {"series": [item.series for item in items], **data})

    def covariates(self, part: DataPart | ArchiveSeries) -> dict[str, TimeSeries]:
        """Covariates of a part that a deployed student reads; teachers get no more of it but by their sources."""
        return {f"{slot}_covariates": getattr(part, f"{slot}_covariates") for slot in self.slots}
