"""Stored values to a model's input: channels, intensity, mean and deviation, the same for training and prediction."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from workbench.config import Preprocessing
from workbench.data.geometry import Fit, fit_picture, put_picture
from workbench.data.intensity import Intensities, measure, scale_and_shift, stored_channels


def to_input(picture: np.ndarray, preprocessing: Preprocessing, intensities: Intensities | None = None) -> Tensor:
    """A picture [h, w, channels] at the input's size to float32 [channels, h, w].

    Intensities are those of the whole picture, where this is a part of it or has padding. The tensor's memory is laid
    out with the channels innermost.
    """
    picture = stored_channels(picture, preprocessing.channels)
    intensities = intensities or measure(picture)
    factor, summand = scale_and_shift(intensities, picture.dtype, preprocessing, picture.shape[2])
    return batch_to_input(picture[None], factor[None], summand[None], preprocessing.channels == "bgr")[0]


def batch_to_input(pictures: np.ndarray, factor: np.ndarray, summand: np.ndarray, flip: bool) -> Tensor:
    """Pictures [N, h, w, channels] to float32 [N, channels, h, w]; factor and summand are [N, channels].

    `flip` makes red, green, blue to blue, green, red; factor and summand count in the new order.
    """
    count, height, width, channels = pictures.shape
    stored = torch.from_numpy(np.require(pictures[..., ::-1] if flip else pictures, requirements=("C", "W")))
    # whole rows, so that the innermost loop is long
    values = torch.empty(count, height, width * channels).copy_(stored.view(count, height, -1))
    scale, shift = (torch.from_numpy(x).repeat(1, width).unsqueeze(1) for x in (factor, summand))
    torch.addcmul(shift, values, scale, out=values)
    return values.view(count, height, width, channels).permute(0, 3, 1, 2)


def picture_to_input(picture: np.ndarray, preprocessing: Preprocessing) -> tuple[Tensor, Fit]:
    """A picture as read, of any size, to a model's input [channels, h, w], and how to take the output back."""
    fit = fit_picture(picture.shape[:2], preprocessing)  # type: ignore[arg-type]
    picture = stored_channels(picture, preprocessing.channels)
    inner = fit._replace(frame=fit.inner, corner=(0, 0))
    intensities = measure(put_picture(picture, inner))
    return to_input(put_picture(picture, fit), preprocessing, intensities), fit
