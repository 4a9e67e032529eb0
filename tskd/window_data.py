"""Windows in a given order, gathered a whole batch at once, for darts' own loaders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor
from torch.utils.data import Dataset

from tskd import _darts
from tskd._darts import TorchTrainingBatch
from tskd.windows import Windows


class WindowData(Dataset):
    """Windows in a given order, as darts' own batches.

    Args:
        labels: gives other labels than the target's own values, for keys `[B, 2]`.
    """

    def __init__(self, keys: Tensor, windows: Windows, labels: Callable[[Tensor], Tensor] | None = None) -> None:
        self.keys = keys
        self.windows: Windows | None = windows
        self.labels = labels

    def __len__(self) -> int:
        return len(self.keys)

    def __getitems__(self, indices: list[int]) -> Any:
        assert self.windows is not None
        keys = self.keys[indices]
        batch = TorchTrainingBatch(**self.windows.gather(keys))
        if self.labels is not None:
            batch.future_target = self.labels(keys).to(batch.future_target.dtype)
        return batch

    def release(self) -> None:
        """Let go of the data; a trainer that outlives the fit keeps a reference to this object."""
        self.windows = None
        self.labels = None


def train(trainer: Any, module: Any, data: Any, sets: Sequence[WindowData], checkpoint: str | None) -> None:
    """`trainer.fit` with darts' own loaders over data sets, training and validation, that are let go of afterwards."""
    _darts.replace_data(data, sets[0], sets[1] if len(sets) > 1 else None)
    try:
        trainer.fit(model=module, datamodule=data, ckpt_path=checkpoint)
    finally:
        for items in sets:
            items.release()
