"""Where the work of a run is done: in this process, in worker processes of this machine, or by Ray on many machines.

Every engine runs the same `tskd.experiment.run.worker.work`, and gives back the content of parts, which only the
process that was started writes: no folder need be shared, and the rows cannot depend on the engine.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal, get_args

from tskd.experiment.config.errors import ConfigError
from tskd.experiment.run.engines.base import Died, Ended, Engine, Made

EngineName = Literal["processes", "ray"]

__all__ = ["Died", "Ended", "Engine", "EngineName", "Made", "engine_of", "refuse_engine"]


def check_engine(name: str, workers: int | None, address: str | None) -> None:
    """Raise a ConfigError for arguments of `engine_of` that do not exist or are not installed."""
    if workers is not None and workers < 1:
        raise ConfigError(f"workers={workers} must be at least 1, or None for all cores.")
    if name not in get_args(EngineName):
        raise ConfigError(f"engine={name!r} must be 'processes' or 'ray'.")
    if name == "ray" and find_spec("ray") is None:
        raise ConfigError("engine 'ray' needs Ray: pip install 'tskd[ray]'.")
    if name != "ray" and address is not None:
        raise ConfigError(f"address={address!r} is that of a Ray cluster: it needs engine='ray'.")


def engine_of(name: str, workers: int | None, address: str | None) -> Engine:
    """The engine called `name`, started.

    Args:
        workers: blocks that are computed at once; None: as many as there are cores, of this machine or the cluster.
        address: of the Ray cluster; None: one on this machine, for this run.

    Raises ConfigError for what does not exist or is not installed.
    """
    check_engine(name, workers, address)
    if name == "ray":
        from tskd.experiment.run.engines.ray_cluster import WithRay

        return WithRay(workers, address)
    if workers == 1:
        from tskd.experiment.run.engines.in_process import Here

        return Here()
    from tskd.experiment.run.engines.processes import Processes

    return Processes(workers)
