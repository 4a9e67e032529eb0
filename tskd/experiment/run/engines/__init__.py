"""Where the work of a run is done: in this process, in worker processes of this machine, or by Ray on many machines.

Every engine runs the same `tskd.experiment.run.worker.work`, and gives back the content of stored cells, which only the
process that was started writes: no folder need be shared, and the rows cannot depend on the engine.
"""

from __future__ import annotations

from tskd.experiment.run.engines.base import Engine
from tskd.experiment.run.engines.options import EngineName, EngineOptions

__all__ = ["Engine", "EngineName", "EngineOptions", "start_engine"]


def start_engine(options: EngineOptions) -> Engine:
    """The engine that is chosen, started."""
    if options.engine == "ray":
        from tskd.experiment.run.engines.ray_cluster import RayCluster

        return RayCluster(options.workers, options.address)
    if options.workers == 1:
        from tskd.experiment.run.engines.in_process import InProcess

        return InProcess()
    from tskd.experiment.run.engines.processes import WorkerProcesses

    return WorkerProcesses(options.workers)
