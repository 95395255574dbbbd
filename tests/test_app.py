"""The app as its user sees it, in a browser, and as its server answers."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from workbench.errors import UserError
from workbench.models import ARCHITECTURES
from workbench.ui.app import TITLE, create_app
from workbench.ui.server import launch


@pytest.fixture(scope="module")
def app():
    """The app in this process: its address."""
    app = create_app()
    yield launch(app)
    app.close(verbose=False)


def answer(url, path="/", host=None, form=None):
    """The status of a request; `host` is the name that it asks for, `form` is posted."""
    address = urlsplit(url)
    headers = {"Host": host or address.netloc, "Content-Type": "application/x-www-form-urlencoded"}
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
    connection.request("POST" if form else "GET", path, body=form, headers=headers)
    status = connection.getresponse().status
    connection.close()
    return status


def open_tab(page, name):
    page.get_by_role("tab", name=name).click()


def test_the_models_tab_lists_every_model(app, open_page):
    page = open_page(app)
    table = page.locator("#models-table table")
    table.wait_for()
    assert page.title() == TITLE
    names = table.locator("tbody tr td:first-child").all_inner_texts()
    assert names == list(ARCHITECTURES)


def test_another_picture_size_gives_other_multiply_adds(app, open_page):
    page = open_page(app)
    unet = page.locator("#models-table tbody tr").filter(has=page.get_by_role("cell", name="unet", exact=True))
    cells = unet.locator("td")
    cells.first.wait_for()
    parameters, at_256 = cells.all_inner_texts()[1:3]
    page.locator("#models-size input").click()
    page.get_by_role("option", name="128", exact=True).click()
    page.get_by_text("Multiply-adds at 128 x 128 (G)").wait_for()
    assert cells.all_inner_texts()[1] == parameters
    assert float(cells.all_inner_texts()[2]) == pytest.approx(float(at_256) / 4, abs=0.01)


def test_the_devices_tab_renews_itself(app, open_page, monkeypatch):
    page = open_page(app)
    open_tab(page, "Devices")
    table = page.locator("#devices-table table")
    table.wait_for()
    assert table.locator("tbody tr td:first-child").all_inner_texts()[-1] == "cpu"
    monkeypatch.setattr("workbench.devices._cpu_name", lambda: "another processor")
    page.get_by_text("another processor").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_narrow_window(app, open_page, scheme):
    page = open_page(app, viewport={"width": 500, "height": 900}, color_scheme=scheme)
    page.locator("#models-table table").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 500


def test_a_foreign_host_name_is_refused(app):
    assert answer(app) == 200
    assert answer(app, host="localhost") == 200
    assert answer(app, host="elsewhere.example") == 400


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "workbench.example"])
def test_other_machines_need_a_password(host):
    with pytest.raises(UserError, match="--password"):
        launch(create_app(), host=host)


@pytest.mark.parametrize("host", ["localhost", "::1", "[::1]"])
def test_this_machine_has_other_names(host):
    if ":" in host and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    app = create_app()
    try:
        assert answer(launch(app, host=host)) == 200
    finally:
        app.close(verbose=False)


def has_ipv6():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def test_a_password_opens_the_app_and_nothing_else_does(open_page):
    app = create_app()
    try:
        url = launch(app, password="open sesame")
        assert answer(url, "/config") == 401
        assert answer(url, "/login", form="username=anybody&password=guess") == 400
        page = open_page(url)
        page.get_by_label("username").fill("anybody")
        page.get_by_label("password").fill("open sesame")
        page.get_by_role("button", name="Login").click()
        page.locator("#models-table table").wait_for()
        page.close()
    finally:
        app.close(verbose=False)


def test_a_port_in_use_is_one_sentence():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=rf"--port {port} \(Address already in use\)"):
            launch(create_app(), port=port)


@pytest.mark.parametrize("port", [0, -1, 70_000])
def test_a_port_that_cannot_be_is_one_sentence(port):
    with pytest.raises(UserError, match="1 to 65535"):
        launch(create_app(), port=port)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for other processes")
def test_the_command_starts_the_app_and_ctrl_c_stops_it(root, tmp_path):
    variables = os.environ | {"WORKBENCH_PASSWORD": "open sesame", "TMPDIR": str(tmp_path)}
    variables.pop("GRADIO_TEMP_DIR")
    command = [sys.executable, str(root / "app.py")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=tmp_path, env=variables, text=True, **pipes) as process:
        try:
            url = re.search(r"http://\S+", process.stdout.readline())[0]
            assert (answer(url), answer(url, "/config")) == (200, 401)
            assert list(tmp_path.glob("workbench-uploads-*"))
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, err) == (0, "")
    assert "Stopped." in out
    assert not list(tmp_path.iterdir()), "it leaves nothing behind"
