"""Transforms: points land where they should, masks stay class ids, and every draw is repeatable."""

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from workbench.data.colour import TINTS, TONES, Step, add_noise, recolour
from workbench.data.transforms import PRESETS, Transform, create_transform, preview, sample_generator
from workbench.data.warp import Placement, output_to_input, place
from workbench.errors import UserError

IDS = np.array([0, 1, 2, 7, 255], np.uint8)


def blobs(size=(48, 48), seed=0):
    """A mask of smooth regions with ids that have gaps, and 255."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, len(IDS), (size[0] // 8 + 1, size[1] // 8 + 1))
    return IDS[np.kron(coarse, np.ones((8, 8), int))[: size[0], : size[1]]]


def picture(size=(48, 48), channels=3, dtype=np.uint8, seed=0):
    rng = np.random.default_rng(seed)
    if dtype == np.float32:
        return rng.normal(0, 300, (*size, channels)).astype(np.float32)
    return rng.integers(0, np.iinfo(dtype).max + 1, (*size, channels)).astype(dtype)


@pytest.mark.parametrize("strength", [0.3, 1.0, 2.0])
@pytest.mark.parametrize("name", PRESETS)
def test_masks_stay_class_ids_over_hundreds_of_draws(name, strength):
    image, mask = picture(), blobs()
    transform = Transform(PRESETS[name]._replace(probability=1.0), strength)
    for index in range(300):
        out_image, out_mask = transform(image, mask, sample_generator(0, 0, index))
        assert out_mask.dtype == np.uint8
        assert out_mask.shape == mask.shape
        assert out_image.shape == image.shape
        assert out_image.dtype == image.dtype
        assert np.isin(out_mask, IDS).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 3, 4, 7])
@pytest.mark.parametrize("name", PRESETS)
def test_any_channels_and_types_with_a_multilabel_mask(name, channels, dtype):
    image = picture((40, 56), channels, dtype)
    mask = np.stack([blobs((40, 56), seed) > 1 for seed in range(5)]).astype(np.uint8)
    transform = Transform(PRESETS[name]._replace(probability=1.0), 1.5, (24, 32))
    for index in range(5):
        out_image, out_mask = transform(image, mask, sample_generator(3, 0, index))
        assert out_image.shape == (24, 32, channels)
        assert out_image.dtype == dtype
        assert np.isfinite(out_image).all()
        assert out_mask.shape == (5, 24, 32)
        assert set(np.unique(out_mask)) <= {0, 1}


@pytest.mark.parametrize("name", ["isic2018", "medical", "flips", "dsb2018", "cityscapes"])
def test_image_and_mask_move_together(name):
    """The image says 0 or 200 where the mask says 0 or 1: they agree but for interpolated edges."""
    mask = (blobs((64, 64)) > 1).astype(np.uint8)
    image = np.repeat(mask[..., None] * np.uint8(200), 3, axis=2)
    preset = PRESETS[name]._replace(probability=1.0, colours=lambda rng, strength: [], noise=0.0)
    for index in range(100):
        moved, moved_mask = Transform(preset)(image, mask, sample_generator(1, 0, index))
        sure = (moved[..., 0] < 1) | (moved[..., 0] > 199)
        assert sure.mean() > 0.5
        np.testing.assert_array_equal((moved[..., 0] > 100)[sure], (moved_mask == 1)[sure])
        assert ((moved[..., 0] > 100) == (moved_mask == 1)).mean() > 0.98


@pytest.mark.parametrize("name", PRESETS)
def test_strength_0_changes_nothing(name):
    image, mask = picture(), blobs()
    assert create_transform(name, strength=0) is None
    transform = create_transform(name, strength=0, size=(48, 48))
    for index in range(20):
        rng = sample_generator(0, 0, index)
        assert transform.window((32, 64), rng) == (32, 64)
        out_image, out_mask = transform(image, mask, rng)
        np.testing.assert_array_equal(out_image, image)
        np.testing.assert_array_equal(out_mask, mask)


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "none"])
def test_every_part_of_a_preset_does_nothing_at_strength_0_and_something_at_1(name):
    preset = PRESETS[name]
    still = [preset.placement(sample_generator(0, 0, index), 0.0) for index in range(50)]
    assert all(placement.keeps_pixels or placement.displacement is not None for placement in still)
    assert all(output_to_input(p, (8, 8), (8, 8)) == pytest.approx(np.eye(3)[:2]) for p in still)
    assert all(p.displacement is None or not p.displacement.any() for p in still)
    image = picture()
    for index in range(20):
        out = recolour(image, preset.colours(sample_generator(0, 0, index), 0.0))
        assert np.abs(out.astype(int) - image).max() <= 8  # what a trip to 8-bit hue and back costs
    moving = [preset.placement(sample_generator(0, 0, index), 1.0) for index in range(50)]
    assert any(placement != Placement() for placement in moving)


def test_strength_widens_the_ranges():
    def spread(strength):
        draws = [PRESETS["isic2018"].placement(sample_generator(0, 0, index), strength) for index in range(500)]
        return max(abs(draw.degrees) for draw in draws), min(draw.box[2] - draw.box[0] for draw in draws)

    assert spread(1.0)[0] == pytest.approx(10, abs=0.2)
    assert spread(0.5)[0] == pytest.approx(5, abs=0.1)
    assert 0.65 < spread(1.0)[1] < 0.75  # (250 - 2 * 20) / 320 = 0.656 at the least
    assert spread(2.0)[1] < 0.5


def test_isic2018_transforms_two_pictures_in_five():
    image, mask = picture(), blobs()
    transform = create_transform("isic2018")
    changed = [not np.array_equal(transform(image, mask, sample_generator(0, 0, i))[1], mask) for i in range(1000)]
    assert 0.35 < np.mean(changed) < 0.45


def test_the_same_seed_epoch_and_index_give_the_same_sample():
    image, mask = picture(), blobs()
    transform = create_transform("medical")
    first = transform(image, mask, sample_generator(5, 2, 9))
    again = transform(image, mask, sample_generator(5, 2, 9))
    other = transform(image, mask, sample_generator(5, 3, 9))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])


def test_the_inputs_are_left_alone():
    image, mask = picture(), blobs()
    before = image.copy(), mask.copy()
    for name in PRESETS:
        for index in range(10):
            Transform(PRESETS[name], 1.0)(image, mask, sample_generator(0, 0, index))
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(mask, before[1])


@pytest.mark.parametrize(
    ("placement", "where"),
    [
        (Placement(quarter_turns=1), (13, 3)),  # anticlockwise: the top right goes to the top left
        (Placement(quarter_turns=2), (12, 13)),
        (Placement(quarter_turns=3), (2, 12)),
        (Placement(flip_horizontal=True), (3, 13)),
        (Placement(flip_vertical=True), (12, 2)),
        (Placement(degrees=90), (13, 3)),
        (Placement(degrees=90, flip_horizontal=True), (13, 12)),
        (Placement(box=(0.125, 0.125, 1.125, 1.125)), (1, 0)),
    ],
)
def test_a_known_point_lands_where_it_should(placement, where):
    """(row, column) of the point is (3, 2) in a picture of 16 x 16."""
    mask = np.zeros((16, 16), np.uint8)
    mask[3, 2] = 1
    image = np.repeat(mask[..., None] * np.uint8(255), 3, axis=2)
    moved, moved_mask = place(image, mask, placement)
    assert tuple(np.argwhere(moved_mask)[0]) == where
    assert tuple(np.argwhere(moved[..., 0] > 200)[0]) == where
    x, y, _ = np.linalg.inv(np.vstack([output_to_input(placement, (16, 16), (16, 16)), [0, 0, 1]])) @ [2, 3, 1]
    assert (y, x) == pytest.approx(where)


@pytest.mark.parametrize("degrees", [10, -7.5, 33])
def test_rotation_is_torchvisions(degrees):
    smooth = np.add.outer(np.sin(np.arange(64) / 5), np.cos(np.arange(64) / 7))
    image = np.float32(128 + 60 * smooth)[..., None]
    ours, _ = place(image, np.zeros((64, 64), np.uint8), Placement(degrees=degrees))
    theirs = v2.functional.rotate(
        torch.from_numpy(image).permute(2, 0, 1), degrees, interpolation=v2.InterpolationMode.BILINEAR
    )
    inside = (slice(16, 48), slice(16, 48))
    np.testing.assert_allclose(ours[inside][..., 0], theirs[0].numpy()[inside], atol=0.6)


def test_turns_and_flips_without_resampling_equal_those_with():
    mask = blobs((32, 32))
    image = picture((32, 32))
    for turns in range(4):
        for horizontal in (False, True):
            for vertical in (False, True):
                exact = Placement(turns, 0.0, flip_horizontal=horizontal, flip_vertical=vertical)
                still = exact._replace(displacement=np.zeros((2, 4, 4), np.float32))
                for one, other in zip(place(image, mask, exact), place(image, mask, still), strict=True):
                    np.testing.assert_array_equal(one, other)


def test_a_picture_that_is_not_square_keeps_its_proportions():
    mask = np.zeros((20, 40), np.uint8)
    mask[8:12, 18:22] = 1
    for turns in (0, 1, 2, 3):
        _, moved = place(picture((20, 40)), mask, Placement(quarter_turns=turns))
        np.testing.assert_array_equal(moved, mask)


def test_reflection_fills_what_lies_outside():
    mask = np.ones((32, 32), np.uint8)
    image = np.full((32, 32, 1), 77, np.uint8)
    moved, moved_mask = place(image, mask, Placement(degrees=45, box=(-0.5, -0.5, 1.5, 1.5)))
    assert (moved == 77).all()
    assert (moved_mask == 1).all()


def test_the_window_is_read_at_the_scale_of_the_preset():
    transform = create_transform("cityscapes")
    heights = []
    for index in range(500):
        height, width = transform.window((512, 1024), sample_generator(0, 0, index))
        assert width == pytest.approx(2 * height, abs=2)
        heights.append(height)
    assert min(heights) == pytest.approx(256, abs=3)
    assert max(heights) == pytest.approx(1024, rel=0.05)
    assert create_transform("flips").window((512, 1024), sample_generator(0, 0, 0)) == (512, 1024)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("name", [*TONES, *TINTS])
def test_every_colour_step_changes_the_picture_within_its_range(name, dtype):
    image = picture(dtype=dtype)
    out = recolour(image, [Step(name, 0.7)])
    assert out.dtype == dtype
    assert out.min() >= image.min() - (0 if dtype == np.float32 else image.min())
    assert out.max() <= (image.max() if dtype == np.float32 else np.iinfo(dtype).max)
    assert (out != image).mean() > 0.2


def test_colour_steps_against_their_formulas():
    image = picture()
    np.testing.assert_array_equal(recolour(image, [Step("brightness", 0.5)]), np.rint(image * 0.5).astype(np.uint8))
    ours = recolour(image, [Step("brightness", 1.2), Step("contrast", 0.8)])
    tensor = torch.from_numpy(image).permute(2, 0, 1)
    theirs = v2.functional.adjust_contrast(v2.functional.adjust_brightness(tensor, 1.2), 0.8).permute(1, 2, 0).numpy()
    assert np.abs(ours.astype(int) - theirs).max() <= 3
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 200
    green = recolour(red, [Step("hue", 1 / 3)])
    assert green[0, 0, 1] >= 198
    assert green[0, 0, 0] <= 3


def test_eight_and_sixteen_bits_and_float_agree():
    image = picture()
    steps = [Step("offset", 0.05), Step("contrast", 1.2), Step("saturation", 0.8), Step("hue", 0.1), Step("gamma", 0.9)]
    eight = recolour(image, steps) / 255
    sixteen = recolour(image.astype(np.uint16) * 257, steps) / 65535
    assert np.abs(eight - sixteen).max() < 0.05


def test_colours_of_pictures_that_are_not_rgb_stay():
    image = picture(channels=4)
    np.testing.assert_array_equal(recolour(image, [Step("hue", 0.3), Step("saturation", 0.2)]), image)


def test_a_constant_float_picture_stays_finite():
    image = np.full((8, 8, 3), 5, np.float32)
    out = recolour(image, [Step("contrast", 1.5), Step("hue", 0.3)])
    np.testing.assert_array_equal(out, image)


def test_noise_has_its_deviation():
    image = np.full((64, 64, 3), 128, np.uint8)
    noisy = add_noise(image, 0.02, np.random.default_rng(0))
    assert noisy.std() == pytest.approx(0.02 * 255, rel=0.05)


def test_preview_is_rows_of_pairs_that_start_as_they_are():
    samples = [(picture(seed=seed), blobs(seed=seed)) for seed in range(3)]
    rows = preview(samples, "isic2018", count=4, seed=1)
    assert [len(row) for row in rows] == [5, 5, 5]
    np.testing.assert_array_equal(rows[1][0][0], samples[1][0])
    assert any(not np.array_equal(image, rows[0][0][0]) for image, _ in rows[0][1:])
    again = preview(samples, "isic2018", count=4, seed=1)
    np.testing.assert_array_equal(rows[2][3][0], again[2][3][0])
    still = preview(samples, "none", count=2)
    np.testing.assert_array_equal(still[0][2][0], samples[0][0])


def test_an_unknown_preset_is_told_with_the_known_ones():
    with pytest.raises(UserError, match="isic2018"):
        create_transform("isic")
