"""The engine of many machines: Ray, one task a block."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from typing import Any

from tskd.experiment.config.errors import ConfigError
from tskd.experiment.run.engines.base import WAIT, Died, Ended, Made, cores
from tskd.experiment.run.worker import Task, work


class RayCluster:
    """See `Engine`. Cells come back as they are done; nothing is written where they are computed.

    The machines of a cluster need the same tskd, and the data sets that are named. Ray is left as it was found: a
    connection that exists already is used, and stays.
    """

    def __init__(self, workers: int | None, address: str | None) -> None:
        # a run that ends in a minute needs neither Ray's statistics of use nor its dashboard
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        import ray

        self._ray = ray
        self._own = not ray.is_initialized()
        if self._own:
            quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
            if address is None:
                quiet |= {"num_cpus": workers or cores(), "include_dashboard": False}
            try:
                ray.init(address=address or "local", **quiet)
            except (ConnectionError, RuntimeError, ValueError) as error:
                raise ConfigError(f"engine 'ray': no cluster at address={address!r}: {error}") from error
        self.local = self._own and address is None
        self.capacity = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        # the scheduler decides what is tried again, and how often
        self._work = ray.remote(num_cpus=1, max_retries=0)(work)
        self._streams: dict[Any, Task] = {}

    def submit(self, task: Task) -> None:
        """Begin a task, as soon as a core is free."""
        self._streams[self._work.options(num_returns="streaming").remote(task)] = task

    def events(self) -> Iterator[Made | Ended | Died]:
        """See `Engine`."""
        ready, _ = self._ray.wait(list(self._streams), num_returns=1, timeout=WAIT)
        stream: Any
        for stream in ready:
            task = self._streams[stream]
            try:
                key, content = self._ray.get(next(stream))
                yield Made(task, key, content)
            except StopIteration:
                del self._streams[stream]
                yield Ended(task)
            except self._ray.exceptions.RayError as error:
                del self._streams[stream]
                yield Died(task, f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """Stop all tasks, and Ray if it was started here."""
        for stream in self._streams:
            self._ray.cancel(stream, force=True)
        self._streams.clear()
        if self._own:
            self._ray.shutdown()
