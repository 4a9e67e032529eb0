"""Calls that must be refused, and the proof that they changed nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import pytest
from darts import TimeSeries
from darts.models import LinearRegressionModel

from tskd import DistilledModel, Teacher


def state(thing: Any) -> Any:
    """All that a caller can see of a model, teacher, series or container."""
    if isinstance(thing, TimeSeries):
        return thing.values().tobytes(), list(thing.time_index), list(thing.components)
    if isinstance(thing, Mapping):
        return {key: state(value) for key, value in thing.items()}
    if isinstance(thing, list | tuple):
        return [state(item) for item in thing]
    if isinstance(thing, Teacher):
        return repr(thing), state(thing.model)
    if isinstance(thing, DistilledModel):
        return repr(thing), state(thing.student), state(thing.teachers)
    if isinstance(thing, pd.DataFrame | np.ndarray):
        return np.asarray(thing).tobytes()
    if not hasattr(thing, "trainer_params"):
        return thing
    seen: dict[str, Any] = {
        "settings": repr(thing),
        "trainer_params": dict(thing.trainer_params),
        "epochs": thing.epochs_trained,
        "network": id(thing.model),
        "training_series": thing.training_series,
    }
    if thing.model is None:
        return seen
    weights = {name: value.numpy().tobytes() for name, value in thing.model.state_dict().items()}
    return seen | {"weights": weights, "modes": [module.training for module in thing.model.modules()]}


@contextmanager
def untouched(*things: Any) -> Iterator[None]:
    before = [state(thing) for thing in things]
    yield
    after = [state(thing) for thing in things]
    assert after == before


def says(error: BaseException, *fragments: str) -> None:
    missing = [fragment for fragment in fragments if not re.search(fragment, str(error))]
    assert not missing, f"{missing} not in {error}"


def refused(call: Callable[[], Any], kind: type[Exception], *fragments: str) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        call()
    assert type(caught.value) is kind, caught.value
    says(caught.value, *fragments)


def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """No training may begin."""

    def fail(*_: Any, **__: Any) -> None:
        pytest.fail("it was trained")

    monkeypatch.setattr("pytorch_lightning.Trainer.fit", fail)
    monkeypatch.setattr(LinearRegressionModel, "fit", fail)
