"""Teachers that are dropped where the student has caught up with them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from tskd._core.checks import check_known, check_real, check_whole, is_choice
from tskd.weighting._regimes import best_known_target, level, level_edges, ranks, regime_sums
from tskd.weighting.base import Variation, Weighting, WeightingNeeds
from tskd.weighting.calibration_set import CalibrationSet
from tskd.weighting.fixed import proportions
from tskd.weighting.step_inputs import Step

Regimes = Literal["none", "quantile", "horizon"]


def gates(student: Tensor, teacher: Tensor, lead: float) -> Tensor:
    """clip((ρ − 1)/(lead − 1), 0, 1) of ρ = student's error / teacher's; 1 where one of them is NaN."""
    excess = student - teacher
    opened = torch.where(excess > 0, excess / ((lead - 1) * teacher), excess.clamp(max=0))
    return opened.clamp(0, 1).nan_to_num(1)


class LFME(Weighting):
    """Teachers by regime, each as long as it leads the student: weight = gate · responsibility · curriculum.

    Learning From Multiple Experts (Xiang, Ding and Han, ECCV 2020, arXiv:2001.01536), with regimes of a series in place
    of many-, medium- and few-shot classes, and inverse mean squared errors in place of accuracies. In each regime
    g_k = clip((ρ_k − 1)/(lead − 1), 0, 1), ρ_k = student's error / teacher's on the calibration set before every epoch
    (published: linear in accuracies, β = 1/lead). Windows enter by v_i0 + (1 − v_i0)·min(e/E, 1), v_i0 = 1 − rank of
    the teacher's error among the regime's windows in the batch (published: the teacher's confidence).

    Responsibilities sum to one over the valid teachers; gates are *not* renormalised, and where all are shut only
    labels teach. A teacher with information that the student lacks is never caught up with: its gate stays open.
    Weights `[K, B]`; `[K, B, H]` with `regimes="horizon"` and with teachers of a part of the horizon.

    Args:
        regimes: `"none"`; `"quantile"`, equally large bins of the window's mean label; `"horizon"`, blocks of steps.
        bins: number of regimes.
        responsibility: `"equal"`; `"best"`, the teacher with the smallest error in the regime; or by teacher name,
            one non-negative number for each regime, from low levels to high or early steps to late.
        lead: ratio of the student's mean squared error to the teacher's from which it is followed in full.
        curriculum: epochs E over which hard windows enter; 0 for all from the start.

    Raises:
        ValueError: an argument out of range; (at the start of fit) names other than the teachers', too many blocks.
    """

    teacher_error: Tensor
    gate: Tensor
    edges: Tensor

    def __init__(
        self,
        regimes: Regimes = "none",
        bins: int = 4,
        responsibility: Literal["equal", "best"] | Mapping[str, Sequence[float]] = "equal",
        lead: float = 2.0,
        curriculum: int = 10,
    ) -> None:
        super().__init__()
        if not is_choice(regimes, ("none", "quantile", "horizon")):
            raise ValueError(f"regimes={regimes!r}: give 'none', 'quantile' or 'horizon'")
        check_whole(bins, 1, "bins", "a number of regimes")
        check_real(lead, 1, math.inf, "lead", "a finite number above 1")
        if lead == 1:
            raise ValueError("lead=1: give a finite number above 1")
        check_whole(curriculum, 0, "curriculum", "a number of epochs")
        self.regimes: Regimes = regimes
        self.bins = bins
        self.responsibility = dict(responsibility) if isinstance(responsibility, Mapping) else responsibility
        self.lead = lead
        self.curriculum = curriculum
        self._levels = bins if regimes == "quantile" else 1
        self._parts = bins if regimes == "horizon" else 1
        self._given: list[list[float]] = []
        if isinstance(self.responsibility, dict):
            self._check_shares(self.responsibility)
        elif not is_choice(responsibility, ("equal", "best")):
            raise ValueError(f"responsibility={responsibility!r}: give 'equal', 'best', or numbers by teacher name")
        self.register_buffer("teacher_error", torch.zeros(0, 1, 1))
        # of each teacher in each regime, for an epoch [K, R, P]
        self.register_buffer("gate", torch.zeros(0, 1, 1))
        self.register_buffer("edges", torch.zeros(0))

    @property
    def varies(self) -> Variation:
        return "step" if self.curriculum else "epoch"

    @property
    def needs(self) -> WeightingNeeds:
        return WeightingNeeds(calibration=True)

    def _check_shares(self, given: Mapping[str, Sequence[float]]) -> None:
        if not given:
            raise ValueError("responsibility={}: give 'equal', 'best', or numbers by teacher name")
        for name, shares in given.items():
            count = self._levels * self._parts
            if not isinstance(shares, Sequence) or len(shares) != count:
                raise ValueError(f"responsibility[{name!r}]={shares!r}: give one number for each of {count} regimes")
            for share in shares:
                check_real(share, 0, math.inf, f"responsibility[{name!r}]", "finite numbers, none negative")

    def set_up(self, names: list[str]) -> None:
        if isinstance(self.responsibility, dict):
            check_known(self.responsibility, names, "teacher in responsibility")
            check_known(names, self.responsibility, "responsibility of teacher")
            regimes = zip(*(self.responsibility[name] for name in names), strict=True)
            self._given = [list(shares) for shares in zip(*map(proportions, regimes), strict=True)]

    def calibrate(self, calibration: CalibrationSet) -> None:
        chunks = list(calibration.chunks())
        target = chunks[0].target
        if self._parts > target.shape[1]:
            raise ValueError(f"bins={self.bins}: give at most one for each of {target.shape[1]} steps")
        dtype = torch.promote_types(target.dtype, torch.float32)
        if self.regimes == "quantile":
            self.edges = level_edges(torch.cat([level(best_known_target(chunk)) for chunk in chunks]), self.bins)
        self.teacher_error = self._errors(calibration).to(dtype)
        self.gate = self.teacher_error.new_ones(*self.teacher_error.shape[:2], self._parts)
        self._covers = chunks[0].covers.cpu()

    def start_epoch(self, epoch: int, calibration: CalibrationSet) -> None:
        teacher = self.teacher_error.cpu()
        student = self._errors(calibration, student=True)
        blocks = self._blocks(teacher[0])
        student, teacher = (_over(blocks, each.to(teacher), self._covers) for each in (student, teacher))
        self.gate.copy_(gates(student, teacher, self.lead))

    def _errors(self, calibration: CalibrationSet, student: bool = False) -> Tensor:
        """The teachers' mean squared errors `[K, R, H]`, or the student's in the same windows."""
        sums: tuple[Tensor, Tensor] | None = None
        for chunk in calibration.chunks():
            forecasts = calibration.student(chunk)[None] if student else chunk.forecasts
            errors = _squared(forecasts.double(), chunk.target.double(), chunk.labelled)
            errors = errors.expand(len(chunk.valid), -1, -1)
            valid = chunk.valid[..., None]
            valid = valid if chunk.labelled is None else valid & chunk.labelled.any(2)
            regime = self._regime(best_known_target(chunk).cpu())
            found = regime_sums(errors.cpu(), valid.cpu(), regime, self._levels)
            sums = found if sums is None else (sums[0] + found[0], sums[1] + found[1])
        assert sums is not None
        total, number = sums
        # a regime without a window has the error over all regimes
        return torch.where(number > 0, total / number, total.sum(1, keepdim=True) / number.sum(1, keepdim=True))

    def _regime(self, target: Tensor) -> Tensor:
        if not len(self.edges):
            return torch.zeros(len(target), dtype=torch.long, device=target.device)
        return torch.bucketize(level(target), self.edges.to(target.device))

    def _blocks(self, like: Tensor) -> Tensor:
        """Which of the steps of a tensor `[n, H, …]` belong together `[P, H]`."""
        steps = like.shape[1]
        if self._parts == 1:
            return torch.ones(1, steps, dtype=torch.bool, device=like.device)
        block = torch.arange(steps, device=like.device) * self._parts // steps
        return functional.one_hot(block, self._parts).T.bool()

    def scores(self, step: Step) -> Tensor:
        """Responsibilities."""
        regime, blocks = self._regime(best_known_target(step)), self._blocks(step.target)
        if self._given:
            shares = step.target.new_tensor(self._given).view(-1, self._levels, self._parts)
        elif self.responsibility == "best" and len(self.teacher_error):
            if not bool(step.covers.all()):
                # early steps are easier: teachers are compared where both forecast
                blocks = torch.eye(step.target.shape[1], dtype=torch.bool, device=blocks.device)
            errors = _over(blocks, self.teacher_error, step.covers).nan_to_num(torch.inf)
            shares = (errors <= errors.amin(0, keepdim=True)).to(self.teacher_error.dtype)
        else:
            shares = step.target.new_ones(len(step.valid), self._levels, self._parts)
        return _by_step(_by_window(shares, regime), blocks)

    def forward(self, step: Step) -> Tensor:
        """Responsibilities, normalised, times gates and curriculum."""
        shares = super().forward(step)
        with torch.no_grad():
            opened = self._opened(step).to(shares.dtype)
            shares, opened = (values[..., None] if values.dim() < 3 else values for values in (shares, opened))
            weights = shares * opened
            return weights if weights.shape[-1] > 1 else weights[..., 0]

    def _opened(self, step: Step) -> Tensor:
        regime, blocks = self._regime(best_known_target(step)), self._blocks(step.target)
        gate = self.gate if len(self.gate) else step.target.new_ones(len(step.valid), self._levels, len(blocks))
        opened = _by_window(gate, regime)
        if step.epoch < self.curriculum:
            # v_i0 + (1 − v_i0)·e/E, v_i0 = 1 − rank
            opened = opened * (1 - (1 - step.epoch / self.curriculum) * self._ranks(step, regime, blocks))
        return _by_step(opened, blocks)

    def _ranks(self, step: Step, regime: Tensor, blocks: Tensor) -> Tensor:
        errors = _over(blocks, _squared(step.forecasts, step.target, step.labelled), step.covers).transpose(1, 2)
        if step.whole and step.labelled is None and self._levels == 1:
            return ranks(errors).transpose(1, 2)
        scored = step.valid if step.labelled is None else step.valid & step.labelled.flatten(1).any(1)
        # how hard a window without a label is, cannot be said
        found = torch.full_like(errors, 0.5)
        for one in range(self._levels):
            among = ((regime == one) & scored)[:, None].expand_as(errors)
            found = torch.where(among, ranks(errors, among).to(errors.dtype), found)
        return found.transpose(1, 2)


def _squared(forecasts: Tensor, target: Tensor, labelled: Tensor | None = None) -> Tensor:
    """Squared errors, averaged over components, in float32 or wider.

    Where labels are missing, over those that exist; at steps without any, the mean over the window's other steps.
    """
    dtype = torch.promote_types(forecasts.dtype, torch.float32)
    squares = (forecasts.to(dtype) - target).square_()
    if labelled is not None:
        known = labelled.sum(-1)
        errors = squares.where(labelled, 0).sum(-1) / known.clamp(min=1)
        mean = errors.sum(-1, keepdim=True) / (known > 0).sum(-1, keepdim=True).clamp(min=1)
        return torch.where(known > 0, errors, mean)
    # a product is several times faster than a mean over so few
    return squares @ squares.new_full(squares.shape[-1:], 1 / squares.shape[-1])


def _over(blocks: Tensor, values: Tensor, covers: Tensor) -> Tensor:
    """Means `[K, n, P]` of values `[K, n, H]` over the steps of each block that a teacher covers."""
    if len(blocks) == 1 and bool(covers.all()):
        return values.mean(-1, keepdim=True)
    share = (blocks & covers.to(blocks.device)[:, None]).to(values.dtype).expand(len(values), -1, -1)
    return values @ share.transpose(1, 2) / share.sum(-1)[:, None]


def _by_window(values: Tensor, regime: Tensor) -> Tensor:
    """Values `[K, R, P]` of regimes in windows of each `[K, B, P]`."""
    return values.expand(-1, len(regime), -1) if values.shape[1] == 1 else values[:, regime]


def _by_step(values: Tensor, blocks: Tensor) -> Tensor:
    """Values `[K, B, P]` of blocks at their steps `[K, B, H]`; `[K, B]` where there is one block."""
    return values[..., 0] if len(blocks) == 1 else values @ blocks.to(values.dtype)
