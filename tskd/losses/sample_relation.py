"""Matching the relations between windows."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from tskd._core.checks import is_choice
from tskd.losses._numerics import at_least_single, full_precision, rounding, with_power
from tskd.losses.base import DistillationLoss, StudentTeacherPair

Relation = Literal["distance", "angle", "similarity"]
LEAST = 3


def distances(points: Tensor) -> Tensor:
    """Euclidean distances over their mean, of all pairs of points `[B, D]`: `[B(B − 1)/2]`; 0 where all are equal."""
    found = torch.pdist(points)
    mean = found.sum() / (found > 0).sum().clamp(min=1)
    return found / mean.where(mean > 0, 1)


def by_point(values: Tensor, points: int) -> Tensor:
    """Values of all pairs `[B(B − 1)/2]` as a symmetric matrix `[B, B]` with 0 in the diagonal."""
    first, second = torch.triu_indices(points, points, 1, device=values.device)
    matrix = values.new_zeros(points, points).index_put((first, second), values)
    return matrix + matrix.T


def angles(points: Tensor) -> Tensor:
    """Cosines of the angles at j of i–j–k `[B, B, B]` (axes j, i, k); 0 where two of the points are equal, up to
    rounding."""
    return _Angles.apply(points)


class _Angles(torch.autograd.Function):
    """By inner products g of the points, with the gradient as one formula.

    With p = ⟨i − j, k − j⟩ = g_ik − g_ij − g_jk + g_jj and s_ij = |i − j|² = g_ii + g_jj − 2g_ij the cosine is
    c = p/√(s_ij s_kj), so that ∂c/∂p = 1/√(s_ij s_kj) and ∂c/∂s_ij = −c/(2s_ij); what remains is linear in g. In double
    precision: differences of inner products of close windows would be rounding errors otherwise.
    """

    @staticmethod
    def forward(ctx: Any, points: Tensor) -> Tensor:
        centred = (points - points.mean(0)).double()
        gram = centred @ centred.T
        own = gram.diagonal()[:, None]
        both = own + own.T
        squares = both - 2 * gram
        # rounding leaves less than half of this
        equal = squares <= 2 * math.sqrt(points.shape[1]) * torch.finfo(gram.dtype).eps * both
        inverse = squares.masked_fill(equal, torch.inf).rsqrt()
        cosines = (gram - gram[:, :, None]).add_((own - gram)[:, None])
        cosines.mul_(inverse[:, :, None]).mul_(inverse[:, None])
        cosines.diagonal(dim1=1, dim2=2).zero_()
        ctx.save_for_backward(centred, inverse, cosines)
        return cosines.to(points.dtype, copy=True)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        centred, inverse, cosines = ctx.saved_tensors
        of_products = gradient.to(cosines.dtype, copy=True)
        of_products.diagonal(dim1=1, dim2=2).zero_()
        of_cosines = of_products * cosines
        of_squares = (of_cosines.sum(1) + of_cosines.sum(2)) * inverse.square() / -2
        of_products.mul_(inverse[:, :, None]).mul_(inverse[:, None])
        rows = of_products.sum(2)
        of_gram = of_products.sum(0) - of_products.sum(1) - rows - 2 * of_squares
        of_gram.diagonal().add_(rows.sum(1) + of_squares.sum(0) + of_squares.sum(1))
        # it has the mean 0: angles do not depend on where the points are
        return ((of_gram + of_gram.T) @ centred).to(gradient.dtype)


def similarities(points: Tensor) -> Tensor:
    """Inner products of centred points, each row of unit mean square `[B, B]`; 0 where all are equal."""
    centred = points - points.mean(0)
    floor = rounding(points.flatten(), 0).square() * points.shape[1]
    return with_power(centred @ centred.T, floor)


RELATIONS: dict[str, Callable[[Tensor], Tensor]] = {"distance": distances, "angle": angles, "similarity": similarities}


def related(windows: Tensor, relation: Relation) -> Tensor:
    """The relations of a kind among windows `[B, …]`."""
    with full_precision(windows):
        return RELATIONS[relation](at_least_single(windows.flatten(1)))


class SampleRelation(DistillationLoss):
    """Distance between the relations among the windows of a batch, in the two forecasts.

    Relational knowledge distillation (Park et al. 2019, arXiv:1904.05068): Huber's distance (δ = 1) between
    `"distance"`, Euclidean distances of all pairs over their mean, or `"angle"`, cosines of the angles of all triplets.
    `"similarity"`: similarity-preserving distillation (Tung and Mori 2019, arXiv:1907.09682), the mean squared distance
    between inner products. Changed here: the term of a window is the mean over the pairs that it is in, or the triplets
    whose corner it is, so that it can be weighed; equal windows make no angle, where published code gives NaN; inner
    products are of values less their batch mean, and their rows have unit mean square rather than norm, so that the
    batch size does not matter. Units and level do not matter. Angles take memory in proportion to the cube of the
    batch.

    On features: `FeatureKD(loss=SampleRelation(), projector=None)`. The term is `[B]`.

    Args:
        relation: `"distance"`, `"angle"` or `"similarity"`.
        weight: coefficient of the term.

    Raises:
        ValueError: (at the start of fit) batches of fewer than 3 windows, whose relations are always the same.
    """

    least = LEAST
    relates = True

    def __init__(self, relation: Relation = "distance", weight: float = 1.0) -> None:
        super().__init__(weight)
        if not is_choice(relation, get_args(Relation)):
            raise ValueError(f"relation={relation!r}: give one of {', '.join(get_args(Relation))}")
        self.relation = relation

    def set_up(self, probe: StudentTeacherPair) -> None:
        if len(probe.student) < LEAST:
            raise ValueError(
                f"SampleRelation relates windows of a batch: give a batch_size of {LEAST} or more, and as many windows"
            )
        if self.relation == "angle" and any(values[0].numel() < 2 for values in (probe.student, probe.teacher)):
            raise ValueError("SampleRelation('angle') needs more than one value in a window")

    def forward(self, pair: StudentTeacherPair) -> Tensor:
        student, teacher = pair.of_student(related, self.relation), related(pair.teacher, self.relation)
        if self.relation == "similarity":
            return (student - teacher).square().mean(1)
        windows = len(pair.student)
        differences = functional.huber_loss(student, teacher, reduction="none")
        if self.relation == "distance":
            return by_point(differences, windows).sum(1) / (windows - 1)
        return differences.flatten(1).sum(1) / ((windows - 1) * (windows - 2))
