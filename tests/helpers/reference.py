"""The pages of the reference, and which names they show."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import tskd

PAGES = Path(__file__).parents[2] / "docs" / "reference"
DIRECTIVE = re.compile(r"^::: (\S+)\n((?:    .*\n)*)", flags=re.MULTILINE)


@dataclass(frozen=True)
class Shown:
    """A name that a page shows, and of a class those members that are shown with it; None for all of its own."""

    page: str
    name: str
    members: tuple[str, ...] | None

    @property
    def made(self) -> Any:
        """The object."""
        module, _, name = self.name.rpartition(".")
        return getattr(importlib.import_module(module), name)


def shown() -> Iterator[Shown]:
    """All names that the pages show."""
    for page in sorted(PAGES.glob("*.md")):
        for name, text in DIRECTIVE.findall(page.read_text(encoding="utf-8") + "\n"):
            options = (yaml.safe_load(text) or {}).get("options", {}) if text.strip() else {}
            members = options.get("members")
            yield Shown(page.name, name, () if members is False else None if members is None else tuple(members))


def public_names() -> list[str]:
    """All public names: what `tskd` and those of its modules and packages export that say what they export."""
    modules = ["tskd", *(f"tskd.{found.name}" for found in pkgutil.iter_modules(tskd.__path__))]
    public = [module for module in modules if not module.rpartition(".")[2].startswith("_")]
    exporting = {module: getattr(importlib.import_module(module), "__all__", ()) for module in public}
    return [f"{module}.{name}" for module, names in exporting.items() for name in names]
