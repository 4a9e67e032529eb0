"""The reference: every public name is on one page, and its docstring says what a caller must know."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from typing import Any

import numpy as np
import pytest

import tskd
from tests.helpers.docstrings import lacks
from tests.helpers.reference import PAGES, Shown, public_names, shown
from tskd import losses, weighting

SHOWN = list(shown())
CLASSES_AND_FUNCTIONS = [one for one in SHOWN if one.name != "tskd.__version__"]
SOURCE = re.compile(r"arXiv:\d{4}\.\d{5}|\(?\b(?:19|20)\d\d\b")
OWN = {"Fixed", "Imitability", "LevelShapeKD", "QuantileKD", "Uniform"}
"""Losses and weightings of this package, which are nobody's publication."""


def test_every_public_name_is_on_one_page() -> None:
    places = Counter(one.name for one in SHOWN)
    assert not [name for name in public_names() if places[name] == 0]
    assert not [name for name, count in places.items() if count > 1]


def test_public_names_are_found() -> None:
    names = public_names()
    assert {"tskd.Teacher", "tskd.balance.AutoBalance", "tskd.cli.main", "tskd.experiment.Results"} <= set(names)
    assert len(names) == len(set(names)) > 80


@pytest.mark.parametrize("one", CLASSES_AND_FUNCTIONS, ids=lambda one: one.name)
def test_its_docstring_says_what_a_caller_must_know(one: Shown) -> None:
    made = one.made
    found = {one.name: lacks(made)}
    if inspect.isclass(made):
        for name in _own(made) if one.members is None else one.members:
            member = inspect.getattr_static(made, name)
            bare = member.__func__ if isinstance(member, classmethod | staticmethod) else member
            bare = bare.fget if isinstance(bare, property) else getattr(bare, "func", bare)
            found[f"{one.name}.{name}"] = lacks(bare, made)
    assert not {name: missing for name, missing in found.items() if missing}


def _own(made: type) -> list[str]:
    """Public methods of a class that have a docstring of their own, which a page shows."""
    return [
        name for name, member in vars(made).items() if inspect.isfunction(member) and member.__doc__ and name[0] != "_"
    ]


@pytest.mark.parametrize(
    ("module", "base", "shape"),
    [
        pytest.param(losses, losses.DistillationLoss, "`[B", id="losses"),
        pytest.param(weighting, weighting.Weighting, "`[K", id="weightings"),
    ],
)
def test_every_method_names_its_source_and_shape(module: Any, base: type, shape: str) -> None:
    made = {name: getattr(module, name) for name in module.__all__}
    concrete = {
        name: inspect.getdoc(one) or ""
        for name, one in made.items()
        if inspect.isclass(one) and issubclass(one, base) and one is not base
    }
    assert not [name for name, text in concrete.items() if shape not in text]
    assert not [name for name, text in concrete.items() if name not in OWN and not SOURCE.search(text)]


def test_what_it_links_to_is_there() -> None:
    names = {one.name for one in SHOWN}
    names |= {f"{one.name}.{member}" for one in SHOWN for member in one.members or ()}
    for page in PAGES.glob("*.md"):
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(#(tskd[\w.]+)\)", text):
            assert target in names, f"{page.name}: {target}"
        for other in re.findall(r"\]\(([\w-]+\.md)(?:#[\w.-]+)?\)", text):
            assert (PAGES / other).exists(), f"{page.name}: {other}"


FIGURE = re.compile(r"\d+\.\d+%? (?:\[-?\d+\.\d+%?, \d+\.\d+%?\]|± \d+\.\d+)")
"""A value with its interval or standard error."""


def test_every_method_is_on_the_page_of_methods_with_its_source() -> None:
    page = (PAGES / "methods.md").read_text(encoding="utf-8")
    for module, base in ((losses, losses.LossTerm), (weighting, weighting.Weighting)):
        for name in module.__all__:
            made = getattr(module, name)
            if inspect.isclass(made) and issubclass(made, base) and made is not base and not inspect.isabstract(made):
                assert f"`{name}`" in page, name
                assert not [one for one in re.findall(r"arXiv:[\d.]+\d", made.__doc__ or "") if one not in page], name


def test_every_recipe_is_on_the_page_of_methods() -> None:
    recipes = (PAGES.parents[1] / "configs" / "recipes").glob("*.yaml")
    page = (PAGES / "methods.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`configs/recipes/([\w-]+).yaml`", page)) == {path.stem for path in recipes}


@pytest.mark.parametrize("page", ["methods.md", "limits.md"])
def test_every_figure_is_one_of_the_benchmarks(page: str) -> None:
    known = (PAGES.parents[1] / "benchmarks" / "README.md").read_text(encoding="utf-8")
    figures = FIGURE.findall(re.sub(r"\s+", " ", (PAGES / page).read_text(encoding="utf-8")))
    assert len(figures) > 10
    assert not [figure for figure in figures if figure not in known]


def test_figures_of_weightings_are_their_own() -> None:
    known = (PAGES.parents[1] / "benchmarks" / "README.md").read_text(encoding="utf-8").replace("*", "").splitlines()
    page = (PAGES / "methods.md").read_text(encoding="utf-8")
    found = re.findall(r"^\| \[.+?\]\(#.+?\) \| [^|]+ \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", page, flags=re.MULTILINE)
    rows = [row for row in found if re.fullmatch(r"`\w+`(?:, `\w+`)?", row[0]) and FIGURE.search(row[1])]
    assert len(rows) == 6
    for names, cases, real in rows:
        each = zip(re.findall(r"\w+", names), FIGURE.findall(cases), FIGURE.findall(real), strict=True)
        for name, of_cases, of_real in each:
            assert [line for line in known if line.startswith(f"| `{name}` | {of_cases} |")], name
            assert [line for line in known if line.startswith(f"| three, {name} |") and of_real in line], name


def one(first: int, second: np.ndarray) -> np.ndarray:
    """Nothing of the second."""
    if first < 0:
        raise ValueError("below 0")
    return second


def two(first: int, second: np.ndarray) -> np.ndarray:
    """Rows in another order `[n, 2]`.

    Args:
        first: number.
        second: rows `[n, 2]`.

    Raises:
        ValueError: first is below 0.
    """
    return one(first, second)


def three(first: int, second: np.ndarray) -> np.ndarray:
    """`[n, 2]`; arguments and errors are those of `two`."""
    return two(first, second)


class Four:
    """A class whose argument is checked.

    Args:
        size: of it.
    """

    def __init__(self, size: int, colour: str) -> None:
        check_size(size)
        self.size, self.colour = size, colour

    def grown(self, size: int) -> Four:
        """A copy of another size."""
        return Four(size, self.colour)


def check_size(size: int) -> None:
    """ValueError for a size below 0."""


def test_a_docstring_that_lacks_something_is_found() -> None:
    assert lacks(one) == [
        "argument 'first'",
        "argument 'second'",
        "errors raised",
        "shape of 'second'",
        "shape of what is returned",
    ]
    assert lacks(two) == []
    assert lacks(three) == []
    Four.__module__ = "tskd.made.up"
    assert lacks(Four) == ["argument 'colour'", "errors raised"]
    assert lacks(Four.grown, Four) == []
    assert lacks(lambda: None) == ["a docstring"]
    assert lacks(tskd.audit) == []
