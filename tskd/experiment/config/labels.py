"""Which steps have a label: all of them, or fewer, as where a sensor is new or a laboratory gives one value a day."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from tskd.experiment.config.errors import explain
from tskd.experiment.config.objects import Strict, Whole

ALL: Literal["all"] = "all"
CENTURY = 36_525
"""Days; before all time stamps that pandas knows lie more than these of any data set."""


class LabelsConfig(Strict):
    """The labels that there are. Give one of `last_days`, `every` and `share`.

    Attributes:
        last_days: days before the validation part that have labels; the validation part keeps its own.
        every: k: each k-th step has a label, of the training and of the validation part.
        offset: of `every`: position of the first such step among the rows of the data set, from 0 to k - 1.
        share: of the labels of the training part, and of those of the validation part. Which they are is drawn once for
            every fold, the same for all seeds.
    """

    last_days: Annotated[float, Field(gt=0, le=CENTURY)] | None = None
    every: Annotated[Whole, Field(ge=2)] | None = None
    offset: Annotated[Whole, Field(ge=0)] = 0
    share: Annotated[float, Field(gt=0, lt=1)] | None = None

    @model_validator(mode="after")
    def _one(self) -> LabelsConfig:
        given = [name for name in ("last_days", "every", "share") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give one of last_days, every and share, not {' and '.join(given) or 'none of them'}.")
        if self.offset >= (self.every or 1):
            raise ValueError(f"offset={self.offset} must be below every={self.every}; it belongs to no other key.")
        return self

    def __str__(self) -> str:
        if self.last_days is not None:
            return f"labels of the last {self.last_days:g} days"
        if self.every is not None:
            return f"a label every {self.every} steps{f', from row {self.offset} on' if self.offset else ''}"
        return f"{100 * (self.share or 0):g} % of the labels"


Labels = Literal["all"] | LabelsConfig


def parse_labels(value: Any) -> Labels:
    """What a configuration gives for `labels`; ValueError, which says what may be given, for anything else."""
    if isinstance(value, list | tuple):
        if len(value) != 1:
            raise ValueError(
                "give one; a file that lists several is a study of as many cases: Study.from_yaml, or `tskd run`."
            )
        value = value[0]
    if value == ALL or isinstance(value, LabelsConfig):
        return value
    if not isinstance(value, Mapping):
        raise ValueError(
            f"give 'all', {{last_days: 14}}, {{every: 25}} or {{share: 0.05}}, with numbers of your own; not {value!r}."
        )
    try:
        return LabelsConfig.model_validate(value)
    except ValidationError as error:
        raise ValueError(" ".join(explain(error))) from error


def labels_text(labels: Labels) -> str:
    """The labels in words."""
    return "all labels" if isinstance(labels, str) else str(labels)
