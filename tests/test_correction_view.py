"""Painting on labels in a browser, against labels painted here by other means; Python is a stand-in that keeps all."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Callable
from typing import Any

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from workbench.errors import UserError
from workbench.ui.live_view import live_view

COLOURS = ("#e69f00", "#56b4e9", "#009e73")
Planes = list[np.ndarray]


def address(levels: np.ndarray) -> str:
    stream = io.BytesIO()
    Image.fromarray(levels).save(stream, "PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


class Desk:
    """Pictures `p0`, `p1` ... of one size; label versions are kept in memory."""

    def __init__(self, mode: str, prediction: Planes, original: Planes, pictures: int = 3) -> None:
        self.mode, self.prediction, self.original = mode, prediction, original
        self.height, self.width = original[0].shape
        self.names = [f"p{number}" for number in range(pictures)]
        self.kept: dict[str, list[tuple[dict[str, Any], Planes]]] = {name: [] for name in self.names}
        self.used = dict.fromkeys(self.names, 0)
        self.refusal = ""
        self.changes = 0
        self.slowness = 0.0

    @property
    def answers(self) -> tuple[Callable[[dict[str, Any]], Any], ...]:
        return self.correctable, self.open_picture, self.label_version, self.save_label, self.use_label

    def planes(self, name: str, version: int) -> Planes:
        return self.kept[name][version - 1][1] if version else self.original

    def state(self, name: str) -> dict[str, Any]:
        return {"versions": [version for version, _ in self.kept[name]], "in_use": self.used[name]}

    def correctable(self, question):
        count = 3 if self.mode != "binary" else 1
        first = 0 if self.mode == "multilabel" else 1
        classes = [{"id": n + first, "name": f"class {n + first}", "colour": COLOURS[n]} for n in range(count)]
        pictures = [
            {
                "name": name,
                "split": ("train", "validation")[number % 2],
                "dice": number / len(self.names) if number % 3 else None,
                "versions": len(self.kept[name]),
                "in_use": self.used[name],
            }
            for number, name in enumerate(self.names)
        ]
        return {
            "mode": self.mode,
            "classes": classes,
            "pictures": pictures,
            "told": [f"Pictures of {question['run']}."],
        }

    def open_picture(self, question):
        time.sleep(self.slowness)
        name = question["picture"]
        label = self.planes(name, self.used[name])
        kinds = {"prediction": self.prediction, "label": label, "original": self.original}
        y, x = np.mgrid[: self.height, : self.width]
        return {
            "name": name,
            "split": "train",
            "width": self.width,
            "height": self.height,
            "notes": ["A note."],
            **{kind: [address(plane) for plane in planes] for kind, planes in kinds.items()},
            **self.state(name),
            "base": address(((x + y) % 256).astype(np.uint8)),
        }

    def label_version(self, question):
        return {"planes": [address(plane) for plane in self.planes(question["picture"], question["version"])]}

    def save_label(self, question):
        if self.refusal:
            raise UserError(self.refusal)
        name, planes = question["picture"], []
        for runs in question["planes"]:
            plane = np.repeat(np.array(runs[::2], np.uint8), runs[1::2])
            planes.append(plane.reshape(self.height, self.width))
        changed = np.any([one != other for one, other in zip(planes, self.original, strict=True)], axis=0)
        version = {
            "number": len(self.kept[name]) + 1,
            "made": "2026-03-04T05:06:07",
            **{key: question[key] for key in ("run", "begun_from", "note")},
            "changed": int(changed.sum()),
        }
        self.kept[name].append((version, planes))
        self.used[name] = version["number"]
        return self.state(name)

    def use_label(self, question):
        self.used[question["picture"]] = question["version"]
        return self.state(question["picture"])

    def saved(self, name: str = "p0") -> Planes:
        return self.kept[name][-1][1]


def drawn(mode: str, height: int = 48, width: int = 64) -> Desk:
    """Labels of rectangles, with an ignored corner; predictions that are these a little aside."""
    levels = np.zeros((height, width), np.uint8)
    levels[10:30, 8:30] = 1
    levels[24:40, 36:56] = 2 if mode == "multiclass" else 1
    planes = [levels]
    if mode == "multilabel":
        planes = [levels, np.roll(levels, 9, axis=1), np.zeros_like(levels)]
    original = [plane.copy() for plane in planes]
    original[0][:4, :6] = 255
    return Desk(mode, [np.roll(plane, 2, axis=0) for plane in planes], original)


@pytest.fixture
def show(open_page):
    """A function that shows the view over a desk; the page is told about is `changed` on the desk."""
    apps = []

    def show_(desk: Desk, run: str | None = "one", **options):
        def count():
            desk.changes += 1

        with gr.Blocks(analytics_enabled=False) as app:
            other, nudge = gr.Textbox(label="run"), gr.Textbox(label="nudge")
            view = live_view("correction", desk.answers, ("changed",), run=run, nudge=0, elem_id="correction")
            view.changed(count)
            other.submit(lambda run: gr.update(run=run), other, view)
            nudge.submit(lambda nudge: gr.update(nudge=nudge), nudge, view)
        _, url, _ = app.launch(prevent_thread_lock=True, quiet=True, run_history=False)
        apps.append(app)
        page = open_page(url, **{"viewport": {"width": 1400, "height": 1000}, **options})
        if run:
            settled(page)
        return page

    yield show_
    for app in apps:
        app.close(verbose=False)


def settled(page):
    page.wait_for_function(
        "document.querySelector('.correction h3')?.textContent && !document.querySelector('.correction[aria-busy]')"
    )
    page.evaluate("() => new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted)))")
    return page


def screen(page, column: float, row: float) -> tuple[float, float]:
    """Where a point of the picture is on the screen, brought into sight, at a whole pixel."""
    page.locator(".correction .frame").scroll_into_view_if_needed()
    box = page.locator(".correction .stage").bounding_box()
    width, height = page.evaluate(
        "() => { const { width, height } = document.querySelector('.mask'); return [width, height]; }"
    )
    return round(box["x"] + column * box["width"] / width), round(box["y"] + row * box["height"] / height)


def point(page, place: tuple[float, float]) -> tuple[float, float]:
    """And back."""
    box = page.locator(".correction .stage").bounding_box()
    width, height = page.evaluate(
        "() => { const { width, height } = document.querySelector('.mask'); return [width, height]; }"
    )
    return (place[0] - box["x"]) * width / box["width"], (place[1] - box["y"]) * height / box["height"]


def stroke(page, *points: tuple[float, float], steps: int = 1) -> list[tuple[float, float]]:
    """Lead the mouse with its button down; where the picture was met."""
    places = [screen(page, *each) for each in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=steps)
    page.mouse.up()
    return [point(page, place) for place in places]


def painted(plane: np.ndarray, points, diameter: float, value: int) -> np.ndarray:
    """A round brush along a path, calculated pixel by pixel."""
    rows, columns = np.mgrid[: plane.shape[0], : plane.shape[1]] + 0.5
    nearest = np.full(plane.shape, np.inf)
    for (x, y), (to_x, to_y) in zip(points, [*points[1:], points[-1]], strict=True):
        across, down = to_x - x, to_y - y
        length = across**2 + down**2
        along = np.clip(((columns - x) * across + (rows - y) * down) / length, 0, 1) if length else 0
        nearest = np.minimum(nearest, np.hypot(columns - x - along * across, rows - y - along * down))
    result = np.where(nearest <= diameter / 2 + 1e-9, value, plane).astype(np.uint8)
    for x, y in points:
        result[int(y), int(x)] = value
    return result


def filled(plane: np.ndarray, column: int, row: int, value: int) -> np.ndarray:
    regions, _ = ndimage.label(plane == plane[row, column])
    return np.where(regions == regions[row, column], value, plane).astype(np.uint8)


def set_size(page, size: int) -> None:
    page.get_by_label("Size", exact=True).evaluate(
        "(input, size) => { input.value = size; input.dispatchEvent(new Event('input', { bubbles: true })); }", size
    )


def save(page, desk: Desk, name: str = "p0") -> Planes:
    before = len(desk.kept[name])
    page.locator(".correction form .save").click()
    page.get_by_text(f"Version {before + 1} of {name} is saved and in use.").wait_for()
    return desk.saved(name)


def told_of(page, desk: Desk, changes: int) -> None:
    """Python is told after the page has said so itself."""
    for _ in range(100):
        if desk.changes == changes:
            return
        page.wait_for_timeout(100)
    assert desk.changes == changes


def same(found: Planes, expected: Planes) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_brush_eraser_and_fill_give_the_pixels_that_they_cover(show):
    desk = drawn("multiclass")
    page = show(desk)
    (expected,) = (plane.copy() for plane in desk.prediction)
    set_size(page, 7)
    page.get_by_label("class 3").check()
    expected = painted(expected, stroke(page, (5, 5), (50, 17), (20, 42)), 7, 3)
    page.get_by_label("Eraser", exact=True).check()
    set_size(page, 4)
    expected = painted(expected, stroke(page, (3, 33), (60, 29), steps=9), 4, 0)
    page.get_by_label("Fill", exact=True).check()
    page.get_by_label("class 2").check()
    column, row = map(int, stroke(page, (24, 26))[0])
    expected = filled(expected, column, row, 2)
    assert set(np.unique(expected)) == {0, 2, 3}, "the fill found the whole of class 1"
    same(save(page, desk), [expected])
    assert desk.kept["p0"][0][0]["begun_from"] == "prediction"
    told_of(page, desk, changes=1)


def test_a_brush_of_one_pixel_leaves_no_gaps(show):
    desk = drawn("binary")
    page = show(desk)
    set_size(page, 1)
    page.get_by_label("ignored (255)").check()
    points = stroke(page, (2, 3), (61, 44))
    (found,) = save(page, desk)
    same([found], [painted(desk.prediction[0], points, 1, 255)])
    assert ndimage.label(found == 255, np.ones((3, 3)))[1] == 1
    rows = np.flatnonzero((found == 255).any(1))
    np.testing.assert_array_equal(rows, np.arange(rows[0], rows[-1] + 1))


def test_filling_with_background_erases_a_region(show):
    desk = drawn("multiclass")
    page = show(desk)
    page.locator(".correction .frame").focus()
    page.keyboard.press("f")
    page.keyboard.press("n")
    stroke(page, (45, 33))
    (found,) = save(page, desk)
    same([found], [np.where(desk.prediction[0] == 2, 0, desk.prediction[0])])


def test_undo_and_redo_are_exact(show):
    desk = drawn("multiclass")
    page = show(desk)
    states = [desk.prediction[0]]
    set_size(page, 9)
    for number in range(60):
        page.keyboard.press(str(number % 3 + 1))
        x = 4 + number % 56
        states.append(painted(states[-1], stroke(page, (x, 4), (60 - x, 44)), 9, number % 3 + 1))
    page.locator(".correction .frame").focus()
    for _ in range(60):
        page.keyboard.press("Control+z")
    assert page.get_by_role("button", name="Undo").is_disabled()
    assert not page.get_by_text("Unsaved strokes", exact=True).is_visible()
    page.keyboard.press("Control+Shift+Z")
    page.keyboard.press("Control+y")
    page.get_by_role("button", name="Redo").click()
    same(save(page, desk), [states[3]])
    page.get_by_role("button", name="Undo").click()
    assert page.get_by_text("Unsaved strokes", exact=True).is_visible()
    same(save(page, desk), [states[2]])
    for _ in range(58):
        page.get_by_role("button", name="Redo").click()
    assert page.get_by_role("button", name="Redo").is_disabled()
    same(save(page, desk), [states[60]])


def test_multilabel_planes_do_not_touch_each_other(show):
    desk = drawn("multilabel")
    page = show(desk)
    expected = [plane.copy() for plane in desk.prediction]
    set_size(page, 6)
    page.locator(".correction .frame").focus()
    page.keyboard.press("2")
    expected[1] = painted(expected[1], stroke(page, (4, 20), (60, 22)), 6, 1)
    page.keyboard.press("3")
    expected[2] = painted(expected[2], stroke(page, (10, 3), (12, 44)), 6, 1)
    page.keyboard.press("i")
    expected[2] = painted(expected[2], stroke(page, (4, 40), (60, 41)), 6, 255)
    page.keyboard.press("1")
    page.keyboard.press("e")
    expected[0] = painted(expected[0], stroke(page, (4, 18), (60, 18)), 6, 0)
    page.keyboard.press("f")
    column, row = map(int, stroke(page, (1, 1))[0])
    expected[0] = filled(expected[0], column, row, 1)
    page.keyboard.press("b")
    same(save(page, desk), expected)


def test_255_is_kept_as_it_was(show):
    desk = drawn("multiclass")
    page = show(desk)
    page.get_by_label("Begin with").select_option("original")
    settled(page)
    set_size(page, 3)
    points = stroke(page, (20, 5), (40, 5))
    (found,) = save(page, desk)
    same([found], [painted(desk.original[0], points, 3, 1)])
    assert (found[:4, :6] == 255).all()
    assert desk.kept["p0"][0][0]["begun_from"] == "original"


def test_unsaved_strokes_are_asked_about(show):
    desk = drawn("binary")
    page = show(desk)
    title = page.locator(".correction h3")
    other = page.get_by_role("option", name="p1")
    other.click()
    page.get_by_text("p1 (train, 64 × 48)").wait_for()
    page.get_by_role("option", name="p0").click()
    page.get_by_text("p0 (train, 64 × 48)").wait_for()
    stroke(page, (50, 5), (60, 10))
    assert page.get_by_text("Unsaved strokes", exact=True).is_visible()
    other.click()
    asked = page.get_by_role("dialog").bounding_box()
    assert abs(asked["y"] + asked["height"] / 2 - 500) < 5, "in the middle of the window"
    page.get_by_role("button", name="Stay").click()
    assert title.inner_text().startswith("p0")
    other.click()
    page.keyboard.press("Escape")
    assert title.inner_text().startswith("p0")
    other.click()
    page.get_by_role("dialog").get_by_role("button", name="Save as a new version").click()
    page.get_by_text("p1 (train, 64 × 48)").wait_for()
    assert len(desk.kept["p0"]) == 1
    stroke(page, (50, 5), (60, 10))
    page.get_by_role("option", name="p2").click()
    page.get_by_role("button", name="Discard the strokes").click()
    page.get_by_text("p2 (train, 64 × 48)").wait_for()
    assert not desk.kept["p1"]
    assert not page.get_by_text("Unsaved strokes", exact=True).is_visible()


def test_strokes_painted_while_another_picture_is_fetched_are_asked_about(show):
    desk = drawn("binary")
    page = show(desk)
    set_size(page, 5)
    desk.slowness = 2
    page.get_by_role("option", name="p1").click()
    points = stroke(page, (50, 5), (60, 10))
    page.get_by_role("button", name="Stay").click()
    page.locator(".rows [aria-selected=true]").get_by_text("p0").wait_for()
    same(save(page, desk), [painted(desk.prediction[0], points, 5, 1)])


def test_versions_are_listed_looked_at_and_used(show):
    desk = drawn("multiclass")
    page = show(desk)
    set_size(page, 5)
    first = painted(desk.prediction[0], stroke(page, (5, 5), (50, 5)), 5, 1)
    page.get_by_label("Note", exact=True).fill("a bar above")
    page.keyboard.press("Control+s")
    page.get_by_text("Version 1 of p0 is saved").wait_for()
    second = painted(first, stroke(page, (5, 45), (50, 45)), 5, 1)
    same(save(page, desk), [second])
    rows = page.locator(".versions li")
    assert [row.split("\n")[0] for row in rows.all_inner_texts()] == ["Version 2in use", "Version 1", "Original"]
    told = rows.nth(1).inner_text()
    changed = int((first != desk.original[0]).sum())
    assert f"4 Mar 2026, 05:06 · {changed} pixels changed · begun from the prediction of one" in told
    assert "a bar above" in told
    assert "✎ 2" in page.get_by_role("option", name="p0").inner_text()

    page.get_by_role("button", name="Look at it: Version 1").click()
    page.get_by_text("Version 1 is in the editor.").wait_for()
    assert desk.used["p0"] == 2
    assert not page.get_by_text("Unsaved strokes", exact=True).is_visible()
    third = painted(first, stroke(page, (30, 5), (30, 40)), 5, 1)
    same(save(page, desk), [third])
    assert desk.kept["p0"][2][0]["begun_from"] == "version 1"

    page.get_by_role("button", name="Use it: Original").click()
    page.get_by_text("The original of p0 is in use.").wait_for()
    assert desk.used["p0"] == 0
    assert page.get_by_role("button", name="Use it: Original").is_disabled()
    page.get_by_label("Begin with").select_option("label")
    settled(page)
    same(save(page, desk), desk.original)
    told_of(page, desk, changes=5)


def test_a_refusal_is_a_sentence_and_loses_nothing(show):
    desk = drawn("binary")
    page = show(desk)
    set_size(page, 5)
    points = stroke(page, (50, 5), (60, 10))
    desk.refusal = "The disk is full: free some of it."
    page.locator(".correction form .save").click()
    page.get_by_role("alert").get_by_text(desk.refusal).wait_for()
    assert page.get_by_text("Unsaved strokes", exact=True).is_visible()
    desk.refusal = "The disk is still full."
    page.get_by_role("option", name="p1").click()
    page.get_by_role("dialog").get_by_role("button", name="Save as a new version").click()
    page.get_by_role("alert").get_by_text(desk.refusal).wait_for()
    assert page.locator(".correction h3").inner_text().startswith("p0")
    desk.refusal = ""
    same(save(page, desk), [painted(desk.prediction[0], points, 5, 1)])
    assert not page.get_by_role("alert").is_visible()


def test_twenty_thousand_names_are_a_few_rows(show):
    desk = drawn("binary")
    desk.names = [f"picture_{number:05}" for number in range(20_000)]
    desk.kept = {name: [] for name in desk.names}
    desk.used = dict.fromkeys(desk.names, 0)
    page = show(desk)
    rows = page.locator(".correction [role=option]")
    assert 10 < rows.count() < 100
    page.get_by_label("Search pictures by name").fill("19_99")
    page.get_by_text("0 of 20,000 pictures").wait_for()
    page.get_by_label("Search pictures by name").fill("1999")
    page.get_by_text("12 of 20,000 pictures").wait_for()
    assert rows.count() == 12
    page.get_by_label("Search pictures by name").fill("")
    page.get_by_role("listbox", name="Pictures").focus()
    page.keyboard.press("End")
    page.get_by_text("picture_19999 (train, 64 × 48)").wait_for()
    assert page.locator(".rows [aria-selected=true]").inner_text().startswith("picture_19999")
    assert page.locator(".rows [aria-selected=true]").is_visible()
    assert rows.count() < 100
    page.keyboard.press("ArrowUp")
    page.get_by_text("picture_19998 (train, 64 × 48)").wait_for()


def test_another_run_waits_for_unsaved_strokes(show):
    desk = drawn("binary")
    page = show(desk)
    stroke(page, (50, 5), (60, 10))
    page.get_by_label("run", exact=True).fill("two")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Stay").click()
    page.get_by_text("Still p0 of one").wait_for()
    save(page, desk)
    page.get_by_text("Pictures of two.").wait_for()


def test_what_another_page_saved_is_caught_up_with(show):
    desk = drawn("binary")
    page = show(desk)
    label = {"run": "one", "begun_from": "label", "note": "elsewhere", "planes": [[1, 48 * 64]]}
    versions = page.locator(".versions li")

    def elsewhere(name):
        desk.save_label({"picture": name, **label})
        page.get_by_label("nudge", exact=True).fill(f"{name} {len(desk.kept[name])}")
        page.keyboard.press("Enter")

    elsewhere("p1")
    page.get_by_role("option", name="p1").get_by_text("✎ 1").wait_for()
    assert versions.count() == 1
    elsewhere("p0")
    page.get_by_text("elsewhere").wait_for()
    page.get_by_label("Eraser", exact=True).check()
    set_size(page, 5)
    points = stroke(page, (50, 5), (60, 10))
    elsewhere("p0")
    page.get_by_role("option", name="p0").get_by_text("✎ 2").wait_for()
    assert page.get_by_text("Unsaved strokes", exact=True).is_visible(), "strokes are not lost for it"
    same(save(page, desk), [painted(np.ones((48, 64), np.uint8), points, 5, 0)])
    assert versions.count() == 4


def layer(page, name: str) -> np.ndarray:
    """A layer as it is drawn: [h, w, RGBA]."""
    settled(page)
    found = page.evaluate(
        """(name) => {
          const canvas = document.querySelector("." + name);
          return Array.from(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data);
        }""",
        name,
    )
    return np.array(found, np.uint8).reshape(48, 64, 4)


def edges(plane: np.ndarray) -> np.ndarray:
    """Pixels beside one of another level."""
    cross = ndimage.generate_binary_structure(2, 1)
    different = [ndimage.maximum_filter(plane, footprint=cross), ndimage.minimum_filter(plane, footprint=cross)]
    return np.any([other != plane for other in different], axis=0)


def test_the_label_is_drawn_as_areas_or_outlines_with_the_original_in_white(show):
    desk = drawn("multiclass")
    page = show(desk)
    set_size(page, 5)
    label = painted(desk.prediction[0], stroke(page, (5, 12), (60, 40)), 5, 1)
    mask = layer(page, "mask")
    np.testing.assert_array_equal(mask[..., 3] > 0, label > 0)
    for level in (1, 2):
        colour = COLOURS[level - 1]
        assert np.unique(mask[label == level], axis=0).tolist() == [[*bytes.fromhex(colour[1:]), 255]]
    page.get_by_label("Outlines only").check()
    label = painted(label, stroke(page, (5, 40), (60, 12)), 5, 1)
    np.testing.assert_array_equal(layer(page, "mask")[..., 3] > 0, (label > 0) & edges(label))
    assert not page.locator(".original").is_visible()
    page.get_by_label("Original label, in white").check()
    original = desk.original[0]
    white = (original > 0) & (original < 255) & edges(original)
    np.testing.assert_array_equal(layer(page, "original")[..., 3] > 0, white)
    assert page.locator(".original").is_visible()


def test_no_run_asks_for_one(show):
    page = show(drawn("binary"), run=None)
    page.get_by_text("Choose a run whose pictures are to be corrected.").wait_for()
    assert not page.locator(".correction .body").is_visible()


def test_keys_choose_tools_sizes_and_classes(show):
    page = show(drawn("multiclass"))
    page.locator(".correction .frame").focus()
    for key, label in {
        "e": "Eraser",
        "f": "Fill",
        "b": "Brush",
        "2": "class 2",
        "n": "background",
        "i": "ignored (255)",
    }.items():
        page.keyboard.press(key)
        assert page.get_by_label(label, exact=True).is_checked()
    size = page.get_by_label("Size", exact=True)
    before = int(size.input_value())
    page.keyboard.press("]")
    assert int(size.input_value()) > before
    page.keyboard.press("[")
    page.keyboard.press("[")
    assert int(size.input_value()) < before
    page.get_by_label("Note", exact=True).fill("")
    page.get_by_label("Note", exact=True).press_sequentially("1e[")
    assert page.get_by_label("ignored (255)").is_checked()
    assert page.get_by_label("Note", exact=True).input_value() == "1e["


def test_arrows_and_enter_paint_without_a_mouse(show):
    desk = drawn("binary")
    page = show(desk)
    set_size(page, 1)
    page.locator(".correction .frame").focus()
    for _ in range(3):
        page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expected = desk.prediction[0].copy()
    expected[24 - 3, 32] = 1
    same(save(page, desk), [expected])


def test_zoom_and_pan_paint_where_the_circle_is(show):
    desk = drawn("binary")
    page = show(desk)
    set_size(page, 3)
    page.locator(".correction .frame").focus()
    page.mouse.move(*screen(page, 50, 6))
    page.mouse.wheel(0, -200)
    settled(page)
    before = page.locator(".correction .stage").bounding_box()
    assert before["width"] > 1.5 * page.locator(".correction .frame").bounding_box()["height"]
    page.mouse.down(button="middle")
    page.mouse.move(*screen(page, 45, 8))
    page.mouse.up(button="middle")
    settled(page)
    assert page.locator(".correction .stage").bounding_box() != before
    page.keyboard.down(" ")
    stroke(page, (48, 8), (49, 9))
    page.keyboard.up(" ")
    settled(page)
    assert page.get_by_role("button", name="Undo").is_disabled(), "moving paints nothing"
    points = stroke(page, (48, 8), (52, 9))
    same(save(page, desk), [painted(desk.prediction[0], points, 3, 1)])


POINTERS = """
(events) => {
  const frame = document.querySelector(".correction .frame");
  frame.setPointerCapture = () => {};
  for (const [kind, pointerId, clientX, clientY, pointerType] of events) {
    const buttons = kind === "pointerup" ? 0 : 1;
    frame.dispatchEvent(new PointerEvent(kind, { pointerId, clientX, clientY, pointerType, buttons, bubbles: true }));
  }
}
"""


def test_one_finger_paints_and_two_zoom(show):
    desk = drawn("binary")
    page = show(desk)
    set_size(page, 3)
    one, other, far = screen(page, 40, 6), screen(page, 50, 6), screen(page, 60, 6)
    down = ("pointerdown", 1, *one, "touch")
    page.evaluate(POINTERS, [down, ("pointermove", 1, *other, "touch"), ("pointerup", 1, *other, "touch")])
    expected = painted(desk.prediction[0], [point(page, one), point(page, other)], 3, 1)
    before = page.locator(".correction .stage").bounding_box()
    second = ("pointerdown", 2, *other, "touch")
    apart = [("pointermove", 2, *far, "touch"), ("pointerup", 2, *far, "touch"), ("pointermove", 1, *far, "touch")]
    page.evaluate(POINTERS, [down, second, *apart, ("pointerup", 1, *far, "touch")])
    settled(page)
    assert page.locator(".correction .stage").bounding_box()["width"] > 1.5 * before["width"]
    same(save(page, desk), [expected])


TIMED = """
([from, to, steps]) => new Promise((told) => {
  const frame = document.querySelector(".correction .frame");
  frame.setPointerCapture = () => {};
  const times = { handling: [], drawing: [] };
  const send = (kind, share) => {
    const [clientX, clientY] = [0, 1].map((axis) => from[axis] + (to[axis] - from[axis]) * share);
    const event = new PointerEvent(kind, { pointerId: 1, clientX, clientY, pointerType: "pen", bubbles: true });
    const start = performance.now();
    frame.dispatchEvent(event);
    times.handling.push(performance.now() - start);
  };
  const framed = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = (act) => framed((now) => {
    const start = performance.now();
    act(now);
    times.drawing.push(performance.now() - start);
  });
  send("pointerdown", 0);
  let step = 0;
  const next = () => {
    if (++step <= steps) return send("pointermove", step / steps), framed(next);
    send("pointerup", 1);
    framed(() => told(times));
  };
  framed(next);
})
"""


def test_a_stroke_over_a_large_picture_is_handled_within_a_frame(show):
    desk = drawn("multiclass", 2048, 2048)
    page = show(desk)
    set_size(page, 60)
    start, end = screen(page, 100, 100), screen(page, 1900, 1800)
    times = page.evaluate(TIMED, [start, end, 40])
    print({name: [round(max(each), 1), round(float(np.median(each)), 1)] for name, each in times.items()})
    assert np.median(times["handling"]) + np.median(times["drawing"]) < 16
    expected = painted(desk.prediction[0], [point(page, start), point(page, end)], 60, 1)
    same(save(page, desk), [expected])
