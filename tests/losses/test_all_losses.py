"""What every loss promises, checked of all of them: when it is silent, when it speaks, and what it does not mind."""

from __future__ import annotations

import copy
import inspect
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Cauchy, Laplace, LogNormal, Normal

import tskd.losses
from tests.helpers.batteries import checks_of
from tskd.losses import (
    AttentionTransfer,
    AttentiveImitation,
    AutoregressiveKD,
    ChannelRelation,
    DistillationLoss,
    FeatureKD,
    HorizonWeighted,
    LabelWeighting,
    LevelShapeKD,
    LikelihoodKD,
    LossTerm,
    MultiPeriodKD,
    MultiScaleKD,
    OutlierRejection,
    OutputKD,
    Predictive,
    QuantileKD,
    SampleRelation,
    StudentTeacherPair,
    TeacherBounded,
    TemporalRelation,
)
from tskd.testing import LossConformance

WINDOWS, STEPS, COMPONENTS = 5, 8, 3
PROBE_WINDOWS = 4
AHEAD = 3
LEVELS = (0.1, 0.5, 0.7, 0.9)
MEDIAN = LEVELS.index(0.5)
FAST = settings(max_examples=8, deadline=None, derandomize=True)
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])

StudentOutput = dict[str, Tensor]
Size = tuple[int, int, int]
Agreement = Callable[[StudentOutput, Tensor, torch.Generator], StudentOutput]


def uniform(like: Tensor, *shape: int, generator: torch.Generator) -> Tensor:
    return torch.rand(*shape, generator=generator, dtype=torch.float64).to(like.dtype)


def same(teacher: StudentOutput, _target: Tensor, _generator: torch.Generator) -> StudentOutput:
    return {name: values.clone() for name, values in teacher.items()}


def rescaled_components(teacher: StudentOutput, _target: Tensor, generator: torch.Generator) -> StudentOutput:
    """Every component of every window in units and on a level of its own."""
    values = teacher["forecast"]
    size = (len(values), 1, values.shape[2])
    scale, level = (uniform(values, *size, generator=generator) for _ in range(2))
    return {"forecast": (0.5 + scale) * values + level}


def other_signs(teacher: StudentOutput, _target: Tensor, _generator: torch.Generator) -> StudentOutput:
    return {"forecast": -teacher["forecast"]}


def components_in_another_order(teacher: StudentOutput, _target: Tensor, _generator: torch.Generator) -> StudentOutput:
    return {"forecast": teacher["forecast"].flip(2)}


def steps_in_another_order(teacher: StudentOutput, _target: Tensor, _generator: torch.Generator) -> StudentOutput:
    return {"forecast": teacher["forecast"].flip(1)}


def shifted_in_time(teacher: StudentOutput, _target: Tensor, _generator: torch.Generator) -> StudentOutput:
    return {"forecast": teacher["forecast"].roll(1, dims=1)}


def rotated(teacher: StudentOutput, _target: Tensor, generator: torch.Generator) -> StudentOutput:
    """All windows turned, moved and scaled alike, as points of a space."""
    values = teacher["forecast"]
    points = values.flatten(1)
    turn, _ = torch.linalg.qr(torch.randn(points.shape[1], points.shape[1], generator=generator, dtype=torch.float64))
    return {"forecast": (3 * points @ turn.to(points.dtype) + 2).reshape(values.shape)}


def same_level(teacher: StudentOutput, _target: Tensor, generator: torch.Generator) -> StudentOutput:
    values = teacher["forecast"]
    change = uniform(values, *values.shape, generator=generator)
    return {"forecast": values + change - change.mean(1, keepdim=True)}


def same_shape(teacher: StudentOutput, _target: Tensor, generator: torch.Generator) -> StudentOutput:
    values = teacher["forecast"]
    return {"forecast": values + uniform(values, len(values), 1, values.shape[2], generator=generator)}


def no_worse(teacher: StudentOutput, target: Tensor, generator: torch.Generator) -> StudentOutput:
    """Errors of either sign that are smaller than the teacher's."""
    values = teacher["forecast"]
    share = 1.9 * uniform(values, *values.shape, generator=generator) - 0.95
    return {"forecast": target + share * (values - target)}


def wider(temperature: float) -> Agreement:
    def agree(teacher: StudentOutput, _target: Tensor, _generator: torch.Generator) -> StudentOutput:
        return {**teacher, "scale": temperature * teacher["scale"]}

    return agree


def wider_quantiles(temperature: float) -> Agreement:
    def agree(teacher: StudentOutput, _target: Tensor, _generator: torch.Generator) -> StudentOutput:
        values = teacher["quantiles"]
        middle = values[..., [MEDIAN]]
        return {**teacher, "quantiles": middle + temperature * (values - middle)}

    return agree


def other_units(teacher: StudentOutput, _target: Tensor, _generator: torch.Generator) -> StudentOutput:
    """Units in another order, with other signs and in another scale."""
    return {**teacher, "features": -2.5 * teacher["features"].flip(-1)}


def units_twice(teacher: StudentOutput, _target: Tensor, _generator: torch.Generator) -> StudentOutput:
    return {**teacher, "features": torch.cat([teacher["features"]] * 2, -1)}


def positions_in_turn(teacher: StudentOutput, _target: Tensor, _generator: torch.Generator) -> StudentOutput:
    return {**teacher, "features": torch.cat([teacher["features"]] * 2, 1)}


def positions_split(teacher: StudentOutput, _target: Tensor, _generator: torch.Generator) -> StudentOutput:
    return {**teacher, "features": teacher["features"].repeat_interleave(2, 1)}


def farther(teacher: StudentOutput, target: Tensor, _generator: torch.Generator) -> StudentOutput:
    """Worse than the teacher, everywhere."""
    return {"forecast": target + 3 * (teacher["forecast"] - target)}


def positions_and_units(steps: int, components: int) -> tuple[int, ...]:
    return steps, components


def more_of_both(steps: int, components: int) -> tuple[int, ...]:
    return steps + 2, components + 1


def many_units(steps: int, components: int) -> tuple[int, ...]:
    """So many that not all rectified ones are silent."""
    return steps + 2, components + 40


def units(_steps: int, components: int) -> tuple[int, ...]:
    return (components,)


def more_units(_steps: int, components: int) -> tuple[int, ...]:
    return (components + 2,)


def twice_the_units(steps: int, components: int) -> tuple[int, ...]:
    return steps, 2 * components


def twice_the_positions(steps: int, components: int) -> tuple[int, ...]:
    return 2 * steps, components


def two_axes_of_positions(steps: int, components: int) -> tuple[int, ...]:
    return 2, steps, components


@dataclass(frozen=True)
class Case:
    """A loss, and what it says of itself.

    Attributes:
        make: the loss.
        reads: what it compares, of what student and teacher say.
        least: fewest windows, steps and components for which it is defined.
        generic: fewest for which any disagreement has a gradient, if that is more.
        agreements: ways to agree with the teacher.
        disagree: a disagreement in which every window has a term; a student of its own if None.
        degree: d in ℓ(a·x) = a^d·ℓ(x); None if there is none.
        level: whether a common change of level changes nothing.
        apart: whether a window's term depends on that window alone.
        shapes: of the student's and of the teacher's features, by steps and components.
        kind: the distribution that both forecast.
    """

    make: Callable[[], DistillationLoss]
    reads: tuple[str, ...] = ("forecast",)
    least: Size = (1, 1, 1)
    generic: Size | None = None
    agreements: tuple[Agreement, ...] = (same,)
    disagree: Agreement | None = None
    degree: float | None = 2
    level: bool = True
    apart: bool = True
    shapes: tuple[Callable[[int, int], tuple[int, ...]], ...] = (positions_and_units, positions_and_units)
    kind: Any = Normal


RELATED = (same, rotated)
FEATURES = ("features",)
SPREAD = ("loc", "scale")
WIDER = (positions_and_units, more_of_both)

CASES = {
    "output-mse": Case(OutputKD),
    "output-mae": Case(lambda: OutputKD("mae"), degree=1),
    "output-huber": Case(lambda: OutputKD("huber"), degree=None),
    "bounded": Case(TeacherBounded, agreements=(same, no_worse), disagree=farther),
    "bounded-mae": Case(lambda: TeacherBounded(metric="mae"), agreements=(same, no_worse), disagree=farther, degree=1),
    "bounded-margin": Case(lambda: TeacherBounded(0.01), agreements=(same, no_worse), disagree=farther, degree=None),
    "attentive": Case(AttentiveImitation),
    "level-and-shape": Case(LevelShapeKD),
    "level": Case(lambda: LevelShapeKD(shape=0), agreements=(same, same_level)),
    "shape": Case(lambda: LevelShapeKD(level=0), least=(1, 2, 1), agreements=(same, same_shape)),
    "likelihood": Case(LikelihoodKD, reads=SPREAD, degree=0),
    "likelihood-laplace": Case(LikelihoodKD, reads=SPREAD, degree=0, kind=Laplace),
    "likelihood-warm": Case(lambda: LikelihoodKD(2), reads=SPREAD, agreements=(wider(2),), degree=0),
    "likelihood-cauchy": Case(lambda: LikelihoodKD(0.5), reads=SPREAD, agreements=(wider(0.5),), degree=0, kind=Cauchy),
    "likelihood-lognormal": Case(LikelihoodKD, reads=SPREAD, degree=None, kind=LogNormal),
    "quantile-pinball": Case(QuantileKD, reads=("quantiles",), degree=1),
    "quantile-mse": Case(lambda: QuantileKD("mse"), reads=("quantiles",)),
    "quantile-warm": Case(
        lambda: QuantileKD("mse", temperature=2), reads=("quantiles",), agreements=(wider_quantiles(2),)
    ),
    "horizon": Case(HorizonWeighted),
    "horizon-early": Case(lambda: HorizonWeighted(OutputKD("mae"), rate=-2), degree=1),
    "horizon-level-and-shape": Case(lambda: HorizonWeighted(LevelShapeKD())),
    "horizon-attentive": Case(lambda: HorizonWeighted(AttentiveImitation())),
    "horizon-bounded": Case(lambda: HorizonWeighted(TeacherBounded()), agreements=(same, no_worse), disagree=farther),
    "horizon-likelihood": Case(lambda: HorizonWeighted(LikelihoodKD()), reads=SPREAD, degree=0),
    "horizon-quantile": Case(lambda: HorizonWeighted(QuantileKD()), reads=("quantiles",), degree=1),
    "scales": Case(MultiScaleKD, least=(1, 8, 1)),
    "scales-two": Case(lambda: MultiScaleKD(1, metric="mae"), least=(1, 2, 1), degree=1),
    "periods": Case(MultiPeriodKD, least=(1, 4, 1), agreements=(same, shifted_in_time, rescaled_components), degree=0),
    "periods-warm": Case(
        lambda: MultiPeriodKD(3), least=(1, 4, 1), agreements=(same, shifted_in_time, other_signs), degree=0
    ),
    "roll": Case(lambda: AutoregressiveKD(AHEAD), reads=("ahead",)),
    "roll-mae": Case(lambda: AutoregressiveKD(AHEAD, "mae"), reads=("ahead",), degree=1),
    "samples-distance": Case(SampleRelation, least=(3, 1, 1), agreements=RELATED, degree=0, apart=False),
    "samples-angle": Case(lambda: SampleRelation("angle"), least=(3, 1, 2), agreements=RELATED, degree=0, apart=False),
    "samples-similarity": Case(
        # of one value in a window only the sign is related, which has no gradient where half of the signs agree
        lambda: SampleRelation("similarity"),
        least=(3, 1, 1),
        generic=(3, 1, 2),
        agreements=RELATED,
        degree=0,
        apart=False,
    ),
    "steps": Case(
        TemporalRelation,
        least=(1, 3, 1),
        agreements=(same, rescaled_components, other_signs, components_in_another_order),
        degree=0,
    ),
    "channels": Case(
        ChannelRelation,
        least=(1, 3, 2),
        agreements=(same, rescaled_components, other_signs, steps_in_another_order),
        degree=0,
    ),
    "attention": Case(
        AttentionTransfer, reads=FEATURES, least=(1, 2, 1), agreements=(same, other_units), degree=0, level=False
    ),
    "attention-finer": Case(
        AttentionTransfer,
        reads=FEATURES,
        least=(1, 2, 1),
        agreements=(positions_split,),
        degree=0,
        level=False,
        shapes=(twice_the_positions, positions_and_units),
    ),
    "attention-power": Case(
        lambda: AttentionTransfer(power=1),
        reads=FEATURES,
        agreements=(same, other_units),
        degree=0,
        level=False,
        shapes=(two_axes_of_positions, two_axes_of_positions),
    ),
    "features": Case(lambda: FeatureKD(projector=None), reads=FEATURES),
    "features-units": Case(lambda: FeatureKD(projector=None), reads=FEATURES, shapes=(units, units)),
    "features-four-axes": Case(
        lambda: FeatureKD(projector=None), reads=FEATURES, shapes=(two_axes_of_positions, two_axes_of_positions)
    ),
    "features-linear": Case(FeatureKD, reads=FEATURES, degree=None, level=False, shapes=WIDER),
    "features-linear-narrower": Case(FeatureKD, reads=FEATURES, degree=None, level=False, shapes=WIDER[::-1]),
    "features-linear-units": Case(FeatureKD, reads=FEATURES, degree=None, level=False, shapes=(units, more_units)),
    "features-linear-units-to-positions": Case(
        FeatureKD, reads=FEATURES, degree=None, level=False, shapes=(units, positions_and_units)
    ),
    "features-linear-positions-to-units": Case(
        FeatureKD, reads=FEATURES, degree=None, level=False, shapes=(two_axes_of_positions, more_units)
    ),
    "features-mlp": Case(
        lambda: FeatureKD(projector="mlp"),
        reads=FEATURES,
        degree=None,
        level=False,
        shapes=(positions_and_units, many_units),
    ),
    "features-mlp-four-axes": Case(
        lambda: FeatureKD(projector="mlp"),
        reads=FEATURES,
        degree=None,
        level=False,
        shapes=(two_axes_of_positions, many_units),
    ),
    "features-linear-scales": Case(
        lambda: FeatureKD(loss=MultiScaleKD(2)),
        reads=FEATURES,
        least=(1, 4, 1),
        degree=None,
        level=False,
        shapes=(more_of_both, positions_and_units),
    ),
    "features-scales": Case(lambda: FeatureKD(projector=None, loss=MultiScaleKD(2)), reads=FEATURES, least=(1, 4, 1)),
    "features-samples": Case(
        lambda: FeatureKD(projector=None, loss=SampleRelation()),
        reads=FEATURES,
        least=(3, 1, 1),
        degree=0,
        agreements=(units_twice,),
        apart=False,
        shapes=(twice_the_units, positions_and_units),
    ),
    "features-steps": Case(
        lambda: FeatureKD(projector=None, loss=TemporalRelation()),
        reads=FEATURES,
        least=(1, 3, 1),
        agreements=(units_twice,),
        degree=0,
        shapes=(twice_the_units, positions_and_units),
    ),
    "features-channels": Case(
        lambda: FeatureKD(projector=None, loss=ChannelRelation()),
        reads=FEATURES,
        least=(1, 3, 2),
        agreements=(positions_in_turn,),
        degree=0,
        shapes=(twice_the_positions, positions_and_units),
    ),
    "features-horizon": Case(
        lambda: FeatureKD(projector=None, loss=HorizonWeighted(OutputKD("mae"))), reads=FEATURES, degree=1
    ),
}
EVERY = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
SMALL = {torch.float32: 1e-3, torch.float64: 1e-9}
TOO_SMALL = 1e-7


def projects(loss: LossTerm) -> bool:
    return getattr(loss, "projector", None) is not None


def says(case: Case, whose: int, size: Size, seed: int, dtype: torch.dtype = torch.float64) -> StudentOutput:
    """What the student (0) or the teacher (1) says of some windows, at random."""
    windows, steps, components = size
    generator = torch.Generator().manual_seed(2 * seed + whose)

    def normal(*shape: int) -> Tensor:
        return torch.randn(windows, *shape, generator=generator, dtype=torch.float64).to(dtype)

    quantiles = normal(steps, components, len(LEVELS)).sort(-1).values
    said = {
        "forecast": quantiles[..., MEDIAN] if "quantiles" in case.reads else normal(steps, components),
        "features": normal(*case.shapes[whose](steps, components)),
        "loc": normal(steps, components),
        "scale": normal(steps, components).exp(),
        "quantiles": quantiles,
        "ahead": normal(AHEAD, components),
    }
    return {name: said[name] for name in {"forecast": None} | dict.fromkeys(case.reads)}


def labels(size: Size, seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(10**6 + seed)
    return torch.randn(*size, generator=generator, dtype=torch.float64).to(dtype)


def predictive(case: Case, said: StudentOutput) -> Predictive:
    if "quantiles" in said:
        return Predictive(quantiles=said["quantiles"], levels=LEVELS)
    return Predictive(case.kind(said["loc"], said["scale"]))


def compare(case: Case, student: StudentOutput, teacher: StudentOutput, target: Tensor) -> StudentTeacherPair:
    pair = StudentTeacherPair(student["forecast"], teacher["forecast"], target)
    if "features" in case.reads:
        pair = replace(pair, features=(student["features"], teacher["features"]))
    if "loc" in case.reads or "quantiles" in case.reads:
        pair = replace(pair, predictive=(predictive(case, student), predictive(case, teacher)))
    if "ahead" in case.reads:
        pair = replace(pair, ahead=(student["ahead"], teacher["ahead"]))
    return pair


def probe(case: Case, size: Size, dtype: torch.dtype = torch.float64) -> StudentTeacherPair:
    """The shapes, with values that mean nothing."""
    few = (min(size[0], PROBE_WINDOWS), *size[1:])
    student, teacher = (
        {name: torch.ones_like(values) for name, values in says(case, whose, few, 0, dtype).items()} for whose in (0, 1)
    )
    return compare(case, student, teacher, torch.zeros(few, dtype=dtype))


def chunks(teacher: Tensor, target: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """The windows, in two pieces, and one about which the teacher is more wrong than about any of them."""
    cut = len(teacher) // 2
    yield teacher[:cut], target[:cut]
    yield teacher[cut:], target[cut:]
    yield target[:1] + 10 * (teacher - target).abs().max(), target[:1]


def ready(case: Case, size: Size, teacher: StudentOutput, target: Tensor) -> DistillationLoss:
    """The loss after what happens to it at the start of a fit."""
    torch.manual_seed(0)
    loss = case.make()
    loss.set_up(probe(case, size, target.dtype))
    if loss.needs.statistics:
        loss.fit_statistics(chunks(teacher["forecast"], target))
    return loss


def leaves(said: StudentOutput) -> StudentOutput:
    return {name: values.detach().clone().requires_grad_() for name, values in said.items()}


def gradients(values: Tensor, said: StudentOutput) -> StudentOutput:
    found = torch.autograd.grad(values.sum(), list(said.values()), allow_unused=True, retain_graph=True)
    return {name: given for name, given in zip(said, found, strict=True) if given is not None}


def features_that_agree(loss: DistillationLoss, student: StudentOutput, like: Tensor) -> Tensor:
    """Features of the teacher that are the student's as they are projected."""
    features = student["features"]
    sequence = features.flatten(1, -2) if features.dim() > 2 else features[:, None]
    regressor: Any = loss.regressor
    return regressor(sequence).detach().reshape(like.shape)


def disagreeing(
    case: Case, size: Size, seed: int, dtype: torch.dtype = torch.float64
) -> tuple[StudentOutput, StudentOutput, Tensor]:
    """What student and teacher say, and labels."""
    teacher, target = says(case, 1, size, seed, dtype), labels(size, seed, dtype)
    if case.disagree:
        return case.disagree(teacher, target, torch.Generator().manual_seed(seed)), teacher, target
    return says(case, 0, size, seed, dtype), teacher, target


def rows(said: StudentOutput, chosen: list[int]) -> StudentOutput:
    return {name: values[chosen] for name, values in said.items()}


def leaves_behind(values: Tensor) -> Iterator[Tensor]:
    """Tensors to which the gradient goes back in the end."""
    waiting: list[Any] = [values.grad_fn]
    while waiting:
        step = waiting.pop()
        if hasattr(step, "variable"):
            yield step.variable
        waiting += [previous for previous, _ in step.next_functions if previous is not None]


@st.composite
def sizes(draw: st.DrawFn, least: Size) -> Size:
    windows, steps, components = (draw(st.integers(fewest, fewest + 4)) for fewest in least)
    return windows, steps, components


def held(loss: LossTerm) -> list[LossTerm]:
    """A loss and those in it."""
    return [loss, *(part for value in loss.settings().values() if isinstance(value, LossTerm) for part in held(value))]


def battery(case: Case) -> type[LossConformance]:
    """The shared tests, for what this loss compares."""

    class Conformance(LossConformance):
        least = case.least
        # a projected student, or a softened teacher, agrees with something else than the teacher's own
        zero_at_teacher = same in case.agreements and not projects(case.make())
        # windows without labels count in full
        silent_without_label = not any(isinstance(term, AttentiveImitation) for term in held(case.make()))
        distribution = staticmethod(case.kind)

        def make(self) -> DistillationLoss:
            return case.make()

        def features(self, steps: int, components: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
            student, teacher = case.shapes
            return student(steps, components), teacher(steps, components)

    return Conformance


@EVERY
@pytest.mark.parametrize("test", checks_of(LossConformance))
def test_it_conforms(case: Case, test: str) -> None:
    getattr(battery(case)(), test)()


def test_every_public_loss_is_in_the_table() -> None:
    public = {getattr(tskd.losses, name) for name in tskd.losses.__all__}
    terms = {cls for cls in public if issubclass(cls, LossTerm)} - {LossTerm, DistillationLoss, LabelWeighting}
    assert {type(case.make()) for case in CASES.values()} == {cls for cls in terms if issubclass(cls, DistillationLoss)}
    assert {cls for cls in terms if issubclass(cls, LabelWeighting)} == {OutlierRejection}
    assert {type(term) for term in NOTHING_DEFAULT} == terms


@EVERY
def test_needs_are_what_it_reads(case: Case) -> None:
    needs = case.make().needs
    assert (needs.layers is not None) == (case.reads == FEATURES)
    assert needs.likelihood == (case.reads in (SPREAD, ("quantiles",)))
    assert needs.ahead == (AHEAD if case.reads == ("ahead",) else 0)
    assert needs.statistics == any(isinstance(term, AttentiveImitation) for term in held(case.make()))


@EVERY
@DTYPES
@FAST
@given(data=st.data(), seed=st.integers(0, 999))
def test_silent_and_without_gradient_where_what_is_matched_agrees(
    case: Case, dtype: torch.dtype, data: st.DataObject, seed: int
) -> None:
    size = data.draw(sizes(case.least))
    student, teacher, target = disagreeing(replace(case, disagree=None), size, seed, dtype)
    loss = ready(case, size, teacher, target)
    if projects(loss):
        teacher["features"] = features_that_agree(loss, student, teacher["features"])
    else:
        agree = data.draw(st.sampled_from(case.agreements))
        student = agree(teacher, target, torch.Generator().manual_seed(seed))
    student = leaves(student)
    values = loss(compare(case, student, teacher, target))
    small = SMALL[dtype]
    assert values.abs().max() < small
    for given_back in gradients(values, student).values():
        assert given_back.abs().max() < small


@EVERY
@DTYPES
@FAST
@given(data=st.data(), seed=st.integers(0, 999))
def test_a_generic_disagreement_has_a_gradient_for_every_window_and_all_that_is_trained(
    case: Case, dtype: torch.dtype, data: st.DataObject, seed: int
) -> None:
    size = data.draw(sizes(case.generic or case.least))
    student, teacher, target = disagreeing(case, size, seed, dtype)
    loss = ready(case, size, teacher, target)
    student = leaves(student)
    values = loss(compare(case, student, teacher, target))
    assert (values.flatten(1).amax(1) if values.dim() > 1 else values).min() > 0
    found = gradients(values, student)
    assert found.keys() == set(case.reads)
    for given_back in found.values():
        assert given_back.isfinite().all()
        assert given_back.flatten(1).abs().amax(1).min() > TOO_SMALL
    for trained in torch.autograd.grad(values.sum(), list(loss.parameters())) if projects(loss) else ():
        assert trained.abs().max() > TOO_SMALL


@EVERY
@DTYPES
def test_values_are_those_of_windows_or_of_their_steps(case: Case, dtype: torch.dtype) -> None:
    size = (WINDOWS, STEPS, COMPONENTS)
    student, teacher, target = disagreeing(case, size, 3, dtype)
    values = ready(case, size, teacher, target)(compare(case, leaves(student), teacher, target))
    assert values.shape in (torch.Size(size[:1]), torch.Size(size))
    assert values.dtype is dtype
    assert (values >= 0).all() or isinstance(case.make(), LikelihoodKD)


@EVERY
def test_the_gradient_reaches_the_student_and_what_the_loss_trains_and_nothing_else(case: Case) -> None:
    size = (WINDOWS, STEPS, COMPONENTS)
    student, teacher, target = disagreeing(case, size, 3)
    loss = ready(case, size, teacher, target)
    student = leaves(student)
    before = {name: values.clone() for name, values in teacher.items()}
    values = loss(compare(case, student, teacher, target))
    values.sum().backward()
    reached = {id(leaf) for leaf in leaves_behind(values)}
    assert reached == {id(student[name]) for name in case.reads} | {id(part) for part in loss.parameters()}
    assert all(torch.equal(before[name], values) and values.grad is None for name, values in teacher.items())
    assert not any(buffer.requires_grad for buffer in loss.buffers())


@EVERY
@pytest.mark.parametrize("which", range(3), ids=["windows", "steps", "components"])
def test_refused_below_the_smallest_size_and_defined_at_it(case: Case, which: int) -> None:
    case.make().set_up(probe(case, case.least))
    windows, steps, components = (fewest - (axis == which) for axis, fewest in enumerate(case.least))
    if case.least[which] > 1:
        with pytest.raises(ValueError, match=r"\w+ \w+"):
            case.make().set_up(probe(case, (windows, steps, components)))


def made_constant(values: Tensor, where: str, level: float) -> None:
    if where == "component":
        values[..., 0] = level
    elif where == "everywhere":
        values[:] = level
    elif where == "window":
        values[1] = level
    else:
        values[1:3] = values[:1].clone()


@EVERY
@DTYPES
@pytest.mark.parametrize("where", ["component", "everywhere", "window", "equal windows"])
def test_finite_where_something_is_constant(case: Case, dtype: torch.dtype, where: str) -> None:
    size = (WINDOWS, STEPS, COMPONENTS)
    for whose, level in itertools.product([(0,), (1,), (0, 1)], [0.0, 0.1, 1e4]):
        student, teacher, target = disagreeing(case, size, 5, dtype)
        for name, which in itertools.product({*case.reads} - {"scale"}, whose):
            made_constant((student, teacher)[which][name], where, level)
        loss = ready(case, size, teacher, target)
        student = leaves(student)
        values = loss(compare(case, student, teacher, target))
        assert values.isfinite().all()
        trained = {name: part for name, part in loss.named_parameters()}
        assert all(found.isfinite().all() for found in gradients(values, {**student, **trained}).values())


@EVERY
@FAST
@given(data=st.data(), seed=st.integers(0, 999), scale=st.floats(0.02, 50), level=st.floats(-20, 20))
def test_an_affine_change_of_units_scales_the_term_as_it_says(
    case: Case, data: st.DataObject, seed: int, scale: float, level: float
) -> None:
    size = data.draw(sizes(case.least))
    if case.degree is None:
        scale = 1.0
    if not case.level:
        level = 0.0
    student, teacher, target = disagreeing(case, size, seed)
    values = ready(case, size, teacher, target)(compare(case, student, teacher, target))

    def changed(said: StudentOutput) -> StudentOutput:
        return {name: scale * values + (0 if name == "scale" else level) for name, values in said.items()}

    student, teacher, target = changed(student), changed(teacher), scale * target + level
    expected = scale ** (case.degree or 0) * values
    found = ready(case, size, teacher, target)(compare(case, student, teacher, target))
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9 * float(expected.detach().abs().max()))


@EVERY
@DTYPES
def test_what_was_trained_and_learned_is_in_the_state(case: Case, dtype: torch.dtype) -> None:
    size = (WINDOWS, STEPS, COMPONENTS)
    student, teacher, target = disagreeing(case, size, 3, dtype)
    pair = compare(case, student, teacher, target)
    loss = ready(case, size, teacher, target)
    fresh = case.make()
    fresh.set_up(probe(case, size, dtype))
    if loss.needs.statistics or projects(loss):
        assert not torch.allclose(fresh(pair), loss(pair))
        assert loss.state_dict()
    assert fresh.load_state_dict(loss.state_dict()).missing_keys == []
    assert torch.equal(fresh(pair), loss(pair))
    assert bool(list(loss.parameters())) == projects(loss)


@EVERY
def test_a_second_set_up_makes_the_trained_parts_anew(case: Case) -> None:
    size, smaller = (WINDOWS, STEPS, COMPONENTS), (4, 9, 2)
    student, teacher, target = disagreeing(case, smaller, 3)
    loss = ready(case, size, *disagreeing(case, size, 3)[1:])
    torch.manual_seed(0)
    loss.set_up(probe(case, smaller))
    if loss.needs.statistics:
        loss.fit_statistics(chunks(teacher["forecast"], target))
    pair = compare(case, student, teacher, target)
    torch.testing.assert_close(loss(pair), ready(case, smaller, teacher, target)(pair))


NOTHING_DEFAULT = [
    AttentionTransfer("blocks.0", "blocks.1", power=1.5, weight=0.3),
    AttentiveImitation(weight=0.3),
    AutoregressiveKD(5, "huber", weight=0.3),
    ChannelRelation(weight=0.3),
    FeatureKD("a", "b.c", projector="mlp", loss=MultiScaleKD(2, "mae", weight=0.2), weight=0.3),
    FeatureKD("a", "b.c", projector=None, loss=SampleRelation("angle", weight=4), weight=0.3),
    HorizonWeighted(HorizonWeighted(LevelShapeKD(0.5, 2, weight=7), rate=-1), rate=0.5, weight=0.3),
    LevelShapeKD(level=2, shape=0.25, weight=0.3),
    LikelihoodKD(temperature=2.5, weight=0.3),
    MultiPeriodKD(temperature=0.5, weight=0.3),
    MultiScaleKD(2, metric="mae", weight=0.3),
    OutlierRejection(threshold=2, weight=0.3),
    OutputKD("huber", weight=0.3),
    QuantileKD("mse", temperature=3, weight=0.3),
    SampleRelation("similarity", weight=0.3),
    TeacherBounded(margin=0.5, metric="mae", weight=0.3),
    TemporalRelation(weight=0.3),
]


def alike(one: Any, other: Any) -> bool:
    if not isinstance(one, LossTerm):
        return type(one) is type(other) and one == other
    mine, theirs = one.settings(), other.settings()
    return type(one) is type(other) and mine.keys() == theirs.keys() and all(alike(mine[k], theirs[k]) for k in mine)


@pytest.mark.parametrize("term", [*NOTHING_DEFAULT, *(case.make() for case in CASES.values())], ids=repr)
def test_the_repr_makes_it_again(term: LossTerm) -> None:
    again = eval(repr(term), vars(tskd.losses))
    assert alike(again, term)
    assert repr(again) == repr(term)
    assert alike(copy.deepcopy(term), term)


@pytest.mark.parametrize("term", NOTHING_DEFAULT, ids=repr)
def test_settings_are_all_arguments_and_what_was_given(term: LossTerm) -> None:
    parameters = inspect.signature(type(term)).parameters
    assert list(term.settings()) == list(parameters)
    for name, parameter in parameters.items():
        assert term.settings()[name] != parameter.default or term.settings()[name] is None
        assert f"{name}=" in repr(term) or term.settings()[name] is None


def weights_of(teacher: Tensor, target: Tensor, learned: tuple[Tensor, Tensor], **given: float) -> Tensor:
    rejection = OutlierRejection(**given)
    few = torch.ones_like(target[:PROBE_WINDOWS])
    rejection.set_up(StudentTeacherPair(few, few, few))
    assert rejection.needs.statistics
    rejection.fit_statistics(zip(*(values.split(2) for values in learned), strict=True))
    return rejection(teacher, target)


@DTYPES
@FAST
@given(size=sizes((1, 1, 1)), seed=st.integers(0, 999), scale=st.floats(0.02, 50), level=st.floats(-20, 20))
def test_weights_of_labels_are_shares_that_fall_with_the_distance_in_any_units(
    dtype: torch.dtype, size: Size, seed: int, scale: float, level: float
) -> None:
    teacher, target = labels(size, seed, dtype), labels(size, seed + 1, dtype)
    learned = labels((9, *size[1:]), seed + 2, dtype), labels((9, *size[1:]), seed + 3, dtype)
    weights = weights_of(teacher, target, learned, threshold=0.5)
    assert weights.shape == size
    assert weights.dtype is dtype
    assert not weights.requires_grad
    assert ((weights >= 0) & (weights <= 1)).all()
    farther_away = weights_of(teacher, teacher + 2 * (target - teacher), learned, threshold=0.5)
    assert (farther_away <= weights).all()
    far = weights_of(teacher, target + 1e4, learned, threshold=0.5)
    assert ((far > 0) & (far < 1e-2)).all()
    assert (weights_of(teacher, teacher, learned) == 1).all()
    assert (weights_of(teacher, target, learned, threshold=0.5, weight=0) == 1).all()
    order = torch.arange(size[0] - 1, -1, -1)
    assert torch.equal(weights_of(teacher[order], target[order], learned, threshold=0.5), weights[order])
    if dtype is torch.float64:
        changed = [scale * values + level for values in (teacher, target, *learned)]
        found = weights_of(changed[0], changed[1], (changed[2], changed[3]), threshold=0.5)
        torch.testing.assert_close(found, weights, rtol=1e-6, atol=0)


@DTYPES
@pytest.mark.parametrize("level", [0.0, 0.1, 1e4])
def test_weights_of_labels_are_finite_on_what_is_constant_and_nothing_is_rejected_there(
    dtype: torch.dtype, level: float
) -> None:
    size = (WINDOWS, STEPS, COMPONENTS)
    constant = torch.full(size, level, dtype=dtype)
    weights = weights_of(constant, labels(size, 1, dtype), (constant, constant))
    assert (weights == 1).all()


@DTYPES
def test_a_label_weighting_in_use_can_be_copied_and_restored(dtype: torch.dtype) -> None:
    size = (WINDOWS, STEPS, COMPONENTS)
    teacher, target = labels(size, 1, dtype), labels(size, 2, dtype)
    rejection, fresh = OutlierRejection(0.5), OutlierRejection(0.5)
    few = target[:PROBE_WINDOWS]
    for term in (rejection, fresh):
        term.set_up(StudentTeacherPair(few, few, few))
    rejection.fit_statistics([(teacher, target)])
    fresh.load_state_dict(rejection.state_dict())
    assert (rejection(teacher, target) < 1).any()
    assert torch.equal(fresh(teacher, target), rejection(teacher, target))
    assert torch.equal(copy.deepcopy(rejection)(teacher, target), rejection(teacher, target))
    assert not list(rejection.parameters())
