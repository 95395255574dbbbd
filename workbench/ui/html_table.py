"""A table on a page; its style is in style.css."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from workbench.tables import Table


def as_html(table: Table) -> str:
    """Cells of numbers and cells of words differ by their class."""
    classes = ["number" if numeric else "words" for numeric in table.numeric]
    head = _row("th", classes, table.titles)
    body = "".join(_row("td", classes, texts) for texts in table.texts)
    return f"<div class='table'><table><thead>{head}</thead><tbody>{body}</tbody></table></div>"


def _row(tag: str, classes: Iterable[str], texts: Iterable[str]) -> str:
    cells = (f"<{tag} class='{kind}'>{escape(text)}</{tag}>" for kind, text in zip(classes, texts, strict=True))
    return f"<tr>{''.join(cells)}</tr>"
