"""The entries of `DistilledModel.history`, and their table."""

from __future__ import annotations

from typing import Any

import pandas as pd

from tskd.distillation.history import EpochRecord

COLUMNS = ("epoch", "teacher", "quantity", "at", "value")


class EpochRecords(list[EpochRecord]):
    """The weights of the teachers: an entry for every epoch in which they had a share in the loss.

    Averages over the windows with a valid teacher:

    * `epoch`: its number, from 0 on; a second fit continues the count.
    * `weights`: by teacher, averaged over the horizon.
    * `by_step`: by teacher, for every step of the horizon `[H]`; empty if weights do not vary within a window.
    * `by_hour`: by teacher, for the windows with a forecast origin in each hour of the day `[24]`, NaN where there
      is none; empty if time stamps are a day or more apart, or all windows have the same weights.
    * `aspects`: by aspect and teacher, `{"level": {"a": 0.9, "b": 0.1}, …}`, for aspects with weights of their own,
      over the batches in which a loss compared them; else empty.
    * `effective`: (Σw)²/Σw², the effective number of teachers.
    * `masked`: share of the window-teacher pairs that are left out because the teacher has no forecast or no trust.

    Logged as `weight/<teacher>`, `weight/<aspect>/<teacher>`, `effective_teachers` and `masked_fraction`.
    """

    def to_dataframe(self) -> pd.DataFrame:
        """A row for every number: `epoch`, `teacher`, `quantity`, `at` and `value`.

        The quantities are the fields of the entries. `at` is the step of the horizon, from 1 on, of `by_step`, the hour
        of `by_hour`, and the aspect of `aspects`; None for others. `effective` and `masked` have no teacher.
        """
        rows: list[tuple[int, str | None, str, Any, float]] = []
        for entry in self:
            epoch = entry["epoch"]
            rows += [(epoch, name, "weights", None, value) for name, value in entry["weights"].items()]
            for quantity, first, by_teacher in (("by_step", 1, entry["by_step"]), ("by_hour", 0, entry["by_hour"])):
                for name, values in by_teacher.items():
                    rows += [(epoch, name, quantity, at, value) for at, value in enumerate(values, first)]
            for aspect, weights in entry["aspects"].items():
                rows += [(epoch, name, "aspects", aspect, value) for name, value in weights.items()]
            rows += [(epoch, None, "effective", None, entry["effective"])]
            rows += [(epoch, None, "masked", None, entry["masked"])]
        return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"epoch": int, "value": float})
