"""Which training windows a student learns from, and from what: labels, teachers, or both."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class WindowCounts:
    """Number of the student's training windows, by what it learns from in them. They are counted as darts lists them:
    windows of shorter series are repeated, and each repetition counts.

    Attributes:
        both: with a label and a teacher.
        labels: with a label alone.
        teachers: with a teacher alone.
        neither: with neither, which are left out.
        incomplete: in which an input of the student is missing, which are left out.
    """

    both: int
    labels: int
    teachers: int
    neither: int = 0
    incomplete: int = 0

    @classmethod
    def of(cls, labelled: Tensor, taught: Tensor, incomplete: int = 0) -> WindowCounts:
        """The counts of windows that have all inputs.

        Args:
            labelled, taught: whether they have a label, and a teacher `[N]`.
            incomplete: number of the other windows.
        """
        kinds = (labelled & taught, labelled & ~taught, taught & ~labelled, ~labelled & ~taught)
        both, labels, teachers, neither = torch.stack([kind.sum() for kind in kinds]).tolist()
        return cls(both, labels, teachers, neither, incomplete)

    @property
    def used(self) -> int:
        """Number of windows that the student is trained on."""
        return self.both + self.labels + self.teachers

    def __str__(self) -> str:
        known = {"labels and teachers": self.both, "labels alone": self.labels, "teachers alone": self.teachers}
        parts = _named({f"with {what}": count for what, count in known.items()})
        left_out = _named({"in which inputs are missing": self.incomplete, "with neither": self.neither})
        said = f"{self.used:,} training windows" + (f": {parts}" if parts else "")
        return said + (f"; left out: {left_out}" if left_out else "")


def _named(counts: dict[str, int]) -> str:
    """Those of which there are any."""
    return ", ".join(f"{count:,} {kind}" for kind, count in counts.items() if count)
