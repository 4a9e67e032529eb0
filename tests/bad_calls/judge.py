"""How a call ends: refused as documented, accepted with a result that is right, or otherwise."""

from __future__ import annotations

import io
import signal
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from darts import TimeSeries
from pydantic import ValidationError
from torch.optim.optimizer import register_optimizer_step_pre_hook

import tskd
from tests.bad_calls.generate import Call
from tests.bad_calls.scope import FORECASTS, HORIZON, LAB, NAMES, PAST, Y, elsewhere, forget
from tests.helpers.refusals import state
from tskd import DistilledModel

PACKAGE = str(Path(tskd.__file__).parent)
LONGEST = 10
"""Seconds of the processor that a call may take."""
WAITING = 100
"""Seconds after which a call is taken to wait for something."""

REFUSED, ACCEPTED = "refused", "accepted"
DARTS = ("predict", "rolling", "fit", "second fit", "teacher")
"""Kinds of calls some of whose arguments are darts', and refused by darts."""
FILES = ("load", "save", "YAML", "configuration")
SAID_OTHERWISE = (
    "balance",
    "teacher",
    "component",
    "window",
    "not fitted",
    "in epoch",
    "missing values",
    "privileged",
    "val_series",
)
"""What a message may name in the place of an argument."""
SAID_BY_DARTS = ("static covariate", "static_covariates", "`*_covariates`")


class Hanging(BaseException):
    """A call takes too long; not an Exception, so that nothing catches it."""


@dataclass(frozen=True)
class Outcome:
    """How a call ended.

    Attributes:
        call: the call.
        end: `REFUSED`, `ACCEPTED`, or what is wrong with it.
        error: what it raised, or None.
        seconds: that it took.
    """

    call: Call
    end: str
    error: BaseException | None
    seconds: float

    @property
    def documented(self) -> bool:
        """Whether it ended as documented."""
        return self.end in (REFUSED, ACCEPTED)

    def __str__(self) -> str:
        said = f"{type(self.error).__name__}: {str(self.error)[:300]}" if self.error is not None else ""
        return f"{self.end} after {self.seconds:.1f} s\n    {self.call}\n    {said}".rstrip()


def judge(call: Call) -> Outcome:
    """Make a call, and judge how it ends."""
    names = dict(NAMES)
    with warnings.catch_warnings(), chdir(elsewhere()), _no_training_of_runs():
        warnings.simplefilter("ignore")
        try:
            model = names["model"] = eval(call.subject, names) if call.subject else None
        except Exception as refused:
            # darts' own constructor has nothing to do with tskd
            return Outcome(call, REFUSED, refused, 0.0)
        before = _seen(model)
        began = time.monotonic()
        with _counting_steps() as steps:
            result, error = _made(call.text, names)
        seconds = time.monotonic() - began
        if error is None:
            end = _acceptance(call, result, model, before)
        else:
            end = _refusal(call, error)
            # of a student that was lost in training, what had been finished is told
            if end == REFUSED and not isinstance(error, FloatingPointError) and _seen(model) != before:
                end = "refused, and left something changed"
            if end == REFUSED and call.subject and steps and not isinstance(error, FloatingPointError):
                end = "refused after training has begun"
    if end not in (REFUSED, ACCEPTED) or call.kind == "second fit":
        forget()
    return Outcome(call, end, error, seconds)


def _made(text: str, names: dict[str, Any]) -> tuple[Any, BaseException | None]:
    """The result of a call, or what it raised."""
    try:
        with _no_longer_than(LONGEST), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            return eval(text, names), None
    except KeyboardInterrupt:
        # a run begins to train
        return None, None
    except (Exception, Hanging) as raised:
        return None, raised


def _refusal(call: Call, error: BaseException) -> str:
    """`REFUSED` if the error is one that is documented: of tskd's own, with a message, which names an argument."""
    if isinstance(error, Hanging):
        return f"hangs for {LONGEST} s"
    kinds: tuple[type[Exception], ...] = (TypeError, ValueError)
    if "fit" in call.kind or call.kind == "teacher" or "retrain" in call.text:
        kinds = (*kinds, FloatingPointError)
    if call.kind in ("load", "save"):
        kinds = (*kinds, FileNotFoundError, FileExistsError)
    if not isinstance(error, kinds) or isinstance(error, UnicodeError):
        return f"raises {type(error).__name__}"
    if call.kind == "fit of an odd student" and len(str(error)) < 20_000:
        # what its settings mean is known to darts, Lightning and torch
        return REFUSED
    if call.kind in DARTS and _by_darts(error) and any(name in str(error) for name in (*call.wrong, *SAID_BY_DARTS)):
        return REFUSED
    last = traceback.extract_tb(error.__traceback__)[-1]
    if not (last.filename.startswith(PACKAGE) or (call.kind == "configuration" and isinstance(error, ValidationError))):
        return f"raises another package's {type(error).__name__}"
    source = (last.line or "").lstrip()
    if not source.startswith("raise") and not isinstance(error, ValidationError):
        return f"raises Python's own {type(error).__name__}"
    if not str(error) or len(str(error)) > 20_000:
        return "refused without a message that can be read"
    if not (call.kind in FILES or any(word in str(error) for word in (*call.arguments, *SAID_OTHERWISE))):
        return "refused without naming the argument"
    return REFUSED


def _by_darts(error: BaseException) -> bool:
    """Whether darts raised it on purpose, with a message of its own."""
    return traceback.extract_tb(error.__traceback__)[-1].name == "raise_log"


def _acceptance(call: Call, result: Any, model: Any, before: Any) -> str:
    """`ACCEPTED` if the result can be right."""
    if call.kind == "command line":
        return _exit(*result)
    if "fit" in call.kind and isinstance(result, DistilledModel):
        weights = result.student.model.state_dict().values()
        if not all(bool(torch.isfinite(value).all()) for value in weights):
            return "trains a student that is not finite"
        return ACCEPTED
    if call.kind in ("predict", "rolling", "audit") and _seen(model) != before:
        return "changes the model"
    if call.kind == "predict":
        return _forecast(result)
    return ACCEPTED


def _forecast(result: Any) -> str:
    for series in [result] if isinstance(result, TimeSeries) else result:
        if not isinstance(series, TimeSeries) or not 0 < len(series) <= max(HORIZON, 100):
            return "gives no forecast"
        if not np.isfinite(series.all_values()).all():
            return "gives a forecast that is not finite"
    return ACCEPTED


def _exit(code: Any, out: str, err: str) -> str:
    if "Traceback" in err or "Traceback" in out:
        return "prints a traceback"
    if code in (0, 130):
        return ACCEPTED
    if code not in (1, 2):
        return f"exits with {code!r}"
    return REFUSED if "tskd: " in err or err.startswith("usage: tskd") else "exits without a message"


def _seen(model: Any) -> Any:
    """All that can be seen of the model and of the data, and the state of random numbers."""
    data = [state(one) for one in (Y, LAB, PAST, *FORECASTS[:2])]
    if not isinstance(model, DistilledModel):
        return data
    numbers: Any = np.random.get_state()
    random = torch.random.get_rng_state().numpy().tobytes(), numbers[1].tobytes(), numbers[2:]
    more = (
        repr(model.history),
        model.windows,
        model.components,
        model.chosen_balance,
        list(map(id, model.given_teachers)),
    )
    # darts counts the epochs of a fitted model anew when it predicts
    student, rest = {**state(model.student), "epochs": None}, state(model.teachers)
    return data, random, repr(model), student, rest, more


@contextmanager
def _counting_steps() -> Iterator[list[str]]:
    """One entry for every optimizer step that anything takes."""
    taken: list[str] = []
    handle = register_optimizer_step_pre_hook(lambda optimizer, *_: taken.append(type(optimizer).__name__))
    try:
        yield taken
    finally:
        handle.remove()


@contextmanager
def _no_longer_than(seconds: float) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise Hanging

    # other work on the machine does not count
    clocks = (signal.SIGPROF, signal.ITIMER_PROF, seconds), (signal.SIGALRM, signal.ITIMER_REAL, WAITING)
    kept = [signal.signal(number, stop) for number, _, _ in clocks]
    for _, clock, limit in clocks:
        signal.setitimer(clock, limit)
    try:
        yield
    finally:
        for (number, clock, _), handler in zip(clocks, kept, strict=True):
            signal.setitimer(clock, 0)
            signal.signal(number, handler)


@contextmanager
def _no_training_of_runs() -> Iterator[None]:
    """A run that would begin to train counts as interrupted."""
    with mock.patch("tskd.experiment.run.scheduler.start_engine", side_effect=KeyboardInterrupt):
        yield
