"""Where the work of a run is done: in this process, in worker processes of this machine, or by Ray on many machines.

Every engine runs the same `tskd.experiment.work.work`, and gives back the content of parts, which only the process
that was started writes: no folder need be shared, and the rows cannot depend on the engine.
"""

from __future__ import annotations

from typing import Literal

from tskd.experiment.engines.base import Died, Ended, Engine, Made
from tskd.experiment.errors import ConfigError

EngineName = Literal["processes", "ray"]

__all__ = ["Died", "Ended", "Engine", "EngineName", "Made", "engine_of"]


def engine_of(name: str, workers: int | None, address: str | None) -> Engine:
    """The engine called `name`, started.

    Args:
        workers: blocks that are computed at once; None: as many as there are cores, of this machine or the cluster.
        address: of the Ray cluster; None: one on this machine, for this run.

    Raises ConfigError for what does not exist or is not installed.
    """
    if workers is not None and workers < 1:
        raise ConfigError(f"workers={workers} must be at least 1, or None for all cores.")
    if name == "ray":
        from tskd.experiment.engines.with_ray import WithRay

        return WithRay(workers, address)
    if name != "processes":
        raise ConfigError(f"engine={name!r} must be 'processes' or 'ray'.")
    if address is not None:
        raise ConfigError(f"address={address!r} is that of a Ray cluster: it needs engine='ray'.")
    if workers == 1:
        from tskd.experiment.engines.here import Here

        return Here()
    from tskd.experiment.engines.processes import Processes

    return Processes(workers)
