"""The arguments of a fit other than the series, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tskd._core.darts.arguments import check_arguments
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
        check_arguments(**vars(self))
