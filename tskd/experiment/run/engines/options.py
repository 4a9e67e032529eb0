"""Which engine computes a run, chosen by its user."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal, get_args

from tskd._core.checks import MOST, is_choice, shown
from tskd.experiment.config.errors import ConfigError
from tskd.experiment.config.model_arguments import is_whole

EngineName = Literal["processes", "ray"]


@dataclass(frozen=True)
class EngineOptions:
    """An engine and how much it may compute at once.

    Attributes:
        engine: "processes" of this machine, or "ray".
        workers: blocks that are computed at once; None: as many as there are cores, of this machine or the cluster.
        address: of a Ray cluster; None: one on this machine, for this run.

    Raises:
        ConfigError: what does not exist or is not installed.
    """

    engine: str = "processes"
    workers: int | None = 1
    address: str | None = None

    def __post_init__(self) -> None:
        if self.workers is not None and not (is_whole(self.workers, 1) and self.workers <= MOST):
            raise ConfigError(f"workers={shown(self.workers)} must be at least 1, or None for all cores.")
        if not is_choice(self.engine, get_args(EngineName)):
            raise ConfigError(f"engine={self.engine!r} must be 'processes' or 'ray'.")
        if self.engine == "ray" and find_spec("ray") is None:
            raise ConfigError("engine 'ray' needs Ray: pip install 'tskd[ray]'.")
        if not isinstance(self.address, str | None):
            raise ConfigError(f"address={self.address!r} must be a text, or None.")
        if self.engine != "ray" and self.address is not None:
            raise ConfigError(f"address={self.address!r} is that of a Ray cluster: it needs engine='ray'.")
