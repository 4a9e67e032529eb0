"""Training data for darts' loaders: windows by key, gathered a whole batch at once, in place of darts' data sets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from darts.utils.data.torch_datasets._data_module import TorchDataModule
from darts.utils.data.torch_datasets.training_dataset import ShiftedTorchTrainingDataset
from darts.utils.data.torch_datasets.utils import TorchTrainingBatch
from torch import Tensor
from torch.utils.data import Dataset

from tskd._core.model_inputs import ModelInputs
from tskd._core.window_keys import WindowSpan
from tskd._core.windows import Windows


@dataclass(slots=True)
class MaskedBatch(TorchTrainingBatch):
    """One of darts' batches, some of whose labels are missing.

    Attributes:
        labelled: true where a label exists `[B, H, C]`; the others are finite, and mean nothing.
    """

    labelled: Tensor | None = None


class WindowData(Dataset):
    """A torch data set of windows, whose batches are darts' own.

    Args:
        keys: of the windows `[N, 2]`, in order.
        windows: the inputs and labels of all windows.
        labels: maps keys `[B, 2]` to labels `[B, H, C]` that replace the target's own values.
    """

    def __init__(self, keys: Tensor, windows: Windows, labels: Callable[[Tensor], Tensor] | None = None) -> None:
        self.keys = keys
        self.windows: Windows | None = windows
        self.labels = labels
        # where each window begins in each slot: the same in all epochs
        self._rows = windows.rows(keys)

    def __len__(self) -> int:
        return len(self.keys)

    def __getitems__(self, indices: list[int]) -> Any:
        chosen = self.numbers(indices)
        return self._batch(chosen, self.keys.index_select(0, chosen))

    def _batch(self, chosen: Tensor, keys: Tensor) -> TorchTrainingBatch:
        """darts' batch of the windows with numbers `chosen [B]`, whose keys are `keys [B, 2]`."""
        assert self.windows is not None
        slots = self.windows.take({name: rows.index_select(0, chosen) for name, rows in self._rows.items()}, keys)
        if self.labels is not None:
            slots["future_target"] = self.labels(keys).to(slots["future_target"].dtype)
            slots.pop("labelled", None)
        return MaskedBatch(**slots) if "labelled" in slots else TorchTrainingBatch(**slots)

    def numbers(self, indices: list[int]) -> Tensor:
        """Numbers of windows `[B]`; a ValueError for windows that a sampler asks for and that there are not."""
        if indices and not (min(indices) >= 0 and max(indices) < len(self.keys)):
            wrong = next(index for index in indices if not 0 <= index < len(self.keys))
            raise ValueError(f"dataloader_kwargs: the sampler gives {wrong!r}, and there are {len(self.keys)} windows")
        return torch.tensor(indices)

    def release(self) -> None:
        """Drop the data: a trainer that outlives the fit keeps a reference to this object."""
        self.windows = None
        self.labels = None
        self._rows = {}

    @property
    def masked(self) -> bool:
        """Whether labels are missing."""
        return self.labels is None and self.windows is not None and "labelled" in self.windows.slots


def dataset_windows(dataset: ShiftedTorchTrainingDataset, inputs: ModelInputs) -> Windows:
    """The windows of one of darts' training data sets, read from its series and lengths.

    Args:
        dataset: as darts' own `fit` builds it.
        inputs: of the model that is fitted: keys in the order of the data set, masks, and what stands for the past.

    Raises:
        TypeError: the data set is of another kind.
        ValueError: its windows vary in length, or their number is not that of the keys.
    """
    if not isinstance(dataset, ShiftedTorchTrainingDataset):
        raise TypeError(f"expected a training data set of darts, got {type(dataset).__name__}")
    if dataset.min_input_chunk_length != dataset.input_chunk_length:
        raise ValueError(
            f"input_chunk_length is the range {(dataset.min_input_chunk_length, dataset.input_chunk_length)}; "
            "give one number: windows of varying lookback are not supported"
        )
    assert inputs.keys is not None
    if len(dataset) != len(inputs.keys):
        raise ValueError(f"the data set has {len(dataset)} windows, and {len(inputs.keys)} are listed")
    # with encodings among the covariates
    encoded = replace(
        inputs,
        series=dataset.series,
        past_covariates=dataset.past_covariates,
        future_covariates=dataset.future_covariates,
    )
    # the shift is negative for TCN, whose labels begin within the lookback
    lookback = dataset.input_chunk_length
    span = WindowSpan(lookback, dataset.output_chunk_length, dataset.shift - lookback)
    return Windows.of(encoded, span, dataset.sample_weight, dataset.uses_static_covariates_covariates)


def datasets_of(data: TorchDataModule) -> tuple[ShiftedTorchTrainingDataset, ShiftedTorchTrainingDataset | None]:
    """The training and the validation data set in darts' data module."""
    return data.train_dataset, data.val_dataset


def replace_datasets(data: TorchDataModule, train: Dataset, val: Dataset | None) -> None:
    """Replace the data sets in darts' data module by those that gather whole batches; its loaders keep all settings."""
    data.train_dataset, data.val_dataset = train, val
    data.dataloader_kwargs["collate_fn"] = _whole_batch


def _whole_batch(batch: Any) -> Any:
    return batch
