"""Starting the app."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tyro.conf import UseAppendAction, arg


def serve(
    port: int | None = None,
    host: str = "127.0.0.1",
    password: str | None = None,
    runs: Path = Path("runs"),
    data_roots: Annotated[tuple[Path, ...], UseAppendAction, arg(name="data-root")] = (),
    allowed_hosts: Annotated[tuple[str, ...], UseAppendAction, arg(name="allowed-host")] = (),
    root_path: str | None = None,
) -> None:
    """Start the app and show where to open it in a browser.

    Args:
        port: Where to listen; by default the first free port from 7860 on.
        host: Which network to listen on; only this machine unless you say otherwise, and then with a password.
        password: What a browser must give; the variable WORKBENCH_PASSWORD does the same without showing it to others.
            For another host one is made if you give none.
        runs: The folder of all runs; prepared data lies there too.
        data_roots: A folder in and below which data sets can be chosen; any number of times. By default `data`.
        allowed_hosts: A name by which the app may be reached through a proxy, such as `*.example.org`; any number of
            times.
        root_path: The path below which a proxy shows the app, such as `/user/me/proxy/7860`.
    """
    from workbench.ui.server import serve
    from workbench.ui.settings import Settings

    settings = Settings(runs=runs, data_roots=data_roots or (Path("data"),))
    serve(settings, port, host, password, allowed_hosts, root_path)
