"""YAML as a configuration needs it: a key given twice is an error, and 1e-3 is a number."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import yaml

FROM_PYTHON = (
    "this run was made from Python with objects that a file cannot hold, which stand in it by their name or repr; call "
    "run(folder) of the same Experiment or Study again to go on with it."
)
"""First comment of a configuration from which the run cannot be made again; `read_yaml` raises it as an error."""


MOST_VALUES = 1_000_000
"""Values that a configuration may hold, those that aliases repeat counted as often as they stand there."""


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader without traps: the last of equal keys wins, 1e-3 is a text, and an alias may hold itself, or
    repeat what repeats something else until no memory holds it."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._open: list[str | None] = []
        self._sizes: dict[int, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event()
        anchor, line = getattr(event, "anchor", None), event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) and anchor in self._open:
            raise ValueError(f"line {line}: *{anchor} lies within &{anchor}, and cannot hold itself.")
        self._open.append(anchor)
        try:
            node: Any = super().compose_node(parent, index)
        finally:
            self._open.pop()
        if id(node) not in self._sizes:
            parts = () if isinstance(node, yaml.ScalarNode) else node.value
            flat = chain.from_iterable(parts) if isinstance(node, yaml.MappingNode) else parts
            self._sizes[id(node)] = 1 + sum(self._sizes[id(part)] for part in flat)
            if self._sizes[id(node)] > MOST_VALUES:
                raise ValueError(
                    f"line {line}: this holds, with what aliases repeat, more than {MOST_VALUES:,} values."
                )
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise ValueError(f"line {key.start_mark.line + 1}: the key {key.value!r} is given twice.")
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else None)
        return super().construct_mapping(node, deep)

    def whole_number(self, node: yaml.ScalarNode) -> int:
        """A whole number, unless it has more digits than Python would print again."""
        try:
            value: int = self.construct_yaml_int(node)
            str(value)
        except ValueError as error:
            line = node.start_mark.line + 1
            raise ValueError(f"line {line}: {node.value[:20]!r} is no whole number that can be read.") from error
        return value


class _Dumper(yaml.SafeDumper):
    """PyYAML's safe dumper, which quotes a text that the loader would take for a number, and writes NumPy's numbers."""

    def represent_data(self, data: Any) -> yaml.Node:
        return super().represent_data(data.item() if isinstance(data, np.generic) else data)


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.whole_number)
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
