"""darts' data sets as windows by key, gathered a whole batch at once, for darts' own loaders."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from darts.utils.data.torch_datasets._data_module import TorchDataModule
from darts.utils.data.torch_datasets.training_dataset import ShiftedTorchTrainingDataset
from darts.utils.data.torch_datasets.utils import (
    TorchTrainingBatch,
)
from torch import Tensor
from torch.utils.data import Dataset

from tskd._core.window_keys import training_keys
from tskd._core.windows import Windows


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
    replace_datasets(data, sets[0], sets[1] if len(sets) > 1 else None)
    try:
        trainer.fit(model=module, datamodule=data, ckpt_path=checkpoint)
    finally:
        for items in sets:
            items.release()


def training_windows(
    dataset: ShiftedTorchTrainingDataset, visible: Mapping[str, Tensor] | None = None
) -> tuple[Tensor, Windows]:
    """Keys `[N, 2]` in the data set's own order, and the windows they name."""
    if not isinstance(dataset, ShiftedTorchTrainingDataset):
        raise TypeError(f"expected a training data set of darts, got {type(dataset).__name__}")
    if dataset.min_input_chunk_length != dataset.input_chunk_length:
        raise ValueError(
            f"input_chunk_length is the range {(dataset.min_input_chunk_length, dataset.input_chunk_length)}; "
            "give one number: windows of varying lookback are not supported"
        )
    # negative for TCN, whose labels begin within the lookback
    lookback, horizon = dataset.input_chunk_length, dataset.output_chunk_length
    output_shift = dataset.shift - lookback
    keys = training_keys(
        [len(s) for s in dataset.series],
        lookback,
        horizon,
        output_shift,
        dataset.stride,
        dataset.max_samples_per_ts,
    )
    windows = Windows.of(
        dataset.series,
        dataset.past_covariates,
        dataset.future_covariates,
        dataset.sample_weight,
        lookback=lookback,
        horizon=horizon,
        output_shift=output_shift,
        static_covariates=dataset.uses_static_covariates_covariates,
        visible=visible,
    )
    return keys, windows


def datasets_of(data: TorchDataModule) -> tuple[ShiftedTorchTrainingDataset, ShiftedTorchTrainingDataset | None]:
    return data.train_dataset, data.val_dataset


def replace_datasets(data: TorchDataModule, train: Dataset, val: Dataset | None) -> None:
    """Put data sets that gather whole batches into darts' data module; its loaders keep every other setting."""
    data.train_dataset, data.val_dataset = train, val
    data.dataloader_kwargs["collate_fn"] = _whole_batch


def _whole_batch(batch: Any) -> Any:
    return batch
