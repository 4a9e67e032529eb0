"""A fault: a piece of the package that is replaced by another, and the test files that must notice it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Fault:
    """A small change that a careless hand could make.

    Attributes:
        file: relative to the root of the repository.
        old, new: the text that is replaced, which occurs once in the file, and what stands there instead.
        tests: test files of which at least one test must fail.
    """

    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.file}\n  - {self.old.strip()}\n  + {self.new.strip()}"

    def planted_in(self, text: str) -> str:
        """The text of the file with the fault.

        Raises:
            ValueError: the old text does not occur exactly once: the fault is stale.
        """
        if text.count(self.old) != 1 or self.old == self.new:
            raise ValueError(f"the old text occurs {text.count(self.old)} times, not once: {self}")
        return text.replace(self.old, self.new)


def faults_in(file: str, tests: Sequence[str], *changes: tuple[str, str]) -> tuple[Fault, ...]:
    """Faults in one file of the package, by old and new text, which the same test files must notice."""
    named = tuple(f"tests/{name}.py" for name in tests)
    return tuple(Fault(f"tskd/{file}.py", old, new, named) for old, new in changes)
