"""AutoBalance in a fit: what earns trust gets it, what does not leaves darts' own training."""

from __future__ import annotations

import logging
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from darts import TimeSeries
from darts.models import DLinearModel, LinearRegressionModel, NLinearModel, TiDEModel

from tests.helpers.closed_form import largest_difference
from tests.helpers.models import fast
from tests.helpers.series import walk
from tests.helpers.steps import draw, make_step
from tskd import DistilledModel, Reconstruction, Teacher
from tskd.balance import AutoBalance, FixedBalance
from tskd.distillation.expected import chosen_balance
from tskd.distillation.expected.chosen_balance import BalanceChoice
from tskd.distillation.expected.coverage import coverage
from tskd.distillation.expected.held_out import HeldOut
from tskd.weighting import Uniform

L, H, N = 30, 4, 420


@pytest.fixture(autouse=True)
def _quiet_darts(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, logger="darts")


def ar(n: int, seed: int) -> np.ndarray:
    values = np.random.default_rng(seed).normal(size=n)
    for step in range(1, n):
        values[step] += 0.9 * values[step - 1]
    return values


SIGNAL = ar(N, 1)
NOISE = np.random.default_rng(2)
# labels are noisy measurements of the signal
Y = walk(N, dtype="float64").with_values((SIGNAL + 1.5 * NOISE.normal(size=N))[:, None])
SENSOR = walk(N, 2, name="z", dtype="float64").with_values(
    np.stack([SIGNAL + 0.1 * NOISE.normal(size=N), NOISE.normal(size=N)], axis=1)
)
PRIVILEGED = {"z": SENSOR}


def student(kind: Any = NLinearModel, **kwargs: Any) -> Any:
    return kind(L, H, **fast(n_epochs=2, **kwargs))


def clean() -> Any:
    """Answers that labels are noisy measurements of."""
    return Teacher.from_series(Y.with_values(SIGNAL[:, None]), name="clean")


USELESS = {
    "constant": lambda: np.full(N, 3.0),
    "noise": lambda: np.random.default_rng(3).normal(size=N) * 2,
    "shifted": lambda: Y.values()[:, 0] + Y.values().std(),
    "amplified": lambda: 3 * Y.values()[:, 0],
    "reversed": lambda: SIGNAL[::-1].copy(),
    "wrong": lambda: -Y.values()[:, 0],
}


def useless(name: str) -> Any:
    return Teacher.from_series(Y.with_values(USELESS[name]()[:, None]), name=name)


def fitted(teachers: Any, balance: Any, series: TimeSeries = Y, kind: Any = NLinearModel, **kwargs: Any) -> Any:
    teachers = teachers if isinstance(teachers, list) else [teachers]
    needed = PRIVILEGED if any(teacher.names for teacher in teachers) else None
    model = DistilledModel(student(kind), teachers, balance=balance, **kwargs)
    return model.fit(series, privileged=needed, verbose=False)


@pytest.mark.parametrize("kind", [NLinearModel, TiDEModel])
@pytest.mark.parametrize("name", USELESS)
def test_a_useless_teacher_leaves_darts_own_training_bit_for_bit(name: str, kind: Any) -> None:
    with warnings.catch_warnings():
        # of the constant
        warnings.filterwarnings("ignore", "teacher 'constant' forecasts the same")
        model = fitted(useless(name), AutoBalance(), kind=kind)
    plain = student(kind).fit(Y, verbose=False)
    assert model.chosen_balance.alpha == 0 and model.chosen_balance.shares == {name: 0}
    assert largest_difference(model.student, plain) == 0
    assert not model.history


@pytest.mark.parametrize("kind", [NLinearModel, DLinearModel, TiDEModel])
def test_a_good_teacher_is_trusted_as_a_fixed_balance_would(kind: Any) -> None:
    model = fitted(clean(), AutoBalance(), kind=kind)
    alpha = model.chosen_balance.alpha
    assert alpha > 0.3
    assert largest_difference(model.student, fitted(clean(), FixedBalance(alpha), kind=kind).student) == 0
    assert largest_difference(model.student, fitted(clean(), 0.0, kind=kind).student) > 0


def test_a_useless_teacher_loses_its_share_beside_a_good_one() -> None:
    both = fitted([useless("wrong"), clean(), useless("noise")], AutoBalance())
    assert both.chosen_balance.shares["wrong"] == both.chosen_balance.shares["noise"] == 0
    assert both.history[-1]["weights"] == {"wrong": 0, "clean": 1, "noise": 0}
    alone = fitted(clean(), AutoBalance())
    assert both.chosen_balance.alpha == pytest.approx(alone.chosen_balance.alpha)
    assert largest_difference(both.student, alone.student) < 1e-12


def test_a_teacher_that_saw_the_labels_does_not_fool_it() -> None:
    """One that knows the labels of its own rows by heart is worth nothing on others."""
    rng = np.random.default_rng(4)
    series = Y.with_values(rng.normal(size=(N, 1)))
    memory = LinearRegressionModel(lags=60, output_chunk_length=H)
    honest = fitted(Teacher(memory), AutoBalance(), series)
    seen = fitted(Teacher(memory).fit(series), AutoBalance(), series)
    assert honest.chosen_balance.alpha == seen.chosen_balance.alpha == 0
    assert honest.chosen_balance.explained == pytest.approx(seen.chosen_balance.explained)
    # its answers in the sample explain a tenth and more, and would be taken for knowledge
    assert honest.chosen_balance.explained["LinearRegressionModel"] < 0


def test_a_teacher_that_explains_nothing_gets_no_share_whatever_its_student_gains(monkeypatch: Any) -> None:
    """A constant pulls a student towards the mean, which may help by chance."""
    seen: list[HeldOut] = []
    original = chosen_balance.choice_of

    def kept(held_out: HeldOut, *more: Any) -> BalanceChoice:
        seen.append(held_out)
        return original(held_out, *more)

    monkeypatch.setattr(chosen_balance, "choice_of", kept)
    assert fitted(clean(), AutoBalance()).chosen_balance.alpha > 0
    for explained in (0.0, -0.2, np.nan):
        blind = replace(seen[0], explained=np.array([explained]))
        assert original(blind, ["clean"]).alpha == original(blind, ["clean"], bold=True).alpha == 0


def test_bold_trusts_more() -> None:
    low = Teacher.from_series(Y.with_values(0.7 * SIGNAL[:, None]), name="low")
    prudent, bold = (fitted(low, AutoBalance(bold=bold)).chosen_balance for bold in (False, True))
    assert 0 < prudent.alpha < bold.alpha < 1
    assert prudent.estimate == bold.estimate


def test_a_single_series_is_capped_at_twice_the_plug_in_and_several_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[HeldOut] = []

    def kept(held_out: HeldOut, *_: Any) -> BalanceChoice:
        seen.append(held_out)
        return BalanceChoice(0.0)

    monkeypatch.setattr(chosen_balance, "choice_of", kept)
    fitted(clean(), AutoBalance())
    first, second = Y[:200], Y[200:]
    answers = [Y.with_values(SIGNAL[:, None])[:200], Y.with_values(SIGNAL[:, None])[200:]]
    DistilledModel(student(), Teacher.from_series(answers, name="clean"), balance=AutoBalance()).fit(
        [first, second], verbose=False
    )
    one, two = (replace(held_out, plug_in=np.array([0.03])) for held_out in seen)
    monkeypatch.undo()
    assert chosen_balance.choice_of(one, ["clean"]).shares == {"clean": pytest.approx(0.06)}
    assert chosen_balance.choice_of(one, ["clean"], bold=True).alpha > 0.5
    assert chosen_balance.choice_of(two, ["clean"]).alpha > 0.1


def test_where_labels_span_too_little_labels_alone_teach_and_the_reason_is_said() -> None:
    model = fitted(clean(), AutoBalance(), Y[: L + H + 4])
    assert model.chosen_balance.alpha == 0
    assert "too few for folds" in model.chosen_balance.reason
    assert model.chosen_balance.shares == {"clean": 0}


def test_without_teachers_it_is_darts_own_training() -> None:
    model = fitted([], AutoBalance())
    assert model.chosen_balance.alpha == 0
    assert largest_difference(model.student, student().fit(Y, verbose=False)) == 0


def test_nothing_but_the_training_part_counts() -> None:
    """Neither privileged values after its end, nor the validation part."""
    train, rest = Y[:360], Y[360:]
    other = {"z": SENSOR.with_values(np.where(np.arange(N)[:, None] < 360, SENSOR.values(), 1e3))}
    chosen = []
    for privileged, held_out in ((PRIVILEGED, rest), (other, rest * 7)):
        model = DistilledModel(student(), Reconstruction("z"), balance=AutoBalance())
        model.fit(train, val_series=held_out, privileged=privileged, val_privileged=PRIVILEGED, verbose=False)
        chosen.append(model.chosen_balance)
    assert chosen[0] == chosen[1]
    assert chosen[0] is not None and chosen[0].alpha > 0


def with_labels(known: np.ndarray) -> TimeSeries:
    return Y.with_values(np.where(known[:, None], Y.values(), np.nan))


def test_alpha_of_the_loss_gives_the_share_where_labels_are_few() -> None:
    """A soft sensor's rows are alike: of M windows with answers, n labels, α·M : (1 − α)·n is the share : the rest."""
    known = np.zeros(N, dtype=bool)
    known[240:] = True
    inputs = SENSOR
    teacher = Teacher.from_series(Y.with_values(SIGNAL[:, None] + 0.2 * SENSOR.values()[:, 1:]), name="clean")
    model = DistilledModel(student(), teacher, balance=AutoBalance(), soft_sensor=True)
    model.fit(with_labels(known), past_covariates=inputs, verbose=False)
    chosen = model.chosen_balance
    assert chosen is not None and 0 < chosen.shares["clean"] < 1
    answers = (N - L - H + 1) * H
    # each label is in the windows that reach it; the first and the last few in less than H
    labels = sum(known[at + step] for at in range(L - 1, N - H) for step in range(1, H + 1))
    share = chosen.shares["clean"]
    assert chosen.alpha == pytest.approx(share * labels / (share * labels + (1 - share) * answers))
    assert chosen.alpha < share


@pytest.mark.parametrize("bold", [False, True])
def test_only_the_bold_trust_an_accurate_teacher_where_labels_do_not_cover_the_windows(bold: bool) -> None:
    """Labels of one stretch in which the inputs hardly vary."""
    quiet = (np.arange(N) >= 200) & (np.arange(N) < 370)
    signal = SIGNAL * np.where(quiet, 0.3, 3.0)
    inputs = SENSOR.with_values(np.stack([signal, NOISE.normal(size=N)], axis=1))
    labels = np.where(quiet, signal + 0.1 * NOISE.normal(size=N), np.nan)
    answers = Teacher.from_series(Y.with_values(signal[:, None]), name="clean")
    short = NLinearModel(3, H, **fast())
    model = DistilledModel(short, answers, balance=AutoBalance(bold=bold), soft_sensor=True)
    model.fit(Y.with_values(labels[:, None]), past_covariates=inputs, verbose=False)
    chosen = model.chosen_balance
    assert chosen is not None and chosen.coverage > 2 and chosen.explained["clean"] > 0.7
    assert chosen.alpha == bold and "do not cover" in chosen.reason
    assert ("accurate" in chosen.reason) == bold


def test_coverage_by_hand() -> None:
    x = np.array([[1.0], [-1.0], [3.0], [0.0]])
    labelled = np.array([True, True, False, False])
    # mean 0, Gram 2 + 2: leverage 1/2 + x²/4
    expected = ((0.5 + 9 / 4) + 0.5) / 2 / (0.5 + 1 / 4)
    assert coverage(x, labelled, 2.0) == pytest.approx(expected)
    assert coverage(x, np.ones(4, dtype=bool), 2.0) == 1


def test_trust_multiplies_weights_and_silent_teachers_stay_silent() -> None:
    forecasts, valid = draw(3, 5, 2, 1), torch.ones(3, 5, dtype=torch.bool)
    valid[0, 1] = valid[2, 4] = False
    weighting = Uniform()
    weighting.set_up(["a", "b", "c"])
    weighting.set_trust([0.5, 0.1, 0.2])
    weights = weighting(make_step(forecasts, valid))
    assert weights[:, 0].tolist() == pytest.approx([0.5 / 0.8, 0.1 / 0.8, 0.2 / 0.8])
    assert weights[:, 1].tolist() == pytest.approx([0, 1 / 3, 2 / 3])
    assert weights[:, 4].tolist() == pytest.approx([5 / 6, 1 / 6, 0])


def test_it_is_saved_and_loaded_with_the_model(tmp_path: Any) -> None:
    model = fitted(clean(), AutoBalance(folds=3, bold=True))
    model.save(tmp_path / "model")
    loaded = DistilledModel.load(tmp_path / "model")
    assert loaded.balance == AutoBalance(folds=3, bold=True)
    again = fitted(clean(), loaded.balance)
    assert again.chosen_balance == model.chosen_balance


@pytest.mark.parametrize(("argument", "value"), [("folds", 1), ("folds", 2.5), ("folds", True), ("bold", "no")])
def test_what_it_does_not_take(argument: str, value: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=argument):
        AutoBalance(**{argument: value})
