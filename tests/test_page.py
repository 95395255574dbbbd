"""HTML files that need nothing else."""

import re

import numpy as np

from workbench.page import Line, document, figure, image, line_chart, table


def test_texts_are_escaped_everywhere():
    hostile = "<script>alert(1)</script>"
    page = document(
        hostile,
        table((hostile,), [[hostile]])
        + figure([np.zeros((4, 4, 3), np.uint8)], hostile)
        + image(np.zeros((4, 4, 3), np.uint8), '"><script>')
        + line_chart([Line(hostile, [0, 1], [0, 1])], hostile, hostile),
    )
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(1)") == 7


def test_nothing_is_fetched():
    page = document("a", figure([np.zeros((4, 4, 3), np.uint8)], "b") + line_chart([Line("a", [0], [1])], "x", "y"))
    assert not re.search(r"https?:|url\(|@import|<link", page)


def test_numbers_and_what_is_not_known():
    cells = re.findall(r'<td class="number">(.*?)</td>', table(("a", "b", "c"), [[0.123456, 7, None]]))
    assert cells == ["0.1235", "7", "–"]


def test_a_curve_goes_where_its_values_are():
    chart = line_chart([Line("a", [0.0, 0.5, 1.0], [0.0, float("nan"), 1.0])], "x", "y", unit_square=True)
    (points,) = re.findall(r'points="(.*?)"', chart)
    (left, bottom), (right, top) = (map(float, point.split(",")) for point in points.split())
    assert left < right
    assert bottom > top
    assert "nothing to draw" in line_chart([Line("a", [], [])], "x", "y")


def test_equal_values_do_not_divide_by_nothing():
    assert "nan" not in line_chart([Line("a", [1, 1], [2, 2])], "x", "y")
