"""With any loss and any weighting, what lies under a mask changes nothing, and what is computed is finite.

Masks are of labels and of teachers: some missing, all of a window, of a component, of a teacher, of a batch.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pytest
import torch
from darts.utils.likelihood_models import GaussianLikelihood, QuantileRegression
from torch import Tensor, nn

import tskd.losses
import tskd.weighting
from tests.helpers.every_case import AHEAD, LOSSES, WEIGHTINGS
from tskd._core.layers import Layer
from tskd._core.window_keys import covered_steps, shared_steps
from tskd.distillation.model_interface import ModelInterface
from tskd.distillation.objective import Objective
from tskd.distillation.paired_loss import StudentOutput
from tskd.distillation.weighted_sum import DistillationTerm
from tskd.losses import (
    LabelWeighting,
    LossTerm,
    QuantileKD,
    TeacherBounded,
)
from tskd.weighting import (
    CalibrationSet,
    CalibrationWindows,
    InverseError,
    MetaStep,
    Step,
    StepContext,
    Weighting,
)

WINDOWS, STEPS, COMPONENTS, LOOKBACK = 6, 8, 2, 4
NAMES = ["a", "b", "c"]
TEACHERS = len(NAMES)
CALIBRATION = 60
WHOLE = range(1, 1 + STEPS + AHEAD)
# the second half of the horizon, and what follows
LATE = range(1 + STEPS // 2, 1 + STEPS + AHEAD)
HIDDEN = (4, 3), (5, 2)


@dataclass(frozen=True)
class Mask:
    """What exists in a batch of B windows.

    Attributes:
        labelled: `[B, H, C]`.
        valid: of the teachers `[K, B]`.
        last: steps that the last teacher forecasts.
    """

    labelled: Tensor
    valid: Tensor
    last: range = WHOLE

    @property
    def horizons(self) -> list[range]:
        return [WHOLE] * (TEACHERS - 1) + [self.last]


def mask(share: float = 0.0, windows: int = WINDOWS, **given: Any) -> Mask:
    """A share of the labels is missing at random."""
    drawn = torch.rand(windows, STEPS, COMPONENTS, generator=torch.Generator().manual_seed(3))
    return Mask(drawn >= share, torch.ones(TEACHERS, windows, dtype=torch.bool), **given)


def hidden(base: Mask, labels: Any = None, teachers: Any = None) -> Mask:
    """The mask with the labels, or teachers, at these places missing too."""
    labelled, valid = base.labelled.clone(), base.valid.clone()
    if labels is not None:
        labelled[labels] = False
    if teachers is not None:
        valid[teachers] = False
    return replace(base, labelled=labelled, valid=valid)


EVERYTHING = (slice(None),)
MASKS: dict[str, Callable[[], Mask]] = {
    "none": mask,
    "some": lambda: hidden(mask(0.3), teachers=(0, slice(1, 3))),
    "a window": lambda: hidden(mask(0.2), labels=1, teachers=(slice(None), 3)),
    "neither": lambda: hidden(mask(0.2), labels=slice(1, 3), teachers=(slice(None), slice(1, 4))),
    "a component": lambda: hidden(mask(0.2), labels=(..., 0)),
    "a step": lambda: hidden(mask(), labels=(slice(None), 2)),
    "a teacher": lambda: hidden(mask(0.2), teachers=0),
    "a batch": lambda: hidden(mask(), labels=EVERYTHING, teachers=(1, slice(0, 2))),
    "a batch of teachers": lambda: hidden(mask(0.3), teachers=EVERYTHING),
    "everything": lambda: hidden(mask(), labels=EVERYTHING, teachers=EVERYTHING),
    "one window": lambda: hidden(mask(0.4, windows=1), teachers=2),
    "one window without labels": lambda: hidden(mask(windows=1), labels=EVERYTHING, teachers=1),
    "a part of the horizon": lambda: hidden(mask(0.4, last=LATE), teachers=(slice(0, 2), slice(1, 4))),
}


@dataclass(frozen=True)
class Filler:
    """What lies where no label is, and where a teacher is not valid."""

    label: float
    teacher: float


ZERO = Filler(0.0, 0.0)
OTHERS = (Filler(1e30, torch.inf), Filler(-7.0, torch.nan))


@cache
def normal(seed: int, *shape: int, dtype: torch.dtype) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def filled(values: Tensor, there: Tensor, filler: float) -> Tensor:
    """Another number where it is not; the mask has the first axes of the values."""
    return values.where(there.reshape(there.shape + (1,) * (values.dim() - there.dim())), filler)


def calibration(at: Mask, filler: Filler, dtype: torch.dtype) -> CalibrationSet:
    """Windows masked as those of the batch are, in turn."""
    rows = torch.arange(CALIBRATION) % len(at.labelled)
    labelled, valid = at.labelled[rows], at.valid[:, rows]
    past = normal(11, CALIBRATION, LOOKBACK, COMPONENTS, dtype=dtype)
    target = past[:, -1:] + normal(12, CALIBRATION, STEPS, COMPONENTS, dtype=dtype)
    noise = torch.arange(1, 1 + TEACHERS, dtype=dtype)[:, None, None, None] / 3
    said = target + noise * normal(13, TEACHERS, CALIBRATION, STEPS, COMPONENTS, dtype=dtype)
    spread = noise * normal(14, *said.shape, dtype=dtype).exp()
    spread[0] = torch.nan
    covers = covers_of(at)
    said = filled(said.where(covers[:, None, :, None], 0), valid, filler.teacher)
    keys = torch.stack([torch.zeros(CALIBRATION).long(), torch.arange(CALIBRATION)], 1)
    target = target.where(labelled, filler.label)

    def chunks() -> Iterator[CalibrationWindows]:
        for part in torch.arange(CALIBRATION).split(23):
            yield CalibrationWindows(
                keys[part],
                {"past_target": past[part]},
                said[:, part],
                valid[:, part],
                spread[:, part],
                target[part],
                covers,
                labelled[part],
            )

    return CalibrationSet(True, chunks, lambda found: found.inputs["past_target"][:, -1:].expand_as(found.target))


def covers_of(at: Mask) -> Tensor:
    own = range(1, 1 + STEPS)
    return covered_steps([shared_steps(own, horizon) for horizon in at.horizons], STEPS)


def step_of(at: Mask, filler: Filler, dtype: torch.dtype, forget: bool = False) -> Step:
    """The step of a batch; a mask that hides nothing may be left out."""
    size = at.labelled.shape
    slopes = normal(5, *size, 5, dtype=torch.float64)
    covers = covers_of(at)

    def gram(cotangents: Tensor) -> Tensor:
        gradients = torch.einsum("nbhc,bhcp->np", cotangents.double(), slopes)
        return gradients @ gradients.T

    forecasts = normal(1, TEACHERS, *size, dtype=dtype).where(covers[:, None, :, None], 0)
    spread = normal(2, TEACHERS, *size, dtype=dtype).exp()
    spread[0] = torch.nan
    return Step(
        filled(forecasts, at.valid, filler.teacher),
        at.valid,
        normal(3, *size, dtype=dtype),
        normal(4, *size, dtype=dtype).where(at.labelled, filler.label),
        torch.stack([torch.zeros(len(at.labelled)).long(), torch.arange(len(at.labelled))], 1),
        epoch=1,
        covers=covers,
        spread=filled(spread, at.valid, torch.nan),
        context=StepContext(gram=gram),
        labelled=None if forget else at.labelled,
    )


@cache
def prepared(name: str, where: str, filler: Filler, dtype: torch.dtype) -> Weighting:
    """A weighting at its first step, after it has learned from a masked calibration set and a masked step."""
    at, weighting = MASKS[where](), WEIGHTINGS[name]()
    torch.default_generator.manual_seed(0)
    weighting.set_up(NAMES)
    weighting.to(dtype)
    known = calibration(at, filler, dtype)
    if weighting.needs.calibration:
        weighting.calibrate(known)
        weighting.start_epoch(0, known)
    if weighting.needs.meta_step_every:
        step = step_of(at, filler, dtype)
        factor = nn.Parameter(torch.tensor(0.7, dtype=dtype))

        def losses() -> Tensor:
            return (factor * step.student - step.forecasts).square().flatten(2).mean(2)

        weighting.meta_update(MetaStep(step, losses, lambda: (factor - 1).square(), [factor]))
    return weighting


def likelihood_of(loss: LossTerm) -> Any:
    return QuantileRegression([0.1, 0.5, 0.9]) if isinstance(loss, QuantileKD) else GaussianLikelihood()


def objective_of(
    loss: LossTerm, weighting: str, where: str, filler: Filler = ZERO, dtype: torch.dtype = torch.float32
) -> Objective:
    """An objective as it is at the first step: statistics and linear probes are fitted."""
    at = MASKS[where]()
    torch.default_generator.manual_seed(0)
    student, *teachers = (
        ModelInterface(
            kind, horizon, {"hidden": Layer(0, shape)}, "hidden", None if loss is None else likelihood_of(loss)
        )
        for kind, horizon, shape in [
            ("student", range(1, 1 + STEPS), HIDDEN[0]),
            *(("teacher", horizon, HIDDEN[1]) for horizon in at.horizons),
        ]
    )
    like = torch.zeros(4, STEPS, COMPONENTS, dtype=dtype)
    made = Objective([loss], WEIGHTINGS[weighting](), student, dict(zip(NAMES, teachers, strict=True)), like)
    made.weighting = prepared(weighting, where, filler, dtype)
    for k in made.needing_statistics():
        known = next(iter(calibration(at, filler, dtype).chunks()))
        assert known.labelled is not None
        target = known.target.where(known.labelled, torch.nan)
        span = made.covers[k]
        rows = known.valid[k]
        made.fit_statistics(k, [(known.forecasts[k][rows][:, span], target[rows][:, span])])
    for k, field in made.needing_probes():
        features = normal(20 + k, 64, *HIDDEN[1], dtype=dtype)
        mixed = features.flatten(1) @ normal(30 + k, 10, int(made.covers[k].sum()) * COMPONENTS, dtype=dtype)
        made.fit_probe(k, field, [(features, mixed.unflatten(1, (-1, COMPONENTS)))])
    return made


@dataclass(frozen=True)
class Outcome:
    """What a step gives.

    Attributes:
        result: the term with its weights.
        gradients: of what the student says, and of what the loss trains.
    """

    result: DistillationTerm
    gradients: dict[str, Tensor]


def outcome(
    loss: str,
    weighting: str,
    where: str,
    filler: Filler = ZERO,
    dtype: torch.dtype = torch.float32,
    forget: bool = False,
) -> Outcome:
    """Compute the term of a step and its gradients."""
    term, at = LOSSES[loss](), MASKS[where]()
    made = objective_of(term, weighting, where, filler, dtype)
    step, count = step_of(at, filler, dtype, forget), len(at.labelled)
    width = likelihood_of(term).num_parameters
    leaves = {
        "forecast": step.student,
        "prediction": normal(6, count, STEPS, COMPONENTS, width, dtype=dtype).sort(-1).values,
        "hidden": normal(7, count, *HIDDEN[0], dtype=dtype),
        "ahead": normal(8, count, AHEAD, COMPONENTS, dtype=dtype),
    }
    leaves = {name: values.clone().requires_grad_() for name, values in leaves.items()}
    rolled = torch.arange(count) % 5 != 4
    student = StudentOutput(
        leaves["forecast"], leaves["prediction"], {"hidden": leaves["hidden"]}, leaves["ahead"], rolled
    )
    details: list[Mapping[str, Tensor]] = []
    for k, (valid, covers) in enumerate(zip(at.valid, made.covers, strict=True)):
        fields = {
            "features.hidden": normal(40 + k, count, *HIDDEN[1], dtype=dtype),
            "parameters": normal(50 + k, count, int(covers.sum()), COMPONENTS, width, dtype=dtype).sort(-1).values,
            "ahead": normal(60 + k, count, AHEAD, COMPONENTS, dtype=dtype),
        }
        details.append({name: filled(values, valid, filler.teacher) for name, values in fields.items()})
    result = made(student, step, details)
    trained = {name: p for name, p in made.named_parameters() if p.requires_grad}
    gradients: dict[str, Tensor] = {}
    if result.term is not None and result.term.requires_grad:
        sources = leaves | trained
        found = torch.autograd.grad(result.term, list(sources.values()), allow_unused=True)
        gradients = {name: one for name, one in zip(sources, found, strict=True) if one is not None}
    return Outcome(result, gradients)


def check_weights(weights: Tensor, at: Mask, shares: bool) -> None:
    """Weights are finite and at least 0; unless gates make them less, they sum to 1 over the valid teachers."""
    assert weights.isfinite().all() and (weights >= 0).all()
    present = at.valid[:, :, None, None] & covers_of(at)[:, None, :, None]
    size = (*weights.shape, *(1,) * (4 - weights.dim()))
    weights = weights.reshape(size).expand(*present.shape[:3], size[3])
    assert not weights.where(present, 0).ne(weights).any()
    total = weights.sum(0)
    expected = present.any(0).to(total.dtype).expand_as(total)
    if shares:
        torch.testing.assert_close(total, expected, rtol=0, atol=1e-5)
    else:
        assert (total <= expected + 1e-5).all()


def check_equal(found: Tensor | None, expected: Tensor | None, what: str) -> None:
    assert (found is None) == (expected is None), what
    assert found is None or expected is None or torch.equal(found, expected), what


@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("where", MASKS)
def test_masked_values_do_not_matter_and_all_that_is_computed_is_finite(where: str, weighting: str) -> None:
    at = MASKS[where]()
    for loss in LOSSES:
        expected = outcome(loss, weighting, where)
        result, name = expected.result, f"{loss}, {weighting}"
        check_weights(result.weights, at, shares=not weighting.startswith("lfme"))
        compares = not isinstance(LOSSES[loss](), LabelWeighting)
        assert compares or result.term is None
        if result.term is not None:
            assert at.valid.any() and result.term.isfinite(), name
        for leaf, gradient in expected.gradients.items():
            assert gradient.isfinite().all(), f"{name}, {leaf}"
        for aspect in result.aspects.values():
            # averaged over the horizon, of which a teacher may forecast a part
            assert ((aspect >= 0) & (aspect <= 1) & (at.valid | (aspect == 0))).all(), name
        if result.labels is not None:
            assert ((result.labels >= 0) & (result.labels <= 1)).all(), name
        for filler in OTHERS if loss == "bounded" else OTHERS[:1]:
            found, what = outcome(loss, weighting, where, filler), f"{name}, {filler}"
            check_equal(found.result.weights, result.weights, what)
            check_equal(found.result.term, result.term, what)
            check_equal(found.result.label_share, result.label_share, what)
            assert found.gradients.keys() == expected.gradients.keys(), what
            for leaf, gradient in expected.gradients.items():
                check_equal(found.gradients[leaf], gradient, f"{what}, {leaf}")
            assert found.result.aspects.keys() == result.aspects.keys(), what
            for part, aspect in result.aspects.items():
                check_equal(found.result.aspects[part], aspect, f"{what}, {part}")
            if result.labels is not None:
                assert found.result.labels is not None and found.result.labels.isfinite().all(), what
                check_equal(found.result.labels[at.labelled], result.labels[at.labelled], what)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_a_mask_that_hides_nothing_is_no_mask(weighting: str) -> None:
    for loss in LOSSES:
        masked = outcome(loss, weighting, "none", dtype=torch.float64)
        plain = outcome(loss, weighting, "none", dtype=torch.float64, forget=True)
        assert plain.result.label_share is None and masked.result.label_share == 1
        pairs = [(masked.result.term, plain.result.term), (masked.result.weights, plain.result.weights)]
        pairs += [(masked.result.labels, plain.result.labels)]
        pairs += [(gradient, plain.gradients[leaf]) for leaf, gradient in masked.gradients.items()]
        for found, expected in pairs:
            torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_a_calibration_set_whose_mask_hides_nothing_calibrates_as_without(weighting: str) -> None:
    known = calibration(MASKS["none"](), ZERO, torch.float64)
    plain = replace(known, chunks=lambda: [replace(one, labelled=None) for one in known.chunks()])
    states = []
    for given in (known, plain):
        torch.default_generator.manual_seed(0)
        made = WEIGHTINGS[weighting]()
        made.set_up(NAMES)
        made.calibrate(given)
        made.start_epoch(0, given)
        states.append({name: value for name, value in made.state_dict().items() if isinstance(value, Tensor)})
    for name, value in states[1].items():
        torch.testing.assert_close(states[0][name], value, rtol=1e-6, atol=1e-12, equal_nan=True)


def test_teachers_are_weighed_by_their_errors_where_labels_exist() -> None:
    """Inverse mean squared errors over the labels that exist, of teachers that are compared there only."""
    known = calibration(MASKS["some"](), Filler(1e6, 0.0), torch.float64)
    weighting = InverseError(shrinkage=0)
    weighting.set_up(NAMES)
    weighting.calibrate(known)
    squares = torch.zeros(TEACHERS, STEPS, COMPONENTS, dtype=torch.float64)
    count = torch.zeros_like(squares)
    for chunk in known.chunks():
        assert chunk.labelled is not None
        for k, row in torch.nonzero(chunk.valid).tolist():
            exists = chunk.labelled[row]
            squares[k][exists] += (chunk.forecasts[k, row] - chunk.target[row])[exists] ** 2
            count[k][exists] += 1
    expected = count / squares
    torch.testing.assert_close(weighting.weights[:, 0], expected / expected.sum(0), rtol=1e-9, atol=0)


def test_a_label_counts_once_and_teachers_count_by_window() -> None:
    """(1 − α)·Σ label losses / N + α·mean over the windows with a teacher, counted by hand."""
    where, alpha = "neither", 0.3
    at, result = MASKS[where](), outcome("output-mse", "uniform", where, dtype=torch.float64).result
    step = step_of(at, ZERO, torch.float64)
    errors = (step.student - step.target).square()
    labels, number, terms = 0.0, 0, []
    for window in range(WINDOWS):
        taught = bool(at.valid[:, window].any())
        for h in range(STEPS):
            for c in range(COMPONENTS):
                labels += float(errors[window, h, c]) if at.labelled[window, h, c] else 0
                number += taught or bool(at.labelled[window, h, c])
        said = step.forecasts[at.valid[:, window], window]
        terms += [float((step.student[window] - said).square().mean())] if taught else []
    assert len(terms) == 3 and 0 < number < 4 * STEPS * COMPONENTS
    expected = (1 - alpha) * labels / number + alpha * sum(terms) / len(terms)
    mean = errors[at.labelled].mean()
    assert result.with_labels(mean, alpha, compares=True).item() == pytest.approx(expected, rel=1e-9)
    assert result.with_labels(mean, alpha, compares=False).item() == pytest.approx(mean.item(), rel=1e-12)


@pytest.mark.parametrize("weighting", [name for name in WEIGHTINGS if name != "mmkd"])
def test_windows_with_neither_label_nor_teacher_change_nothing(weighting: str) -> None:
    """The term of a batch is that of its other windows."""
    at = MASKS["neither"]()
    useful = torch.tensor([bool(at.labelled[b].any() or at.valid[:, b].any()) for b in range(WINDOWS)])
    assert 0 < int(useful.sum()) < WINDOWS
    step = step_of(at, Filler(1e30, torch.nan), torch.float64)
    made = objective_of(TeacherBounded(), weighting, "neither", dtype=torch.float64)
    slopes = normal(5, *at.labelled.shape, 5, dtype=torch.float64)[useful]

    def gram(cotangents: Tensor) -> Tensor:
        gradients = torch.einsum("nbhc,bhcp->np", cotangents, slopes)
        return gradients @ gradients.T

    assert step.spread is not None
    fewer = replace(
        step,
        forecasts=step.forecasts[:, useful],
        valid=step.valid[:, useful],
        student=step.student[useful],
        target=step.target[useful],
        keys=step.keys[useful],
        spread=step.spread[:, useful],
        context=StepContext(gram=gram),
        labelled=at.labelled[useful],
    )
    results = [made(StudentOutput(one.student), one, [{}] * TEACHERS) for one in (step, fewer)]
    whole, part = results
    torch.testing.assert_close(whole.term, part.term, rtol=1e-9, atol=0)
    torch.testing.assert_close(whole.weights[:, useful], part.weights, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(whole.label_share, part.label_share, rtol=1e-9, atol=0)


def test_every_loss_and_weighting_is_here() -> None:
    losses = {getattr(tskd.losses, name) for name in tskd.losses.__all__}
    abstract = {kind for kind in losses if inspect.isabstract(kind) or kind is LossTerm}
    public = {kind for kind in losses if issubclass(kind, LossTerm)} - abstract
    assert public == {type(make()) for make in LOSSES.values()}
    named = [getattr(tskd.weighting, name) for name in tskd.weighting.__all__]
    weightings = {kind for kind in named if issubclass(kind, Weighting) and not inspect.isabstract(kind)}
    assert weightings == {type(make()) for make in WEIGHTINGS.values()}
