"""The teachers of an experiment that are no darts models: reconstructions, given series, and given forecasts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from tskd.experiment.config.objects import Strict, Whole
from tskd.experiment.config.teacher import as_list

if TYPE_CHECKING:
    from tskd.privileged import Source
    from tskd.teachers.reconstruction import Reconstruction

FILES = (".csv", ".parquet")
"""Ends of the names of tables; any other text is the name of a privileged series."""


class OutsideTeacherConfig(Strict):
    """What they have in common: they see privileged information alone, and are fitted on none of the student's windows.

    Attributes:
        archive, cross_fit, taught_by, sees_inputs: as in `TeacherConfig`, of which they have no choice.
    """

    archive: ClassVar[bool] = False
    cross_fit: ClassVar[None] = None
    taught_by: ClassVar[None] = None
    sees_inputs: ClassVar[bool] = False

    @property
    @abstractmethod
    def privileged(self) -> Sequence[Any]:
        """What it reads, for reports; never empty."""

    def sources(self) -> list[Source]:
        """Sources of the privileged series that it reads, which say no more than their names."""
        from tskd.privileged import CostlySensors

        return [CostlySensors(name) for name in self.series_names]

    @property
    def series_names(self) -> tuple[str, ...]:
        """Names of the privileged series that it reads."""
        return ()


class ReconstructionConfig(OutsideTeacherConfig):
    """A teacher that reconstructs the target from privileged values of the same time, see `tskd.Reconstruction`.

    In Python an unfitted `tskd.Reconstruction` will do; its name is the key under `teachers`.

    Attributes:
        reconstruction: names of the privileged series that it reads.
        model: of their values.
        steps: before and after the same one that it reads too.
        fills_past: whether it fills the missing past of the target among the student's inputs in training.
    """

    reconstruction: tuple[str, ...]
    model: Literal["one-neighbour", "ridge", "trees"] = "ridge"
    steps: Whole = Field(default=0, ge=0)
    fills_past: bool = False

    @model_validator(mode="before")
    @classmethod
    def _from_teacher(cls, data: Any) -> Any:
        if isinstance(data, ReconstructionConfig) or not hasattr(data, "fills_past"):
            return data
        if data.fitted:
            raise ValueError(f"teacher {data.name!r} is fitted; an experiment fits its teachers itself, once a seed")
        settings = {name: getattr(data, name) for name in ("model", "steps", "fills_past")}
        return {"reconstruction": data.names, **settings}

    @field_validator("reconstruction", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        return tuple(as_list(value))

    @model_validator(mode="after")
    def _possible(self) -> ReconstructionConfig:
        self.made("reconstruction", self.reconstruction)
        return self

    @property
    def privileged(self) -> Sequence[Any]:
        return self.reconstruction

    @property
    def series_names(self) -> tuple[str, ...]:
        return self.reconstruction

    def made(self, name: str, series: Sequence[str]) -> Reconstruction:
        """The unfitted teacher.

        Args:
            name: its key in the configuration.
            series: names of the privileged series that it reads, or of their placebos.
        """
        from tskd.teachers.reconstruction import Reconstruction

        return Reconstruction([*series], self.model, self.steps, name, fills_past=self.fills_past)

    def __str__(self) -> str:
        return f"Reconstruction({', '.join(self.reconstruction)}; {self.model}, steps={self.steps})"


class GivenSeriesConfig(OutsideTeacherConfig):
    """A teacher whose forecast of a time stamp is the value of a given series there, see `tskd.Teacher.from_series`.

    Attributes:
        series: name of a privileged series with the components of the target, in its units; or a table, a CSV or
            Parquet file of time stamps in its first column and of these components.
    """

    series: str

    @property
    def privileged(self) -> Sequence[Any]:
        return (self.series,)

    @property
    def series_names(self) -> tuple[str, ...]:
        return (self.series,)

    def __str__(self) -> str:
        return f"given series {self.series}"


class GivenForecastsConfig(OutsideTeacherConfig):
    """A teacher whose forecasts are given, see `tskd.Teacher.from_forecasts`.

    Attributes:
        forecasts: a table, a CSV or Parquet file with the columns `origin`, `step`, `component` and `value` in the
            units of the target, optionally `std` or `quantile`.
    """

    forecasts: str

    @field_validator("forecasts")
    @classmethod
    def _file(cls, value: str) -> str:
        if not is_file(value):
            raise ValueError(f"{value!r} must be a file whose name ends in {' or '.join(FILES)}.")
        return value

    @property
    def privileged(self) -> Sequence[Any]:
        return (self.forecasts,)

    def __str__(self) -> str:
        return f"given forecasts {self.forecasts}"


def is_file(text: str) -> bool:
    """Whether a text is the name of a table, and not that of a privileged series."""
    return text.endswith(FILES)


KINDS: dict[str, type[OutsideTeacherConfig]] = {
    "reconstruction": ReconstructionConfig,
    "series": GivenSeriesConfig,
    "forecasts": GivenForecastsConfig,
}
"""Kinds of these teachers, by the key that tells them."""
