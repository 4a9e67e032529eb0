"""Networks of darts that have linear last layers, and what these layers are."""

from __future__ import annotations

from typing import Any

import torch
from darts.models import (
    BlockRNNModel,
    DLinearModel,
    NBEATSModel,
    NHiTSModel,
    NLinearModel,
    TFTModel,
    TiDEModel,
    TransformerModel,
    TSMixerModel,
)
from darts.utils.likelihood_models.torch import GaussianLikelihood

from tests.helpers.models import fast
from tests.helpers.series import walk
from tskd._core.darts.dataset import TorchTrainingBatch
from tskd._core.darts.fit import untrained_copy

L, H, C, B, N = 9, 4, 2, 6, 3
SERIES = walk(60, C)
OPTIONS: dict[str, Any] = fast(n_epochs=2, batch_size=8)


def made(kind: Any, **options: Any) -> Any:
    return kind(L, H, **(OPTIONS | options))


TIDE = ["temporal_decoder.dense.2", "temporal_decoder.skip", "lookback_skip"]
NORMALISED = {"use_reversible_instance_norm": True}
NARROW = {"num_layers": 2, "layer_widths": 8}
ENCODER = {"d_model": 4, "nhead": 2, "num_encoder_layers": 1, "num_decoder_layers": 1}
# models, and the layers of theirs whose outputs add up to the forecast
MODELS: dict[str, tuple[Any, list[str]]] = {
    "DLinear": (made(DLinearModel), ["linear_seasonal", "linear_trend"]),
    "DLinear, shared": (made(DLinearModel, shared_weights=True), ["linear_seasonal", "linear_trend"]),
    "NLinear": (made(NLinearModel, normalize=True, shared_weights=True), ["layer"]),
    "TiDE": (made(TiDEModel, hidden_size=5, dropout=0.2, use_layer_norm=True), TIDE),
    "TiDE, normalised": (made(TiDEModel, hidden_size=5, **NORMALISED), TIDE),
    "TiDE, Gaussian": (made(TiDEModel, hidden_size=5, likelihood=GaussianLikelihood()), TIDE),
    "TSMixer": (made(TSMixerModel, hidden_size=5, ff_size=5, dropout=0.2), ["fc_out"]),
    "NHiTS": (
        made(NHiTSModel, num_stacks=2, layer_widths=8),
        [f"stacks.{number}.blocks.0.forecast_linear_layer" for number in range(2)],
    ),
    "NBEATS": (
        made(NBEATSModel, num_stacks=2, num_blocks=1, **NARROW),
        [f"stacks.{number}.blocks.0.forecast_g" for number in range(2)],
    ),
    "BlockRNN": (made(BlockRNNModel, hidden_dim=5, dropout=0.2, n_rnn_layers=2), ["fc.0"]),
    "Transformer": (made(TransformerModel, **ENCODER), ["decoder"]),
    "TFT": (made(TFTModel, hidden_size=4, add_relative_index=True), ["output_layer"]),
}


def network_of(model: Any, dtype: torch.dtype) -> tuple[Any, TorchTrainingBatch]:
    """A model's network in training, and a batch of random windows."""
    network = untrained_copy(model, series=[SERIES], past_covariates=None, future_covariates=None).model.to(dtype)
    generator = torch.Generator().manual_seed(0)
    past, later = (torch.randn(B, steps, C, generator=generator).to(dtype) for steps in (L, H))
    return network.train(), TorchTrainingBatch(past_target=past, future_target=later)
