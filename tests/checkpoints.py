"""Checkpoints with the originals' keys at a sixteenth of their width, as their training would have written them."""

import json
from pathlib import Path

import torch

KEYS = json.loads((Path(__file__).parent / "data" / "parity_keys.json").read_text())

OURS = {
    "U_Net": "unet",
    "R2U_Net": "r2unet",
    "AttU_Net": "attention_unet",
    "R2AttU_Net": "r2_attention_unet",
    "UNet": "bilinear_unet",
    "NestedUNet": "unetpp",
    "NestedUNet_deep_supervision": "unetpp",
    "unet-s5-d16_fcn": "unet_fcn",
}


def original_state(name: str) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        key: torch.ones(shape, dtype=torch.int64)
        if key.endswith("num_batches_tracked")
        else torch.rand([n // 16 if n >= 32 else n for n in shape], generator=generator)
        for key, shape in KEYS[name].items()
    }
