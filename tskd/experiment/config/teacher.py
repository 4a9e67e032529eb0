"""The teachers of an experiment: a darts model, what it may see, and on which rows it is fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator, model_validator

from tskd._core.quiet_logs import quiet
from tskd.datasets import DataSet
from tskd.experiment.config.distribution import forecast_distribution
from tskd.experiment.config.objects import Spec, Strict, Whole, build_object, parse_object
from tskd.experiment.config.roles import MODEL, PRIVILEGED, TEACHER, Role
from tskd.experiment.config.training_arguments import check_training

if TYPE_CHECKING:
    from tskd.privileged import Source
    from tskd.teachers.crossfit import CrossFit
    from tskd.teachers.teacher import Teacher

INPUTS = {"past": "the student's past covariates", "future": "the student's future covariates"}
"""Names under which the teachers of a soft sensor read its inputs, by slot."""


class CrossFitConfig(Strict):
    """Cross-fitting of a teacher, see `tskd.CrossFit`.

    Attributes:
        folds: how many.
        block: steps in a block of a fold.
    """

    folds: Whole
    block: Whole | None = None

    def made(self) -> CrossFit:
        """As a teacher takes it."""
        from tskd.teachers.crossfit import CrossFit

        return CrossFit(self.folds, self.block)


class TeacherConfig(Strict):
    """A teacher: any global model of darts, and the sources of privileged information that it sees.

    In Python an unfitted `tskd.Teacher` will do; its name is the key under `teachers`.

    Attributes:
        model: its lookback may differ from the student's; its horizon must include the student's.
        privileged: sources of privileged information.
        sees_inputs: whether it sees the student's inputs too.
        cross_fit: how it is cross-fitted, if it is.
        archive: whether it is fitted on the data set's archive alone, then frozen.
        taught_by: another teacher, whose forecasts take the place of the labels (a chain of way points).
    """

    model: Any
    privileged: tuple[Any, ...] = ()
    sees_inputs: bool = True
    cross_fit: CrossFitConfig | None = Field(default=None)
    archive: bool = False
    taught_by: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_teacher(cls, data: Any) -> Any:
        if isinstance(data, TeacherConfig) or not hasattr(data, "sources"):
            return data
        if data.fitted:
            raise ValueError(f"teacher {data.name!r} is fitted; an experiment fits its teachers itself, once a seed")
        if data.target is not None:
            raise ValueError(
                f"teacher {data.name!r}: target={data.target!r}: in an experiment every teacher forecasts the data "
                "set's own target; leave target out, or show the teacher that series by a source in privileged."
            )
        plan = data.cross_fit
        return {
            "model": data.model,
            "privileged": data.sources,
            "sees_inputs": data.sees_inputs,
            "cross_fit": plan and {"folds": plan.folds, "block": plan.block},
        }

    @field_validator("model", mode="before")
    @classmethod
    def _model(cls, value: Any) -> Any:
        return scorable(parse_object(value, TEACHER), TEACHER)

    @field_validator("privileged", mode="before")
    @classmethod
    def _privileged(cls, value: Any) -> Any:
        return () if value is None else tuple(parse_object(item, PRIVILEGED) for item in as_list(value))

    @field_validator("cross_fit", mode="before")
    @classmethod
    def _cross_fit(cls, value: Any) -> Any:
        return {"folds": value} if isinstance(value, int) and not isinstance(value, bool) else value

    @model_validator(mode="after")
    def _possible(self) -> TeacherConfig:
        if self.archive and self.cross_fit is not None:
            raise ValueError("an archive teacher trains on none of the student's rows: leave out cross_fit.")
        if self.archive and self.taught_by is not None:
            raise ValueError("an archive teacher trains on the labels of the archive: leave out taught_by.")
        return self

    @property
    def series_names(self) -> tuple[str, ...]:
        """Names of the privileged series that it reads."""
        return tuple(dict.fromkeys(source.name for source in self.sources() if source.name is not None))

    def sources(self) -> list[Source]:
        """Fresh sources."""
        return [build_object(source, PRIVILEGED) for source in self.privileged]

    def teacher(self, name: str, model: Any, sources: Sequence[Source], inputs: Sequence[Source] | None) -> Teacher:
        """The unfitted teacher.

        Args:
            name: its key in the configuration.
            model: unfitted.
            sources: of this configuration, or their placebos.
            inputs: for a soft sensor, sources of the student's inputs. A teacher that sees inputs would see the
                target's past among them: it sees these sources instead, so that it has what the student has.
        """
        from tskd.teachers.teacher import Teacher

        privileged = [*inputs, *sources] if inputs is not None and self.sees_inputs else sources
        return Teacher(
            model,
            privileged=list(privileged),
            name=name,
            sees_inputs=self.sees_inputs and inputs is None,
            cross_fit=None if self.cross_fit is None else self.cross_fit.made(),
        )

    def check_possible(self, name: str, soft_sensor: bool) -> None:
        """Raise a ValueError for a teacher that no data could fit."""
        with quiet():
            model = self.model.build(TEACHER)
        try:
            self.teacher(name, model, self.sources(), inputs_of(model, tuple(INPUTS)) if soft_sensor else None)
        except (TypeError, ValueError) as error:
            named = f"teacher {name!r}" in str(error)
            raise ValueError(str(error) if named else f"teacher {name!r}: {error}") from error


def inputs_of(model: Any, slots: Sequence[str]) -> list[Source]:
    """Sources of the covariates of these slots for a model, as far as it reads them: those of the lookback, and of
    `"future"` ones also those of the horizon."""
    from tskd._core.darts.capabilities import reads_covariates
    from tskd.privileged import CostlySensors, FutureHorizon

    sources: list[Source] = []
    if reads_covariates(model, "past"):
        sources += [CostlySensors(INPUTS[slot]) for slot in slots]
    if "future" in slots and reads_covariates(model, "future"):
        sources.append(FutureHorizon(INPUTS["future"]))
    return sources


def with_inputs(data: DataSet, slots: Sequence[str]) -> DataSet:
    """`data` and its archive with the deployable covariates of these slots among the privileged series, where the
    teachers of a soft sensor find them (`inputs_of`)."""

    def with_covariates(item: Any) -> Any:
        found = {label: getattr(item, f"{slot}_covariates") for slot, label in INPUTS.items() if slot in slots}
        return {**item.privileged, **{label: series for label, series in found.items() if series is not None}}

    archive = tuple(replace(item, privileged=with_covariates(item)) for item in data.archive)
    return replace(data, privileged=with_covariates(data), archive=archive)


def lookback_and_horizon(spec: Spec, role: Role) -> tuple[int, int]:
    """Lookback and last step of the horizon of a model."""
    from tskd._core.darts.capabilities import horizon_of, lookback_of

    with quiet():
        model = spec.build(role)
    return lookback_of(model), horizon_of(model)[-1]


def scorable(spec: Spec, role: Role = MODEL) -> Spec:
    """The model if its forecasts can be scored; ValueError with the reason if not. Of a distribution the point forecast
    is its mean, or the median of its quantiles."""
    if spec.kwargs.get("random_state") is not None:
        raise ValueError("random_state is set by the experiment, from `seeds`; leave it out.")
    with quiet():
        model = spec.build(role)
    if role is MODEL:
        forecast_distribution(model)
    if hasattr(model, "pl_module_params"):
        check_training(model)
    if role is TEACHER and model.output_chunk_shift:
        raise ValueError("output_chunk_shift must be 0: a teacher's horizon includes the student's.")
    return spec


def as_list(value: Any) -> list[Any]:
    """A list of what is given alone or as several."""
    return list(value) if isinstance(value, list | tuple) else [value]
