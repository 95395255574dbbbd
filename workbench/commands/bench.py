"""Measuring how fast models are here."""

from __future__ import annotations

from pathlib import Path


def bench(
    model: str = "attention_unet",
    size: int = 256,
    batch: tuple[int, ...] = (1,),
    width: int | None = None,
    train: bool = False,
    backends: tuple[str, ...] = (),
    rounds: int = 10,
    device: str = "auto",
    json: Path | None = None,
    against: Path | None = None,
    plot: Path | None = None,
    runs: Path = Path("runs"),
) -> None:
    """Measure images a second, latency and memory of a model in every back end at hand.

    The variants take turns, so that whatever else the machine does hits all of them alike; still, give it the machine
    for itself. Images a second are those of the fastest call, ratios are against plain float32 PyTorch.

    Args:
        model: A name from `workbench models`, with weights that mean nothing; or a run, or a file of weights.
        size: Height and width of the pictures.
        batch: Pictures at once; several are measured one after the other.
        width: Channels of the first level, for a model by its name; by default the original's.
        train: Measure training steps too (forward, backward, Adam).
        backends: Which back ends, of pytorch, pytorch-bf16, onnxruntime, openvino, openvino-bf16 and ncnn; by default
            all that are installed.
        rounds: How often each is called.
        device: auto, cpu, cuda:0 ...; what is converted for a runtime is measured on the CPU alone.
        json: A file to write the figures into.
        against: A file written so before, to compare with.
        plot: A .png, .svg or .pdf file to draw the figures into.
        runs: The folder of all runs, where `model` is the name of one.
    """
    from workbench.commands.bars import progress_bar
    from workbench.commands.sources import weights_of
    from workbench.errors import UserError
    from workbench.inference.bench import bench as measure
    from workbench.inference.bench_plot import check_plot_path, save_plot
    from workbench.inference.bench_results import load_bench, save_bench
    from workbench.models import ARCHITECTURES, create_model, load_model
    from workbench.tables import bench_table

    if plot:
        check_plot_path(plot)
    if json and not json.parent.is_dir():
        raise UserError(f"Cannot write {json}: the folder {json.parent} does not exist.")
    before = load_bench(against) if against else None
    by_name = model in ARCHITECTURES
    if width is not None and not by_name:
        raise UserError("A width can be chosen for a model by its name alone; weights have theirs.")
    network = create_model(model, width=width) if by_name else load_model(weights_of(Path(model), runs))
    with progress_bar("round") as show:
        result = measure(
            network, size, batch, backends=backends or None, train=train, rounds=rounds, device=device, progress=show
        )
    machine = result.machine
    print(f"{machine['device']}, {machine['threads']} threads, torch {machine['torch']}")
    print(bench_table(result, before))
    for name, reason in result.left_out.items():
        print(f"Left out {name}: {reason}")
    if json:
        save_bench(result, json)
    if plot:
        save_plot(result, plot)
