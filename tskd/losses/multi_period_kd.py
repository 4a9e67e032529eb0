"""Matching the periods of a forecast."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from tskd._core.checks import check_positive
from tskd.losses._numerics import centred, scale_to, steps_last, through_scale
from tskd.losses.base import DistillationLoss, StudentTeacherPair, check_steps


def log_periods(values: Tensor, temperature: float) -> Tensor:
    """Logarithm of the share of each period `[B, C, F]` in values `[B, H, C]`, the mean left out."""
    return _LogShares.apply(steps_last(values), temperature)


class _LogShares(torch.autograd.Function):
    """log softmax(A/temperature) of values `[B, C, H]`, A of root mean square 1, with the gradient as one formula."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, temperature: float) -> Tensor:
        values, floor = centred(values)
        spectrum = torch.fft.rfft(values)[:, :, 1:]
        squares = torch.addcmul(spectrum.real.square(), spectrum.imag, spectrum.imag)
        scale = scale_to(1 / temperature, squares, values.shape[2] * floor)
        # squares that overflow have the scale 0
        logits = squares.where(scale > 0, 0).sqrt() * scale
        found = torch.log_softmax(logits, 2)
        ctx.temperature, ctx.steps = temperature, values.shape[2]
        ctx.save_for_backward(spectrum, squares, scale, logits, found)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        spectrum, squares, scale, logits, found = ctx.saved_tensors
        gradient = torch.addcmul(gradient, found.exp(), gradient.sum(2, keepdim=True), value=-1)
        gradient = through_scale(gradient, logits, scale, 1 / ctx.temperature)
        # half of it for each of two conjugates, of which a real transform has one
        gradient = gradient / 2
        if ctx.steps % 2 == 0:
            gradient[:, :, -1] *= 2
        directions = spectrum * squares.where(squares > 0, torch.inf).rsqrt()
        both = functional.pad(directions * gradient, (1, 0))
        return torch.fft.irfft(both, ctx.steps, norm="forward"), None


class MultiPeriodKD(DistillationLoss):
    """Divergence between the distributions of forecasts over periods.

    TimeDistill (Ni et al. 2025, arXiv:2502.15016): KL(Q_t ‖ Q_s), Q = softmax(A/temperature), A the absolute
    values of the real Fourier transform over the horizon, without frequency zero. Here A is first divided by its root
    mean square: raw amplitudes grow with the horizon and with the units, and make the softmax one-hot. The sum goes
    over frequencies and the mean over components and windows; the published mean over all three is close to 0,
    and is had with `weight=1 / (H // 2)`. The sum may outweigh the labels: let validation choose among balances, 0 too.
    Units, level and phase of the forecasts do not matter.

    The term is `[B]`.

    Args:
        temperature: above 1 to attend to weak periods too, below 1 to the strongest.
        weight: coefficient of the term.

    Raises:
        ValueError: (at the start of fit) fewer than 4 steps, and thus fewer than two periods to distinguish.
    """

    def __init__(self, temperature: float = 1.0, weight: float = 1.0) -> None:
        super().__init__(weight)
        check_positive(temperature, "temperature")
        self.temperature = temperature

    def set_up(self, probe: StudentTeacherPair) -> None:
        check_steps(probe.student.shape[1], 4, type(self).__name__)

    def forward(self, pair: StudentTeacherPair) -> Tensor:
        student = pair.of_student(log_periods, self.temperature)
        teacher = log_periods(pair.teacher, self.temperature)
        return (teacher.exp() * (teacher - student)).sum(2).mean(1)
