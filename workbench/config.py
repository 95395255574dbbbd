"""Every knob of a run on one screen: RunConfig = DataConfig + ModelConfig + TrainingConfig, YAML in and out.

Types and ranges are checked here; names (of a model, a loss, a layout ...) by the table that owns them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from workbench.errors import UserError


class Knobs(BaseModel):
    """A frozen group of knobs that refuses unknown names."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Preprocessing(Knobs):
    """How a picture becomes a model's input; saved with the weights, so that prediction does what training did."""

    channels: Literal["rgb", "bgr", "grey", "as_is"] = Field("rgb", description="Channel order that the model expects.")
    resize: Literal["none", "stretch", "letterbox", "shorter_side", "width"] = Field(
        "stretch",
        description="none: the picture's own size; stretch: to size, whatever the aspect; letterbox: fit into size and "
        "pad; shorter_side: scale so that the shorter side has the shorter side of size; width: to the width of size, "
        "the height in proportion, rounded down to a multiple.",
    )
    size: tuple[int, int] = Field((256, 256), description="Height and width that `resize` aims at.")
    multiple: int = Field(1, ge=1, description="For resize = width: the height is rounded down to a multiple of this.")
    intensity: Literal["unit", "percentile", "minmax", "zscore"] = Field(
        "unit",
        description="How stored values become numbers: unit divides by the type's largest value (255 or 65535); "
        "percentile maps the picture's 1st..99.8th percentile to 0..1, minmax its range; zscore subtracts its mean and "
        "divides by its deviation.",
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


class DataConfig(Knobs):
    """Which pictures, how they are split, and how they become samples."""

    path: str = Field("shapes", description="The folder of pictures and masks, or `shapes` for the synthetic ones.")
    layout: str = Field("auto", description="How files lie in the folder; auto finds it.")
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
        False, description="Give a mask value that is not listed the class of the nearest one that is (JPEG, soft edges)."
    )
    preprocessing: Preprocessing = Field(default_factory=Preprocessing, description="From a picture to the input.")
    augmentation: str = Field("flips", description="A preset of random transforms for training.")
    augmentation_strength: float = Field(1.0, ge=0, le=2, description="Scales the ranges of the preset; 0 is none.")
    crop: tuple[int, int] | None = Field(None, description="Height and width of random crops from prepared pictures.")
    largest_class_share: float = Field(
        1.0, gt=0, le=1, description="Draw a crop again while one class fills more of it than this."
    )
    foreground_crops: float = Field(0.0, ge=0, le=1, description="Share of crops that are centred on a foreground pixel.")
    fractions: tuple[float, float, float] = Field(
        (0.7, 0.1, 0.2), description="Shares of train, valid and test where the layout has no splits of its own."
    )
    split_seed: int = Field(0, description="Seed of the split.")
    split_file: str | None = Field(None, description="A split written before; wins over fractions and the layout's.")
    group_pattern: str | None = Field(
        None, description="A regular expression; pictures whose names give the same first group stay in one split."
    )
    stratify: bool = Field(True, description="Give every split a like share of foreground.")
    folds: int | None = Field(None, ge=2, description="Number of folds for cross-validation instead of fractions.")
    fold: int = Field(0, ge=0, description="Which fold is the validation split.")
