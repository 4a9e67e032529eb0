"""What the types of the public names promise to those who use them, checked from outside."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import tskd.testing
from tests import typed_client

ROOT = Path(__file__).parents[1]
# darts has no types
SETTINGS = "[mypy]\n[mypy-darts.*]\nignore_missing_imports = True\n"
WRONG = "from tskd import Reconstruction\n\nReconstruction('lab', 'rigde')\n"


@pytest.mark.slow
def test_a_program_that_uses_the_public_names_is_well_typed(tmp_path: Path) -> None:
    """As its user has mypy check it: strictly, with none of our settings, and silent of what it imports."""
    (tmp_path / "mypy.ini").write_text(SETTINGS)
    (tmp_path / "client.py").write_text(Path(typed_client.__file__).read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "wrong.py").write_text(WRONG)
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "client.py", "wrong.py"]
    settings = {**os.environ, "MYPYPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=settings, capture_output=True, text=True)
    found = done.stdout.splitlines()
    assert len(found) == 2 and "rigde" in found[0], done.stdout + done.stderr


def test_types_are_promised() -> None:
    assert (Path(tskd.__file__).parent / "py.typed").exists()


def test_it_uses_every_kind_of_battery() -> None:
    text = Path(typed_client.__file__).read_text(encoding="utf-8")
    assert not [name for name in tskd.testing.__all__ if name not in text]
