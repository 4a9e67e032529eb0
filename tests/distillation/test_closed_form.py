"""Distillation against what algebra says it must give: regression on blended targets, and sums worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from darts import TimeSeries
from darts.models import DLinearModel, LinearRegressionModel, NLinearModel, TiDEModel
from torch import Tensor

from tests.helpers.closed_form import (
    H,
    L,
    descending,
    forecasts,
    largest_difference,
    linear,
    noise,
    parameters,
    regression,
    scripted,
    windows,
)
from tests.helpers.models import fast
from tests.helpers.scripted import Scripted
from tests.helpers.series import single
from tests.helpers.steps import make_step
from tskd import DistilledModel, Teacher
from tskd._core.window_keys import encode
from tskd.balance import FixedBalance
from tskd.distillation.model_interface import ModelInterface
from tskd.distillation.objective import Objective
from tskd.distillation.paired_loss import StudentOutput
from tskd.losses import OutputKD, StudentTeacherPair
from tskd.privileged import CostlySensors, FutureHorizon, WayPoint
from tskd.teachers.outputs import TeacherOutputs
from tskd.weighting import Fixed, Uniform, Weighting


def sensor_teacher(series: TimeSeries, lab: TimeSeries, **kwargs: Any) -> Teacher:
    model = TiDEModel(L, H, hidden_size=8, **fast(n_epochs=3, batch_size=32, random_state=3), **kwargs)
    return Teacher(model, CostlySensors("lab"), name="sensors").fit(series, privileged={"lab": lab})


def answers(teacher: Teacher, series: TimeSeries, **given: Any) -> np.ndarray:
    return np.array([single(forecast).values() for forecast in teacher.historical_forecasts(series, **given)])


SERIES = noise(120, 2)
LAB = noise(120, 1, seed=7, name="lab")


@pytest.mark.parametrize("kind", [NLinearModel, DLinearModel])
@pytest.mark.parametrize("alpha", [0, 0.3, 1])
def test_linear_student_is_the_regression_on_the_blended_target(kind: Any, alpha: float) -> None:
    teacher = sensor_teacher(SERIES, LAB)
    inputs, labels = windows(SERIES)
    soft = answers(teacher, SERIES, privileged={"lab": LAB})
    assert soft.shape == labels.shape
    assert np.abs(regression(inputs, soft) - regression(inputs, labels)).max() > 0.1

    student = linear(kind)
    DistilledModel(student, teacher, balance=alpha).fit(SERIES, privileged={"lab": LAB})

    expected = regression(inputs, (1 - alpha) * labels + alpha * soft)
    assert np.abs(forecasts(student, SERIES) - expected).max() < 1e-3


@pytest.mark.parametrize("weighting", [Uniform(), Fixed({"sensors": 1, "future": 3}), Fixed([1, 3])], ids=str)
def test_several_teachers_are_their_weighted_mean(weighting: Weighting) -> None:
    future = Teacher(DLinearModel(L, H, **fast(n_epochs=3, random_state=5)), FutureHorizon("lab"), name="future").fit(
        SERIES, privileged={"lab": LAB}
    )
    sensors = sensor_teacher(SERIES, LAB)
    share = 0.5 if isinstance(weighting, Uniform) else 0.25
    inputs, labels = windows(SERIES)
    known: dict[str, Any] = {"privileged": {"lab": LAB}}
    soft = share * answers(sensors, SERIES, **known) + (1 - share) * answers(future, SERIES, **known)

    student = linear()
    DistilledModel(student, [sensors, future], weighting=weighting, balance=0.6).fit(SERIES, **known)

    assert np.abs(forecasts(student, SERIES) - regression(inputs, 0.4 * labels + 0.6 * soft)).max() < 1e-3


def test_each_series_of_unequal_length_is_asked_about_its_own_windows() -> None:
    series = [SERIES, noise(60, 2, seed=11)]
    lab = [LAB, noise(60, 1, seed=12, name="lab")]
    teacher = Teacher(TiDEModel(L, H, hidden_size=8, **fast(n_epochs=2, random_state=3)), CostlySensors("lab")).fit(
        series, privileged={"lab": lab}
    )
    soft = [
        np.array([f.values() for f in found]) for found in teacher.historical_forecasts(series, privileged={"lab": lab})
    ]
    inputs, labels = zip(*(windows(s) for s in series), strict=True)
    # darts repeats the windows of a short series, newest first, until it has as many as the longest
    repeats = [np.ones(len(x)) for x in inputs]
    repeats[1] = np.bincount(np.arange(len(inputs[0])) % len(inputs[1]))[::-1].astype(float)

    student = linear()
    DistilledModel(student, teacher, balance=0.5).fit(series, privileged={"lab": lab})

    target = np.concatenate([0.5 * y + 0.5 * t for y, t in zip(labels, soft, strict=True)])
    weights = np.repeat(np.concatenate(repeats)[:, None], H, axis=1)
    expected = regression(np.concatenate(inputs), target, weights)
    got = np.concatenate([forecasts(student, s) for s in series])
    assert np.abs(got - expected).max() < 1e-3


@pytest.mark.parametrize("alpha", [0.3, 1])
def test_sample_weights_weigh_labels_and_teachers_alike(alpha: float) -> None:
    teacher = sensor_teacher(SERIES, LAB)
    share = np.random.default_rng(5).uniform(0.1, 3, size=(120, 1))
    weights = TimeSeries.from_times_and_values(SERIES.time_index, share, columns=["weight"])
    inputs, labels = windows(SERIES)
    soft = answers(teacher, SERIES, privileged={"lab": LAB})
    per_step = np.array([share[i : i + H, 0] for i in range(L, 120 - H + 1)])

    student = linear()
    DistilledModel(student, teacher, balance=alpha).fit(SERIES, privileged={"lab": LAB}, sample_weight=weights)

    target = (1 - alpha) * labels + alpha * soft
    expected = regression(inputs, target, per_step)
    assert np.abs(expected - regression(inputs, target)).max() > 1e-2
    assert np.abs(forecasts(student, SERIES) - expected).max() < 1e-3


@pytest.mark.filterwarnings("ignore:teacher 'half'")
def test_windows_without_a_forecast_are_left_out_of_the_mean() -> None:
    """min (1 − α)/N·Σ(s − y)² over all N windows + α/M·Σ(s − t)² over the M that have a t."""
    inputs, labels = windows(SERIES)
    soft = labels[::-1].copy()
    origins = np.arange(L - 1, 120 - H)
    known = origins % 3 != 0

    def answer(_: Tensor, keys: Tensor) -> Tensor:
        rows = keys[:, 1] - (L - 1)
        values = torch.from_numpy(soft)[rows]
        values[~torch.from_numpy(known)[rows]] = torch.nan
        return values

    student = linear()
    DistilledModel(student, scripted(SERIES, answer, "half"), balance=0.7).fit(SERIES)

    stacked = np.concatenate([inputs, inputs[known]])
    target = np.concatenate([labels, soft[known]])
    weights = np.concatenate(
        [np.full((len(labels), H), 0.3 / len(labels)), np.full((known.sum(), H), 0.7 / known.sum())]
    )
    expected = regression(stacked, target, weights)[: len(labels)]
    assert np.isfinite(forecasts(student, SERIES)).all()
    assert np.abs(forecasts(student, SERIES) - expected).max() < 1e-3


@pytest.mark.filterwarnings("ignore:teacher 'half'")
def test_where_one_teacher_is_silent_the_other_has_all_the_weight() -> None:
    inputs, labels = windows(SERIES)
    origins = torch.arange(L - 1, 120 - H)

    def half(y: Tensor, keys: Tensor) -> Tensor:
        values = y * 2
        values[keys[:, 1] % 2 == 0] = torch.nan
        return values

    teachers = [scripted(SERIES, half, "half"), scripted(SERIES, lambda y, _: -y, "other")]
    student = linear()
    DistilledModel(student, teachers, weighting=Fixed([3, 1]), balance=1.0).fit(SERIES)

    silent = (origins % 2 == 0).numpy()[:, None, None]
    soft = np.where(silent, -labels, 0.75 * 2 * labels - 0.25 * labels)
    assert np.abs(forecasts(student, SERIES) - regression(inputs, soft)).max() < 1e-3


@pytest.mark.parametrize("alpha", [0.5, 1.0])
@pytest.mark.filterwarnings("ignore:teacher 'none'")
def test_without_any_forecast_the_label_term_stays_as_it_is(alpha: float) -> None:
    """Gradient descent on (1 − α)·L is gradient descent on L with (1 − α) times the learning rate."""
    student = descending(lr=0.1)
    silent = scripted(SERIES, lambda y, _: y * torch.nan, "none")
    DistilledModel(student, silent, balance=alpha).fit(SERIES)

    plain = descending(lr=0.1 * (1 - alpha)).fit(SERIES)
    start = descending(lr=0.0).fit(SERIES)
    assert alpha == 1 or largest_difference(plain, start) > 1e-3
    assert largest_difference(student, plain) < 1e-12


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_teacher_with_the_students_weights_teaches_nothing(dtype: str, tmp_path: Any) -> None:
    series = noise(120, 2, dtype=dtype)
    tolerance = 1e-12 if dtype == "float64" else 1e-6
    student = descending(lr=0.1, batch_size=16, n_epochs=3).fit(series)
    student.save(str(tmp_path / "student.pt"))
    twin = NLinearModel.load(str(tmp_path / "student.pt"))
    before = parameters(student)

    model = DistilledModel(student, Teacher(twin, name="twin"), balance=1.0).fit(series, epochs=3)

    after = parameters(student)
    assert all(float((after[name] - before[name]).abs().max()) < tolerance for name in before)
    assert float(student.trainer.callback_metrics["train_loss"]) < tolerance**2
    assert model.student is student

    moved = descending(lr=0.1, batch_size=16, n_epochs=3).fit(series)
    DistilledModel(moved, scripted(series, lambda y, _: y + 1), balance=1.0).fit(series, epochs=3)
    assert any(float((parameters(moved)[name] - before[name]).abs().max()) > 1e-2 for name in before)


class Live:
    """Knowledge that is asked of the teacher for every batch."""

    whole = False

    def __init__(self, teacher: Teacher, view: Any) -> None:
        self.teacher, self.view, self.asked = teacher, view, 0
        self.like = torch.zeros(1, H, 2)

    def __call__(self, *_: Any, **__: Any) -> Live:
        return self

    def rows(self, keys: Tensor) -> Tensor:
        return keys

    def take(self, keys: Tensor) -> tuple[Tensor, Tensor]:
        self.asked += len(keys)
        values, covered = self.view.forecasts(keys)
        return values[None], covered[None]

    def valid_for(self, keys: Tensor) -> Tensor:
        return torch.ones(1, len(keys), dtype=torch.bool)

    def details(self, keys: Tensor) -> list[dict[str, Tensor]]:
        return [{}]


@pytest.mark.parametrize("options", [{"dropout": 0.3}, {"use_reversible_instance_norm": True}], ids=["dropout", "rin"])
def test_cached_and_live_teacher_give_the_same_student(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    series, lab = noise(120, 2, dtype="float32"), noise(120, 1, seed=7, name="lab", dtype="float32")
    teacher = sensor_teacher(series, lab, **options)

    def trained() -> Any:
        student = TiDEModel(L, H, hidden_size=8, dropout=0.1, **fast(n_epochs=3, batch_size=16, random_state=4))
        DistilledModel(student, teacher, balance=0.7).fit(series, privileged={"lab": lab})
        return student

    cached = trained()
    live = Live(teacher, teacher.predictor(series, privileged={"lab": lab}))
    monkeypatch.setattr("tskd.distillation.fit.collect_outputs", live)
    online = trained()
    assert live.asked >= 3 * (120 - L - H + 1)
    assert largest_difference(cached, online) < 1e-5


@pytest.mark.parametrize("dtypes", [("float64", "float32"), ("float32", "float64")])
def test_student_and_teacher_may_differ_in_precision(dtypes: tuple[str, str]) -> None:
    mine, theirs = dtypes
    teacher = sensor_teacher(SERIES.astype(theirs), LAB.astype(theirs))
    series, lab = SERIES.astype(mine), LAB.astype(mine)
    student = linear(n_epochs=20) if mine == "float32" else linear()
    DistilledModel(student, teacher, balance=0.5).fit(series, privileged={"lab": lab})

    assert {p.dtype for p in student.model.parameters()} == {getattr(torch, mine)}
    inputs, labels = windows(SERIES)
    soft = answers(teacher, SERIES.astype(theirs), privileged={"lab": LAB.astype(theirs)})
    assert np.abs(forecasts(student, series) - regression(inputs, (labels + soft) / 2)).max() < 1e-3


def test_order_of_the_teachers_does_not_matter() -> None:
    first = scripted(SERIES, lambda y, _: 2 * y, "first")
    second = scripted(SERIES, lambda y, _: y + 1, "second")
    third = scripted(SERIES, lambda y, _: -y, "third")
    weighting = Fixed({"first": 0.2, "second": 0.5, "third": 0.3})
    students = []
    for teachers in ([first, second, third], [third, first, second]):
        student = descending(batch_size=16)
        DistilledModel(student, teachers, weighting=weighting, balance=0.5).fit(SERIES)
        students.append(student)
    assert largest_difference(*students) < 1e-10


def test_balance_follows_its_schedule_epoch_by_epoch() -> None:
    """Full-batch descent worked out with α = 0, .4, .8, .5, .2 in the five epochs."""
    series = noise(80)
    inputs, labels = (torch.from_numpy(values) for values in windows(series))
    labels = labels[:, :, 0]
    weights = parameters(descending(lr=0.0, n_epochs=1).fit(series))
    stacked = torch.cat([weights["layer.weight"], weights["layer.bias"][:, None]], dim=1)
    for alpha in (0, 0.4, 0.8, 0.5, 0.2):
        target = (1 - alpha) * labels + alpha * (labels + 3)
        error = inputs @ stacked.T - target
        stacked = stacked - 0.05 * 2 * error.T @ inputs / error.numel()

    class Listed(FixedBalance):
        def alpha(self, epoch: int) -> float:
            return (0, 0.4, 0.8, 0.5, 0.2)[epoch]

    student = descending(lr=0.05, n_epochs=5)
    DistilledModel(student, scripted(series, lambda y, _: y + 3), balance=Listed()).fit(series)
    assert torch.allclose(parameters(student)["layer.weight"], stacked[:, :-1], atol=1e-10)
    assert torch.allclose(parameters(student)["layer.bias"], stacked[:, -1], atol=1e-10)


S = torch.tensor([[1.0, 2], [3, 4], [5, 6]], dtype=torch.float64)[..., None]
A = torch.tensor([[0.0, 2], [3, 2], [0, 0]], dtype=torch.float64)[..., None]
B = torch.tensor([[1.0, 0], [0, 0], [0, 0]], dtype=torch.float64)[..., None]
KNOWN = torch.tensor([[True, True, False], [True, False, False]])


def term(
    student: Tensor,
    teachers: Sequence[Tensor],
    valid: Tensor,
    *,
    losses: Sequence[OutputKD] | None = None,
    weighting: Weighting | None = None,
    sample_weight: Tensor | None = None,
) -> Tensor | None:
    names = [f"t{k}" for k in range(len(teachers))]
    target = torch.zeros_like(student)
    plain = ModelInterface("TiDEModel", range(1, student.shape[1] + 1))
    named = dict.fromkeys(names, plain)
    objective = Objective(losses or [OutputKD()], weighting or Uniform(), plain, named, target)
    keys = torch.arange(2 * len(student)).reshape(-1, 2)
    step = make_step(torch.stack(list(teachers)), valid, student=student, keys=keys)
    return objective(StudentOutput(student), step, [{}] * len(teachers), sample_weight).term


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_term_of_a_batch_by_hand(dtype: torch.dtype) -> None:
    """Window 0: ½·(1, 0) + ½·(0, 4), mean 1.25. Window 1: teacher A alone, (0, 4), mean 2. Window 2: nobody."""
    found = term(S.to(dtype), [A.to(dtype), B.to(dtype)], KNOWN)
    assert found is not None
    assert found.dtype is dtype
    assert found.item() == pytest.approx((1.25 + 2) / 2)


def test_sample_weights_by_hand() -> None:
    """Window 0: (2·½, 1·2), mean 1.5. Window 1: (0·0, ½·4), mean 1."""
    weights = torch.tensor([[2.0, 1], [0, 0.5], [9, 9]], dtype=torch.float64)[..., None]
    found = term(S, [A, B], KNOWN, sample_weight=weights)
    assert found is not None
    assert found.item() == pytest.approx((1.5 + 1) / 2)


def test_fixed_weights_by_hand() -> None:
    """Window 0: ¾·(1, 0) + ¼·(0, 4), mean .875. Window 1: A alone, mean 2."""
    for weighting in (Fixed([3, 1]), Fixed({"t1": 0.5, "t0": 1.5})):
        found = term(S, [A, B], KNOWN, weighting=weighting)
        assert found is not None
        assert found.item() == pytest.approx((0.875 + 2) / 2)


def test_no_valid_teacher_no_term() -> None:
    assert term(S, [A, B], torch.zeros_like(KNOWN)) is None


def test_what_is_not_valid_sends_no_gradient() -> None:
    student = S.clone().requires_grad_()
    found = term(student, [A, B], KNOWN)
    assert found is not None
    (gradient,) = torch.autograd.grad(found, student)
    # d/ds of window 0: (½·2·1, ½·2·2) / 2 steps / 2 windows; of window 1: (0, 2·2) / 2 / 2
    expected = torch.tensor([[0.25, 0.5], [0, 1], [0, 0]], dtype=torch.float64)[..., None]
    torch.testing.assert_close(gradient, expected)


def test_the_students_own_forecast_gives_no_term_and_no_gradient() -> None:
    student = S.clone().requires_grad_()
    for metric in ("mse", "mae", "huber"):
        found = term(student, [S, S], torch.ones(2, 3).bool(), losses=[OutputKD(metric)])
        assert found is not None
        (gradient,) = torch.autograd.grad(found, student)
        assert found.item() == 0
        assert torch.equal(gradient, torch.zeros_like(S))


@pytest.mark.parametrize(
    ("metric", "expected", "slope"),
    [
        ("mse", [0, 0.25, 1, 9], [0, 1, -2, 6]),
        ("mae", [0, 0.5, 1, 3], [0, 1, -1, 1]),
        ("huber", [0, 0.125, 0.5, 2.5], [0, 0.5, -1, 1]),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_metrics_by_hand(metric: Any, expected: list[float], slope: list[float], dtype: torch.dtype) -> None:
    """Distances 0, ½, −1 and 3; Huber's with δ = 1 is e²/2 within 1 and |e| − ½ beyond."""
    student = torch.tensor([1.0, 2.5, 1, 4], dtype=dtype).reshape(2, 2, 1).requires_grad_()
    teacher = torch.tensor([1.0, 2, 2, 1], dtype=dtype).reshape(2, 2, 1)
    values = OutputKD(metric)(StudentTeacherPair(student, teacher, torch.zeros_like(teacher)))
    assert values.shape == (2, 2, 1)
    assert values.dtype is dtype
    assert values.flatten().tolist() == pytest.approx(expected)
    (gradient,) = torch.autograd.grad(values.sum(), student)
    assert gradient.flatten().tolist() == pytest.approx(slope)


def test_losses_add_up_with_their_coefficients() -> None:
    everywhere = torch.ones(1, 3).bool()
    mse, mae = term(S, [A], everywhere), term(S, [A], everywhere, losses=[OutputKD("mae")])
    both = term(S, [A], everywhere, losses=[OutputKD(weight=2), OutputKD("mae", weight=0.5)])
    assert mse is not None and mae is not None and both is not None
    assert both.item() == pytest.approx(2 * mse.item() + 0.5 * mae.item())
    silent = term(S, [A], everywhere, losses=[OutputKD(weight=0), OutputKD("mae")])
    assert silent is not None
    assert silent.item() == pytest.approx(mae.item())


def test_weighted_sum_has_the_gradient_of_the_weighted_mean() -> None:
    """Σ w_k (s − t_k)² and (s − Σ w_k t_k)²: w = ¼, ¾ on teachers 0 and 4 is one teacher that says 3."""
    student = torch.tensor([1.0, 2.5, -4]).reshape(3, 1, 1).requires_grad_()
    teachers = [torch.zeros(3, 1, 1), torch.full((3, 1, 1), 4.0)]
    apart = term(student, teachers, torch.ones(2, 3).bool(), weighting=Fixed([1, 3]))
    joined = term(student, [torch.full((3, 1, 1), 3.0)], torch.ones(1, 3).bool())
    assert apart is not None and joined is not None
    (left,), (right,) = torch.autograd.grad(apart, student), torch.autograd.grad(joined, student)
    assert left.flatten().tolist() == pytest.approx([2 * (1 - 3) / 3, 2 * (2.5 - 3) / 3, 2 * (-4 - 3) / 3])
    torch.testing.assert_close(left, right)


@pytest.mark.parametrize(
    ("weighting", "expected"),
    [
        (Uniform(), [[1 / 3, 0.5, 0, 0], [1 / 3, 0, 1, 0], [1 / 3, 0.5, 0, 0]]),
        (Fixed([2, 1, 1]), [[0.5, 2 / 3, 0, 0], [0.25, 0, 1, 0], [0.25, 1 / 3, 0, 0]]),
        (Fixed({"c": 1, "a": 3, "b": 0}), [[0.75, 0.75, 0, 0], [0, 0, 1, 0], [0.25, 0.25, 0, 0]]),
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_weights_by_hand(weighting: Weighting, expected: list[list[float]], dtype: torch.dtype) -> None:
    """Windows with all three teachers, without the second, with the second alone, with nobody."""
    valid = torch.tensor([[True, True, False, False], [True, False, True, False], [True, True, False, False]])
    zeros = torch.zeros(3, 4, 2, 1, dtype=dtype)
    step = make_step(zeros, valid)
    weighting.set_up(["a", "b", "c"])
    weights = weighting(step)
    assert not weights.requires_grad
    assert torch.finfo(weights.dtype).bits >= 32
    torch.testing.assert_close(weights.double(), torch.tensor(expected, dtype=torch.float64), rtol=1e-3, atol=1e-6)


def test_permuting_teachers_or_windows_changes_nothing() -> None:
    generator = torch.Generator().manual_seed(2)
    student = torch.randn(7, 4, 2, generator=generator, dtype=torch.float64)
    teachers = torch.randn(3, 7, 4, 2, generator=generator, dtype=torch.float64)
    valid = torch.rand(3, 7, generator=generator) > 0.3
    valid[:, 2] = False
    weights = torch.rand(7, 4, 1, generator=generator, dtype=torch.float64)
    losses = [OutputKD(), OutputKD("huber", weight=0.3)]
    reference = term(student, list(teachers), valid, losses=losses, weighting=Fixed([1, 2, 3]), sample_weight=weights)
    order, rows = [2, 0, 1], torch.randperm(7, generator=generator)
    teachers_moved = term(
        student,
        list(teachers[order]),
        valid[order],
        losses=losses,
        weighting=Fixed([3, 1, 2]),
        sample_weight=weights,
    )
    windows_moved = term(
        student[rows],
        list(teachers[:, rows]),
        valid[:, rows],
        losses=losses,
        weighting=Fixed([1, 2, 3]),
        sample_weight=weights[rows],
    )
    assert reference is not None and teachers_moved is not None and windows_moved is not None
    assert math.isfinite(reference.item())
    assert teachers_moved.item() == pytest.approx(reference.item(), rel=1e-12)
    assert windows_moved.item() == pytest.approx(reference.item(), rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_knowledge_is_found_by_key_in_any_order(dtype: torch.dtype) -> None:
    keys = torch.tensor([[1, 9], [0, 30], [0, 4], [1, 10]])
    values = torch.arange(4.0, dtype=torch.float64).reshape(4, 1, 1) + 1
    valid = torch.tensor([True, False, True, True])
    codes, order = encode(keys).sort()
    fields = {"forecasts": values[order].to(dtype)}
    knowledge = TeacherOutputs(codes, [fields], [valid[order]], torch.zeros(2, 1, 1, dtype=dtype))
    found, known = knowledge.of(torch.tensor([[0, 4], [1, 10], [0, 30], [1, 9], [0, 4]]))
    assert found.dtype is dtype
    assert found.flatten().tolist() == [3, 4, 0, 1, 3]
    assert known.flatten().tolist() == [True, True, False, True, True]
    with pytest.raises(KeyError, match=r"0, 9"):
        knowledge.of(torch.tensor([[0, 9]]))


def test_a_taught_teacher_is_the_regression_on_what_teaches_it() -> None:
    """Windows that the one who teaches cannot judge are left out; so a chain is a product of least-squares maps."""
    inputs, labels = windows(SERIES)
    first = Scripted(descending(n_epochs=1).fit(SERIES), lambda y, _: torch.sin(y))
    second = Teacher(linear(), name="second").fit(SERIES, taught_by=first)
    expected = regression(inputs, np.sin(labels))
    assert np.abs(forecasts(second.model, SERIES) - expected).max() < 1e-3
    assert np.abs(expected - regression(inputs, labels)).max() > 0.1

    longer = NLinearModel(L + 30, H, **fast(n_epochs=2, random_state=1))
    far = Teacher(longer, name="far").fit(SERIES)
    third = Teacher(linear(), name="third").fit(SERIES, taught_by=far)
    soft = answers(far, SERIES)
    assert len(labels) - len(soft) == 30
    assert np.abs(forecasts(third.model, SERIES) - regression(inputs[30:], soft, at=inputs)).max() < 2e-3


def test_what_cannot_be_taught_is_refused() -> None:
    far, short = Teacher(linear(), name="far"), Teacher(DLinearModel(L, H - 1), name="short")
    with pytest.raises(ValueError, match="'far' is to teach 'blind', and is not fitted"):
        Teacher(linear(), WayPoint(step=2), name="blind", sees_inputs=False).fit(SERIES, taught_by=far)
    with pytest.raises(ValueError, match="forecasts steps 1 to 3, and 'short', which it is to teach, 1 to 2"):
        short.fit(SERIES, taught_by=far.fit(SERIES))
    with pytest.raises(ValueError, match="is no network, and cannot be taught"):
        Teacher(LinearRegressionModel(lags=L, output_chunk_length=H)).fit(SERIES, taught_by=far.fit(SERIES))
    sensors = Teacher(linear(), CostlySensors("lab"), name="sensors")
    with pytest.raises(ValueError, match="lab"):
        sensors.fit(SERIES, privileged={"labs": LAB}, taught_by=far.fit(SERIES))
    # what nobody reads does no harm
    assert sensors.fit(SERIES, privileged={"lab": LAB, "labs": LAB}, taught_by=far.fit(SERIES)).fitted


def test_a_teacher_of_a_part_of_the_horizon_has_a_say_in_that_part() -> None:
    """Steps 1 and 2 blend the labels with both teachers, step 3 with the one that reaches it; alone, with none."""
    short = NLinearModel(L, H - 1, normalize=False, **fast(random_state=1)).fit(SERIES)
    near = Scripted(short, lambda y, _: torch.sin(y), name="near")
    whole = scripted(SERIES, lambda y, _: y.square(), name="whole")
    inputs, labels = windows(SERIES)
    both = (np.sin(labels) + labels**2) / 2
    both[:, 2] = labels[:, 2] ** 2

    student = linear()
    DistilledModel(student, [near, whole], balance=0.5).fit(SERIES)
    assert np.abs(forecasts(student, SERIES) - regression(inputs, (labels + both) / 2)).max() < 1e-3

    alone = np.sin(labels)
    alone[:, 2] = labels[:, 2]
    student = linear()
    DistilledModel(student, near, balance=0.5).fit(SERIES)
    assert np.abs(forecasts(student, SERIES) - regression(inputs, (labels + alone) / 2)).max() < 1e-3

    with pytest.raises(ValueError, match="forecasts steps 1 to 2, the student 5 to 7: they have no step in common"):
        DistilledModel(DLinearModel(L, H, output_chunk_shift=4), near)
