"""The app's shell in a browser, and who may reach its server."""

from __future__ import annotations

import http.client
import json
import re
import socket
import sys
import time
from urllib.parse import urlsplit

import pytest
from app_process import AppProcess
from gradio_client import Client
from gradio_client.exceptions import AppError

from workbench.errors import UserError
from workbench.models import ARCHITECTURES
from workbench.runs.demo import add_demo_run
from workbench.ui.app import TITLE, create_app
from workbench.ui.server import launch


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder of runs with the demo."""
    folder = tmp_path_factory.mktemp("runs")
    add_demo_run(folder)
    return folder


@pytest.fixture(scope="module")
def app(show_app, runs):
    """The app in this process: its address."""
    return show_app(runs)


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
    """On a narrow page the tabs that have no room are in a menu."""
    page.get_by_role("tab", name="Train").wait_for()
    tab = page.get_by_role("tab", name=name)
    if tab.is_visible():
        tab.click()
    else:
        page.locator("#tabs .overflow-menu > button").click()
        page.locator("#tabs .overflow-dropdown").get_by_role("button", name=name).click()


# --- the page ---


def test_the_models_tab_lists_every_model_with_the_multiply_adds_of_a_size(app, open_page):
    page = open_page(app)
    open_tab(page, "Models")
    table = page.locator("#models-table table")
    table.wait_for()
    assert page.title() == TITLE
    names = table.locator("tbody tr td:first-child").all_inner_texts()
    assert names == list(ARCHITECTURES)
    cells = table.locator("tbody tr").filter(has=page.get_by_role("cell", name="unet", exact=True)).locator("td")
    parameters, at_256 = cells.all_inner_texts()[1:3]
    page.locator("#models-size input").click()
    page.get_by_role("option", name="128", exact=True).click()
    page.get_by_text("Multiply-adds at 128 x 128 (G)").wait_for()
    assert cells.all_inner_texts()[1] == parameters
    assert float(cells.all_inner_texts()[2]) == pytest.approx(float(at_256) / 4, abs=0.01)


def test_the_steps_open_their_tabs(app, open_page):
    page = open_page(app)
    page.locator("#step-explore").click()
    page.get_by_role("tab", name="Explore", selected=True).wait_for()
    page.locator("#step-train").click()
    page.get_by_role("tab", name="Train", selected=True).wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_narrow_window(app, open_page, scheme):
    page = open_page(app, viewport={"width": 500, "height": 900}, color_scheme=scheme)
    page.locator("#run-curves .main-svg").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 500
    open_tab(page, "Models")
    page.locator("#models-table table").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 500


def test_the_page_is_painted_at_once_and_its_ticks_are_small(app, open_page):
    began = time.monotonic()
    page = open_page(app)
    page.locator("#start").wait_for()
    assert time.monotonic() - began < 3
    page.locator("#run-previews img[src]").last.wait_for()
    page.wait_for_timeout(1500)
    sizes = []
    page.on("requestfinished", lambda request: sizes.append(request.sizes()))
    page.wait_for_timeout(4000)
    assert len(sizes) > 3
    assert max(size["requestBodySize"] + size["responseBodySize"] for size in sizes) < 500


@pytest.mark.slow
def test_ten_tabs_are_fast(app, open_page):
    """A connection that stays open a tab would use up the six that a browser has for a host."""
    page = open_page(app)
    others = [page.context.new_page() for _ in range(9)]
    for other in others:
        other.goto(app)
        other.locator("#start").wait_for()
    began = time.monotonic()
    others[-1].reload()
    others[-1].locator("#run-progress .state").wait_for()
    assert time.monotonic() - began < 5


# --- what programs may ask ---


def test_programs_ask_for_runs_and_their_status(app):
    client = Client(app, verbose=False)
    assert client.predict(api_name="/runs") == [
        {"run": "demo", "state": "finished", "epoch": 12, "epochs": 12, "score": pytest.approx(1.96, abs=0.05)}
    ]
    status = client.predict("demo", api_name="/status")
    assert (status["run"], status["step"], status["total"]) == ("demo", 216, 216)
    assert status["best"]["metrics"]["dice"] > 0.9
    for name in ("../demo", "/etc", "gone"):
        with pytest.raises(AppError, match="There is no run"):
            client.predict(name, api_name="/status")


def test_no_event_of_a_page_is_an_endpoint(app):
    named = Client(app, verbose=False).view_api(return_format="dict")
    assert set(named["named_endpoints"]) == {"/runs", "/status", "/predict"}
    assert not named["unnamed_endpoints"]


# --- who may look ---


def test_a_foreign_host_name_is_refused(app):
    assert answer(app) == 200
    assert answer(app, host="localhost") == 200
    assert answer(app, host="elsewhere.example") == 400


def test_a_proxy_may_have_a_name_and_a_path(show_app, runs):
    url = show_app(runs, allowed_hosts=("*.proxy.example",), root_path="/user/me/proxy/7860")
    local = re.sub(r"/user/.*", "/", url)
    assert answer(local, host="hub.proxy.example") == 200
    assert answer(local, host="elsewhere.example") == 400
    address = urlsplit(local)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
    connection.request("GET", "/config")
    root = json.loads(connection.getresponse().read())["root"]
    connection.close()
    assert root.endswith("/user/me/proxy/7860")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "workbench.example"])
def test_other_machines_need_a_password(host):
    with pytest.raises(UserError, match="--password"):
        launch(create_app(), host=host)


@pytest.mark.parametrize("host", ["localhost", "::1", "[::1]"])
def test_this_machine_has_other_names(host, show_app, runs):
    if ":" in host and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    assert answer(show_app(runs, host=host)) == 200


def has_ipv6():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def test_a_password_opens_the_app_and_nothing_else_does(show_app, runs, open_page):
    url = show_app(runs, password="open sesame")
    for path in ("/config", "/gradio_api/info", "/gradio_api/file=README.md"):
        assert answer(url, path) == 401
    assert answer(url, "/login", form="username=anybody&password=guess") == 400
    page = open_page(url)
    page.get_by_label("username").fill("anybody")
    page.get_by_label("password").fill("open sesame")
    page.get_by_role("button", name="Login").click()
    page.locator("#run-progress .state").wait_for()
    page.close()


@pytest.mark.parametrize("path", ["README.md", "../runs/demo/config.yaml", "/etc/passwd"])
def test_no_file_is_given_out_by_its_path(app, runs, path):
    assert answer(app, f"/gradio_api/file={path}") in (403, 404)
    assert answer(app, f"/gradio_api/file={runs / 'demo' / 'config.yaml'}") in (403, 404)


def test_a_port_in_use_is_one_sentence():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=rf"--port {port} \(Address already in use\)"):
            launch(create_app(), port=port)


@pytest.mark.parametrize("port", [0, -1, 70_000])
def test_a_port_that_cannot_be_is_one_sentence(port):
    with pytest.raises(UserError, match="1 to 65535"):
        launch(create_app(), port=port)


# --- the command ---


@pytest.fixture
def start(tmp_path):
    started = []

    def start_(*options, **variables):
        started.append(AppProcess(tmp_path, *options, **variables))
        return started[-1]

    yield start_
    for one in started:
        one.kill()


no_sigint = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for other processes")


@no_sigint
def test_the_command_starts_the_app_with_an_example_and_ctrl_c_stops_it(start, tmp_path):
    app = start(WORKBENCH_PASSWORD="open sesame")
    url = app.address()
    assert time.monotonic() - app.began < 8
    assert "the example demo" in app.line()
    assert (answer(url), answer(url, "/config")) == (200, 401)
    assert list(tmp_path.glob("workbench-uploads-*"))
    code, out, err = app.end()
    assert (code, err) == (0, "")
    assert "Stopped." in out
    assert [path.name for path in tmp_path.iterdir()] == ["runs"], "it leaves nothing else behind"


@no_sigint
def test_for_other_machines_it_makes_a_password(start):
    app = start("--host", "0.0.0.0")
    url = app.address().replace("0.0.0.0", "127.0.0.1")
    told = [app.line(), app.line()]
    password = re.search(r"password.*: (\S+)$", told[1])[1]
    assert answer(url, "/config") == 401
    assert answer(url, "/login", form="username=me&password=wrong") == 400
    assert answer(url, "/login", form=f"username=me&password={password}") == 200
    assert app.end()[0] == 0
