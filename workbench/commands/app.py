"""Starting the app."""

from __future__ import annotations


def serve(port: int | None = None, host: str = "127.0.0.1", password: str | None = None) -> None:
    """Start the app and show where to open it in a browser.

    Args:
        port: Where to listen; by default the first free port from 7860 on.
        host: Which network to listen on; only this machine unless you say otherwise, and then with a password.
        password: What a browser must give; the variable WORKBENCH_PASSWORD does the same without showing it to others.
    """
    from workbench.ui.app import serve

    serve(port=port, host=host, password=password)
