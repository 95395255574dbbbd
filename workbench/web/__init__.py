"""The live views: one JavaScript module each, mounted by the app's pages and by the notebooks' widgets alike.

A module exports `mount(element, host)`, which draws into the element and returns a function that takes the drawing
away. `host` is all that it knows of the page around it:

    host.get(name)             a value that Python gave
    host.watch(name, changed)  calls `changed()` whenever Python gives another
    host.ask(name, question)   asks a Python function; a promise of its answer, or an error with one sentence
    host.tell(name, facts)     something happened that Python may want to know

Modules may import each other as "./name.js". Knows neither gradio nor anywidget.
"""

from __future__ import annotations

import base64
import re
from pathlib import Path

FOLDER = Path(__file__).parent
_IMPORT = re.compile(r'from "\./(?P<name>[a-z_]+)\.js"')


def source(name: str) -> str:
    """The code of a module that stands alone: those that it imports are in it, as addresses of data."""
    code = (FOLDER / f"{name}.js").read_text(encoding="utf-8")
    return _IMPORT.sub(lambda found: f'from "{address(found["name"])}"', code)


def address(name: str) -> str:
    """What `import()` of a browser takes: the module itself, so that it needs no server and no path."""
    return "data:text/javascript;base64," + base64.b64encode(source(name).encode()).decode()


def style(name: str) -> str:
    """The style sheet of a module; empty where it has none."""
    path = FOLDER / f"{name}.css"
    return path.read_text(encoding="utf-8") if path.is_file() else ""
