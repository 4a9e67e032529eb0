"""A Ray cluster of several nodes, one of which is lost in the middle of a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.helpers.experiments import toy_config, toy_model
from tests.helpers.killing import finished
from tskd.experiment import Experiment, Results
from tskd.experiment.results.tables import TABLES
from tskd.experiment.run.engines.base import Died, Made
from tskd.experiment.run.scheduler import _Run

NODES = 3
ARMS: list[dict[str, Any]] = [
    {"name": "alone"},
    {"name": "self", "teachers": "equal", "balance": [0.25, 0.5, 0.75, 1]},
]


@pytest.fixture
def cluster() -> Iterator[Any]:
    """Three nodes on this machine, one core each."""
    ray = pytest.importorskip("ray", reason="ray is not installed")
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    for _ in range(NODES - 1):
        made.add_node(num_cpus=1)
    made.wait_for_nodes()
    ray.init(address=made.address, log_to_driver=False, logging_level="ERROR")
    try:
        yield made
    finally:
        ray.shutdown()
        made.shutdown()


@pytest.mark.slow
def test_a_node_that_is_lost_changes_no_row(cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    equal = {"equal": {"model": toy_model(n_epochs=20)}}
    experiment = Experiment(**toy_config(arms=ARMS, teachers=equal, seeds=[1, 2, 3, 4, 5, 6]))
    whole = experiment.run(progress=False)
    deaths: list[Died] = []
    handle = _Run._handle

    def losing_one(self: _Run, event: Any) -> None:
        handle(self, event)
        if isinstance(event, Died):
            deaths.append(event)
        elif isinstance(event, Made) and finished(tmp_path) >= NODES and len(cluster.worker_nodes) == NODES - 1:
            cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)

    monkeypatch.setattr(_Run, "_handle", losing_one)
    results = experiment.run(tmp_path, workers=NODES, engine="ray", progress=False)
    assert deaths and results.failures.empty
    same(results, whole)
    same(Results.load(tmp_path), whole)


def same(one: Results, other: Results) -> None:
    """All tables are identical, timings aside."""
    for name in TABLES:
        seconds = ["seconds", "inference_seconds"]
        a, b = (getattr(results, name).drop(columns=seconds, errors="ignore") for results in (one, other))
        pd.testing.assert_frame_equal(a, b, check_exact=True, check_dtype=len(a) > 0)
