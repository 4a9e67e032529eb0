"""The results of an experiment: its tables, on disk and on the terminal."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from tskd.experiment.results import tables
from tskd.experiment.results.experiment_info import ExperimentInfo, Info
from tskd.experiment.results.fev_table import fev_rows
from tskd.experiment.results.measurements import Measurements
from tskd.experiment.results.terminal import case_text
from tskd.experiment.run.files import write_atomically

INFO_FILE, STUDY_FILE = "facts.json", "study.json"


@dataclass(frozen=True, eq=False)
class Results(Measurements):
    """What an experiment measured; `print(results)` shows a table and the verdict.

    The tables are those of `tskd.experiment.results.measurements.Measurements`, errors on the z-scored scale.
    """

    @property
    def facts(self) -> dict[str, Any]:
        """`info` as its file holds it."""
        return self.info.to_json()

    def fev_rows(self) -> pd.DataFrame:
        """One row for each arm and fold and training size, in the columns of fev (`Task.evaluation_summary`).

        `pd.concat` with other such rows of the same tasks gives a table for `fev.leaderboard`. `test_error`, and the
        seconds `training_time_s` (of the chosen fit alone, without those of its teachers and of other candidates) and
        `inference_time_s` (of all test windows), are means over seeds. See `tskd.experiment.results.fev_table`.
        """
        return fev_rows(self)

    def save(self, directory: str | Path) -> None:
        """Write the tables as CSV and the information as JSON into `directory`, which is made if need be."""
        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        for name in tables.TABLES:
            tables.write(name, getattr(self, name), folder)
        write_json(folder / INFO_FILE, self.info)

    @classmethod
    def load(cls, directory: str | Path) -> Results:
        """The results that `save` wrote into `directory`, also those in the folder of a run of one experiment.

        Raises:
            FileNotFoundError: there are none, or those of a study of several.
            NotADirectoryError: it is a file.
        """
        folder = Path(directory)
        check_folder(folder)
        if not (folder / INFO_FILE).is_file():
            several = (folder / STUDY_FILE).is_file()
            reason = "it is a study: use StudyResults.load, or one of the folders below its `cases`"
            reason = reason if several else f"it has no {INFO_FILE}; a run that was killed writes it by `tskd report`"
            raise FileNotFoundError(f"there are no results of one experiment in {folder}: {reason}.")
        read = {name: tables.read(name, folder) for name in tables.TABLES}
        return cls(**read, info=ExperimentInfo.model_validate_json((folder / INFO_FILE).read_bytes()))

    def __str__(self) -> str:
        return case_text(self)


def check_folder(folder: Path) -> None:
    """Raise a NotADirectoryError for a file, which is no folder of results."""
    if folder.is_file():
        raise NotADirectoryError(f"{folder} is a file: give the folder of the run, {folder.parent}.")


def write_json(path: Path, value: Info | dict[str, Any]) -> None:
    """Write a file that a reader can read."""
    content = value.to_json() if isinstance(value, Info) else value
    write_atomically(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())
