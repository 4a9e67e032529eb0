"""Runs that are killed: a small experiment for the command line, started as a process group of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

CONFIG = """
name: killed
data: co2
student: &model
  class: DLinearModel
  kwargs: {input_chunk_length: 13, output_chunk_length: 6, kernel_size: 5, n_epochs: 1}
teachers:
  weekly: {model: *model, privileged: {class: HighResolution, kwargs: {name: weekly, coarse: mean}}}
  equal: {model: *model}
arms:
  - {name: weekly, teachers: weekly, balance: [0, .25, .5, 1]}
  - {name: both, teachers: [weekly, equal], balance: [0, .25, .5, 1]}
  - {name: self, teachers: equal, balance: [0, .5]}
  - {name: placebo, teachers: weekly, balance: .5, placebo: true}
"""
CELLS = 1 + 3 + 3 + 3 + 1 + 1
"""Of one seed."""


def config(folder: Path, seeds: int) -> Path:
    """The file of the experiment."""
    path = folder / "killed.yaml"
    path.write_text(f"{CONFIG}seeds: {seeds}\n")
    return path


def start(*arguments: str) -> subprocess.Popen[str]:
    """`tskd` with these arguments, as the first of a process group, which an interrupt reaches also where the tests
    run in the background."""
    pipe = subprocess.PIPE
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "tskd", *arguments], stdout=pipe, stderr=pipe, text=True, start_new_session=True
        )
    finally:
        signal.signal(signal.SIGINT, before)


def finished(folder: Path) -> int:
    """Parts in the folder of a run."""
    return len(list((folder / "parts").glob("*.npz")))


def wait_for(process: subprocess.Popen[str], folder: Path, parts: int, patience: float = 240) -> None:
    """Until the run has that many parts, or ends."""
    last = time.monotonic() + patience
    while finished(folder) < parts and process.poll() is None:
        assert time.monotonic() < last, f"{finished(folder)} parts after {patience} s, not {parts}"
        time.sleep(0.01)


def kill(process: subprocess.Popen[str]) -> None:
    """The whole group, with no chance to do anything about it."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
