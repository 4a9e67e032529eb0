"""Teachers by what can be learned from them: the linear case with oracles, trivial teachers, folds, probes by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from darts.models import NLinearModel
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.helpers.closed_form import H, L, forecasts, linear, noise, regression, scripted, windows
from tests.helpers.models import fast
from tests.helpers.scripted import Scripted
from tests.helpers.steps import make_step
from tskd import DistilledModel
from tskd.weighting import CalibrationSet, CalibrationWindows, Step
from tskd.weighting.imitability import PENALTIES, Imitability, by_series, folds, preferences, ridge_probe, thinned

RHO = (0, 0.25, 0.5, 0.75, 1)


def refuse(_: CalibrationWindows) -> Tensor:
    raise AssertionError("the student has not begun")


def calibration(
    inputs: Tensor,
    target: Tensor,
    teachers: Tensor,
    valid: Tensor | None = None,
    apart: int = 100,
    chunk: int = 17,
    panel: bool = False,
) -> CalibrationSet:
    """Windows of one series, as far apart as given, or each of a series of its own."""
    known = torch.ones(teachers.shape[:2], dtype=torch.bool) if valid is None else valid
    number, zeros = torch.arange(len(target)), torch.zeros(len(target), dtype=torch.long)
    keys = torch.stack([number, zeros] if panel else [zeros, number * apart], 1)

    def chunks() -> Any:
        for rows in torch.arange(len(target)).split(chunk):
            spread = torch.full_like(teachers[:, rows], torch.nan)
            by_teacher = (teachers[:, rows], known[:, rows], spread)
            yield CalibrationWindows(keys[rows], {"past_target": inputs[rows]}, *by_teacher, target[rows])

    return CalibrationSet(True, chunks, refuse)


def calibrated(weighting: Imitability, seen: CalibrationSet) -> Imitability:
    weighting.set_up([])
    weighting.calibrate(seen)
    return weighting


def weights(weighting: Imitability, teachers: Tensor, valid: Tensor | None = None, **given: Any) -> Tensor:
    return weighting(make_step(teachers, valid, **given))


def draw(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def linear_case(seed: int, count: int = 60, d: int = 20) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """y = xb + z + noise, of which students see x, teachers xb and a part ρ of z, and the last teacher nothing."""
    b, x, z = draw(d, seed=seed) / math.sqrt(d), draw(count, d, seed=seed + 1), draw(count, seed=seed + 2)
    y = x @ b + z + 0.3 * draw(count, seed=seed + 3)
    own = 0.1 * draw(len(RHO), count, seed=seed + 4)
    teachers = torch.stack([*(x @ b + rho * z + own[k] for k, rho in enumerate(RHO)), torch.zeros(count)])
    return b, x, y, teachers


def test_finds_the_teacher_that_a_linear_student_can_learn_from() -> None:
    """Excess risk of least squares, by teacher .005/.037/.132/.292/.519, labels .556, uniform of the five .129."""
    found: dict[str, list[float]] = {}
    shares = []
    for repetition in range(200):
        b, x, y, teachers = linear_case(10 * repetition)
        five = teachers[:5]

        def risk(target: Tensor, x: Tensor = x, b: Tensor = b) -> float:
            return float((torch.linalg.lstsq(x, target[:, None]).solution[:, 0] - b).square().sum())

        for share in (five, teachers):
            seen = calibration(x[..., None], y[:, None, None], share[..., None, None])
            by = weights(calibrated(Imitability(), seen), share[..., None, None])[:, 0]
            found.setdefault(f"imitability of {len(share)}", []).append(risk(by @ share))
        shares.append(by)
        found.setdefault("labels", []).append(risk(y))
        found.setdefault("uniform", []).append(risk(five.mean(0)))
        for k in range(5):
            found.setdefault(f"teacher {k}", []).append(risk(five[k]))
    means = {name: np.mean(values) for name, values in found.items()}
    errors = {name: np.std(values, ddof=1) / np.sqrt(len(values)) for name, values in found.items()}
    expected = [0.005, 0.037, 0.132, 0.292, 0.519]
    figures = {f"teacher {k}": value for k, value in enumerate(expected)} | {"labels": 0.556, "uniform": 0.129}
    for name, figure in figures.items():
        # the figures are rounded, and have an error of their own
        assert abs(means[name] - figure) < 3 * math.sqrt(2) * errors[name] + 5e-4, name
    for name in ("imitability of 5", "imitability of 6"):
        assert means[name] < 0.022 + 3 * errors[name]
    mean = torch.stack(shares).mean(0)
    assert mean[5] < 0.02
    assert (mean[:5].diff() < 0).all() and mean[0] > 0.5


def test_series_too_short_to_be_cut_are_judged_by_one_another() -> None:
    _, x, y, teachers = linear_case(7, count=120)
    given = teachers[..., None, None]
    panel, single = (
        weights(calibrated(Imitability(), calibration(x[..., None], y[:, None, None], given, panel=panel)), given)[:, 0]
        for panel in (True, False)
    )
    assert panel.argmax() == single.argmax() == 0 and panel[4] < 0.5 * panel[0] and panel[5] < 0.1
    first, second = by_series(torch.tensor([[7, 0], [2, 0], [7, 1], [4, 0]]))
    assert first.tolist() == [0, 1, 2] and second.tolist() == [3]


def test_the_oracle_is_nearest_to_the_labels_and_has_the_least_weight() -> None:
    _, x, y, teachers = linear_case(7, count=400)
    five = teachers[:5, :, None, None]
    assert (five[..., 0, 0] - y).square().mean(1).diff().lt(0).all()
    found = weights(calibrated(Imitability(), calibration(x[..., None], y[:, None, None], five)), five)[:, 0]
    assert found.argmin() == 4 and found[4] < 0.6 * found[0]


def test_a_probe_is_least_squares_where_nothing_shrinks_it() -> None:
    x, target = draw(50, 4) * torch.tensor([1, 100, 1e-3, 1]) + 7, draw(50, 3, seed=1)
    design = torch.cat([x, torch.ones(50, 1)], 1)
    expected = design @ torch.linalg.lstsq(design, target).solution
    torch.testing.assert_close(ridge_probe(x, target, 1e-14)(x), expected)
    torch.testing.assert_close(ridge_probe(x, target, 1e9)(x), target.mean(0).expand(50, 3), atol=1e-6, rtol=0)


def test_a_probe_shrinks_by_the_penalty_times_the_windows() -> None:
    """One standardised input: slope n/(n + n·λ) of what least squares gives."""
    x = draw(50, 1)
    centred = (x - x.mean()) / x.std(correction=0)
    probe = ridge_probe(x, 3 * centred + 5, 0.25)
    torch.testing.assert_close(probe(x), 3 / 1.25 * centred + 5)


def test_generalised_cross_validation_shrinks_noise_and_leaves_what_is_linear() -> None:
    x = draw(60, 40)
    signal, pure = x @ draw(40, 1, seed=1), draw(60, 1, seed=2)
    at = draw(500, 40, seed=3)
    assert (ridge_probe(x, signal)(at) - at @ draw(40, 1, seed=1)).abs().max() < 0.1
    assert ridge_probe(x, pure)(at).square().mean() < 0.5 * ridge_probe(x, pure, 1e-9)(at).square().mean()


def test_the_penalty_has_the_smallest_generalised_cross_validation_error() -> None:
    """n·RSS/(n − 1 − tr S)² with the hat matrix S written out."""
    x = draw(40, 25)
    target = x @ draw(25, 2, seed=1) + 6 * draw(40, 2, seed=2)
    centred, own = (x - x.mean(0)) / x.std(0, correction=0), target - target.mean(0)

    def error(penalty: float) -> float:
        hat = centred @ torch.linalg.solve(centred.T @ centred + 40 * penalty * torch.eye(25), centred.T)
        return float((own - hat @ own).square().sum() / (39 - hat.trace()).square())

    best = min(PENALTIES, key=error)
    assert 1e-2 < best < 10
    torch.testing.assert_close(ridge_probe(x, target)(x), ridge_probe(x, target, best)(x))


def test_inputs_that_do_not_vary_are_left_out() -> None:
    """One of them varies within rounding, and is another in the windows that are scored."""
    x, target = draw(50, 2), draw(50, 1, seed=1)
    rounding = 3e6 + 1e-9 * draw(50, 1, seed=2)
    assert 0 < rounding.std() < 1e-8
    padded = torch.cat([x, rounding, torch.zeros(50, 1)], 1)
    found = ridge_probe(padded, target, 0.1)(padded + torch.tensor([0, 0, 1, 1]))
    torch.testing.assert_close(found, ridge_probe(x, target, 0.1)(x))


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 60)), min_size=1, max_size=60),
    st.integers(1, 9),
    st.integers(0, 9),
)
@settings(max_examples=100, deadline=None)
def test_no_window_of_a_fold_overlaps_one_of_the_other(
    keys: list[tuple[int, int]], horizon: int, lookback: int
) -> None:
    known = torch.tensor(keys)
    early, late = folds(known, lookback + horizon)
    for one in known[early].tolist():
        for other in known[late].tolist():
            assert one[0] != other[0] or other[1] - one[1] >= lookback + horizon
    assert set(early.tolist()).isdisjoint(late.tolist())


def test_folds_have_all_windows_but_those_of_the_gap() -> None:
    keys = torch.stack([torch.zeros(101).long(), torch.arange(101)], 1)
    early, late = folds(keys, 20)
    assert early.tolist() == list(range(41)) and late.tolist() == list(range(60, 101))
    early, late = folds(keys * torch.tensor([1, 50]), 20)
    assert len(early) + len(late) == 100


def test_many_windows_are_thinned_evenly() -> None:
    assert thinned(torch.arange(5), 5).tolist() == [0, 1, 2, 3, 4]
    assert thinned(torch.arange(10), 4).tolist() == [0, 2, 5, 7]


def test_preferences_by_hand() -> None:
    """Risks 10 % and 20 % above the best at a temperature of .1; one that is not known; all 0; all unknown."""
    zero = torch.zeros(())
    found = preferences(torch.tensor([[2.0], [2.2], [2.4], [math.nan]]), zero, 0.1)[:, 0]
    first = [1, math.exp(-1), math.exp(-2)]
    assert found.tolist() == pytest.approx([*first, sum(first) / 3], rel=1e-5)
    assert preferences(torch.tensor([[0.0], [0], [1]]), zero, 0.1)[:, 0].tolist() == [1, 1, 0]
    assert preferences(torch.tensor([[1e-30], [5e-30]]), torch.tensor(1e-12), 0.1)[:, 0].tolist() == [1, 1]
    assert preferences(torch.full((2, 1), math.nan), zero, 0.1)[:, 0].tolist() == [1, 1]


@given(st.integers(1, 4), st.integers(1, 3), st.integers(0, 999), st.sampled_from([torch.float32, torch.float64]))
@settings(max_examples=30, deadline=None)
def test_properties(count: int, steps: int, seed: int, dtype: torch.dtype) -> None:
    inputs = draw(80, 6, 2, seed=seed, dtype=dtype)
    target = inputs[:, :steps] + draw(80, steps, 2, seed=seed + 1, dtype=dtype)
    teachers = target + draw(count, 80, steps, 2, seed=seed + 2, dtype=dtype)
    teachers = teachers * draw(count, 1, 1, 1, seed=seed + 3, dtype=dtype)
    valid = draw(count, 80, seed=seed + 4) > -1

    def found(factor: float = 1, shift: float = 0, order: Any = slice(None)) -> Tensor:
        moved = (teachers[order] * factor + shift).where(valid[order][..., None, None], 0)
        seen = calibration(inputs * factor + shift, target * factor + shift, moved, valid[order])
        silent = moved.masked_fill(~valid[order][..., None, None], math.nan)
        return weights(calibrated(Imitability(), seen), silent, valid[order])

    first = found()
    assert first.dtype is dtype and first.shape == (count, 80)
    assert first.isfinite().all() and (first >= 0).all()
    torch.testing.assert_close(first.sum(0), valid.any(0).to(dtype))
    assert first[~valid].eq(0).all()
    order = torch.arange(count).flip(0)
    torch.testing.assert_close(found(order=order), first[order], atol=1e-5, rtol=1e-4)
    if dtype is torch.float64:
        torch.testing.assert_close(found(1e6, 3e6), first, rtol=1e-4, atol=1e-6)


def test_equal_and_perfect_teachers_share_evenly() -> None:
    inputs = draw(80, 6, 1)
    target = inputs[:, :2] + 0.1 * draw(80, 2, 1, seed=1)
    same = target.expand(3, -1, -1, -1)
    assert weights(calibrated(Imitability(), calibration(inputs, target, same)), same).allclose(
        torch.tensor(1 / 3).double()
    )
    exact = inputs[:, :2].expand(3, -1, -1, -1)
    found = weights(calibrated(Imitability(), calibration(inputs, inputs[:, :2], exact)), exact)
    assert found.allclose(torch.tensor(1 / 3).double())
    constant = torch.ones(3, 80, 2, 1).double()
    found = weights(calibrated(Imitability(), calibration(inputs, constant[0], constant)), constant)
    assert found.allclose(torch.tensor(1 / 3).double())


def test_a_teacher_of_which_too_little_is_known_has_the_mean_of_the_others() -> None:
    inputs = draw(80, 6, 1)
    target = inputs[:, :2]
    teachers = torch.stack([target, target * 0, target])
    valid = torch.ones(3, 80, dtype=torch.bool)
    valid[2, 5:] = False
    weighting = calibrated(Imitability(), calibration(inputs, target, teachers, valid))
    assert weights(weighting, teachers)[:, 0].tolist() == pytest.approx([2 / 3, 0, 1 / 3])


def test_a_teacher_of_a_part_of_the_horizon_is_judged_by_that_part() -> None:
    """What the evidence shows of other steps is 0, and no forecast."""
    inputs = draw(80, 6, 1)
    target, covers = inputs[:, :3] + 9, torch.tensor([[True, True, True], [True, True, False]])
    teachers = torch.stack([target + 0.1 * draw(80, 3, 1, seed=2), target]) * covers[:, None, :, None]
    found = weights(calibrated(Imitability(), calibration(inputs, target, teachers)), teachers, covers=covers)
    assert found.shape == (2, 80, 3)
    assert (found[1, :, :2] > 0.9).all()
    assert found[:, 0, 2].tolist() == [1, 0]


def test_too_few_windows_give_uniform_weights_and_a_warning() -> None:
    inputs, teachers = draw(80, 6, 1), draw(2, 80, 2, 1)
    seen = calibration(inputs, inputs[:, :2], teachers, apart=1)
    assert not weights(calibrated(Imitability(), seen), teachers).eq(0.5).all()
    rows = slice(0, 22)
    few = calibration(inputs[rows], inputs[rows, :2], teachers[:, rows], apart=1)
    with pytest.warns(UserWarning, match=r"needs 8 windows .* a gap of 8 steps .* has 7 and 7 of 22: .* uniform"):
        weighting = calibrated(Imitability(), few)
    assert weights(weighting, teachers).eq(0.5).all()
    assert weights(Imitability(), teachers).eq(0.5).all()


def test_a_given_penalty_is_used() -> None:
    inputs = draw(80, 6, 1)
    target, teachers = inputs[:, :2], inputs[None, :, :2]
    shrunk = calibrated(Imitability(ridge=1e9), calibration(inputs, target, teachers)).risks
    torch.testing.assert_close(shrunk[0], target.square().mean((0, 2)), rtol=0.2, atol=0)
    assert calibrated(Imitability(ridge=1e-9), calibration(inputs, target, teachers)).risks.max() < 1e-12


def test_a_teacher_that_is_silent_in_some_windows_is_fitted_in_the_others() -> None:
    inputs = draw(80, 6, 1)
    target, valid = inputs[:, :2] + 5, torch.arange(80)[None] % 2 == 0
    teachers = target[None].where(valid[..., None, None], 0)
    assert calibrated(Imitability(), calibration(inputs, target, teachers, valid)).risks.max() < 1e-6


def test_state_goes_into_a_state_dict_and_back() -> None:
    inputs, teachers = draw(80, 6, 1), draw(3, 80, 2, 1)
    target = inputs[:, :2]
    first = calibrated(Imitability(1.0), calibration(inputs, target, teachers))
    second = calibrated(Imitability(1.0), calibration(inputs, target, teachers * torch.arange(3).view(3, 1, 1, 1)))
    assert not torch.equal(weights(first, teachers), weights(second, teachers))
    second.load_state_dict(first.state_dict())
    assert torch.equal(weights(first, teachers), weights(second, teachers))


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"temperature": 0}, "temperature=0: give a finite number above 0"),
        ({"temperature": math.inf}, "temperature=inf: give"),
        ({"temperature": None}, "temperature=None: give a finite number above 0"),
        ({"ridge": -1}, "ridge=-1: give"),
        ({"ridge": 0.0}, r"ridge=0.0: give"),
    ],
)
def test_what_cannot_be_is_refused(kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Imitability(**kwargs)


@pytest.mark.parametrize("held_out", [False, True])
def test_a_student_follows_the_teacher_that_it_can_imitate(held_out: bool) -> None:
    """The mean of the series, the labels, and what is linear in the lookback and nearly as good as can be."""
    series = noise(400)
    later = {"val_series": noise(200, seed=3)} if held_out else {}
    slope = torch.tensor([0.5, 0.25, 0.125]).double()[None, :, None]

    def modest(y: Tensor, keys: Tensor) -> Tensor:
        source = series if len(keys) > 300 else later.get("val_series", series)
        return torch.from_numpy(source.values())[keys[:, 1]][:, None] * slope

    teachers = [
        scripted(series, modest, "modest"),
        scripted(series, lambda y, _: y, "oracle"),
        scripted(series, lambda y, _: y * 0 + 3 + 1e-9 * y, "constant"),
    ]
    seen: list[Tensor] = []

    class Watched(Imitability):
        def forward(self, step: Step) -> Tensor:
            seen.append(super().forward(step))
            return seen[-1]

    student = linear()
    DistilledModel(student, teachers, weighting=Watched(), balance=1.0).fit(series, **later)
    shares = seen[-1][:, 0]
    assert shares[0] > shares[1] > shares[2]
    assert float(shares[2]) < 1e-3
    inputs, labels = windows(series)
    modest_says = inputs[:, [L - 1]][..., None] * slope.numpy()
    target = float(shares[0]) * modest_says + float(shares[1]) * labels + float(shares[2]) * 3
    assert np.abs(forecasts(student, series) - regression(inputs, target)).max() < 1e-3


@pytest.mark.filterwarnings("ignore:teacher 'half'")
def test_fits_with_several_teachers_of_which_some_are_silent_or_short() -> None:
    def half(y: Tensor, keys: Tensor) -> Tensor:
        return y.masked_fill((keys[:, 1] % 2 == 0)[:, None, None], math.nan)

    series = noise(120, 2)
    short = NLinearModel(L, H - 1, normalize=False, **fast(random_state=1)).fit(series)
    teachers = [scripted(series, half, "half"), Scripted(short, lambda y, _: y + 1, "short")]
    student = linear(n_epochs=2)
    DistilledModel(student, teachers, weighting=Imitability(), balance=0.5).fit(series, val_series=noise(60, 2, seed=4))
    assert np.isfinite(forecasts(student, series)).all()


@pytest.mark.parametrize("windows", [9, 14])
def test_the_penalty_has_the_least_generalised_cross_validation_error(windows: int) -> None:
    """n·RSS/(n − tr H)² by the whole hat matrix, the constant included; for each of some data the same choice."""
    chosen = set()
    for seed in range(12):
        rng = np.random.default_rng(seed)
        inputs = rng.normal(size=(windows, 5)) * [1, 10, 0.1, 3, 1]
        targets = inputs[:, :2] @ [[0.5], [0.05]] + rng.normal(size=(windows, 2))
        scaled = (inputs - inputs.mean(0)) / inputs.std(0)

        def hat(penalty: float, scaled: np.ndarray = scaled) -> np.ndarray:
            inner = scaled.T @ scaled + windows * penalty * np.eye(5)
            return np.full((windows, windows), 1 / windows) + scaled @ np.linalg.solve(inner, scaled.T)

        def error(penalty: float, targets: np.ndarray = targets, hat: Any = hat) -> float:
            left = targets - hat(penalty) @ targets
            return float((left**2).sum() / (windows - np.trace(hat(penalty))) ** 2)

        best = min(PENALTIES, key=error)
        chosen.add(best)
        found = ridge_probe(torch.from_numpy(inputs), torch.from_numpy(targets))(torch.from_numpy(inputs))
        assert found.numpy() == pytest.approx(hat(best) @ targets)
    assert len(chosen) >= 3
