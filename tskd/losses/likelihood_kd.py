"""Matching the teacher's distribution."""

from __future__ import annotations

from typing import Any

from torch import Tensor, distributions
from torch.distributions import Distribution, kl_divergence

from tskd._core.aspects import Aspect
from tskd._core.checks import check_positive
from tskd.losses.base import DistillationLoss, Needs, StudentTeacherPair

SCALED = (distributions.Normal, distributions.Laplace, distributions.Cauchy, distributions.Gumbel)


def with_temperature(distribution: Distribution, temperature: float) -> Distribution:
    """The distribution with its scale multiplied by the temperature.

    Raises:
        ValueError: the distribution has no scale.
    """
    if temperature == 1:
        return distribution
    if not isinstance(distribution, SCALED):
        known = ", ".join(kind.__name__ for kind in SCALED)
        raise ValueError(f"a {type(distribution).__name__} has no scale for a temperature; these have: {known}")
    found: Any = distribution
    return type(found)(found.loc, temperature * found.scale)


def mean_part(teacher: distributions.Normal, student: distributions.Normal) -> Tensor:
    """(μ_t − μ_s)²/(2σ_s²), the part of KL(teacher ‖ student) due to different means; 0 where these are equal."""
    return ((teacher.loc - student.loc) / student.scale).square() / 2


def spread_part(teacher: distributions.Normal, student: distributions.Normal) -> Tensor:
    """log(σ_s/σ_t) + σ_t²/(2σ_s²) − ½, the rest of KL(teacher ‖ student); 0 where the spreads are equal."""
    ratio = (teacher.scale / student.scale).square()
    return (ratio - 1 - ratio.log()) / 2


class LikelihoodKD(DistillationLoss):
    """KL(teacher ‖ student) between probabilistic forecasts, at every step and component.

    The regression counterpart of Hinton, Vinyals and Dean (2015, arXiv:1503.02531): the closed form of
    `torch.distributions` between two darts likelihoods of one kind. Their temperature softens class probabilities; here
    it scales the teacher's spread, Gaussian(μ, T·σ), and not the student's, which learns the wider spread.

    Between Gaussians the term is the sum of the aspects `"mean"`, (μ_t − μ_s)²/(2σ_s²), and `"spread"`, log(σ_s/σ_t) +
    σ_t²/(2σ_s²) − ½, for which a weighting may have weights of its own. With weights w and v the best student has μ = Σ
    w_k μ_k and σ² = Σ v_k σ_k² + Σ w_k (μ_k − μ)²: disagreement of the teachers widens it.

    The term is `[B, H, C]`, in nats; `[B, H, 1]` for a Dirichlet, which is one distribution over all components.

    Args:
        temperature: factor on the teacher's scale, above 0.
        weight: coefficient of the term.

    Raises:
        ValueError: (at the start of fit) a model without likelihood, or with quantiles (use `QuantileKD`); two kinds of
            likelihood; no closed form; a temperature for a distribution without scale.
    """

    def __init__(self, temperature: float = 1.0, weight: float = 1.0) -> None:
        super().__init__(weight)
        check_positive(temperature, "temperature")
        self.temperature = temperature
        self._gaussian = False

    @property
    def needs(self) -> Needs:
        return Needs(likelihood=True)

    @property
    def aspects(self) -> tuple[Aspect, ...]:
        return ("mean", "spread") if self._gaussian else ("forecast",)

    def set_up(self, probe: StudentTeacherPair) -> None:
        student, teacher = _distributions(probe)
        if student is None or teacher is None:
            raise ValueError(
                "LikelihoodKD compares distributions, and a model here forecasts quantiles: use QuantileKD"
            )
        kinds = type(student).__name__, type(teacher).__name__
        if kinds[0] != kinds[1]:
            raise ValueError(f"the student forecasts a {kinds[0]}, the teacher a {kinds[1]}: give both one likelihood")
        try:
            kl_divergence(with_temperature(teacher, self.temperature), student)
        except NotImplementedError:
            raise ValueError(f"the divergence between two distributions {kinds[0]} has no closed form") from None
        self._gaussian = isinstance(student, distributions.Normal)

    def forward(self, pair: StudentTeacherPair) -> Tensor:
        student, teacher = _distributions(pair)
        assert student is not None and teacher is not None
        values = kl_divergence(with_temperature(teacher, self.temperature), student)
        # a Dirichlet is one distribution over all components
        return values if values.dim() == pair.target.dim() else values.unsqueeze(-1)

    def parts(self, pair: StudentTeacherPair) -> dict[Aspect, Tensor]:
        student, teacher = _distributions(pair)
        assert student is not None and teacher is not None
        if not isinstance(student, distributions.Normal):
            return super().parts(pair)
        softened: Any = with_temperature(teacher, self.temperature)
        return {"mean": mean_part(softened, student), "spread": spread_part(softened, student)}


def _distributions(pair: StudentTeacherPair) -> tuple[Distribution | None, Distribution | None]:
    assert pair.predictive is not None
    student, teacher = pair.predictive
    return student.distribution, teacher.distribution
