"""Teachers weighted by their errors: a corrupted half, a confident one that is wrong, and what must not matter."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from darts.models import NLinearModel
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.helpers.models import fast
from tests.helpers.scripted import Scripted
from tests.helpers.series import walk
from tests.helpers.steps import make_step
from tskd import DistilledModel
from tskd.weighting import CalibrationSet, CalibrationWindows, Step, WeightingNeeds
from tskd.weighting.camkd import CAMKD, mean_errors

FAST = settings(max_examples=20, deadline=None, derandomize=True)
KINDS = [
    pytest.param(mode, confidence, id=f"{mode}-{confidence}")
    for mode in ("paper", "softmin")
    for confidence in ("error", "likelihood")
]


def calibration(step: Step, *, chunks: int = 2) -> CalibrationSet:
    """The windows of a step as those by which its teachers are judged."""
    spread = torch.full_like(step.forecasts, torch.nan) if step.spread is None else step.spread
    parts = torch.arange(len(step.keys)).tensor_split(chunks)
    judged = [
        CalibrationWindows(step.keys[p], {}, step.forecasts[:, p], step.valid[:, p], spread[:, p], step.target[p])
        for p in parts
    ]
    return CalibrationSet(False, lambda: judged, lambda j: torch.zeros_like(j.target))


def step_of(forecasts: Tensor, target: Tensor, valid: Tensor | None = None, **kwargs: Any) -> Step:
    keys = torch.arange(2 * len(target)).reshape(-1, 2)
    return make_step(forecasts, valid, student=torch.zeros_like(target), target=target, keys=keys, **kwargs)


def weigh(step: Step, judged_by: Step | None = None, **kwargs: Any) -> Tensor:
    weighting = CAMKD(**kwargs)
    weighting.calibrate(calibration(step if judged_by is None else judged_by))
    return weighting(step)


def some_step(seed: int, teachers: int, dtype: torch.dtype = torch.float64, windows: int = 12) -> Step:
    generator = torch.Generator().manual_seed(seed)
    draw = [torch.randn(k, windows, 4, 2, generator=generator, dtype=torch.float64) for k in (teachers, 1, teachers)]
    size = torch.linspace(0.5, 1.5, teachers, dtype=torch.float64)[:, None, None, None]
    forecasts, spread = draw[1] + size * draw[0], (0.3 * draw[2]).exp() * size
    return step_of(forecasts.to(dtype), draw[1][0].to(dtype), spread=spread.to(dtype))


def blended_error(weights: Tensor, forecasts: Tensor, truth: Tensor) -> float:
    weights = weights.reshape(weights.shape + (1,) * (4 - weights.dim()))
    return float(((weights * forecasts).sum(0) - truth).square().mean())


def corrupted_half(seed: int, corruption: float = 2.0) -> tuple[Step, Tensor, Tensor]:
    """400 windows, three teachers of error .3, the third far off in half of the windows; the truth; which these are."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    steps = torch.arange(24, dtype=torch.float64)
    truth = torch.sin(2 * math.pi * steps / 24)[None, :, None] + normal(400, 1, 7)
    bad = torch.randperm(400, generator=generator) < 200
    forecasts = truth + 0.3 * normal(3, 400, 24, 7)
    forecasts[2] += corruption * normal(400, 1, 7) * bad[:, None, None]
    return step_of(forecasts, truth + 0.5 * normal(400, 24, 7)), truth, bad


def test_a_corrupted_half_is_left_out_where_it_is_corrupted() -> None:
    """Figures of a reference run: uniform .253, CAMKD .041 and .038 at τ = .1, oracle .038; weights .058 and .333."""
    found = []
    for seed in range(10):
        step, truth, bad = corrupted_half(seed)
        soft, hard = weigh(step), weigh(step, temperature=0.1)
        oracle = torch.ones(3, 400, dtype=torch.float64)
        oracle[2, bad] = 0
        targets = [torch.full_like(soft, 1 / 3), soft, hard, oracle / oracle.sum(0)]
        found.append(
            [blended_error(w, step.forecasts, truth) for w in targets]
            + [float(soft[2, bad].mean()), float(soft[2, ~bad].mean())]
        )
    values = torch.tensor(found, dtype=torch.float64)
    figures = torch.tensor([0.253, 0.041, 0.038, 0.038, 0.058, 0.333], dtype=torch.float64)
    # the figures are one draw's, and rounded
    assert ((values.mean(0) - figures).abs() < 3 * values.std(0) + 0.0005).all(), values.mean(0)


def test_good_teachers_are_combined_about_as_well_as_by_their_mean() -> None:
    step, truth, _ = corrupted_half(3, corruption=0)
    even = blended_error(torch.full((3, 400), 1 / 3, dtype=torch.float64), step.forecasts, truth)
    assert abs(blended_error(weigh(step), step.forecasts, truth) / even - 1) < 0.01


def test_weights_by_element_leak_the_noise_of_the_labels() -> None:
    step, truth, _ = corrupted_half(4, corruption=0)
    even = blended_error(torch.full((3, 400), 1 / 3, dtype=torch.float64), step.forecasts, truth)
    found = []
    for temperature in (1, 0.1):
        with pytest.warns(UserWarning, match="leaks the noise of the labels"):
            weights = weigh(step, granularity="horizon", mode="softmin", temperature=temperature)
        assert weights.shape == step.forecasts.shape
        found.append(blended_error(weights, step.forecasts, truth) / even)
    # figures of a reference run: 1.3 to 2.3
    assert found == pytest.approx([1.3, 2.3], abs=0.06)


@pytest.mark.parametrize(
    ("mode", "confidence", "figure"), [("paper", "error", 0.127), ("softmin", "likelihood", 0.098)]
)
def test_confident_but_wrong(mode: Any, confidence: Any, figure: float) -> None:
    """A teacher that is off by 1 and claims .05, two that are off by .5 and say so; uniform .165."""
    found = []
    for seed in range(10):
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(5, 20_000, 1, 1, generator=generator, dtype=torch.float64)
        spread = torch.tensor([0.05, 0.5, 0.5], dtype=torch.float64)[:, None, None, None].expand(3, 20_000, 1, 1)
        bias = torch.tensor([1.0, 0, 0], dtype=torch.float64)[:, None, None, None]
        forecasts = noise[0] + bias + spread * noise[2:]
        step = step_of(forecasts, noise[0] + 0.3 * noise[1], spread=spread)
        found.append(blended_error(weigh(step, mode=mode, confidence=confidence), forecasts, noise[0]))
    values = torch.tensor(found)
    assert abs(float(values.mean()) - figure) < 3 * float(values.std()) + 0.0005


def test_weights_by_hand() -> None:
    """Errors 1, 4 and 0 in the first window, 0, 1 and 0 in the second: s = 1, r = (1, 4, 0) and (0, 1, 0)."""
    forecasts = torch.tensor([[1.0, 0], [-2, 1], [0, 0]], dtype=torch.float64)[..., None, None]
    step = step_of(forecasts, torch.zeros(2, 1, 1, dtype=torch.float64))
    r = torch.tensor([[1.0, 0], [4, 1], [0, 0]], dtype=torch.float64)
    torch.testing.assert_close(weigh(step), (1 - torch.softmax(r, 0)) / 2)
    torch.testing.assert_close(weigh(step, temperature=0.5), (1 - torch.softmax(2 * r, 0)) / 2)
    torch.testing.assert_close(weigh(step, mode="softmin", temperature=2), torch.softmax(-r / 2, 0))


def test_likelihood_by_hand() -> None:
    """Errors 1 and 4 where σ is ½ and 2: ln σ + e/(2σ²); a teacher of points has the error that it has on average."""
    forecasts = torch.tensor([[1.0], [2], [3]], dtype=torch.float64)[..., None, None]
    spread = torch.tensor([[0.5], [2], [math.nan]], dtype=torch.float64)[..., None, None]
    step = step_of(forecasts, torch.zeros(1, 1, 1, dtype=torch.float64), spread=spread)
    weights = weigh(step, mode="softmin", confidence="likelihood")[:, 0]
    r = torch.tensor([math.log(0.5) + 2, math.log(2) + 0.5, math.log(3) + 0.5], dtype=torch.float64)
    torch.testing.assert_close(weights, torch.softmax(-r, 0))


@FAST
@given(seed=st.integers(0, 10**6), temperature=st.floats(0.05, 20))
def test_with_two_teachers_both_modes_are_one(seed: int, temperature: float) -> None:
    step = some_step(seed, 2)
    paper, softmin = (weigh(step, mode=mode, temperature=temperature) for mode in ("paper", "softmin"))
    torch.testing.assert_close(paper, softmin)


@FAST
@given(seed=st.integers(0, 10**6), teachers=st.integers(3, 8), temperature=st.floats(0.001, 20))
def test_none_has_more_than_its_share_of_the_published_form(seed: int, teachers: int, temperature: float) -> None:
    weights = weigh(some_step(seed, teachers), temperature=temperature)
    assert weights.max() <= 1 / (teachers - 1) + 1e-12


@pytest.mark.parametrize(("mode", "confidence"), KINDS)
@FAST
@given(seed=st.integers(0, 10**6), teachers=st.integers(1, 6))
def test_weights_sum_to_one_over_valid_teachers(mode: Any, confidence: Any, seed: int, teachers: int) -> None:
    for dtype in (torch.float16, torch.float32, torch.float64):
        step = some_step(seed, teachers, dtype)
        valid = torch.rand(teachers, 12, generator=torch.Generator().manual_seed(seed)) > 0.4
        valid[:, 0] = False
        valid[1:, 1], valid[0, 1] = False, True
        broken = step.forecasts.where(valid[:, :, None, None], torch.nan)
        step = step_of(broken, step.target, valid, spread=step.spread)
        weights = weigh(step, mode=mode, confidence=confidence, temperature=0.01)
        assert weights.dtype == torch.promote_types(dtype, torch.float32) and weights.isfinite().all()
        assert (weights >= 0).all() and (weights[~valid] == 0).all() and weights[0, 1] == 1
        torch.testing.assert_close(weights.sum(0), valid.any(0).to(weights))


@pytest.mark.parametrize(("mode", "confidence"), KINDS)
def test_windows_without_a_teacher_are_those_of_the_others(mode: Any, confidence: Any) -> None:
    step, own = some_step(12, 4), {"mode": mode, "confidence": confidence}
    assert step.spread is not None
    weighting, three = CAMKD(**own), CAMKD(**own)
    weighting.calibrate(calibration(step))
    three.errors = weighting.errors[1:] * weighting.errors.mean(0) / weighting.errors[1:].mean(0)
    valid = torch.ones(4, 12).bool()
    valid[0, ::2] = False
    weights = weighting(step_of(step.forecasts, step.target, valid, spread=step.spread))
    others = three(step_of(step.forecasts[1:], step.target, spread=step.spread[1:]))
    torch.testing.assert_close(weights[1:, ::2], others[:, ::2])
    torch.testing.assert_close(weights[:, 1::2], weighting(step)[:, 1::2])

    weighting.calibrate(calibration(step_of(step.forecasts * valid[..., None, None], step.target, valid)))
    expected = (step.forecasts[0, 1::2] - step.target[1::2]).square().mean(0)
    torch.testing.assert_close(weighting.errors[0], expected)


def test_who_claims_to_be_certain_and_is_wrong_is_not_followed() -> None:
    forecasts = torch.tensor([[0.1], [1], [0]])[..., None, None]
    spread = torch.tensor([[0.0], [1], [0]])[..., None, None]
    step = step_of(forecasts, torch.zeros(1, 1, 1), spread=spread)
    weights = weigh(step, mode="softmin", confidence="likelihood")[:, 0]
    assert weights[0] < 1e-6 and weights[2] > 0.99


@pytest.mark.parametrize(("mode", "confidence"), KINDS)
def test_units_order_and_chunks_do_not_matter(mode: Any, confidence: Any) -> None:
    step = some_step(5, 4)
    assert step.spread is not None
    own = {"mode": mode, "confidence": confidence}
    reference = weigh(step, **own)
    # each component in units of its own
    unit, level = torch.tensor([1e6, 1e-3]).double(), torch.tensor([3e6, -1]).double()
    moved = step_of(step.forecasts * unit + level, step.target * unit + level, spread=step.spread * unit)
    torch.testing.assert_close(weigh(moved, **own), reference, rtol=1e-6, atol=1e-8)

    teachers, windows = torch.tensor([2, 0, 3, 1]), torch.randperm(12)
    turned = step_of(
        step.forecasts[teachers][:, windows], step.target[windows], spread=step.spread[teachers][:, windows]
    )
    torch.testing.assert_close(weigh(turned, **own), reference[teachers][:, windows])
    weighting = CAMKD(**own)
    weighting.calibrate(calibration(step, chunks=5))
    torch.testing.assert_close(weighting(step), reference)


@pytest.mark.parametrize(("mode", "confidence"), KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extremes_give_finite_weights(mode: Any, confidence: Any, dtype: torch.dtype) -> None:
    step = some_step(6, 3, dtype)
    own = {"mode": mode, "confidence": confidence}
    alike = step_of(step.forecasts[:1].expand(3, -1, -1, -1), step.target)
    assert alike.spread is None
    third = torch.full((3, 12), 1 / 3, dtype=dtype)
    nothing = torch.full_like(step.forecasts, torch.nan)
    torch.testing.assert_close(weigh(step_of(alike.forecasts, step.target, spread=nothing), **own), third)

    exact = step_of(step.target.expand(3, -1, -1, -1), step.target, spread=nothing)
    torch.testing.assert_close(weigh(exact, **own), third)
    for value in (0.0, 1e30, math.inf):
        for spread in (nothing, torch.zeros_like(nothing), torch.full_like(nothing, math.inf)):
            forecasts = step.forecasts.clone()
            forecasts[0], forecasts[1] = step.target, value
            found = step_of(forecasts, step.target, spread=spread)
            for judged_by in (found, exact, step):
                weights = weigh(found, judged_by, **own)
                assert weights.isfinite().all()
                torch.testing.assert_close(weights.sum(0), torch.ones(12, dtype=dtype))
                if spread is nothing and value > 0 and judged_by is step:
                    assert weights[1].max() < 1e-6 and (weights[0] >= weights[2]).all()


def test_without_evidence_weights_are_even() -> None:
    step = some_step(7, 3)
    torch.testing.assert_close(CAMKD()(step), torch.full((3, 12), 1 / 3, dtype=torch.float64))


def test_a_teacher_that_was_never_judged_counts_by_its_errors() -> None:
    step = some_step(8, 3)
    unseen = torch.ones(3, 12).bool()
    unseen[0] = False
    two = step_of(step.forecasts[1:], step.target)
    weights = weigh(step, step_of(step.forecasts, step.target, unseen), mode="softmin")
    torch.testing.assert_close(weights[1:] / weights[1:].sum(0), weigh(two, mode="softmin"))
    assert (weights[0] > 0).all()


def test_a_teacher_of_a_part_of_the_horizon_is_judged_by_that_part() -> None:
    """Where the first teacher says nothing its 0 counts neither as an error nor in the scale."""
    step = some_step(9, 2)
    covers = torch.tensor([[True, True, False, False], [True] * 4])
    forecasts = step.forecasts * covers[:, None, :, None]
    weights = weigh(step_of(forecasts, step.target + 100, covers=covers), mode="softmin")
    other = forecasts.clone()
    other[0, :, 2:] = 1e3
    torch.testing.assert_close(weigh(step_of(other, step.target + 100, covers=covers), mode="softmin"), weights)
    assert weights.shape == (2, 12, 4)
    assert (weights[0, :, 2:] == 0).all() and (weights[1, :, 2:] == 1).all()

    scale = (step.forecasts - step.target - 100).square().mean(1)
    scale = torch.cat([scale[:, :2].mean(0), scale[1, 2:]])
    errors = (step.forecasts - step.target - 100).square() / scale
    r = torch.stack([errors[0, :, :2].flatten(1).mean(1), errors[1].flatten(1).mean(1)])
    torch.testing.assert_close(weights[:, :, 0], torch.softmax(-r, 0))


@pytest.mark.parametrize(("mode", "confidence"), KINDS)
@pytest.mark.parametrize("rest", [0.0, 1e-7], ids=["exact", "rounding"])
def test_steps_at_which_all_were_exact_say_nothing_of_the_others(mode: Any, confidence: Any, rest: float) -> None:
    """As of solar power at night: the last step of the first component, and the whole second component."""
    step, own = some_step(13, 3), {"mode": mode, "confidence": confidence}
    nothing = torch.full_like(step.forecasts, torch.nan)
    exact = torch.zeros(4, 2).bool()
    exact[3, 0] = True
    learned_of = step_of(
        torch.where(exact, step.target + rest * torch.tensor([1.0, -2, 3])[:, None, None, None], step.forecasts),
        step.target,
        spread=nothing,
    )
    # in the training, the first teacher is off at that step
    forecasts = learned_of.forecasts.clone()
    forecasts[0, :, 3, 0] += 0.3
    weights = weigh(step_of(forecasts, step.target, spread=nothing), learned_of, **own)
    torch.testing.assert_close(weights, weigh(learned_of, learned_of, **own), atol=1e-6, rtol=1e-6)

    scale = (learned_of.forecasts - step.target).square().mean((0, 1))
    r = ((forecasts - step.target).square() / scale).where(~exact, torch.nan)
    if confidence == "likelihood":
        usual = ((learned_of.forecasts - step.target).square().mean(1) / scale)[:, None]
        r = (usual.log() + r / usual) / 2
    r = r.flatten(2).nanmean(2)
    expected = torch.softmax(-r, 0) if mode == "softmin" else (1 - torch.softmax(r, 0)) / 2
    torch.testing.assert_close(weights, expected)


@pytest.mark.parametrize("mode", ["paper", "softmin"])
def test_a_teacher_of_points_that_was_never_judged_is_an_average_one(mode: Any) -> None:
    """All are equally off; the first has had no window to be judged by."""
    step = some_step(14, 1)
    nothing = torch.full_like(step.forecasts, torch.nan).expand(3, -1, -1, -1)
    alike = step_of(step.forecasts.expand(3, -1, -1, -1), step.target, spread=nothing)
    unseen = torch.ones(3, 12).bool()
    unseen[0] = False
    weights = weigh(alike, step_of(alike.forecasts, step.target, unseen), mode=mode, confidence="likelihood")
    torch.testing.assert_close(weights, torch.full((3, 12), 1 / 3).double())


@pytest.mark.parametrize(("confidence", "average"), [("error", 1.0), ("likelihood", 0.5)])
def test_where_nothing_is_known_of_its_steps_a_teacher_is_an_average_one(confidence: Any, average: float) -> None:
    """The first forecasts the step at which both were exact; the second all, with twice the usual error."""
    target, nothing = torch.zeros(5, 2, 1).double(), torch.full((2, 5, 2, 1), torch.nan).double()
    covers = torch.tensor([[True, False], [True, True]])
    said = torch.tensor([[0.0, 0], [0, 1]]).double()[:, None, :, None].expand(2, 5, 2, 1)
    weighting = CAMKD("softmin", temperature=0.7, confidence=confidence)
    weighting.calibrate(calibration(step_of(said, target, covers=covers)))
    weights = weighting(step_of(2**0.5 * said, target, covers=covers, spread=nothing))
    r = torch.tensor([average, 2 * average]).double() / 0.7
    torch.testing.assert_close(weights[:, :, 0], torch.softmax(-r, 0)[:, None].expand(2, 5))
    assert (weights[:, :, 1] == torch.tensor([[0.0], [1]])).all()


def test_state_is_what_was_learned() -> None:
    step = some_step(10, 3)
    weighting, again = CAMKD(temperature=0.3), CAMKD(temperature=0.3)
    weighting.calibrate(calibration(step))
    again.calibrate(calibration(some_step(11, 3)))
    assert not torch.equal(again(step), weighting(step))
    again.load_state_dict(weighting.state_dict())
    assert torch.equal(again(step), weighting(step))
    assert not weighting(step).requires_grad and not list(weighting.parameters())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "hard"}, "mode='hard': give 'paper' or 'softmin'"),
        ({"granularity": "window"}, "granularity='window': give 'sample' or 'horizon'"),
        ({"confidence": "nll"}, "confidence='nll': give 'error' or 'likelihood'"),
        ({"temperature": 0}, "temperature=0: give a finite number above 0"),
        ({"temperature": math.inf}, "temperature=inf: give a finite number above 0"),
        ({"temperature": "1"}, "temperature='1': give a finite number above 0"),
    ],
)
def test_what_cannot_work_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CAMKD(**arguments)


def test_it_can_be_made_again_and_asks_for_what_it_uses() -> None:
    assert repr(CAMKD("softmin", 0.2)) == "CAMKD(mode='softmin', temperature=0.2)"
    assert CAMKD().needs == WeightingNeeds(calibration=True)
    assert CAMKD(confidence="likelihood").needs.spread


def test_it_weighs_in_a_training() -> None:
    """A teacher that is off by 5 in every second window has less to say than one that is right."""
    series = walk(60)

    def off(labels: Tensor, keys: Tensor) -> Tensor:
        return labels + 5 * (keys[:, 1] % 2)[:, None, None]

    def script(answer: Callable[[Tensor, Tensor], Tensor], name: str) -> Scripted:
        model = NLinearModel(5, 3, **fast(random_state=1))
        return Scripted(model.fit(series), answer, name)

    teachers = [script(off, "off"), script(lambda y, _: y + 0.1, "near"), script(lambda y, _: y - 0.1, "below")]
    student = NLinearModel(5, 3, **fast(n_epochs=2, random_state=1))
    seen: list[Tensor] = []

    class Watched(CAMKD):
        def scores(self, step: Step) -> Tensor:
            seen.append(super().scores(step))
            odd = step.keys[:, 1] % 2 == 1
            assert (seen[-1][0, odd] < 0.1).all() and (seen[-1][0, ~odd] > 0.6).all()
            return seen[-1]

    DistilledModel(student, teachers, weighting=Watched(temperature=0.5)).fit(series)
    assert seen


def test_labels_that_are_missing_are_no_errors() -> None:
    """Two chunks of windows; the second teacher lacks the last, and one label is missing."""
    forecasts = torch.tensor([[1.0, 2], [3, 4], [5, 6]]).double()[None, :, None].repeat(2, 1, 1, 1)
    valid = torch.tensor([[True] * 3, [True, True, False]])
    labelled = torch.tensor([[True, False], [True, True], [True, True]])[:, None]

    def chunks() -> Any:
        for rows in (slice(0, 2), slice(2, 3)):
            spread, target = torch.full_like(forecasts[:, rows], torch.nan), torch.zeros_like(forecasts[0, rows])
            yield CalibrationWindows(
                torch.zeros(len(target), 2).long(),
                {},
                forecasts[:, rows],
                valid[:, rows],
                spread,
                target,
                labelled=labelled[rows],
            )

    found = mean_errors(CalibrationSet(True, chunks, lambda _: torch.zeros(0)))
    assert found.tolist() == [[[35 / 3, 52 / 2]], [[10 / 2, 16]]]
