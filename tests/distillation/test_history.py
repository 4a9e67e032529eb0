"""How far each teacher was followed, epoch by epoch."""

from __future__ import annotations

import math
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from darts import TimeSeries
from darts.models import NLinearModel
from pytorch_lightning.callbacks import Callback, ModelCheckpoint
from torch import Tensor

from tests.helpers.models import fast
from tests.helpers.scripted import Scripted
from tests.helpers.series import QUIET, walk
from tskd import DistilledModel, Teacher
from tskd._core.aspects import Aspect
from tskd.balance import ScheduledBalance
from tskd.distillation.history import TOGETHER, History, Hours, Tally
from tskd.losses import LevelShapeKD, OutputKD
from tskd.weighting import AEKD, CAMKD, DEMKD, LFME, Fixed, InverseError, Step, Uniform, Weighting

LOOKBACK, HORIZON = 6, 4


def network(horizon: int = HORIZON, **kwargs: Any) -> Any:
    given: dict[str, Any] = fast(n_epochs=2, batch_size=16) | kwargs
    return NLinearModel(LOOKBACK, horizon, **given)


def teacher(name: str, series: Any, horizon: int = HORIZON) -> Teacher:
    return Teacher(network(horizon), name=name).fit(series)


def scripted(name: str, series: Any, answer: Any) -> Scripted:
    return Scripted(network().fit(series, verbose=False), answer, name)


def origins(series: TimeSeries) -> pd.DatetimeIndex:
    """Of all training windows."""
    return series.time_index[LOOKBACK - 1 : len(series) - HORIZON]


class MoreAtNight(Weighting):
    """The first teacher of two has three quarters where the origin is before six, else one."""

    def __init__(self, hours: list[list[int]]) -> None:
        super().__init__()
        self.hours = hours

    def scores(self, step: Step) -> Tensor:
        night = torch.tensor([self.hours[series][origin] < 6 for series, origin in step.keys.tolist()])
        first = torch.where(night, 0.75, 0.25)
        return torch.stack([first, 1 - first])


def no_reduction(values: Tensor, reduce_op: str) -> Tensor:
    return values


def test_sums_by_hand() -> None:
    """Two batches of two teachers, one window without any."""
    tally = Tally(Hours(torch.tensor([3, 4, 5], dtype=torch.uint8), torch.tensor([0])))
    assert not tally
    tally.add(
        torch.tensor([[1.0, 0.5], [0.0, 0.5]]), torch.tensor([[True, True], [False, True]]), torch.tensor([[0, 0]] * 2)
    )
    tally.add(
        torch.tensor([[0.2, 0.0], [0.8, 0.0]]),
        torch.tensor([[True, False], [True, False]]),
        torch.tensor([[0, 1], [0, 2]]),
    )
    assert tally
    found = tally.record(0, ["a", "b"], no_reduction)
    assert found["weights"] == pytest.approx({"a": 1.7 / 3, "b": 1.3 / 3})
    assert found["by_step"] == {}
    expected = {"a": [0.75, 0.2], "b": [0.25, 0.8]}
    for name, (three, four) in expected.items():
        hours = found["by_hour"][name]
        assert hours[3:5] == pytest.approx([three, four])
        assert [hour for hour, value in enumerate(hours) if not math.isnan(value)] == [3, 4]
    assert found["effective"] == pytest.approx((1 + 2 + 1 / (0.04 + 0.64)) / 3)
    assert found["masked"] == pytest.approx(3 / 8)
    tally.clear()
    assert not tally


@pytest.mark.parametrize(
    ("early", "late", "told"), [(0.5, 0.75, True), (0.75, 0.5, True), (0.75, 0.75, False)], ids=["up", "down", "alike"]
)
def test_weights_that_change_late_in_an_epoch_are_told_by_the_hour(early: float, late: float, told: bool) -> None:
    """Batches that are summed at once are alike; a last one, summed at the end, may differ."""
    tally = Tally(Hours(torch.tensor([3, 5], dtype=torch.uint8), torch.tensor([0])))
    for share, row, batches in ((early, 0, TOGETHER), (late, 1, 1)):
        for _ in range(batches):
            tally.add(torch.tensor([[share], [1 - share]]), torch.ones(2, 1).bool(), torch.tensor([[0, row]]))
    found = tally.record(0, ["a", "b"], no_reduction)
    assert found["weights"]["a"] == pytest.approx((TOGETHER * early + late) / (TOGETHER + 1))
    assert bool(found["by_hour"]) is told
    if told:
        assert [found["by_hour"][name][3] for name in "ab"] == pytest.approx([early, 1 - early])
        assert [found["by_hour"][name][5] for name in "ab"] == pytest.approx([late, 1 - late])


@pytest.mark.parametrize("components", [False, True])
def test_steps_by_hand(components: bool) -> None:
    weights = torch.tensor([[[0.2, 0.4], [0.6, 0.8]]])
    tally = Tally()
    if components:
        weights = torch.stack([weights - 0.1, weights + 0.1], -1)
    for _ in range(2):
        tally.add(weights, torch.ones(1, 2, dtype=torch.bool), torch.zeros(2, 2).long())
    found = tally.record(0, ["a"], no_reduction)
    assert found["by_step"]["a"] == pytest.approx([0.4, 0.6])
    assert found["weights"]["a"] == pytest.approx(0.5)
    # nothing is known of the hours
    assert found["by_hour"] == {}


def test_no_window_has_a_teacher() -> None:
    tally = Tally(Hours(torch.tensor([3], dtype=torch.uint8), torch.tensor([0])))
    tally.add(torch.zeros(1, 2), torch.zeros(1, 2, dtype=torch.bool), torch.zeros(2, 2).long())
    found = tally.record(0, ["a"], no_reduction)
    nothing: dict[str, Any] = {"by_step": {}, "by_hour": {}, "aspects": {}}
    assert found == {"epoch": 0, "weights": {"a": 0}, "effective": 0, "masked": 1, **nothing}


def test_weights_of_aspects_by_hand() -> None:
    """Over windows that have a teacher, of batches that have the aspect; batches of unlike size."""
    tally = Tally(aspects=["level", "features", "shape"])
    keys, valid = torch.zeros(3, 2).long(), torch.tensor([[True, True, False], [True, False, False]])
    own = torch.tensor([[0.5, 1.0, 0.0], [0.5, 0.0, 0.0]])
    tally.add(own, valid, keys, {"shape": own, "level": torch.tensor([[0.2, 1.0, 0.0], [0.8, 0.0, 0.0]])})
    tally.add(own[:, :1], valid[:, :1], keys[:1], {"level": torch.tensor([[0.3], [0.7]])})
    tally.add(0 * own, valid & False, keys)
    found = tally.record(0, ["a", "b"], no_reduction)["aspects"]
    assert found["level"] == pytest.approx({"a": 1.5 / 3, "b": 1.5 / 3})
    assert found["shape"] == pytest.approx({"a": 0.75, "b": 0.25})
    assert found["features"] == {"a": 0, "b": 0}
    assert list(found) == ["level", "features", "shape"]
    tally.clear()
    tally.add(own, valid, keys)
    # nothing is left of it
    assert tally.record(0, ["a", "b"], no_reduction)["aspects"]["level"] == {"a": 0, "b": 0}


@pytest.mark.parametrize("freq", ["h", "15min", "6h", "bh"])
def test_the_hour_of_an_origin(freq: str) -> None:
    series = [walk(40, start="2020-01-01 09:00", freq=freq), walk(30, start="2021-06-01 13:00", freq=freq)]
    hours = Hours.of(series)
    assert hours is not None
    keys = torch.tensor([[1, 0], [0, 7], [1, 29], [0, 39]])
    assert hours(keys).tolist() == [series[i].time_index[j].hour for i, j in keys.tolist()]


@pytest.mark.parametrize("freq", ["D", "36h", "MS"])
def test_there_are_no_hours_in_days(freq: str) -> None:
    assert Hours.of([walk(40), walk(40, freq=freq)]) is None


def test_there_are_no_hours_without_time_stamps() -> None:
    assert Hours.of([TimeSeries.from_values(np.zeros((9, 1)))]) is None


def test_weights_by_the_hour_of_the_origin() -> None:
    series = [walk(60, seed=1), walk(45, seed=2, start="2020-03-01 07:00")]
    hours = [one.time_index.hour.tolist() for one in series]
    model = DistilledModel(network(), [teacher("a", series), teacher("b", series)], weighting=MoreAtNight(hours))
    found = model.fit(series, verbose=False).history[-1]
    by_hour = found["by_hour"]
    assert by_hour["a"] == pytest.approx([0.75] * 6 + [0.25] * 18)
    assert by_hour["b"] == pytest.approx([0.25] * 6 + [0.75] * 18)
    # the shorter series is gone through until it has as many windows as the longer
    count = len(origins(series[0]))
    starts = [*origins(series[0]).hour, *np.resize(origins(series[1])[::-1].hour, count)]
    assert found["weights"]["a"] == pytest.approx(np.mean([0.75 if hour < 6 else 0.25 for hour in starts]))
    assert found["by_step"] == {}
    assert found["effective"] == pytest.approx(1 / (0.75**2 + 0.25**2))


@pytest.mark.parametrize(
    ("freq", "weighting", "told"),
    [("h", CAMKD(), True), ("D", CAMKD(), False), ("h", Uniform(), False), ("h", InverseError(), False)],
    ids=str,
)
def test_hours_are_told_where_they_mean_something(freq: str, weighting: Weighting, told: bool) -> None:
    series = walk(60, freq=freq)
    noisy = scripted("b", series, lambda labels, keys: labels + keys[:, 1, None, None] / 9)
    model = DistilledModel(network(), [teacher("a", series), noisy], weighting=weighting)
    assert bool(model.fit(series, verbose=False).history[0]["by_hour"]) is told


def test_an_hour_without_a_window_is_not_a_number() -> None:
    series = walk(21, start="2020-01-01 00:00")
    model = DistilledModel(network(), [teacher("a", series), teacher("b", series)], weighting=CAMKD())
    for values in model.fit(series, verbose=False).history[0]["by_hour"].values():
        told = [hour for hour, value in enumerate(values) if not math.isnan(value)]
        assert told == list(range(LOOKBACK - 1, 21 - HORIZON))


def test_weights_by_step_of_teachers_of_a_part() -> None:
    series = walk(60)
    teachers = [teacher("whole", series), teacher("early", series, 2)]
    found = DistilledModel(network(), teachers, weighting=Fixed([3, 1])).fit(series, verbose=False).history
    assert [entry["by_step"] for entry in found] == [{"whole": [0.75, 0.75, 1, 1], "early": [0.25, 0.25, 0, 0]}] * 2
    assert found[0]["weights"] == {"whole": 0.875, "early": 0.125}
    whole = DistilledModel(network(), teachers[:1], weighting=Fixed([1])).fit(series, verbose=False).history
    assert whole[0]["by_step"] == {}


def test_windows_that_nobody_forecasts_do_not_count() -> None:
    """One teacher has something to say of three quarters of the later windows, the other of the rest."""
    series = walk(60)

    def only(wanted: Any) -> Any:
        return lambda labels, keys: labels.where((wanted(keys[:, 1]) & (keys[:, 1] > 20))[:, None, None], torch.nan)

    some = scripted("some", series, only(lambda origin: origin % 4 != 0))
    few = scripted("few", series, only(lambda origin: origin % 4 == 0))
    model = DistilledModel(network(batch_size=7), [some, few])
    with pytest.warns(UserWarning, match="NaN"):
        found = model.fit(series, verbose=False).history[0]
    positions = np.arange(LOOKBACK - 1, 60 - HORIZON)
    known = positions[positions > 20]
    assert found["weights"]["few"] == pytest.approx((known % 4 == 0).mean())
    assert found["weights"]["some"] == pytest.approx((known % 4 != 0).mean())
    assert found["effective"] == pytest.approx(1)
    assert found["masked"] == pytest.approx(1 - len(known) / (2 * len(positions)))


@pytest.mark.filterwarnings("ignore:teacher .* forecasts NaN:UserWarning")
def test_batches_without_a_teacher_do_not_count_in_the_weights_of_aspects() -> None:
    """Of the three batches the last has no teacher, the second has one in half of its windows."""
    series = walk(LOOKBACK + HORIZON - 1 + 48)
    newest = len(series) - HORIZON - 1

    def early(size: float) -> Any:
        turn = size * torch.tensor([1.0, -1, 1, -1])[:, None]
        return lambda labels, keys: (labels + 1 / size + turn).where(
            (keys[:, 1] > newest - 24)[:, None, None], torch.nan
        )

    teachers = [scripted("a", series, early(2.0)), scripted("b", series, early(1.0))]
    weighting = DEMKD(decoupled=True, shrinkage=0)
    model = DistilledModel(network(), teachers, [OutputKD(), LevelShapeKD()], weighting)
    model.fit(series, verbose=False, dataloader_kwargs={"shuffle": False})
    logged = model.student.trainer.callback_metrics
    # level off by 1/2 and 1, shape by 2 and 1
    expected: dict[Aspect, dict[str, float]] = {"level": {"a": 0.8, "b": 0.2}, "shape": {"a": 0.2, "b": 0.8}}
    found = model.history[-1]["aspects"]
    assert found.keys() == expected.keys()
    for aspect, weights in expected.items():
        assert found[aspect] == pytest.approx(weights, abs=1e-4)
        for name, share in found[aspect].items():
            assert float(logged[f"weight/{aspect}/{name}"]) == pytest.approx(share)


@pytest.mark.parametrize("weighting", [Fixed({"a": 1, "b": 2}), AEKD(), InverseError()], ids=str)
def test_logs_tell_the_same(weighting: Weighting) -> None:
    series = walk(60)
    model = DistilledModel(network(), [teacher("a", series), teacher("b", series, 3)], weighting=weighting)
    last = model.fit(series, verbose=False).history[-1]
    logged = model.student.trainer.callback_metrics
    for name in ("a", "b"):
        assert float(logged[f"weight/{name}"]) == pytest.approx(last["weights"][name])
    assert float(logged["effective_teachers"]) == pytest.approx(last["effective"])
    assert float(logged["masked_fraction"]) == pytest.approx(last["masked"])


def test_epochs_without_teachers_are_counted_but_not_told() -> None:
    series = walk(60)
    model = DistilledModel(network(n_epochs=3), teacher("a", series), balance=ScheduledBalance(0.5, warm_up=2))
    assert model.history == []
    assert [entry["epoch"] for entry in model.fit(series, verbose=False).history] == [1, 2]
    # the balance begins anew in every fit
    model.fit(series, verbose=False, epochs=2)
    assert [entry["epoch"] for entry in model.history] == [1, 2, 4]
    none = DistilledModel(network(), teacher("a", series), balance=0).fit(series, verbose=False)
    assert none.history == []
    assert DistilledModel(network()).fit(series, verbose=False).history == []


class Stopping(Callback):
    """Ends a fit in its third epoch."""

    def __init__(self, how: str) -> None:
        self.how = how

    def on_train_batch_end(self, trainer: Any, *args: Any) -> None:
        if trainer.current_epoch == 2:
            if self.how == "stop":
                trainer.should_stop = True
                return
            raise KeyboardInterrupt if self.how == "interrupt" else RuntimeError("no more")


def test_a_fit_that_is_stopped() -> None:
    series = walk(60)
    student = network(n_epochs=5, pl_trainer_kwargs=QUIET | {"callbacks": [Stopping("stop")]})
    model = DistilledModel(student, teacher("a", series)).fit(series, verbose=False)
    assert [entry["epoch"] for entry in model.history] == list(range(student.epochs_trained)) == [0, 1, 2]


@pytest.mark.parametrize("how", ["interrupt", "fail"])
def test_a_fit_that_is_broken_off(how: str) -> None:
    """What it finished can be seen until the next fit, which goes on where the student is."""
    series = walk(60)
    student = network(n_epochs=5)
    model = DistilledModel(student, teacher("a", series)).fit(series, verbose=False, epochs=1)
    student.trainer_params["callbacks"] = [Stopping(how)]
    before = student.model.state_dict()["layer.weight"].clone()
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises((SystemExit, RuntimeError)):
        model.fit(series, verbose=False)
    # Lightning lets nobody interrupt a shutdown
    signal.signal(signal.SIGINT, handler)
    assert [entry["epoch"] for entry in model.history] == [0, 1, 2]
    assert torch.equal(student.model.state_dict()["layer.weight"], before)
    model.fit(series, verbose=False, epochs=2)
    assert [entry["epoch"] for entry in model.history] == [0, 1, 2]
    assert model.history[2]["weights"] == {"a": 1.0}


def test_a_resumed_training_goes_on_counting(tmp_path: Path) -> None:
    series = walk(60)
    saving: dict[str, Any] = {"save_checkpoints": True, "model_name": "m", "work_dir": str(tmp_path)}
    enabled: dict[str, Any] = {"pl_trainer_kwargs": QUIET | {"enable_checkpointing": True}}
    DistilledModel(network(**saving, **enabled), teacher("a", series)).fit(series, verbose=False)
    resumed = NLinearModel.load_from_checkpoint("m", str(tmp_path), best=False)
    model = DistilledModel(resumed, teacher("a", series)).fit(series, verbose=False, epochs=4)
    assert [entry["epoch"] for entry in model.history] == [2, 3]
    model.fit(series, verbose=False, epochs=1)
    assert [entry["epoch"] for entry in model.history] == [2, 3, 4]


def test_an_epoch_that_is_resumed_in_the_middle_is_distilled_to_its_end(tmp_path: Path) -> None:
    """As one that was never broken off: Lightning does not start such an epoch again."""
    series, given = walk(60), teacher("a", walk(60))
    saving = ModelCheckpoint(dirpath=tmp_path, every_n_train_steps=2, save_top_k=-1)
    enabled = QUIET | {"enable_checkpointing": True}
    whole = DistilledModel(network(pl_trainer_kwargs=enabled | {"callbacks": [saving]}), given)
    whole.fit(series, verbose=False)
    resumed = DistilledModel(network(), given)
    resumed.student.load_ckpt_path = str(tmp_path / "epoch=0-step=2.ckpt")
    resumed.fit(series, verbose=False)
    assert [entry["epoch"] for entry in resumed.history] == [0, 1]
    assert float(resumed.student.trainer.callback_metrics["balance"]) == 0.5
    assert "train_distillation_loss" in resumed.student.trainer.callback_metrics


def test_numbers_of_epochs() -> None:
    history = History()
    history.begin()
    assert [history.number(0, epoch) for epoch in range(3)] == [0, 1, 2]
    history.end()
    history.begin()
    # a trainer that is passed to fit again counts on by itself
    assert [history.number(3, epoch) for epoch in (3, 4)] == [3, 4]


def test_teachers_are_not_named_in_the_students_file(tmp_path: Path) -> None:
    series = walk(60)
    model = DistilledModel(network(), teacher("very privileged", series)).fit(series, verbose=False)
    assert "very privileged" in model.history[0]["weights"]
    model.student.save(str(tmp_path / "student.pt"))
    files = list(tmp_path.iterdir())
    assert len(files) == 2
    assert all(b"very privileged" not in path.read_bytes() for path in files)
    model.save(tmp_path / "all")
    assert DistilledModel.load(tmp_path / "all").history == []


def test_teachers_are_not_named_in_a_checkpoint(tmp_path: Path) -> None:
    """Neither as teachers nor in the settings of what combines them."""
    series = walk(60)
    saving: dict[str, Any] = {"save_checkpoints": True, "model_name": "m", "work_dir": str(tmp_path)}
    student = network(**saving, pl_trainer_kwargs=QUIET | {"enable_checkpointing": True})
    weighting = LFME(responsibility={"very privileged": [1.0]})
    DistilledModel(student, teacher("very privileged", series), weighting=weighting).fit(series, verbose=False)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.suffix == ".ckpt" for path in files)
    assert all(b"very privileged" not in path.read_bytes() for path in files)
    (path,) = (tmp_path / "m" / "checkpoints").glob("last*.ckpt")
    own = torch.load(path, weights_only=False)["distillation"]
    assert len(own["teachers"]) == 1 and any("teacher_error" in name for name in own["state_dict"])
