"""Which of the student's outputs no loss would train: neither the labels nor a distillation loss."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from tskd._core.darts.capabilities import window_span
from tskd._core.darts.forward import point_forecast
from tskd._core.series import has_gaps
from tskd._core.windows import CHUNK, Windows
from tskd.distillation.preflight import PreparedFit
from tskd.losses import DistillationLoss

# windows of random numbers in which a loss must have a gradient somewhere
DRAWS = 32


def check_outputs_trained(prepared: PreparedFit) -> None:
    """Check that every output of the student (step, component, parameter of its likelihood) has a loss.

    Raises:
        ValueError: some have none, neither of labels nor of teachers.
    """
    recipe, options = prepared.recipe, prepared.options
    epochs = options.epochs or recipe.student.n_epochs
    alone = recipe.balance.ever_excludes_labels(epochs)
    if not recipe.balance.ever_teaches(epochs) or not (alone or any(map(has_gaps, prepared.student.series))):
        return
    if not recipe.teachers or not any(isinstance(loss, DistillationLoss) for loss in recipe.losses):
        return
    untrained = untaught_outputs(prepared)
    if not alone:
        untrained &= ~_labelled(prepared)[..., None]
    if bool(untrained.any()):
        names = _where(prepared.student.series[0].components, untrained.any(-1).any(0))
        steps = _where(recipe.horizon, untrained.any(-1).any(1))
        cause = f"balance={recipe.balance!r} leaves labels no share" if alone else "there is no label of them"
        raise ValueError(
            f"nothing would train the student's {_parameters(recipe.student, untrained)} of {names} at steps {steps}: "
            f"{cause}, and {list(recipe.losses)} of teachers {recipe.names} {_remedy(recipe.student)}"
            + (", or a balance below 1" if alone else "")
        )


def untaught_outputs(prepared: PreparedFit) -> Tensor:
    """The student's outputs that no distillation loss has a gradient for, `[H, C, P]`.

    A loss of point forecasts fixes one number of a distribution, so of one with several parameters it trains none. Of
    quantiles it trains the median.
    """
    student, like = prepared.recipe.student, prepared.like
    likelihood = student.likelihood
    parameters = 1 if likelihood is None else likelihood.num_parameters
    generator = torch.Generator().manual_seed(0)
    shape = (DRAWS, *like.shape[1:])
    prediction, teacher, target = (
        torch.randn(*shape, *more, generator=generator).to(like.dtype) for more in ((parameters,), (), ())
    )
    prediction.requires_grad_()
    taught = torch.zeros(*shape[1:], parameters, dtype=torch.bool)
    forecast = point_forecast(student, prediction)
    for pair in prepared.objective().pairs:
        needs = pair.loss.needs
        if not isinstance(pair.loss, DistillationLoss):
            continue
        if parameters > 1 and not needs.likelihood and not hasattr(likelihood, "quantiles"):
            continue
        span = pair.span
        probe = replace(
            pair.probe(target[:, span]),
            student=forecast[:, span],
            teacher=teacher[:, span],
            within=(span.start, shape[1]),
        )
        if needs.likelihood:
            given = pair.interfaces[1].predictive(teacher[:, span], "teacher")
            probe = replace(probe, predictive=(pair.interfaces[0].read(prediction[:, span]), given))
        if needs.ahead:
            # every step of the output chunk is an input of those that follow
            rolled = forecast.mean(1, keepdim=True).expand(-1, needs.ahead, -1)
            probe = replace(probe, ahead=(rolled, torch.zeros_like(rolled)))
        loss = pair.loss(probe).sum()
        if loss.requires_grad:
            (gradient,) = torch.autograd.grad(loss, prediction, retain_graph=True, allow_unused=True)
            taught |= gradient is not None and (gradient != 0).any(0)
    return ~taught


def _labelled(prepared: PreparedFit) -> Tensor:
    """True where some training window has a label `[H, C]`, of which some are missing."""
    inputs = prepared.student
    assert inputs.keys is not None
    windows, shape = Windows.of(inputs, window_span(prepared.recipe.student)), prepared.like.shape[1:]
    found = torch.zeros(shape, dtype=torch.bool)
    for keys in inputs.keys.split(CHUNK):
        found |= windows.slots["labelled"].gather(keys)[:, -shape[0] :].any(0)
    return found


def _parameters(student: Any, untrained: Tensor) -> str:
    """The parameters of which some are not trained."""
    if student.likelihood is None:
        return "forecast"
    return f"outputs {_where(student.likelihood.parameter_names, untrained.flatten(0, 1).any(0))}"


def _where(names: Iterable[Any], chosen: Tensor) -> list[Any]:
    return [name for name, one in zip(names, chosen.tolist(), strict=True) if one]


def _remedy(student: Any) -> str:
    if student.likelihood is None:
        return "do not reach them: give labels, a teacher or a loss that does"
    if hasattr(student.likelihood, "quantiles"):
        return "do not compare them: give QuantileKD() and teachers with these quantiles"
    return "do not determine a distribution: give LikelihoodKD() and teachers with its likelihood"
