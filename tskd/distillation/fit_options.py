"""The arguments of a fit other than the series, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tskd._core.checks import check_whole
from tskd._core.darts.arguments import plain_arguments
from tskd._core.window_keys import WindowSampling


@dataclass(frozen=True)
class FitOptions:
    """Arguments of a fit other than the series.

    Attributes:
        sampling: of the training windows.
        sample_weight, val_sample_weight: as darts takes them.
        trainer, epochs, dataloader_kwargs, load_best, verbose: darts', of the student's fit.
        cache: folder in which teacher outputs are kept, or None.
    """

    sampling: WindowSampling = field(default_factory=WindowSampling)
    sample_weight: Any = None
    val_sample_weight: Any = None
    trainer: Any = None
    epochs: int = 0
    dataloader_kwargs: Mapping[str, Any] | None = None
    load_best: bool = False
    verbose: bool | None = None
    cache: Path | None = None

    def __post_init__(self) -> None:
        for name, value in plain_arguments(**vars(self)).items():
            object.__setattr__(self, name, value)
        if self.cache is not None and self.cache.exists() and not self.cache.is_dir():
            raise ValueError(f"cache={str(self.cache)!r} is a file: give a folder")

    def check_batches(self, windows: int, part: str = "") -> None:
        """Raise a ValueError if the loader can make no batch of at most this many windows, or asks for others.

        Args:
            part: of the data, for messages.
        """
        kwargs = self.dataloader_kwargs or {}
        sampler = kwargs.get("sampler")
        if isinstance(sampler, Sequence):
            for index in sampler:
                check_whole(index, 0, "dataloader_kwargs['sampler']", f"positions of {part}windows", windows - 1)
            windows = len(sampler)
        size = kwargs.get("batch_size", 1)
        if not windows or (kwargs.get("drop_last", False) and windows < size):
            raise ValueError(f"dataloader_kwargs={dict(kwargs)}: {windows} windows make no {part}batch")
