"""What the README shows is run, and what it says of itself holds."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_example_runs_and_finds_no_leak(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert len(blocks) == 1
    done = subprocess.run([sys.executable, "-c", blocks[0]], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("no leak found")
    assert (tmp_path / "student.pt").exists()


def test_every_file_it_names_is_there() -> None:
    names = re.findall(r"\]\(([^)#:]+)\)|`(configs/[\w/.-]+|benchmarks/[\w/.-]+)`", README)
    found = {name for pair in names for name in pair if name}
    assert found
    assert not [name for name in found if not (ROOT / name).exists()]


def test_it_stays_short() -> None:
    assert len(README.splitlines()) <= 150
