"""The tab that takes a run's model and files elsewhere: exported, measured, predicting what is sent, packed."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from workbench.errors import UserError
from workbench.inference.writers import FORMATS as WRITTEN
from workbench.runs.jobs import Job
from workbench.runs.run import list_runs
from workbench.runs.takeaway import Takeaway
from workbench.runs.takeaway.desk import Result, about
from workbench.tables import bench_table, check_table
from workbench.ui import address
from workbench.ui.events import OWN, QUIET
from workbench.ui.html_table import as_html
from workbench.ui.settings import Settings
from workbench.ui.told import told

EXPORTS = {
    "ONNX": "onnx",
    "PyTorch (torch.export)": "torch",
    "OpenVINO": "openvino",
    "ncnn, for phones and small boards": "ncnn",
}
USUAL = ("label", "overlay")
MOST_TOLD = 20
"""Files that were left out, told by name; the ZIP names all."""
LATEST: dict[str, Any] = {**QUIET, "trigger_mode": "always_last"}


class Section(NamedTuple):
    """One kind of work: what begins and ends it, how far it is, and what came of it."""

    kind: str
    start: gr.Button
    stop: gr.Button
    clock: gr.Timer
    work: gr.HTML
    found: gr.HTML
    download: gr.DownloadButton

    @property
    def outputs(self) -> list[Any]:
        return [self.start, self.stop, self.clock, self.work, self.found, self.download]


def create_takeaway_tab(settings: Settings) -> gr.Tab:
    """From top to bottom: which run, and the four ways to take something of it."""
    desk = Takeaway(Path(os.environ["GRADIO_TEMP_DIR"]))
    with gr.Tab("Take away", id="take-away") as tab:
        with gr.Row(elem_id="taken-choose"):
            # Any value passes gradio, which forgets the choices when the app is started again; `settings.run` does not.
            chosen = gr.Dropdown([], label="Run", allow_custom_value=True, scale=1, min_width=260, elem_id="taken-run")
            contents = gr.Markdown(elem_id="taken-about")
        gr.Markdown("### A file that runs elsewhere")
        with gr.Row(elem_classes="taken-knobs"):
            to = gr.Dropdown(list(EXPORTS.items()), value="onnx", label="Format", min_width=260, elem_id="export-to")
            half = gr.Checkbox(label="float16", info="half the size, results nearly the same", min_width=220)
            attention = gr.Checkbox(label="Attention", info="the gates' maps as further outputs", min_width=220)
        export = create_section("export", "Export")
        gr.Markdown("### How fast it is on this machine")
        with gr.Row(elem_classes="taken-knobs"):
            size = gr.Number(128, label="Picture size", precision=0, minimum=1, min_width=160, elem_id="bench-size")
            batch = gr.Number(1, label="Pictures at once", precision=0, minimum=1, min_width=160)
            rounds = gr.Number(5, label="Rounds", precision=0, minimum=1, maximum=100, min_width=160)
        bench = create_section("bench", "Measure")
        gr.Markdown("### Predict pictures")
        with gr.Row():
            sent = gr.File(
                label="A ZIP of pictures, or pictures", file_count="multiple", height=160, min_width=260, elem_id="sent"
            )
            with gr.Column(scale=2, min_width=260):
                formats = gr.CheckboxGroup(
                    [(f"{name}: {format_.summary}", name) for name, format_ in WRITTEN.items()],
                    value=list(USUAL),
                    label="What to write",
                    info="With none ticked, what is usual for a file's kind.",
                    elem_id="written",
                )
                threshold = gr.Slider(0.01, 0.99, value=0.5, step=0.01, label="Threshold")
        predict = create_section("predict", "Predict")
        gr.Markdown("### All files of the run")
        states = gr.Checkbox(
            label="With the states to go on training from", info="several times as large", elem_id="with-states"
        )
        pack = create_section("pack", "Pack")

    sections = (export, bench, predict, pack)
    everything = [each for section in sections for each in section.outputs]

    def contained(name: str | None) -> str:
        return about(settings.run(name)) if name in _names(settings) else ""

    def shown(name: str | None) -> list[Any]:
        known = name in _names(settings)
        return [
            contained(name),
            *(update for section in sections for update in _shown(desk, name if known else None, section.kind)),
        ]

    def first(asked: str | None) -> list[Any]:
        names = _names(settings)
        value = asked if asked in names else next(iter(names), None)
        return [gr.update(choices=names, value=value), *shown(value)]

    def at_first(request: gr.Request) -> list[Any]:
        return first(request.query_params.get("run"))

    def opened(name: str | None, request: gr.Request) -> list[Any]:
        """An address that opens this tab may have it selected before anything is chosen."""
        return first(name) if name else at_first(request)

    def exporting(name: str, to: str, half: bool, attention: bool) -> None:
        desk.export(settings.run(name), to, attention=attention, half=half)

    def measuring(name: str, *values: float | None) -> None:
        numbers = [_whole(value) for value in values]
        desk.bench(settings.run(name), *numbers)

    def predicting(name: str, sent: list[str] | None, formats: list[str], threshold: float) -> None:
        desk.predict(settings.run(name), [Path(path) for path in sent or ()], formats, threshold)

    def packing(name: str, states: bool) -> None:
        desk.pack(settings.run(name), bool(states))

    gr.on(None, told(at_first), outputs=[chosen, contents, *everything], **QUIET)  # when the page is opened
    tab.select(told(opened), chosen, [chosen, contents, *everything], js=address.follow("run"), **LATEST)
    chosen.input(None, chosen, js=address.keep("run"), **OWN)
    chosen.input(told(shown), chosen, [contents, *everything], **LATEST)
    chosen.focus(lambda: gr.update(choices=_names(settings)), outputs=chosen, **QUIET)
    # Files alone are checked by gradio: that they are those which this page has sent.
    checked = {**QUIET, "preprocess": True}
    _connect(desk, chosen, export, exporting, [to, half, attention], QUIET)
    _connect(desk, chosen, bench, measuring, [size, batch, rounds], QUIET)
    _connect(desk, chosen, predict, predicting, [sent, formats, threshold], checked)
    _connect(desk, chosen, pack, packing, [states], QUIET)
    export.clock.tick(contained, chosen, contents, **QUIET)  # the last time when it is done
    return tab


def create_section(kind: str, title: str) -> Section:
    """Its buttons, and room for what they bring."""
    with gr.Row(elem_classes="taken-buttons"):
        start = gr.Button(title, variant="primary", scale=0, min_width=140, elem_id=f"{kind}-start")
        stop = gr.Button("Stop", variant="stop", visible=False, scale=0, min_width=100, elem_id=f"{kind}-stop")
        download = gr.DownloadButton(visible=False, scale=0, min_width=240, elem_id=f"{kind}-download")
    work = gr.HTML(padding=False, elem_id=f"{kind}-work")
    found = gr.HTML(padding=False, elem_id=f"{kind}-found")
    return Section(kind, start, stop, gr.Timer(0.7, active=False), work, found, download)


def _connect(
    desk: Takeaway,
    chosen: gr.Dropdown,
    section: Section,
    begin: Callable[..., None],
    given: list[Any],
    event: dict[str, Any],
) -> None:
    """The work goes on in its own thread, so that a page which is closed or loaded again finds it."""
    kind = section.kind

    def beginning(name: str, *values: Any) -> list[Any]:
        begin(name, *values)
        return _shown(desk, name, kind)

    def looking(name: str) -> list[Any]:
        job = desk.job(name, kind)
        if job and job.at_work:
            return [gr.skip() if each is not section.work else gr.update(value=_told(job)) for each in section.outputs]
        return _shown(desk, name, kind)

    section.start.click(told(beginning), [chosen, *given], section.outputs, **event)
    section.stop.click(lambda name: desk.stop(name, kind), chosen, **QUIET)
    section.clock.tick(looking, chosen, section.outputs, **QUIET)


def _shown(desk: Takeaway, name: str | None, kind: str) -> list[Any]:
    """What a handler returns for the outputs of a section."""
    job = desk.job(name, kind) if name else None
    result = desk.result(name, kind) if name else None
    busy = bool(job and job.at_work)
    label = f"Download ({_size(result.file)})" if result else ""
    return [
        gr.update(interactive=name is not None and not busy),
        gr.update(visible=busy),
        gr.update(active=busy),
        gr.update(value=_told(job) if job else ""),
        gr.update(value=FOUND[kind](result) if result else ""),
        gr.update(visible=result is not None, value=str(result.file) if result else None, label=label),
    ]


def _told(job: Job) -> str:
    """How far it is, and what went wrong."""
    state = "stopping" if job.at_work and job.stop_asked else job.state
    count = f": {job.done:,} of {job.total:,}" if job.total else ""
    ended = "" if job.at_work else f" in {job.seconds:.1f} s"
    share = f"value='{job.done}' max='{job.total}'" if job.total else ""
    bar = f"<progress aria-label='Progress' {share}></progress>" if job.at_work else ""
    problem = f"<p class='problem' role='alert'>{escape(job.error)}</p>" if job.error else ""
    words = f"<span class='state' data-state='{state}'>{state}</span> {escape(job.title)}{count}{ended}"
    return f"<div class='taken'><p role='status'>{words}</p>{bar}{problem}</div>"


def _exported(result: Result) -> str:
    exported = result.value
    words = (
        f"{exported.path.name}, {exported.bytes / 1e6:.1f} MB, differs from PyTorch by {exported.difference:.1e} at "
        f"most, and {exported.bound:.0e} is allowed. It lies beside the weights of the run too."
    )
    return as_html(check_table(exported)) + _paragraphs(words)


def _measured(result: Result) -> str:
    measured = result.value
    machine = measured.machine
    where = f"{machine['device']}, threads: {machine['threads']}, torch {machine['torch']}."
    left_out = [f"Left out {name}: {reason}" for name, reason in measured.left_out.items()]
    assert result.picture
    picture = base64.b64encode(result.picture.read_bytes()).decode()
    plot = f"<img class='plot' alt='Images a second of every variant' src='data:image/png;base64,{picture}'>"
    return as_html(bench_table(measured)) + plot + _paragraphs(where, *left_out)


def _predicted(result: Result) -> str:
    predicted = result.value
    words = f"Predicted {predicted.written} of {predicted.pictures} pictures with {predicted.by}."
    left_out = [f"Left out: {sentence}" for sentence in predicted.left_out[:MOST_TOLD]]
    more = len(predicted.left_out) - MOST_TOLD
    further = [f"And {more} more, which left-out.txt in the ZIP names."] if more > 0 else []
    return _paragraphs(words, *left_out, *further, *predicted.notes)


def _packed(result: Result) -> str:
    words = "Unpacked into any folder of runs, it is a run there."
    stale = f"Left out, since they are of older weights: {', '.join(result.value)}." if result.value else ""
    return _paragraphs(words, stale)


FOUND: dict[str, Callable[[Result], str]] = {
    "export": _exported,
    "bench": _measured,
    "predict": _predicted,
    "pack": _packed,
}
"""How the result of each kind of work is shown."""


def _paragraphs(*sentences: str) -> str:
    return "<div class='taken'>" + "".join(f"<p>{escape(each)}</p>" for each in sentences if each) + "</div>"


def _whole(value: float | None) -> int:
    if value is None or value < 1:
        raise UserError("A bench needs a size, pictures at once and rounds, all of 1 or more.")
    return int(value)


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:.1f} MB"


def _names(settings: Settings) -> list[str]:
    return [run.name for run in list_runs(settings.runs)]
