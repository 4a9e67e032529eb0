"""A tiny Chronos-2 of random weights, in the place of the real one where that cannot be had.

    python benchmarks/tiny_chronos.py

Makes the folder that `configs/lupi/beijing-foundation.yaml` names as `local_dir`; `lupi.py` does so by itself. Such a
model knows nothing before it is fine-tuned: what comes out is a small network of Chronos-2's architecture.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path("runs") / "tiny-chronos-2"
CONFIG: dict[str, Any] = {
    "d_model": 32,
    "d_kv": 8,
    "d_ff": 64,
    "num_layers": 2,
    "num_heads": 4,
    "dropout_rate": 0.1,
    "chronos_config": {
        "context_length": 96,
        "output_patch_size": 12,
        "input_patch_size": 12,
        "input_patch_stride": 12,
        "quantiles": [0.1, 0.5, 0.9],
        "use_reg_token": True,
        "use_arcsinh": True,
        "max_output_patches": 4,
        "time_encoding_scale": 96,
    },
}


def make(folder: Path = FOLDER, config: dict[str, Any] = CONFIG) -> None:
    """The same weights every time; a folder that is there is left as it is."""
    import torch
    from darts.models.forecasting.chronos2_model import _Chronos2Module
    from safetensors.torch import save_file

    if folder.is_dir():
        return
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = _Chronos2Module(input_chunk_length=24, output_chunk_length=12, **config)
    folder.mkdir(parents=True)
    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")


if __name__ == "__main__":
    make()
    print(FOLDER)
