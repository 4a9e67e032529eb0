"""Runs: kept cell by cell, gone on with, the same rows however they are computed, and failures that stop nothing."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock
from torch import Tensor
from torch.nn import L1Loss

from tests.helpers.experiments import HORIZON, LOOKBACK, STEPS, TEST, toy_config, toy_data, toy_model
from tests.helpers.own_parts import Failing
from tskd.cli import main
from tskd.experiment import ConfigError, Experiment, Results, RunError, Study
from tskd.experiment.config.plain import reproducible
from tskd.experiment.data.loading import LoadedData
from tskd.experiment.results.collect import results_so_far
from tskd.experiment.results.tables import TABLES
from tskd.experiment.run.block import BlockRun
from tskd.experiment.run.cell import Cell
from tskd.experiment.run.cell_record import StoredCell
from tskd.experiment.run.cell_store import CellStore
from tskd.experiment.run.engines import EngineOptions
from tskd.experiment.run.folder import take_lock
from tskd.experiment.run.plan import PlannedCell, blocks_of, planned
from tskd.losses import OutputKD

ARMS: list[dict[str, Any]] = [
    {"name": "alone"},
    {"name": "both", "teachers": ["future", "fine"], "balance": [0, 0.5]},
    {"name": "self", "teachers": "equal", "balance": 0.5},
]
HOUR = pd.Timedelta(hours=1)
CELLS = 2 * (1 + 3 + 1 + 1)


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    return Experiment(**toy_config(arms=ARMS))


@pytest.fixture(scope="module")
def whole(experiment: Experiment) -> Results:
    """Without an interruption, in this process."""
    return experiment.run(progress=False)


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """How often each cell was computed in this process, by its key."""
    counts: Counter[str] = Counter()
    original = BlockRun.cell

    def cell(self: BlockRun, planned: PlannedCell) -> Cell:
        counts[planned.key] += 1
        return original(self, planned)

    monkeypatch.setattr(BlockRun, "cell", cell)
    yield counts


def same(one: Results, other: Results) -> None:
    """All tables are identical, timings aside."""
    for name in TABLES:
        seconds = ["seconds", "inference_seconds"]
        a, b = (getattr(results, name).drop(columns=seconds, errors="ignore") for results in (one, other))
        pd.testing.assert_frame_equal(a, b, check_exact=True)


def parts_in(folder: Path) -> list[Path]:
    return sorted((folder / "parts").glob("*.npz"))


# ---- what is kept ----------------------------------------------------------------------------------------------------


def test_a_cell_is_kept_in_single_precision(experiment: Experiment) -> None:
    block = blocks_of("toy", experiment)[0]
    cell = BlockRun(block, LoadedData(toy_data(), "abc")).cell(planned(block, "abc")[0])
    content = StoredCell.of(cell.key, cell).to_bytes()
    kept = StoredCell.from_bytes(content)
    assert {array.dtype for array in kept.arrays.values()} == {np.dtype("float32")}
    read = kept.cell()
    for field in fields(Cell):
        own, again = getattr(cell, field.name), getattr(read, field.name)
        if isinstance(own, np.ndarray):
            assert again.shape == own.shape and again.dtype == "float64"
            np.testing.assert_allclose(again, own, rtol=2**-24)
        else:
            assert again == own
    assert read.forecasts.ndim == 2 and len(content) < 5 * sum(array.size for array in kept.arrays.values()) + 3000


def test_the_facts_name_the_controls_of_each_privileged_arm(whole: Results) -> None:
    assert {arm["name"]: arm["controls"] for arm in whole.facts["arms"]} == {"alone": [], "both": ["self"], "self": []}


# ---- going on --------------------------------------------------------------------------------------------------------


def test_what_is_finished_is_not_computed_again(
    experiment: Experiment, whole: Results, tmp_path: Path, computed: Counter[str]
) -> None:
    same(experiment.run(tmp_path, progress=False), whole)
    assert len(computed) == CELLS == len(parts_in(tmp_path)) and set(computed.values()) == {1}
    same(experiment.run(tmp_path, progress=False), whole)
    same(Results.load(tmp_path), whole)
    assert set(computed.values()) == {1}
    assert whole.facts["cells"] == {"planned": CELLS, "finished": CELLS, "failed": 0}


def test_missing_torn_edited_and_duplicated_parts(
    experiment: Experiment, whole: Results, tmp_path: Path, computed: Counter[str]
) -> None:
    experiment.run(tmp_path, progress=False)
    gone, torn, edited, twice, *_ = parts_in(tmp_path)
    gone.unlink()
    torn.write_bytes(torn.read_bytes()[:-100])
    better = StoredCell.from_bytes(edited.read_bytes())
    edited.write_bytes(StoredCell({**better.row, "validation_mse": 0.0}, better.arrays).to_bytes())
    other = StoredCell.from_bytes(twice.read_bytes())
    other = StoredCell({**other.row, "seconds": 1e6}, other.arrays)
    CellStore(tmp_path / "parts").write(other.key, other.to_bytes())
    computed.clear()
    with pytest.warns(UserWarning, match="2 of the files .* are not what was written there"):
        again = experiment.run(tmp_path, progress=False)
    same(again, whole)
    assert sorted(computed) == sorted(path.name.partition(".")[0] for path in (gone, torn, edited))
    assert {path.name for path in (tmp_path / "parts" / "rejected").iterdir()} == {torn.name, edited.name}


@pytest.mark.parametrize("after", [0, 5, CELLS - 1])
def test_an_interrupted_run_goes_on(
    experiment: Experiment, whole: Results, tmp_path: Path, computed: Counter[str], after: int
) -> None:
    counted = BlockRun.cell

    def interrupted(self: BlockRun, planned: PlannedCell) -> Cell:
        if sum(computed.values()) == after:
            raise KeyboardInterrupt
        return counted(self, planned)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(BlockRun, "cell", interrupted)
        experiment.run(tmp_path, progress=False)
    assert len(parts_in(tmp_path)) == after
    study = Study(experiment.name, {experiment.name: experiment})
    if after < 1:
        with pytest.raises(RunError, match="nothing to report"):
            results_so_far(study, tmp_path)
    else:
        seen = results_so_far(study, tmp_path)
        assert seen.facts["cells"] == {"planned": CELLS, "finished": after, "failed": 0}
    same(experiment.run(tmp_path, progress=False), whole)
    assert len(computed) == CELLS and set(computed.values()) == {1}


def test_another_learning_rate_is_another_cell(
    experiment: Experiment, whole: Results, tmp_path: Path, computed: Counter[str]
) -> None:
    experiment.run(tmp_path, progress=False)
    old = set(computed)
    computed.clear()
    other = Experiment(**toy_config(arms=ARMS, student=toy_model(optimizer_kwargs={"lr": 0.0101})))
    new = other.run(tmp_path, progress=False)
    # no student is shared; the teachers are the same fits as before
    assert len(computed) == 2 * 3 and not old & set(computed)
    assert set(new.rows.key[new.rows.kind == "teacher"]) < old
    assert (new.rows.mse[new.rows.name == "alone"] != whole.rows.mse[whole.rows.name == "alone"]).all()
    # and back: nothing was lost
    computed.clear()
    same(experiment.run(tmp_path, progress=False), whole)
    assert not computed


def test_cases_that_share_a_fit_share_its_cell(experiment: Experiment, computed: Counter[str]) -> None:
    mae = {"class": "OutputKD", "kwargs": {"metric": "mae"}}
    other = Experiment(**toy_config(arms=[ARMS[0], {**ARMS[1], "losses": mae}]))
    found = Study("two", {"mse": experiment, "mae": other}).run(progress=False)
    assert list(found.cases) == ["mse", "mae"] and set(computed.values()) == {1}
    assert len(computed) == CELLS + 2 * 1 == found.facts["cells"]["planned"]
    alone = [results.rows[results.rows.name == "alone"] for results in found.cases.values()]
    assert list(alone[0].key) == list(alone[1].key)


def test_a_block_that_another_run_holds_is_waited_for(
    experiment: Experiment, whole: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, refused = take_lock, Counter[str]()

    def take(path: Path) -> FileLock | None:
        refused[path.name] += 1
        return None if refused[path.name] < 3 else original(path)

    monkeypatch.setattr("tskd.experiment.run.scheduler.take_lock", take)
    monkeypatch.setattr("tskd.experiment.run.scheduler.WAIT", 0.01)
    same(experiment.run(tmp_path, progress=False), whole)
    assert list(refused.values()) == [3, 3]


def test_folds_and_sizes_are_laid_out_and_so_are_the_weights_of_teachers() -> None:
    arms = [ARMS[0], {**ARMS[1], "balance": 0.5}]
    teachers = {name: toy_config()["teachers"][name] for name in ("future", "fine")}
    experiment = Experiment(**toy_config(arms=arms, teachers=teachers, folds=2, sizes=[60, None], seeds=[3]))
    results = experiment.run(progress=False)
    rows = results.rows[results.rows.kind == "student"]
    assert rows.name.tolist() == ["alone", "both"] * 4
    assert rows.fold.tolist() == [1] * 4 + [2] * 4 and rows["size"].fillna(0).tolist() == [60, 60, 0, 0] * 2
    assert rows.mse.nunique() == 8 and results.facts["folds"] == 2 and results.facts["sizes"] == [60, None]
    windows = STEPS - TEST - HORIZON + 1
    assert results.errors("both", size=60).shape == (1, 2 * windows)
    assert results.windows.groupby("fold").start.max()[1] < results.windows.groupby("fold").start.min()[2]
    # examples are of the newest fold
    assert results.forecasts.time.min() >= results.windows[results.windows.fold == 2].start.min() - LOOKBACK * HOUR
    weights = results.weights
    assert len(weights.groupby(["arm", "fold", "size", "seed"], dropna=False)) == 4 and set(weights.arm) == {"both"}
    whole = weights[weights.by == "all"]
    assert whole.teacher.tolist() == ["future", "fine"] * 2 * 4 and set(whole.epoch) == {0, 1}
    np.testing.assert_allclose(whole.weight, 0.5, rtol=1e-6)
    np.testing.assert_allclose(weights[weights.by == "effective"].weight, 2, rtol=1e-6)
    assert weights[weights.by == "masked"].weight.tolist() == [0.0] * 8


# ---- failures --------------------------------------------------------------------------------------------------------


def test_a_failed_cell_is_recorded_and_stops_nothing(whole: Results, tmp_path: Path, computed: Counter[str]) -> None:
    broken = Experiment(
        **toy_config(arms=[*ARMS, {"name": "broken", "teachers": "future", "weighting": Failing(), "balance": 0.5}])
    )
    results = broken.run(tmp_path, progress=False)
    same(replace(results, failures=whole.failures), whole)
    assert list(results.failures.name) == ["broken"] * 2 and list(results.failures.seed) == [3, 5]
    failed = results.failures.iloc[0]
    assert "'futur'" in failed.error and failed.error.startswith("ValueError: ")
    assert failed.traceback.startswith("Traceback") and failed.kind == "student" and failed.candidate == 0
    assert results.facts["cells"] == {"planned": CELLS + 2, "finished": CELLS, "failed": 2}
    assert any("'broken' has no result" in sentence for sentence in results.verdict.sentences)
    assert results.verdict.outcome == whole.verdict.outcome
    assert results.compare("broken").windows == 0 and np.isnan(results.errors("broken")).all()
    # tried again, and nothing else is
    again = broken.run(tmp_path, progress=False)
    assert Counter(computed.values()) == {1: CELLS, 2: 2} and len(again.failures) == 2
    assert len(parts_in(tmp_path)) == CELLS + 2


def test_a_failure_with_one_seed_leaves_the_others_to_compare(
    experiment: Experiment, whole: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = BlockRun.cell

    def cell(self: BlockRun, planned: PlannedCell) -> Cell:
        if planned.name == "self" and self.block.seed == 3:
            raise MemoryError("too little")
        return original(self, planned)

    with monkeypatch.context() as patch:
        patch.setattr(BlockRun, "cell", cell)
        results = experiment.run(tmp_path, progress=False)
    assert np.isnan(results.errors("self")).all(axis=1).tolist() == [True, False]
    one = results.compare("self")
    assert one.seeds == 1
    alone, own = whole.errors("alone")[1], whole.errors("self")[1]
    assert one.relative == pytest.approx(own.mean() / alone.mean() - 1, rel=1e-12)
    assert results.lacking == {"self": [3]}
    assert any("'self' lacks seed 3" in sentence for sentence in results.verdict.sentences)
    assert results.failures.error.tolist() == ["MemoryError: too little"]
    same(experiment.run(tmp_path, progress=False), whole)


def failing(monkeypatch: pytest.MonkeyPatch, *lost: tuple[int, int]) -> None:
    """Candidates of the arm `both` fail with a seed; those that do not have validation errors of their place."""
    original = BlockRun.cell

    def cell(self: BlockRun, planned: PlannedCell) -> Cell:
        if planned.name == "both" and (planned.candidate, self.block.seed) in lost:
            raise ArithmeticError("overflow")
        made = original(self, planned)
        return replace(made, validation_mse=-float(planned.candidate)) if planned.name == "both" else made

    monkeypatch.setattr(BlockRun, "cell", cell)


def test_a_candidate_that_failed_with_a_seed_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    both = {**ARMS[1], "balance": [0, 0.25, 0.5]}
    failing(monkeypatch, (2, 5))
    results = Experiment(**toy_config(arms=[ARMS[0], both])).run(progress=False)
    assert results.candidates.validation_mse.min() == -2
    assert set(results.rows.balance[results.rows.name == "both"]) == {"0.25"} and results.lacking == {}


def test_the_student_alone_does_not_stand_for_candidates_that_failed(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Balance 0 needs no teacher, and cannot fail with it."""
    failing(monkeypatch, (1, 5))
    one = experiment.run(progress=False)
    assert set(one.rows.balance[one.rows.name == "both"]) == {"0.5"} and one.lacking == {"both": [5]}
    failing(monkeypatch, (1, 3), (1, 5))
    none = experiment.run(progress=False)
    assert "both" not in set(none.rows.name) and none.lacking == {"both": [3, 5]}
    assert none.verdict.outcome == "unknown" and "'both' has no result" in none.verdict.headline


def test_without_the_student_alone_there_is_nothing_to_report(tmp_path: Path) -> None:
    diverging = toy_model(optimizer_kwargs={"lr": 1e30}, optimizer_cls="SGD", n_epochs=3)
    with pytest.raises(RunError, match=r"arm 'alone', seed 3 failed: RunError: .*not all finite"):
        Experiment(**toy_config(student=diverging, arms=ARMS)).run(tmp_path, progress=False)
    assert len(parts_in(tmp_path)) == CELLS


# ---- engines ---------------------------------------------------------------------------------------------------------


class Deadly(OutputKD):
    """A loss that kills the process it is computed in, `times` times; `marks` counts them."""

    def __init__(self, marks: str, times: int) -> None:
        super().__init__()
        self.marks, self.times = marks, times

    def forward(self, pair: Any) -> Tensor:
        Path(self.marks).mkdir(exist_ok=True)
        if (done := len(list(Path(self.marks).iterdir()))) < self.times:
            (Path(self.marks) / str(done)).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(pair)


def deadly(folder: Path, *names: str) -> Experiment:
    """The arm 'once' kills its worker once, 'twice' as often as is tried; 'self' has the loss they are else."""
    times = {"once": 1, "twice": 2}
    arms = [
        {"name": name, "teachers": "equal", "balance": 0.5, "losses": Deadly(str(folder / name), times[name])}
        for name in names
    ]
    return Experiment(
        **toy_config(arms=[*ARMS[:1], *arms, ARMS[2]], seeds=[3], teachers={"equal": {"model": toy_model()}})
    )


def check_deadly(results: Results) -> None:
    assert results.rows.name.tolist() == ["alone", "equal", "once", "self"]
    once, usual = (results.errors(name) for name in ("once", "self"))
    assert (once == usual).all()


def test_worker_processes_give_the_same_rows_and_may_die(
    experiment: Experiment, whole: Results, tmp_path: Path
) -> None:
    same(experiment.run(tmp_path, workers=2, progress=False), whole)


@pytest.mark.slow
def test_a_worker_that_dies_is_replaced_and_the_cell_that_kills_it_is_recorded(tmp_path: Path) -> None:
    results = deadly(tmp_path, "once", "twice").run(workers=2, progress=False)
    check_deadly(results)
    assert results.failures.name.tolist() == ["twice"]
    assert "the worker process ended by SIGKILL" in results.failures.error[0]


@pytest.mark.slow
def test_ray_gives_the_same_rows_and_its_workers_may_die(
    experiment: Experiment, whole: Results, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    ray = pytest.importorskip("ray", reason="ray is not installed")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        same(experiment.run(workers=2, engine="ray", progress=False), whole)
        results = deadly(tmp_path, "once").run(engine="ray", progress=False)
        check_deadly(results)
        assert (tmp_path / "once" / "0").exists() and results.failures.empty
        assert ray.is_initialized()
    finally:
        ray.shutdown()


class Called(OutputKD):
    """A loss that holds a function."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function


def test_what_cannot_be_sent_to_a_worker_is_named() -> None:
    arms = [{"name": "a", "teachers": "equal", "losses": Called(lambda x: x)}]
    with pytest.raises(ConfigError, match=r"cannot be sent to a worker process: .*lambda.* at the top of a module"):
        Experiment(**toy_config(arms=arms)).run(workers=2, progress=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("processes", 0, None), "workers=0 must be at least 1"),
        (("threads", 1, None), "engine='threads' must be 'processes' or 'ray'"),
        (("processes", 2, "auto"), "address='auto' .* needs engine='ray'"),
    ],
)
def test_engines_that_do_not_exist_are_refused(arguments: tuple[str, int, str | None], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        EngineOptions(*arguments)


def test_a_missing_ray_is_named_with_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(ConfigError, match=r"pip install 'tskd\[ray\]'"):
        EngineOptions("ray", 1, None)


def test_what_is_still_to_be_computed_is_named(experiment: Experiment, whole: Results, tmp_path: Path) -> None:
    assert whole.facts["pending"] == []
    experiment.run(tmp_path, progress=False)
    arm = whole.rows[(whole.rows.name == "self") & (whole.rows.seed == 5)].key.iloc[0]
    for path in parts_in(tmp_path):
        if path.name.startswith(arm):
            path.unlink()
    found = results_so_far(Study("toy", {"toy": experiment}), tmp_path).cases["toy"]
    assert found.facts["pending"] == [{"kind": "student", "name": "self", "fold": 1, "size": None, "seed": 5}]
    assert found.failures.empty


def test_what_a_file_cannot_name_is_not_called_reproducible(whole: Results, data_folder: Path) -> None:
    assert whole.facts["reproducible"] is False  # its data are an object
    named = toy_config(
        data="etth1", teachers={"equal": {"model": toy_model()}}, arms=[{"name": "a", "teachers": "equal"}]
    )
    assert reproducible(Experiment(**named))
    own = {"name": "a", "teachers": "equal", "losses": [OutputKD()]}
    assert not reproducible(Experiment(**{**named, "arms": [own]}))
    # their repr is a text like any other
    assert not reproducible(Experiment(**{**named, "student": toy_model(loss_fn=L1Loss())}))


@pytest.mark.parametrize("name", ["toy", "co2"])
def test_a_run_of_objects_is_gone_on_with_in_python_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Whatever the data are called: those of the catalogue are others."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    made = Experiment(**toy_config(data=replace(toy_data(), name=name), arms=ARMS))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(BlockRun, "cell", interrupt)
        made.run(tmp_path, progress=False)
    config = tmp_path / "config.yaml"
    for given in (["resume", str(tmp_path)], ["report", str(tmp_path)], ["run", str(config)]):
        assert main(given) == 2
        shown = capsys.readouterr().err
        assert shown.startswith(f"tskd: {config}: this run was made from Python with objects that a file cannot hold")
        assert "call run(folder) of the same Experiment or Study again" in shown and shown.count("\n") == 1
    # one of names alone is a file's again
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(BlockRun, "cell", interrupt)
        named = Experiment(**toy_config(data="co2", teachers={"equal": {"model": toy_model()}}, arms=[ARMS[2]]))
        named.run(tmp_path, progress=False)
    assert Experiment.from_yaml(config) == named
