"""The app: how its tabs are laid out, and the server that shows it."""

from __future__ import annotations

import hmac
import ipaddress
import os
import socket
import threading
from pathlib import Path

import gradio as gr
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from workbench.errors import UserError
from workbench.ui.devices_tab import create_devices_tab
from workbench.ui.models_tab import create_models_tab

TITLE = "Attention U-Net Workbench"
STYLE = Path(__file__).with_name("style.css")
FONT = ("system-ui", "sans-serif")
CODE_FONT = ("ui-monospace", "monospace")
LARGEST_UPLOAD = "200mb"
DELETE_UPLOADS = (3600, 86400)  # every hour those older than a day


def create_app() -> gr.Blocks:
    """The page with its tabs; one `create_NAME_tab()` each."""
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=DELETE_UPLOADS, fill_width=True) as app:
        gr.Markdown(f"# {TITLE}")
        create_models_tab()
        create_devices_tab()
    return app


def launch(app: gr.Blocks, port: int | None = None, host: str = "127.0.0.1", password: str | None = None) -> str:
    """Start the server in the background and return the page's address; `app.close()` stops it.

    Without a password only this machine may look: other hosts are refused, and so are pages of other sites that
    point their name at this machine.
    """
    if not _is_this_machine(host) and not password:
        raise UserError(
            f"Anybody who reaches {host} could use the app: give --password or set WORKBENCH_PASSWORD, "
            "or leave out --host and reach it through an SSH tunnel."
        )
    _check_address(host, port)
    only_local_names = Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "[::1]", host])
    _, url, _ = app.launch(
        server_name=f"[{host}]" if ":" in host and "[" not in host else host,
        server_port=port,
        auth=(lambda _, given: hmac.compare_digest(given.encode(), password.encode())) if password else None,
        auth_message="Any user name, and the password that the app was started with." if password else None,
        app_kwargs=None if password else {"middleware": [only_local_names]},
        theme=gr.themes.Default(primary_hue="indigo", font=FONT, font_mono=CODE_FONT),
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


def serve(port: int | None = None, host: str = "127.0.0.1", password: str | None = None) -> None:
    """Show the app until Ctrl-C."""
    app = create_app()
    url = launch(app, port, host, password or os.environ.get("WORKBENCH_PASSWORD"))
    print(f"{TITLE} is open at {url} (Ctrl-C stops it)", flush=True)
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


def _check_address(host: str, port: int | None) -> None:
    """Gradio tells every failure to listen as a full range of ports; the system tells the reason."""
    if port is not None and not 0 < port < 65536:
        raise UserError(f"There is no port {port}: give --port a number from 1 to 65535, or leave it out.")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        where = f"--host {host}" if port is None else f"--host {host} --port {port}"
        raise UserError(
            f"The app cannot listen on {where} ({error.strerror}): choose another, "
            "or leave both out to take this machine's first free port from 7860 on."
        ) from error
