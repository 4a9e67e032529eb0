"""What teachers of other horizons say about a student's windows: each step of each is that of the student."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from darts.models import TiDEModel
from torch import Tensor

from tests.helpers.models import fast
from tests.helpers.series import walk
from tskd._core.model_inputs import ModelInputs
from tskd._core.window_keys import WindowSpan, encode, training_keys
from tskd.teachers.network import NetworkPredictor, model_windows
from tskd.teachers.output_cache import OutputCache
from tskd.teachers.outputs import OutputSource, StudentWindows, TeacherOutputs, collect_outputs, usable_windows
from tskd.teachers.predictor import TeacherPredictor

STUDENT = range(3, 6)
"""Steps that the student forecasts: 3, 4 and 5."""
KEYS = torch.tensor([[0, 9], [1, 7], [0, 10], [1, 8]])
FIELDS = ["features.a", "parameters"]


class Speaking:
    """A model whose forecast of step h from origin t of series i is 1000·i + 10·t + h / 10, for the second component
    5 more; its spread is 100 times as much, its two parameters are that and 1 more, and its features are the origin.

    Args:
        horizon: of the model.
        silent: windows for which it has no inputs.
        broken: windows for which its last step is NaN.
    """

    can_be_fingerprinted = covers_cheaply = True

    def __init__(self, horizon: range, silent: Sequence[Any] = (), broken: Sequence[Any] = ()) -> None:
        self.horizon, self.silent, self.broken = horizon, silent, broken

    def covers(self, keys: Tensor) -> Tensor:
        return torch.tensor([tuple(key) not in self.silent for key in keys.tolist()])

    def outputs(self, model: int, keys: Tensor, fields: Sequence[str] = ()) -> Iterator[Any]:
        assert bool(self.covers(keys).all())
        # window by window
        for row, key in enumerate(keys):
            said = said_by(key, self.horizon)
            if tuple(key.tolist()) in self.broken:
                said[:, -1] = torch.nan
            found = {"forecasts": said, "spread": 100 * said, "parameters": torch.stack([said, said + 1], -1)}
            found |= {"features.a": key[None, 1:].double()}
            yield slice(row, row + 1), {name: found[name] for name in ("forecasts", "spread", *fields)}

    def add_to(self, digest: Any) -> None:
        digest.update(repr((self.horizon, self.silent, self.broken)).encode())


def said_by(key: Tensor, steps: Sequence[int]) -> Tensor:
    values = 1000.0 * key[0] + 10 * key[1] + torch.tensor(steps) / 10
    return torch.stack([values, values + 5], -1)[None].double()


MODELS = {
    "early and late": Speaking(range(1, 9)),
    "late": Speaking(range(4, 8), silent=[(1, 7)]),
    "one step": Speaking(range(5, 6), broken=[(0, 10)]),
}
SPANS = [slice(0, 3), slice(1, 3), slice(2, 3)]


def collected(cache: Path | None = None, ahead: int = 0, fields: Sequence[str] = FIELDS) -> TeacherOutputs:
    sources = [
        OutputSource(name, model.horizon, TeacherPredictor([walk(30, 2)] * 2, model), fields)
        for name, model in MODELS.items()
    ]
    like = torch.zeros(1, 3, 2, dtype=torch.float64)
    return collect_outputs(sources, StudentWindows(KEYS, STUDENT, like, ahead), OutputCache(cache))


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, logger="tskd")


def test_each_step_of_each_teacher_is_that_of_the_student(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="'one step' forecasts NaN or infinity for 1 of 4"):
        found = collected()
    asked = KEYS[[3, 0, 2, 1]]
    forecasts, valid = found.of(asked)
    spread = found.spread(found.rows(asked))
    assert valid.tolist() == [[True] * 4, [True, True, True, False], [True, True, False, True]]
    assert torch.equal(valid, found.valid_for(asked))
    assert found.covers().int().tolist() == [[1, 1, 1], [0, 1, 1], [0, 0, 1]]
    for k, span in enumerate(SPANS):
        for row, key in enumerate(asked):
            expected = torch.zeros(3, 2, dtype=torch.float64)
            if valid[k, row]:
                expected[span] = said_by(key, STUDENT[span])[0]
                torch.testing.assert_close(spread[k, row, span], 100 * expected[span])
            torch.testing.assert_close(forecasts[k, row], expected)
        outside = [step for step in range(3) if step not in range(3)[span]]
        assert spread[k][:, outside].isnan().all()


def test_further_outputs_are_of_the_shared_steps_and_those_ahead_of_what_follows() -> None:
    with pytest.warns(UserWarning, match="'one step' forecasts NaN"):
        alone = collected()
    sources = [OutputSource("far", range(1, 9), TeacherPredictor([walk(30, 2)] * 2, MODELS["early and late"]), FIELDS)]
    like = torch.zeros(1, 3, 2, dtype=torch.float64)
    ahead = collect_outputs(sources, StudentWindows(KEYS, STUDENT, like, 2), OutputCache())
    key = KEYS[1:2]
    far, late, one = alone.details(alone.rows(key))
    assert [set(details) for details in (far, late, one)] == [set(FIELDS)] * 3
    for details, span in ((far, SPANS[0]), (late, SPANS[1]), (one, SPANS[2])):
        if details is not late:
            said = said_by(key[0], STUDENT[span])
            torch.testing.assert_close(details["parameters"], torch.stack([said, said + 1], -1))
            assert details["features.a"].tolist() == [[7]]
    (beyond,) = ahead.details(ahead.rows(key))
    assert beyond["parameters"].shape == (1, 3, 2, 2)
    torch.testing.assert_close(beyond["ahead"], said_by(key[0], [6, 7]))
    torch.testing.assert_close(ahead.of(key)[0][0], said_by(key[0], STUDENT))


def test_a_teacher_in_which_there_is_no_trust_is_left_out() -> None:
    with pytest.warns(UserWarning, match="'one step' forecasts NaN"):
        found = collected()
    trusted = found.trusted([0.5, 0.0, 0.1])
    assert trusted.valid_for(KEYS).any(1).tolist() == [True, False, True]
    assert not trusted.of(KEYS)[0][1].any()
    assert torch.equal(found.trusted(None).valid_for(KEYS), found.valid_for(KEYS))


def test_what_is_kept_is_what_was_said(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.warns(UserWarning, match="'one step' forecasts NaN"):
            found = collected(tmp_path)
        with pytest.warns(UserWarning, match="'one step' forecasts NaN"):
            fresh = collected()
        for one, other in zip(found.of(KEYS), fresh.of(KEYS), strict=True):
            assert torch.equal(one, other)
        torch.testing.assert_close(found.spread(found.rows(KEYS)), fresh.spread(fresh.rows(KEYS)), equal_nan=True)
        for kept, said in zip(found.details(found.rows(KEYS)), fresh.details(fresh.rows(KEYS)), strict=True):
            assert kept.keys() == said.keys()
            for name, values in said.items():
                torch.testing.assert_close(kept[name], values, equal_nan=True)


def test_a_window_counts_if_it_is_covered_and_all_its_steps_are_finite() -> None:
    forecasts = torch.arange(8.0).reshape(4, 2, 1)
    forecasts[1, 1], forecasts[2] = torch.inf, torch.nan
    with pytest.warns(UserWarning, match="for 2 of 4 windows"):
        assert usable_windows("t", forecasts, torch.tensor([True] * 4)).tolist() == [True, False, False, True]
    assert usable_windows("t", forecasts, torch.tensor([True] + [False] * 3)).tolist() == [True] + [False] * 3


def test_means_over_the_models_of_folds_and_components_in_the_students_order() -> None:
    """After the training, the mean of all models; columns in every output but features."""

    class Several(Speaking):
        def outputs(self, model: int, keys: Tensor, fields: Sequence[str] = ()) -> Iterator[Any]:
            for rows, found in super().outputs(model, keys, fields):
                yield rows, {name: values + model for name, values in found.items()}

    class AfterAll:
        def of_windows(self, series: Any, keys: Tensor) -> Tensor:
            # the first window is of fold 1, the others come after the training
            return torch.where(encode(keys) == encode(KEYS[:1]), 1, -1)

    predictor = TeacherPredictor([walk(30, 2)] * 2, Several(range(1, 3)), 3, AfterAll(), (1, 0))  # type: ignore[arg-type]
    found: dict[int, dict[str, Tensor]] = {}
    for rows, outputs in predictor.outputs(KEYS, ["features.a", "parameters"]):
        for place, row in enumerate(rows.tolist()):
            found[row] = {name: values[place] for name, values in outputs.items()}
    assert sorted(found) == [0, 1, 2, 3]
    for row, key in enumerate(KEYS):
        # the mean of models 0, 1 and 2 is that of model 1, which the first window has by its fold
        said = said_by(key, [1, 2])[0].flip(1)
        torch.testing.assert_close(found[row]["forecasts"], said + 1)
        torch.testing.assert_close(found[row]["spread"], 100 * said + 1)
        torch.testing.assert_close(found[row]["features.a"], key[1:].double() + 1)
    values, covered = predictor.forecasts(KEYS)
    assert bool(covered.all())
    torch.testing.assert_close(values[2], said_by(KEYS[2], [1, 2])[0].flip(1) + 1)


def test_forecasts_stand_in_the_rows_of_their_windows() -> None:
    predictor = TeacherPredictor([walk(30, 2)] * 2, MODELS["late"])
    values, covered = predictor.forecasts(KEYS)
    assert covered.tolist() == [True, False, True, True]
    assert values[1].isnan().all()
    for row in (0, 2, 3):
        torch.testing.assert_close(values[row], said_by(KEYS[row], range(4, 8))[0])
    series = predictor.forecast_series(KEYS, [walk(30, 2), walk(25, 2, start="2020-02-01")], 4)
    assert [len(one) for one in series] == [2, 1]
    assert series[1][0].start_time() == walk(30, 2, start="2020-02-01").time_index[12]


def test_wide_windows_are_forecast_in_smaller_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that a window holds counts."""
    series, past = walk(40, 3), walk(40, 2, seed=1)
    model = TiDEModel(5, 2, **fast(batch_size=8)).fit(series, past_covariates=past)
    windows = model_windows(model, ModelInputs([series], [past]))
    keys = training_keys([40], WindowSpan(5, 2))
    predictor = NetworkPredictor([model], windows)
    held = sum(slot.length * slot.table.shape[1] for slot in windows.slots.values())
    whole = list(predictor.outputs(0, keys))
    assert [part for part, _ in whole] == [slice(0, 34)] and held >= 5 * 3 + 5 * 2
    monkeypatch.setattr("tskd.teachers.network.VALUES", 10 * held + 1)
    parts = list(predictor.outputs(0, keys))
    assert [part for part, _ in parts] == [slice(0, 10), slice(10, 20), slice(20, 30), slice(30, 34)]
    found = torch.cat([outputs["forecasts"] for _, outputs in parts])
    torch.testing.assert_close(found, whole[0][1]["forecasts"])
    monkeypatch.setattr("tskd.teachers.network.VALUES", 1)
    assert len(list(predictor.outputs(0, keys))) == 34


def test_a_network_is_left_in_its_modes_whether_all_its_outputs_are_read_or_some() -> None:
    """Of its modules, one is in evaluation mode before; another keeps dropping out if it is not put into it."""
    series = walk(40)
    model = TiDEModel(5, 3, dropout=0.5, hidden_size=8, **fast()).fit(series, verbose=False)
    network = model.model
    network.train()
    still = next(module for module in network.modules() if isinstance(module, torch.nn.Dropout))
    still.eval()
    before = [module.training for module in network.modules()]
    predictor = NetworkPredictor([model], model_windows(model, ModelInputs([series])))
    keys = training_keys([len(series)], WindowSpan(5, 3)).repeat(20, 1)
    read = predictor.outputs(0, keys)
    _, once = next(read)
    del read
    assert [module.training for module in network.modules()] == before
    again = torch.cat([outputs["forecasts"] for _, outputs in predictor.outputs(0, keys)])
    assert torch.equal(again[: len(once["forecasts"])], once["forecasts"])
    assert [module.training for module in network.modules()] == before and any(before) and not all(before)
