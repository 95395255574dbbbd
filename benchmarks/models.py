"""How much faster optimize_for_inference makes the networks, at equal output: python benchmarks/models.py"""

from __future__ import annotations

import argparse

import torch
from timing import interleave, print_ratios

from workbench.models import create_model, optimize_for_inference, set_phase_form


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["unet", "attention_unet", "r2_attention_unet", "unetpp"])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    image = torch.randn(arguments.batch, 3, arguments.size, arguments.size)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, float32, {list(image.shape)}")
    for name in arguments.models:
        compare(name, image, arguments.rounds)


@torch.no_grad()
def compare(name: str, image: torch.Tensor, rounds: int) -> None:
    plain = create_model(name).eval()
    optimized = optimize_for_inference(plain)
    channels_last = image.contiguous(memory_format=torch.channels_last)

    def run_plain(phase_form: bool) -> torch.Tensor:
        set_phase_form(plain, phase_form)
        return plain(image).logits

    expected, got = run_plain(False), optimized(channels_last).logits
    difference = ((expected - got).abs().max() / expected.abs().max()).item()
    seconds = interleave(
        {
            "plain": lambda: run_plain(False),
            "phase form": lambda: run_plain(True),
            "optimize_for_inference": lambda: optimized(channels_last).logits,
        },
        rounds,
    )
    print_ratios(f"{name}: largest difference {difference:.1e} of the largest value", seconds)


if __name__ == "__main__":
    main()
