"""What optimize_for_inference gains over the plain form, at equal output: python benchmarks/models.py [--rounds 10]"""

from __future__ import annotations

import argparse

from workbench import cli

MODELS = ("unet", "attention_unet", "r2_attention_unet", "unetpp")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--rounds", default="10")
    arguments = parser.parse_args()
    for model in arguments.models:
        words = ["--size", "256", "--batch", "1", "--backends", "pytorch", "--rounds", arguments.rounds]
        print(f"\n{model}", flush=True)
        cli.main(["bench", "--model", model, *words])


if __name__ == "__main__":
    main()
