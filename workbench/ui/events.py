"""What the events of a page have in common."""

from __future__ import annotations

from typing import Any

OWN: dict[str, Any] = {"api_visibility": "private", "preprocess": False}
"""An event of the page alone, no endpoint for programs. Its values come as the browser has them: what gradio would hold
them to, such as the choices of a list, it forgets when the app is started again under an open page."""

QUIET: dict[str, Any] = {**OWN, "show_progress": "hidden"}
"""One that nobody waits for."""
