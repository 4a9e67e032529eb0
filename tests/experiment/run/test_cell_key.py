"""Cells named by what they are: equal fits have equal keys, and whatever changes a result changes the key."""

from __future__ import annotations

import cmath
import datetime
import functools
import importlib.util
import linecache
import math
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from tests.helpers.cells import adding, cells_of, config
from tests.helpers.experiments import toy_config, toy_data, toy_model, toy_stations
from tskd.experiment import ConfigError, Experiment
from tskd.experiment.run.cell_key import canonical, key_of
from tskd.experiment.run.plan import blocks_of
from tskd.losses import HorizonWeighted, OutputKD
from tskd.weighting import Fixed


def keys(experiment: Experiment, fingerprint: str = "data") -> set[str]:
    return {cell.key for cell in cells_of(experiment, fingerprint)}


CHANGES: list[tuple[tuple[str | int, ...], Any]] = [
    (("student", "class"), "DLinearModel"),
    (("student", "kwargs", "input_chunk_length"), 9),
    (("student", "kwargs", "n_epochs"), 3),
    (("student", "kwargs", "const_init"), True),
    (("student", "kwargs", "optimizer_kwargs", "lr"), 0.011),
    (("student", "kwargs", "optimizer_kwargs", "weight_decay"), 0.2),
    (("student", "kwargs", "optimizer_cls"), "Adam"),
    (("student", "kwargs", "batch_size"), 17),
    (("teachers", "own", "model", "kwargs", "n_epochs"), 3),
    (("teachers", "own", "privileged", 0, "kwargs", "until"), 1),
    (("teachers", "own", "sees_inputs"), False),
    (("teachers", "own", "cross_fit", "folds"), 4),
    (("teachers", "own", "cross_fit", "block"), 41),
    (("teachers", "own", "cross_fit"), None),
    (("teachers", "own", "taught_by"), None),
    (("teachers", "last", "model", "kwargs", "n_epochs"), 3),
    (("teachers", "last", "privileged", 0, "kwargs", "end"), 3),
    (("teachers", "last", "archive"), True),
    (("teachers", "elsewhere", "archive"), False),
    (("arms", 1, "teachers"), ["elsewhere", "own"]),
    (("arms", 1, "losses", 0, "kwargs", "metric"), "mae"),
    (("arms", 1, "losses", 0, "kwargs", "weight"), 2.0),
    (("arms", 1, "weighting", "kwargs", "weights", "own"), 3.0),
    (("arms", 1, "weighting"), "Uniform"),
    (("arms", 1, "balance", 0), 0.3),
    (("arms", 1, "balance", 1, "kwargs", "warm_up"), 2),
    (("arms", 1, "placebo"), True),
    (("arms", 2, "students", 0, "optimizer_kwargs", "weight_decay"), 3.0),
    (("arms", 2, "archive"), "pre-trained"),
    (("arms", 2, "archive"), None),
    (("seeds", 1), 6),
    (("soft_sensor",), True),
    (("scored", 1), 2),
    (("scored", 0), 2),
    (("sizes", 0), 101),
    (("sizes", 0), None),
    (("folds",), 2),
    (("labels",), "all"),
    (("labels", "last_days"), 9),
    (("labels",), {"share": 0.5}),
]


def changed(whole: Any, path: tuple[str | int, ...], value: Any) -> Any:
    copy: Any = list(whole) if isinstance(whole, list) else dict(whole)
    at = path[0]
    copy[at] = value if len(path) == 1 else changed(whole[at], path[1:], value)
    return copy


@pytest.mark.parametrize(("path", "value"), CHANGES, ids=[".".join(map(str, path)) for path, _ in CHANGES])
def test_whatever_changes_a_result_changes_keys(path: tuple[str | int, ...], value: Any) -> None:
    before = config()
    after = changed(before, path, value)
    assert keys(Experiment(**after)) - keys(Experiment(**before))
    if path[0] == "teachers":
        # whoever learns from it has another key too
        pairs = zip(cells_of(Experiment(**before)), cells_of(Experiment(**after)), strict=True)
        learners = {"taught", path[1]} | ({"own"} if path[1] == "last" else set())
        assert {one.name for one, other in pairs if one.key != other.key} == learners


def leaves(whole: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    items = whole.items() if isinstance(whole, dict) else enumerate(whole) if isinstance(whole, list) else ()
    for at, value in items:
        if isinstance(value, dict | list) and value:
            yield from leaves(value, (*path, at))
        else:
            yield (*path, at)


def test_every_leaf_of_a_resolved_cell_counts() -> None:
    """Nothing in `resolved` is left out of the hash, and nothing of a configuration is left out of `resolved`."""
    for cell in cells_of(Experiment(**config())):
        for path in leaves(cell.resolved):
            assert key_of(changed(cell.resolved, path, "another")) != cell.key


def test_names_and_order_and_the_data_sets_own_words_change_no_key() -> None:
    before = config()
    same = keys(Experiment(**before))
    assert keys(Experiment(**before | {"name": "other"})) == same
    renamed = [arm | {"name": f"my {arm['name']}"} for arm in before["arms"]]
    assert keys(Experiment(**before | {"arms": renamed[::-1]})) == same
    teachers = dict(reversed(before["teachers"].items()))
    assert keys(Experiment(**before | {"teachers": teachers, "seeds": [5, 3]})) == same
    reordered = before["student"] | {"kwargs": dict(reversed(before["student"]["kwargs"].items()))}
    assert keys(Experiment(**before | {"student": reordered})) == same
    assert keys(Experiment(**before | {"data": replace(before["data"], title="Stations", notes="far")})) == same


def test_other_data_change_every_key() -> None:
    experiment = Experiment(**config())
    assert not keys(experiment) & keys(experiment, "other data")
    renamed = Experiment(**config() | {"data": replace(toy_stations(), name="elsewhere")})
    assert not keys(experiment) & keys(renamed)


def test_equal_keys_are_the_same_fit() -> None:
    config = toy_config()
    config["arms"] += [{"name": "tuned", "students": [{}, {"n_epochs": 3}]}]
    cells = cells_of(Experiment(**config | {"seeds": [3]}))
    found = {(cell.name, cell.candidate): cell.key for cell in cells if cell.kind == "student"}
    # a balance of 0 is the student alone, and so is a tuned student without other settings
    assert found["both", 0] == found["alone", 0] == found["tuned", 0] != found["tuned", 1]
    assert len(set(found.values())) == len(found) - 2
    # an arm that gives all the other placebo's settings but the placebo is another
    assert found["placebo", 0] != found["both", 1]
    assert len({cell.key for cell in cells if cell.kind == "teacher"}) == 5


def test_more_folds_and_seeds_and_sizes_keep_what_there_is() -> None:
    plain = Experiment(**toy_config(seeds=[3]))
    more = Experiment(**toy_config(seeds=[3, 4], folds=2, sizes=[50, None]))
    assert keys(plain) < keys(more) and len(keys(more)) == 8 * len(keys(plain))
    found = blocks_of("c", more)
    assert [(block.fold, block.size, block.seed) for block in found] == [
        (fold, size, seed) for fold in (1, 2) for size in (50, None) for seed in (3, 4)
    ]


def test_cases_share_what_they_have_in_common() -> None:
    one, two = Experiment(**toy_config(seeds=[3])), toy_config(seeds=[3])
    two["arms"][1] |= {"weighting": "CAMKD"}
    shared = keys(one) & keys(Experiment(**two))
    # all but the two candidates of that arm above 0
    assert len(shared) == len(keys(one)) - 2


def test_a_placebo_reaches_those_who_learn_from_it() -> None:
    config = toy_config(seeds=[3])
    config["teachers"]["pupil"] = {"model": toy_model(), "taught_by": "future"}
    config["arms"] = [
        {"name": "a", "teachers": "pupil"},
        {"name": "b", "teachers": ["future", "pupil"], "placebo": True},
    ]
    cells = {cell.name: cell for cell in cells_of(Experiment(**config)) if cell.kind == "teacher"}
    assert list(cells) == ["future", "fine", "equal", "pupil", "future (placebo)", "pupil (placebo)"]
    assert cells["pupil (placebo)"].resolved["teacher"]["taught_by"]["placebo"]
    assert cells["pupil"].key != cells["pupil (placebo)"].key
    experiment = Experiment(**config)
    assert experiment.is_privileged(experiment.arms[1]) and not experiment.is_privileged(experiment.arms[2])


def test_python_objects_are_named_by_what_they_hold() -> None:
    def same(one: Any, other: Any) -> bool:
        return canonical(one) == canonical(other)

    assert same(OutputKD("mae"), OutputKD("mae")) and not same(OutputKD("mae"), OutputKD("mse"))
    assert not same(OutputKD("mae", weight=0.5), OutputKD("mae"))
    assert not same(HorizonWeighted(OutputKD("mae")), HorizonWeighted(OutputKD("mse")))
    assert not same(Fixed({"a": 1, "b": 2}), Fixed({"a": 1, "b": 3}))
    # their repr is the same
    assert repr(torch.nn.HuberLoss(delta=1.0)) == repr(torch.nn.HuberLoss(delta=2.0))
    assert not same(torch.nn.HuberLoss(delta=1.0), torch.nn.HuberLoss(delta=2.0))
    assert same(np.arange(3), np.arange(3)) and not same(np.arange(3), np.arange(1, 4))
    assert not same(torch.arange(3), torch.arange(3.0))
    assert not same(lambda x: x + 1, lambda x: x + 2)
    assert not same(adding(1), adding(2)) and same(adding(1), adding(1))
    circle: dict[str, Any] = {}
    circle["self"] = circle
    assert canonical(circle) == {"self": "..."}


class Slotted:
    __slots__ = ("x",)

    def __init__(self, x: Any) -> None:
        self.x = x

    def of(self, y: int) -> Any:
        return self.x, y


def _optional(number: int) -> Callable[..., int]:
    def inner(*, x: int = number) -> int:
        return x

    return inner


@pytest.mark.parametrize(
    "make",
    [
        Slotted,
        lambda x: Slotted(x).of,
        lambda x: functools.partial(adding, x),
        lambda x: functools.partial(adding, number=x),
        _optional,
        lambda x: pd.Timestamp(x, unit="D"),
        lambda x: pd.Timedelta(x, unit="D"),
        lambda x: datetime.date(2021, 1, x),
        lambda x: bytes([x]),
        lambda x: np.array([Slotted(x)], dtype=object),
        lambda x: np.random.default_rng(x),
        lambda x: torch.Generator().manual_seed(x),
        lambda x: [math.sin, cmath.sin][x - 1],
        lambda x: re.compile(str(x)),
    ],
)
def test_whatever_state_an_object_has_counts_and_its_place_in_memory_does_not(make: Callable[[int], Any]) -> None:
    one, same, other = (canonical(make(x)) for x in (1, 1, 2))
    assert one == same != other and key_of({"it": one})
    assert "0x" not in str(one)


def test_the_source_of_a_users_class_and_of_its_bases_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = "from tskd.losses import OutputKD\nclass Base(OutputKD):\n    scale = {}\nclass Mine(Base):\n    pass\n"
    found = []
    for name, scale in (("mine", 1), ("mine", 2), ("mine", 1)):
        (tmp_path / "mine.py").write_text(source.format(scale))
        linecache.clearcache()
        spec = importlib.util.spec_from_file_location(name, tmp_path / "mine.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        exec((tmp_path / "mine.py").read_text(), vars(module))
        found.append(canonical(module.Mine("mae")))
    assert found[0] == found[2] != found[1]
    # tskd's own do not change with a comment
    assert canonical(OutputKD) == "tskd.losses.output_kd.OutputKD"


@pytest.mark.parametrize("value", [(i for i in range(3)), threading.Lock()])
def test_what_cannot_be_told_apart_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match="cannot be told from another"):
        canonical([value])


def test_keys_are_the_same_in_another_process() -> None:
    code = (
        "from tests.helpers.cells import adding, cells_of, config; from tskd.experiment.run.cell_key import canonical; "
        "from tskd.experiment import Experiment; "
        "print(canonical(adding(1)).split()[-1], *[cell.key for cell in cells_of(Experiment(**config()))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = [cell.key for cell in cells_of(Experiment(**config()))]
    assert done.stdout.split() == [canonical(adding(1)).split()[-1], *found]
    assert all(len(key) == 20 and set(key) <= set("0123456789abcdef") for key in found)


def test_a_python_loss_gives_a_key_that_does_not_depend_on_where_it_lies() -> None:
    arms = [[{"name": "a", "teachers": "equal", "losses": OutputKD("huber")}] for _ in range(2)]
    one, two = (Experiment(**toy_config(arms=some, data=toy_data())) for some in arms)
    assert keys(one) == keys(two)


def test_a_cell_with_all_labels_has_the_key_that_it_had_before_there_could_be_fewer() -> None:
    plain, every = config() | {"labels": "all"}, config() | {"labels": {"every": 3, "offset": 1}}
    assert not any("labels" in cell.resolved for cell in cells_of(Experiment(**plain)))
    assert all(cell.resolved["labels"]["offset"] == 1 for cell in cells_of(Experiment(**every)))
