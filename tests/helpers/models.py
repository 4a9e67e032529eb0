"""Small models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.helpers.series import QUIET


def fast(**kwargs: Any) -> dict[str, Any]:
    """Settings of a model that is trained for one epoch, with a seed, and logs nothing; or as given."""
    return {"n_epochs": 1, "random_state": 0, "pl_trainer_kwargs": QUIET} | kwargs


def tiny_chronos(folder: Path, **kwargs: Any) -> Any:
    """A Chronos-2 of random weights in a local folder, as a user would have the real one."""
    pytest.importorskip("safetensors")
    pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed: no foundation models")
    import json

    from darts.models.forecasting.chronos2_model import Chronos2Model, _Chronos2Module
    from safetensors.torch import save_file

    config = {
        "d_model": 16,
        "d_kv": 4,
        "d_ff": 32,
        "num_layers": 1,
        "num_heads": 4,
        "dropout_rate": 0.1,
        "chronos_config": {
            "context_length": 64,
            "output_patch_size": 4,
            "input_patch_size": 4,
            "input_patch_stride": 4,
            "quantiles": [0.1, 0.5, 0.9],
            "use_reg_token": True,
            "use_arcsinh": True,
            "max_output_patches": 4,
            "time_encoding_scale": 64,
        },
    }
    torch.manual_seed(0)
    network = _Chronos2Module(input_chunk_length=8, output_chunk_length=4, **config)
    folder.mkdir()
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    return Chronos2Model(8, 4, local_dir=str(folder), random_state=0, pl_trainer_kwargs=QUIET, **kwargs)
