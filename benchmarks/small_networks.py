"""What the network students of several benchmarks have in common."""

from __future__ import annotations

from typing import Any

QUIET: dict[str, Any] = {
    "accelerator": "cpu",
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}
"""A trainer that writes nothing."""

SMALL_TIDE: dict[str, Any] = {
    "num_encoder_layers": 1,
    "num_decoder_layers": 1,
    "hidden_size": 16,
    "decoder_output_dim": 4,
    "temporal_decoder_hidden": 8,
    "dropout": 0.1,
}
"""Arguments of a TiDE for a few hundred windows."""
