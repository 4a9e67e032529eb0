"""YAML as a configuration needs it: a key given twice is an error, and 1e-3 is a number."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

FROM_PYTHON = (
    "this run was made from Python with objects that a file cannot hold, which stand in it by their name or repr; call "
    "run(folder) of the same Experiment or Study again to go on with it."
)
"""First comment of a configuration from which the run cannot be made again; `read_yaml` raises it as an error."""


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader without traps: the last of equal keys wins, 1e-3 is a text, and an alias may hold itself."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._open: list[str | None] = []

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event()
        anchor, line = getattr(event, "anchor", None), event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) and anchor in self._open:
            raise ValueError(f"line {line}: *{anchor} lies within &{anchor}, and cannot hold itself.")
        self._open.append(anchor)
        try:
            return super().compose_node(parent, index)
        finally:
            self._open.pop()

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise ValueError(f"line {key.start_mark.line + 1}: the key {key.value!r} is given twice.")
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else None)
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    """PyYAML's safe dumper, which quotes a text that the loader would take for a number, and writes NumPy's numbers."""

    def represent_data(self, data: Any) -> yaml.Node:
        return super().represent_data(data.item() if isinstance(data, np.generic) else data)


for _side in (_Loader, _Dumper):
    _side.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
    )


def read_yaml(path: str | Path) -> dict[str, Any]:
    """The mapping in a YAML file. Raises ValueError for one that is missing, not YAML, no mapping, or `FROM_PYTHON`."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        if text.startswith(f"# {FROM_PYTHON}"):
            raise ValueError(FROM_PYTHON)
        content = yaml.load(text, _Loader)
    except OSError as error:
        raise ValueError(f"the file cannot be read: {error.strerror}.") from error
    except RecursionError as error:
        raise ValueError("its lists and mappings lie within one another too deeply.") from error
    except yaml.YAMLError as error:
        raise ValueError(f"this is not YAML: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"a configuration is a mapping of keys to values; this is {type(content).__name__}.")
    return content


def inline_yaml(value: Any, width: int = 100) -> str:
    """A value as it stands behind its key, on one line or, if that is too long, on several."""
    text = yaml.dump(value, Dumper=_Dumper, default_flow_style=True, allow_unicode=True, width=width, sort_keys=False)
    return text.removesuffix("...\n").strip()


def to_yaml(content: Mapping[str, Any]) -> str:
    """A mapping as the text of a YAML file from which `read_yaml` makes it again."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
