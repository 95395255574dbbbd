"""The server that shows the app: who may reach it, and by which names."""

from __future__ import annotations

import hmac
import ipaddress
import os
import secrets
import socket
import threading
from collections.abc import Sequence
from pathlib import Path

import gradio as gr
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from workbench.errors import UserError
from workbench.runs.demo import add_demo_run
from workbench.ui.app import TITLE, create_app
from workbench.ui.settings import Settings

STYLE = Path(__file__).with_name("style.css")
FONT = ("system-ui", "sans-serif")
CODE_FONT = ("ui-monospace", "monospace")
READABLE = {"block_info_text_color": "*neutral_500", "block_info_text_color_dark": "*neutral_300"}
"""Gradio's own are too faint on their ground."""
LARGEST_UPLOAD = "200mb"
PORTS = range(7860, 7960)
"""Of which the first free one is taken."""
THIS_MACHINE = ("127.0.0.1", "localhost", "[::1]")


def launch(
    app: gr.Blocks,
    port: int | None = None,
    host: str = "127.0.0.1",
    password: str | None = None,
    allowed_hosts: Sequence[str] = (),
    root_path: str | None = None,
) -> str:
    """Start the server in the background and return the page's address; `app.close()` stops it.

    Without a password only this machine may look: other hosts are refused, and so are pages of other sites that
    point their name at this machine. A proxy's name is let through by `allowed_hosts`.
    """
    if not _is_this_machine(host) and not password:
        raise UserError(
            f"Anybody who reaches {host} could use the app: give --password or set WORKBENCH_PASSWORD, "
            "or leave out --host and reach it through an SSH tunnel."
        )
    port = _first_free_port(host) if port is None else port
    _check_address(host, port)
    known_names = [] if password and not allowed_hosts else [*THIS_MACHINE, host, *allowed_hosts]
    _, url, _ = app.launch(
        server_name=f"[{host}]" if ":" in host and "[" not in host else host,
        server_port=port,
        auth=(lambda _, given: hmac.compare_digest(given.encode(), password.encode())) if password else None,
        auth_message="Any user name, and the password that the app was started with." if password else None,
        app_kwargs={"middleware": [Middleware(TrustedHostMiddleware, allowed_hosts=known_names)]}
        if known_names
        else None,
        root_path=root_path,
        theme=gr.themes.Default(primary_hue="indigo", font=FONT, font_mono=CODE_FONT).set(**READABLE),
        css_paths=STYLE,
        max_file_size=LARGEST_UPLOAD,
        run_history=False,
        footer_links=[],
        share=False,
        inbrowser=False,
        quiet=True,
        prevent_thread_lock=True,
    )
    return url


def serve(
    settings: Settings,
    port: int | None = None,
    host: str = "127.0.0.1",
    password: str | None = None,
    allowed_hosts: Sequence[str] = (),
    root_path: str | None = None,
) -> None:
    """Show the app until Ctrl-C; whoever may come from elsewhere needs a password, which is made if none is given."""
    password = password or os.environ.get("WORKBENCH_PASSWORD")
    made = None if password or _is_this_machine(host) else secrets.token_urlsafe(12)
    example = add_demo_run(settings.runs)
    app = create_app(settings)
    url = launch(app, port, host, password or made, allowed_hosts, root_path)
    print(f"{TITLE} is open at {url} (Ctrl-C stops it)", flush=True)
    if example:
        print(
            f"There were no runs in {example.folder.parent}; the example {example.name} is there to look at.",
            flush=True,
        )
    if made:
        print(f"Any user name, and this password, made for this start: {made}", flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        print("\nStopped.")
    finally:
        app.close(verbose=False)


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _first_free_port(host: str) -> int:
    """Gradio, whatever the host, wants it to be free at 127.0.0.1."""
    return next((port for port in PORTS if not any(_why_not(name, port) for name in (host, "127.0.0.1"))), PORTS[0])


def _check_address(host: str, port: int) -> None:
    """Gradio tells every failure to listen as a full range of ports; the system tells the reason."""
    if not 0 < port < 65536:
        raise UserError(f"There is no port {port}: give --port a number from 1 to 65535, or leave it out.")
    error = _why_not(host, port)
    if error is not None:
        raise UserError(
            f"The app cannot listen on --host {host} --port {port} ({error.strerror}): choose another, or leave both "
            f"out to take this machine's first free port from {PORTS[0]} on."
        ) from error


def _why_not(host: str, port: int) -> OSError | None:
    """Why the system would not let anybody listen there."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return error
    return None
