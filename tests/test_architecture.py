"""The house: which room may import which, that nothing goes in a circle, and that no file, function or docstring is too
large to be taken in at a glance."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import tskd

PACKAGE = Path(tskd.__file__).parent
FLOORS = (
    {"_version", "_core"},
    {"privileged", "losses", "weighting", "balance", "callbacks", "theory", "datasets"},
    {"teachers"},
    {"distillation"},
    {"experiment"},
    {"cli"},
    {"testing"},
    # the public names, fetched when they are first used
    {"tskd", "__main__"},
)
"""Rooms from the ground up: each may import from the floors below it, and none from another room of its own."""

MOST_LINES, MOST_DOCSTRING_LINES, MOST_ARGUMENTS = 260, 25, 6
MIRRORS_DARTS = {
    "distillation/model.py": {"fit", "predict", "historical_forecasts"},
    "distillation/backtesting.py": {"evaluate"},
    "distillation/leak_audit.py": {"audit"},
    "teachers/teacher.py": {"fit"},
}
"""Public methods whose arguments are those of darts."""
CONSTRUCTORS = {"datasets/base.py": {"from_file"}}
"""Class methods that make an object, with as many arguments as that takes."""


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports() -> dict[str, set[str]]:
    """Of every module those that it imports: at the top, within functions, for types only, or by name as text."""
    known = modules()
    homes = {name: f"tskd.{home.removeprefix('tskd.')}" for name, home in tskd._HOMES.items()}
    found: dict[str, set[str]] = {}
    for module, path in known.items():
        names: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: imports are absolute"
                for alias in node.names:
                    whole = f"{node.module}.{alias.name}"
                    named = homes.get(alias.name) if node.module == "tskd" else None
                    names.add(named or (whole if whole in known else node.module or ""))
            elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
                names |= {
                    arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
                }
        found[module] = {name for name in names if name in known} - {module}
    return found


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else module


def test_rooms_import_from_the_floors_below_them() -> None:
    floor = {name: number for number, names in enumerate(FLOORS) for name in names}
    wrong = [
        f"{importer} imports {imported}"
        for importer, all_imported in imports().items()
        for imported in all_imported
        if room(importer) != room(imported) and floor[room(imported)] >= floor[room(importer)]
    ]
    assert not wrong, "\n".join(sorted(wrong))


def test_no_two_files_import_each_other_in_a_circle() -> None:
    left = imports()
    while True:
        free = [module for module, imported in left.items() if not imported & left.keys()]
        if not free:
            break
        for module in free:
            del left[module]
    # what only leads into a circle is not part of one
    while True:
        ends = [module for module in left if not any(module in imported for imported in left.values())]
        if not ends:
            break
        for module in ends:
            del left[module]
    assert not left, "\n".join(f"{module} -> {sorted(imported & left.keys())}" for module, imported in left.items())


EXPERIMENT_FLOORS = (
    {"config", "statistics"},
    {"controls"},
    {"data"},
    {"run"},
    {"results"},
    {"report"},
    {"api"},
)
"""The rooms within `tskd.experiment`, from the ground up; its `__init__` gives the public names."""


def test_rooms_of_an_experiment_import_from_the_floors_below_them() -> None:
    floor = {f"tskd.experiment.{name}": number for number, names in enumerate(EXPERIMENT_FLOORS) for name in names}

    def inner_room(module: str) -> str:
        return ".".join(module.split(".")[:3])

    wrong = [
        f"{importer} imports {imported}"
        for importer, all_imported in imports().items()
        for imported in all_imported
        if inner_room(importer) in floor and imported.startswith("tskd.experiment")
        if inner_room(importer) != inner_room(imported)
        and floor.get(inner_room(imported), len(floor)) >= floor[inner_room(importer)]
    ]
    assert not wrong, "\n".join(sorted(wrong))


def test_few_rooms_at_the_top() -> None:
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert len(packages) <= 11, packages
    assert len(list(PACKAGE.glob("*.py"))) <= 6


def definitions() -> Iterator[tuple[str, ast.AST]]:
    for path in modules().values():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            yield path.relative_to(PACKAGE).as_posix(), node


def test_no_file_is_too_long() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in modules().values()}
    assert not {path.name: lines for path, lines in lengths.items() if lines > MOST_LINES}


def test_no_docstring_is_too_long() -> None:
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    lengths = {
        f"{path}: {getattr(node, 'name', 'module')}": len((ast.get_docstring(node) or "").splitlines())
        for path, node in definitions()
        if isinstance(node, documented)
    }
    assert not {name: lines for name, lines in lengths.items() if lines > MOST_DOCSTRING_LINES}


def test_no_function_takes_too_many_arguments() -> None:
    """But for public constructors, and for what mirrors a signature of darts."""
    found = []
    for path, node in definitions():
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or node.name == "__init__":
            continue
        if node.name in MIRRORS_DARTS.get(path, set()) | CONSTRUCTORS.get(path, set()):
            continue
        given = node.args
        names = [arg.arg for arg in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
        names += [arg.arg for arg in (given.vararg, given.kwarg) if arg is not None]
        names = [name for name in names if name not in ("self", "cls")]
        if len(names) > MOST_ARGUMENTS:
            found.append(f"{path}: {node.name} takes {len(names)}")
    assert not found, "\n".join(found)


@pytest.mark.parametrize("importer, imported", [("tskd.losses.output_kd", "tskd.weighting.base")])
def test_the_rule_is_one_that_can_be_broken(importer: str, imported: str) -> None:
    floor = {name: number for number, names in enumerate(FLOORS) for name in names}
    assert floor[room(imported)] >= floor[room(importer)] and room(importer) != room(imported)


def test_no_test_module_imports_another() -> None:
    """What two of them share lies in `tests/helpers/`."""
    importing = []
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        names: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names |= {f"{node.module}.{alias.name}" for alias in node.names}
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                # programs for other processes, and names for `import_module`
                names |= set(re.findall(r"(?:from|import) (tests[\w.]*(?: import \w+)?)", node.value))
                names |= {node.value} & set(re.findall(r"tests\.[\w.]+", node.value))
        importing += [f"{path.name}: {name}" for name in names if re.search(r"\btest_", name)]
    assert not importing, "\n".join(importing)
