"""Every knob of a run: RunConfig = DataConfig + ModelConfig + TrainingConfig + RecordingConfig, YAML in and out.

Types and ranges are checked here; names (of a model, a loss, a layout ...) by the table that owns them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BeforeValidator, Field

from workbench.errors import UserError, choices
from workbench.files import write_whole
from workbench.knobs import Knobs, override


def _comma_separated(value: Any) -> Any:
    return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value


def _devices(value: str) -> str:
    """Refuse what names no devices, and one named twice."""
    listed = value.split(",")
    if not re.fullmatch(r"auto|cpu(:[1-9]\d*)?|[1-9]\d*|\d+(,\d+)+|(?!cpu:)[a-z]+:\d+", value):
        raise ValueError("it should be one of these")
    if len(set(listed)) < len(listed):
        raise ValueError("each device may train once")
    return value


def _both(value: Any) -> Any:
    """One number counts for height and width, also where a form makes a list of it."""
    if isinstance(value, list | tuple) and len(value) == 1:
        return [value[0], value[0]]
    return [value, value] if isinstance(value, int) or (isinstance(value, str) and value.isdecimal()) else value


HeightAndWidth = Annotated[tuple[int, int], BeforeValidator(_both)]


class Preprocessing(Knobs):
    """How a picture becomes a model's input; saved with the weights, so that prediction does what training did."""

    channels: Literal["rgb", "bgr", "grey", "as_is"] = Field("rgb", description="Channel order that the model expects.")
    resize: Literal["none", "stretch", "letterbox", "shorter_side", "width"] = Field(
        "stretch",
        description="none: the picture's own size; stretch: to size, whatever the aspect; letterbox: fit into size and "
        "pad; shorter_side: scale so that the shorter side has the shorter side of size; width: to the width of size, "
        "the height in proportion, rounded down to a multiple.",
    )
    size: HeightAndWidth = Field((256, 256), description="Height and width that `resize` aims at; one number for both.")
    multiple: int = Field(1, ge=1, description="For resize = width: the height is rounded down to a multiple of this.")
    intensity: Literal["auto", "unit", "percentile", "minmax", "zscore"] = Field(
        "auto",
        description="How stored values become numbers: unit divides by the type's largest value (255 or 65535); "
        "percentile maps the picture's 1st..99.8th percentile to 0..1, minmax its range; zscore subtracts its mean and "
        "divides by its deviation; auto takes unit for 8-bit pictures and percentile for all others.",
    )
    mean: tuple[float, ...] = Field((0.5,), description="Subtracted after `intensity`; one number, or one a channel.")
    std: tuple[float, ...] = Field((0.5,), description="Divided by after the mean; one number, or one a channel.")


class ModelConfig(Knobs):
    """Which network, and its size."""

    name: str = Field("attention_unet", description="A name from `workbench models`.")
    width: int | None = Field(None, ge=1, description="Channels of the first level; None takes the original's.")
    depth: int | None = Field(None, ge=2, le=8, description="Number of levels; None takes the original's.")
    dropout: float | None = Field(None, ge=0, lt=1, description="Channel dropout before the last layer.")
    options: dict[str, Any] = Field(
        default_factory=dict,
        description="What only this model knows, such as recurrent_steps, deep_supervision, or for smp models encoder, "
        "encoder_weights and their own arguments.",
    )
    weights: str | None = Field(None, description="A safetensors file to start from.")


def is_drawn(path: str | Path) -> bool:
    """Whether a path of data means synthetic pictures and no folder."""
    return str(path).split(":")[0] == "shapes"


class DataConfig(Knobs):
    """Which pictures, how they are split, and how they become samples."""

    path: str = Field(
        "shapes",
        description="The folder of pictures and masks, or drawn ones: shapes, shapes:multiclass or shapes:multilabel.",
    )
    layout: str = Field("auto", description="How files lie in the folder; auto finds it.")
    options: dict[str, Any] = Field(
        default_factory=dict,
        description="What only this layout knows: count, size, difficulty and seed for shapes; the axis of the slices "
        "for a folder of volumes.",
    )
    mode: Literal["auto", "binary", "multiclass", "multilabel"] = Field(
        "auto", description="What a mask says; auto takes it from the layout and the masks."
    )
    classes: tuple[str, ...] = Field((), description="Class names in the order of their ids; empty: from the layout.")
    mask_values: dict[int | str, int] = Field(
        default_factory=dict,
        description="Stored mask value (an integer, or a colour such as '#ff0000') to class id; empty: as the layout "
        "says. The doctor writes its mends here.",
    )
    snap_mask_values: bool = Field(
        False,
        description="Give a mask value that is not listed the class of the nearest one that is (JPEG, soft edges).",
    )
    preprocessing: Preprocessing = Field(default_factory=Preprocessing, description="From a picture to the input.")
    augmentation: str = Field("flips", description="A preset of random transforms for training.")
    augmentation_strength: float = Field(1.0, ge=0, le=2, description="Scales the ranges of the preset; 0 is none.")
    crop: HeightAndWidth | None = Field(
        None, description="Height and width of random crops from prepared pictures; one number for both."
    )
    largest_class_share: float = Field(
        1.0, gt=0, le=1, description="Draw a crop again while one class fills more of it than this."
    )
    foreground_crops: float = Field(
        0.0, ge=0, le=1, description="Share of crops that are centred on a foreground pixel."
    )
    fractions: tuple[float, float, float] = Field(
        (0.7, 0.1, 0.2), description="Shares of train, valid and test where the layout has no splits of its own."
    )
    split_seed: int = Field(0, description="Seed of the split.")
    split_file: str | None = Field(None, description="A split written before; wins over fractions and the layout's.")
    group_pattern: str | None = Field(
        None, description="A regular expression; pictures whose names give the same first group stay in one split."
    )
    group_file: str | None = Field(
        None, description="Names and their groups as the doctor writes them; pictures of one group stay in one split."
    )
    corrections: str | None = Field(
        None, description="A file that names masks which were corrected by hand; they win over those of the data set."
    )
    stratify: bool = Field(True, description="Give every split a like share of foreground.")
    folds: int | None = Field(None, ge=2, description="Number of folds for cross-validation instead of fractions.")
    fold: int = Field(0, ge=0, description="Which fold is the validation split.")

    @property
    def drawn(self) -> bool:
        """Whether the path means synthetic pictures and no folder."""
        return is_drawn(self.path)


class LossConfig(Knobs):
    """What is made small."""

    terms: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict,
        description="Losses to add up and their weights, such as {bce: 0.5, dice: 1}; empty: bce_dice, or for a "
        "multiclass task cross_entropy and dice, each with weight 1.",
    )
    options: dict[str, dict[str, float]] = Field(
        default_factory=dict,
        description="What only one loss knows, such as {tversky: {alpha: 0.3, beta: 0.7}} or {focal: {gamma: 2}}.",
    )
    class_weights: tuple[Annotated[float, Field(ge=0)], ...] = Field(
        (),
        description="A weight for each class in the order of their ids (for a binary task background and foreground); "
        "empty: all alike.",
    )
    auxiliary_weight: float | Literal["mean"] = Field(
        "mean",
        description="Weight of each auxiliary output beside the main one; mean: the average over all outputs, as deep "
        "supervision has it.",
    )


class OptimizerConfig(Knobs):
    """How weights follow gradients."""

    name: Literal["adam", "adamw", "sgd"] = Field("adam", description="The optimizer.")
    learning_rate: float = Field(2e-4, gt=0, description="The learning rate that the schedule starts from.")
    scale_learning_rate: bool = Field(
        False, description="Multiply the learning rate (and the schedule's minimum) by the number of devices."
    )
    weight_decay: float = Field(0.0, ge=0, description="Weight decay.")
    betas: tuple[float, float] = Field((0.9, 0.999), description="For adam and adamw: decay of the two averages.")
    epsilon: float = Field(1e-8, gt=0, description="For adam and adamw: added to the denominator.")
    momentum: float = Field(0.9, ge=0, lt=1, description="For sgd: share of the last update that is kept.")
    nesterov: bool = Field(False, description="For sgd: look ahead along the momentum.")
    clip_norm: float | None = Field(None, gt=0, description="Largest norm of a step's gradient; None: no limit.")


class ScheduleConfig(Knobs):
    """How the learning rate changes on the way."""

    name: Literal["constant", "linear", "cosine", "poly", "multistep", "plateau"] = Field(
        "constant",
        description="linear: constant, then straight down over the last decay_epochs; cosine: half a wave; poly: "
        "(1 - progress) ^ power; multistep: times factor at each milestone; plateau: times factor when the validation "
        "loss has not fallen for more than patience validations.",
    )
    every: Literal["auto", "epoch", "step"] = Field(
        "auto", description="How often the rate changes; auto: each step for poly, each epoch for the others."
    )
    minimum: float = Field(0.0, ge=0, description="For linear, cosine, poly and plateau: where the rate ends.")
    decay_epochs: int | None = Field(None, ge=1, description="For linear: length of the way down; None: half of all.")
    power: float = Field(0.9, gt=0, description="For poly: the exponent.")
    milestones: tuple[int, ...] = Field((), description="For multistep: epochs after which the rate falls.")
    factor: float = Field(0.1, gt=0, lt=1, description="For multistep and plateau: what the rate is multiplied by.")
    patience: int = Field(10, ge=0, description="For plateau: validations without a lower loss that are let pass.")
    warmup_steps: int = Field(0, ge=0, description="Steps in which the rate first rises to what the schedule says.")
    warmup_start: float = Field(0.1, ge=0, le=1, description="Share of the rate that the warm-up starts from.")


class HardwareConfig(Knobs):
    """What it runs on, and how fast, in how much memory."""

    devices: Annotated[
        str, BeforeValidator(lambda value: str(value) if isinstance(value, int) else value), AfterValidator(_devices)
    ] = Field(
        "auto",
        description="auto: the accelerator if there is one; cpu; a number such as 2: so many accelerators, or where "
        "there is none processes on the CPU; several by their indices such as 0,1,2,3; one by its name such as cuda:1; "
        "cpu:2 for two processes on the CPU.",
    )
    precision: Literal["float32", "bf16", "fp16"] = Field(
        "float32", description="Numbers that a forward and backward pass calculate in; weights stay float32."
    )
    loss_scale: Literal["dynamic"] | Annotated[float, Field(gt=0)] = Field(
        "dynamic", description="For fp16: the factor that keeps small gradients alive; dynamic, or a number to fix it."
    )
    channels_last: bool = Field(True, description="Lay pictures out with channels innermost: faster, same result.")
    compile: bool = Field(False, description="Compile the model first (a minute or so), for faster steps after.")
    activation_checkpointing: bool = Field(
        False, description="Keep fewer activations and calculate them again on the way back: less memory, slower."
    )
    sync_batch_norm: bool = Field(False, description="Normalise over the pictures of all devices, not of each alone.")
    workers: int = Field(0, ge=0, description="Processes that load pictures; 0 is fastest from a prepared data set.")
    deterministic: bool = Field(False, description="Only algorithms that give the same result twice, even if slower.")

    @property
    def processes(self) -> int:
        """How many train together on this host: one a device."""
        words = self.devices
        if words.startswith("cpu:"):
            return int(words.removeprefix("cpu:"))
        return int(words) if words.isdigit() else len(words.split(","))


class TrainingConfig(Knobs):
    """How a model is trained."""

    epochs: int = Field(50, ge=1, description="Passes over the training pictures.")
    iterations: int | None = Field(None, ge=1, description="Steps to train instead of a number of epochs.")
    batch: Annotated[int, Field(ge=1)] | Literal["auto"] = Field(
        8, description="Pictures that a device takes at once; auto: the largest power of two up to 64 that fits."
    )
    accumulation: int = Field(1, ge=1, description="Batches whose gradients make one step.")
    remainder: Literal["keep", "drop"] = Field(
        "keep", description="What happens to the pictures that are left when an epoch has no whole step more."
    )
    seed: int = Field(0, ge=0, description="Fixes the order of pictures, their augmentation, dropout and new weights.")
    loss: LossConfig = Field(default_factory=LossConfig, description="What is made small.")
    optimizer: OptimizerConfig = Field(default_factory=OptimizerConfig, description="How weights follow gradients.")
    schedule: ScheduleConfig = Field(default_factory=ScheduleConfig, description="How the learning rate changes.")
    ema: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Decay of a moving average of the weights, which is then what is validated and kept.",
    )
    validate_every: int | None = Field(None, ge=1, description="Steps between validations; None: after every epoch.")
    best: str = Field(
        "jaccard + dice",
        description="What makes a model the best: scores with + - * / and numbers, such as dice_per_picture, "
        "2 * jaccard + dice, jaccard[road] or -loss.",
    )
    early_stopping: int | None = Field(
        None, ge=1, description="Stop after this many validations in a row without a new best; None: never."
    )
    report_every: int | None = Field(
        None,
        ge=1,
        description="Steps over which reported training losses are averaged; None: 1 on a CPU, 10 on an accelerator, "
        "which must wait for every number that is read.",
    )
    hardware: HardwareConfig = Field(default_factory=HardwareConfig, description="What it runs on, and how fast.")


class RecordingConfig(Knobs):
    """What a run keeps, and whom it tells."""

    previews: int = Field(4, ge=0, description="How many validation pictures are kept with their maps at each epoch.")
    checkpoint_minutes: float = Field(
        10.0,
        ge=0,
        description="Within an epoch, a checkpoint is written when the last one is as old as this. At the end of an "
        "epoch one is written unless writing takes more than a twentieth of the time.",
    )
    keep_checkpoints: int = Field(2, ge=1, description="How many checkpoints are kept beside the best model.")
    trackers: Annotated[tuple[str, ...], BeforeValidator(_comma_separated)] = Field(
        (),
        description="Where losses and scores are mirrored: tensorboard for its event files, or another tracker that "
        "Accelerate knows, such as wandb or mlflow; several with commas.",
    )


class RunConfig(Knobs):
    """All it takes to start a run, or to start it again."""

    data: DataConfig = Field(default_factory=DataConfig, description="Which pictures, and how they become samples.")
    model: ModelConfig = Field(default_factory=ModelConfig, description="Which network, and its size.")
    training: TrainingConfig = Field(default_factory=TrainingConfig, description="How the model is trained.")
    recording: RecordingConfig = Field(default_factory=RecordingConfig, description="What is kept of it.")


def presets() -> dict[str, Path]:
    """The names of the configurations that come with the package, and their files."""
    folder = Path(str(files("workbench"))) / "presets"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load_config(source: str | Path, overrides: Mapping[str, Any] | None = None) -> RunConfig:
    """Read a YAML file, or a preset by its name; what the file leaves out is at its default."""
    path = presets().get(str(source), Path(source))
    if not path.is_file():
        raise UserError(f"{choices('preset', str(source), presets())} Or give a YAML file: there is none of this name.")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not readable as YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise UserError(f"{path} must hold the groups {', '.join(RunConfig.model_fields)}, each with its knobs.")
    try:
        config = RunConfig(**values)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    return with_options_that_fit(override(config, overrides or {}), config)


def with_options_that_fit(config: RunConfig, before: RunConfig) -> RunConfig:
    """How many shapes to draw and how large, as a file of knobs may say, has no meaning for other data than shapes."""
    if config.data.drawn or not before.data.drawn or config.data.options != before.data.options:
        return config
    return override(config, {"data.options": {}})


def save_config(config: RunConfig, path: str | Path) -> None:
    """Write every knob as YAML, whole or not at all."""
    write_whole(Path(path), yaml.safe_dump(config.model_dump(), sort_keys=False, allow_unicode=True))
