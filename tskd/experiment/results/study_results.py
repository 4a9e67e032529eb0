"""What a study measured: the results of each of its cases."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from tskd.experiment.results import tables
from tskd.experiment.results.experiment_info import StudyInfo
from tskd.experiment.results.fev_table import FEV_FILE, fev_rows_of_cases
from tskd.experiment.results.results import INFO_FILE, STUDY_FILE, Results, check_folder, write_json
from tskd.experiment.results.terminal import case_text, study_text
from tskd.experiment.run.files import write_atomically

NAMED = 3
"""Cases that are named in a sentence on many."""


@dataclass(frozen=True, eq=False)
class StudyResults:
    """Results by the label of their case; `print(results)` shows a table and what was found.

    Attributes:
        name: of the study.
        cases: those that have results.
        info: how the study was set up, how far it is, and which cases have no results.
    """

    name: str
    cases: dict[str, Results]
    info: StudyInfo = field(repr=False)

    @property
    def facts(self) -> dict[str, Any]:
        """`info` as its file holds it."""
        return self.info.to_json()

    def with_command(self, command: str) -> StudyResults:
        """The same, with the `command` that gave them on record."""
        changes = {"command": command}
        cases = {
            case: replace(results, info=results.info.model_copy(update=changes)) for case, results in self.cases.items()
        }
        return replace(self, cases=cases, info=self.info.model_copy(update=changes))

    @property
    def left_out(self) -> list[str]:
        """Which cases have no results: one sentence per reason, with the first cases to which it applies."""
        reasons: dict[str, list[str]] = {}
        for case, reason in self.info.left_out.items():
            reasons.setdefault(reason, []).append(case)
        sentences = []
        for reason, cases in reasons.items():
            listed = ", ".join(f"‘{case}’" for case in cases[:NAMED])
            more = f" and {len(cases) - NAMED} more" if len(cases) > NAMED else ""
            sentences.append(f"{listed}{more} {'has' if len(cases) == 1 else 'have'} no results: {reason}")
        return sentences

    def fev_rows(self) -> pd.DataFrame:
        """The rows of all cases as `Results.fev_rows` gives them, each model once on each task.

        Models of several cases that would share a name on one task also bear the parts of their cases' labels that
        differ.
        """
        return fev_rows_of_cases(self.cases)

    def save(self, directory: str | Path) -> None:
        """Write the tables of one case into `directory`, those of several into folders below `directory/cases`, and
        into `directory` one file of rows for fev.

        Tables that other cases have left in these places are removed.
        """
        folder = Path(directory)
        places = _places([*self.cases, *self.info.left_out])
        for case, results in self.cases.items():
            results.save(folder / places[case])
        found = {case: places[case] for case in self.cases}
        write_json(folder / STUDY_FILE, {"name": self.name, "cases": found, "facts": self.facts})
        write_atomically(folder / FEV_FILE, self.fev_rows().to_csv(index=False).encode())
        kept = {folder / place for place in found.values()}
        for place in {folder, *folder.glob("cases/*")} - kept:
            for name in [*(f"{table}.csv" for table in tables.TABLES), INFO_FILE]:
                (place / name).unlink(missing_ok=True)
            if place != folder:
                with suppress(OSError):
                    # what else there is, is the user's
                    place.rmdir()

    @classmethod
    def load(cls, directory: str | Path) -> StudyResults:
        """The results that `save` wrote into `directory`: those in the folder of any run.

        Raises:
            FileNotFoundError: there are none.
            NotADirectoryError: it is a file.
        """
        folder = Path(directory)
        check_folder(folder)
        if not (folder / STUDY_FILE).is_file():
            raise FileNotFoundError(
                f"there are no results in {folder}: it has no {STUDY_FILE}; a run that was killed writes it by "
                "`tskd report`."
            )
        read = json.loads((folder / STUDY_FILE).read_text(encoding="utf-8"))
        cases = {case: Results.load(folder / place) for case, place in read["cases"].items()}
        return cls(read["name"], cases, StudyInfo.model_validate(read["facts"]))

    def __str__(self) -> str:
        if len(self.cases) == 1:
            return case_text(*self.cases.values())
        return study_text(self.name, self.cases, self.left_out)


def _places(cases: Sequence[str]) -> dict[str, str]:
    """A folder for each case, named like it as far as that is safe."""
    if len(cases) == 1:
        return {cases[0]: "."}
    found: dict[str, str] = {}
    for case in cases:
        slug = re.sub(r"[^\w.-]+", "-", case).strip("-.") or "case"
        taken = {place.lower() for place in found.values()}
        place, number = f"cases/{slug}", 2
        while place.lower() in taken:
            place, number = f"cases/{slug}-{number}", number + 1
        found[case] = place
    return found
