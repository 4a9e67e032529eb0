"""A study reads each data set once, and prepares its data once to check them and once a block."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.helpers.experiments import toy_config, toy_data, toy_model
from tskd.experiment import Experiment, Study
from tskd.experiment.data import fit_data, folds, loading


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often data sets are fingerprinted and prepared."""
    counts: Counter[str] = Counter()

    def counted(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            counts[name] += 1
            return original(*args, **kwargs)

        return call

    monkeypatch.setattr(loading, "fingerprint", counted("fingerprint", loading.fingerprint))
    monkeypatch.setattr(folds, "prepare", counted("checked", folds.prepare))
    monkeypatch.setattr(fit_data, "prepare", counted("block", fit_data.prepare))
    return counts


def test_data_are_fingerprinted_once_and_prepared_once_a_block(calls: Counter[str]) -> None:
    data, arms = toy_data(), [{"name": "taught", "teachers": "equal", "balance": 0.5}]
    teachers = {"equal": {"model": toy_model()}}
    config = toy_config(data=data, teachers=teachers, arms=arms, seeds=[3, 5], sizes=[60, None])
    cases = {
        rate: Experiment(**config | {"student": toy_model(optimizer_kwargs={"lr": rate})}) for rate in (0.01, 0.02)
    }
    Study("two", {str(rate): case for rate, case in cases.items()}).run(progress=False)
    # two cases of two sizes, each with two seeds; each case is rehearsed on one block more
    assert calls == {"fingerprint": 1, "checked": 2 * 2, "block": 2 * 2 * 2 + 2}
