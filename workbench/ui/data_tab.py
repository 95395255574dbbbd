"""The tab from files to a data set that can be trained on; what is decided is kept beside the runs, by data set."""

from __future__ import annotations

import time
from typing import Any

import gradio as gr

from workbench.config import DataConfig, RunConfig
from workbench.errors import UserError
from workbench.runs.datasets import Desk
from workbench.runs.datasets.known import DRAWN
from workbench.ui import address
from workbench.ui.data_delete import create_delete
from workbench.ui.data_upload import create_upload
from workbench.ui.events import OWN, QUIET
from workbench.ui.knob_form import config_of, create_field, values_of
from workbench.ui.live_view import live_view
from workbench.ui.settings import Settings
from workbench.ui.told import told

MEANING = tuple(f"data.{knob}" for knob in ("layout", "options", "mode", "classes", "mask_values", "snap_mask_values"))
SPLIT = tuple(f"data.{knob}" for knob in ("fractions", "split_seed", "group_pattern", "stratify", "folds", "fold"))
SIZE = tuple(f"data.preprocessing.{knob}" for knob in ("resize", "size", "channels"))
AUGMENTATION = ("data.augmentation", "data.augmentation_strength")
SLIDERS = {"data.augmentation_strength": (0, 2)}
PATHS = (*MEANING, *SPLIT, *SIZE, *AUGMENTATION)
"""The knobs that this tab decides."""


def create_data_tab(settings: Settings) -> gr.Tab:
    """From top to bottom: which data, what is wrong with it, how it is split and prepared, and how it looks."""
    desk = Desk(settings.datasets)
    fields: dict[str, Any] = {}

    def create(path: str) -> None:
        fields[path] = create_field(RunConfig(), path, "data-knob", SLIDERS)

    with gr.Tab("Data", id="data") as tab:
        gr.Markdown("### Which pictures and masks")
        with gr.Row(elem_id="data-choose"):
            chosen = gr.Dropdown(_names(desk), value=None, label="Data set", scale=3, min_width=260, elem_id="data-set")
            check = gr.Button("Look for faults", variant="primary", min_width=150, elem_id="data-check")
            forget = gr.Button("Forget what was decided", min_width=260, elem_id="data-forget")
            delete = gr.Button("Delete …", visible=False, min_width=100, elem_id="data-delete")
        deleted = create_delete(desk, chosen, delete, lambda: _names(desk))
        arrivals = create_upload(desk.datasets, chosen, lambda: _names(desk))
        asking = (desk.state, desk.about, desk.stop)
        work = live_view("data_work", asking, ("changed",), data=None, nudge=0, elem_id="data-work")
        findings = live_view("findings", (desk.findings,), ("mend",), data=None, mark="", elem_id="data-findings")
        with gr.Accordion("How files lie, and what mask values mean", open=False), gr.Row():
            for path in MEANING:
                create(path)
        gr.Markdown("### Split and prepare")
        with gr.Row():
            for path in SPLIT:
                create(path)
        with gr.Row():
            for path in SIZE:
                create(path)
        told_of = gr.Markdown(elem_id="data-prepared")
        with gr.Row():
            prepare = gr.Button("Prepare", variant="primary", min_width=150, elem_id="data-prepare")
            train = gr.Button("Open Train with this data", min_width=220, elem_id="data-train")
        gallery = live_view(
            "gallery", (desk.gallery, desk.spread, desk.picture), data=None, mark="", elem_id="data-gallery"
        )
        gr.Markdown("### What training draws of them")
        with gr.Row():
            for path in AUGMENTATION:
                create(path)
        augmentation = live_view(
            "augmentation",
            (desk.augmented,),
            data=None,
            mark="",
            preset=DataConfig().augmentation,
            strength=1.0,
            elem_id="data-augmentation",
        )

    knobs = [fields[path] for path in PATHS]
    views = [work, findings, gallery, augmentation]

    def asked(name: str | None, *values: Any) -> RunConfig:
        if not name:
            raise UserError("There is no data set yet: choose a folder, or send a ZIP.")
        return config_of(desk.datasets.config(name), values, PATHS)

    def shown(name: str | None) -> list[Any]:
        config = desk.datasets.config(name) if name else RunConfig()
        preset, strength = config.data.augmentation, config.data.augmentation_strength
        data = name or ""  # gradio would leave a None out
        drawn = gr.update(data=data, preset=preset, strength=strength)
        return [*(gr.update(data=data) for _ in views[:-1]), drawn, *values_of(config, PATHS)]

    def prepared_told(name: str | None, *values: Any) -> str:
        try:
            return desk.prepared_told(name, asked(name, *values)) if name else ""
        except UserError as error:
            return str(error)

    def begun() -> dict[str, Any]:
        return gr.update(nudge=time.time())

    def checking(name: str | None, *values: Any) -> dict[str, Any]:
        config = asked(name, *values)
        desk.check(str(name), config)
        return begun()

    def preparing(name: str | None, *values: Any) -> dict[str, Any]:
        config = asked(name, *values)
        desk.prepare(str(name), config)
        return begun()

    def mending(event: gr.EventData, name: str, *values: Any) -> list[Any]:
        desk.datasets.decide(name, asked(name, *values))
        config = desk.mend(name, event.findings)
        desk.check(name, config)
        gr.Info(f"Applied; {name} is prepared and trained on so from now on. It is being looked at once more.")
        return [begun(), *values_of(config, PATHS)]

    def forgetting(name: str | None) -> list[Any]:
        asked(name, *values_of(RunConfig(), PATHS))
        desk.datasets.forget(str(name))
        return [begun(), *shown(name)[len(views) :]]

    def deciding(name: str | None, *values: Any) -> None:
        desk.datasets.decide(str(name), asked(name, *values))

    def changed(event: gr.EventData) -> list[Any]:
        marks = [gr.update(mark=event.checked), *(gr.update(mark=event.prepared) for _ in (gallery, augmentation))]
        able = [gr.Button(interactive=not event.busy) for _ in (check, prepare)]
        return [*marks, *able]

    def deletable(name: str | None) -> gr.Button:
        return gr.Button(visible=desk.datasets.is_sent(str(name)))

    def at_first(request: gr.Request) -> Any:
        names = _names(desk)
        wanted = request.query_params.get("data")
        name = wanted if wanted in [value for _, value in names] else None
        return [gr.Dropdown(choices=names, value=name), *shown(name)]

    gr.on(None, told(at_first), outputs=[chosen, *views, *knobs], **QUIET)  # when the page is opened
    chosen.focus(lambda: gr.Dropdown(choices=_names(desk)), outputs=chosen, **QUIET)
    chosen.change(None, chosen, js=address.keep("data"), **OWN)
    chosen.change(deletable, chosen, delete, **QUIET)
    chosen.input(told(shown), chosen, [*views, *knobs], **QUIET).then(prepared_told, [chosen, *knobs], told_of, **QUIET)

    check.click(told(checking), [chosen, *knobs], work, **QUIET)
    prepare.click(told(preparing), [chosen, *knobs], work, **QUIET)
    forget.click(told(forgetting), chosen, [work, *knobs], **QUIET)
    findings.mend(told(mending), [chosen, *knobs], [work, *knobs], **QUIET)
    train.click(told(deciding), [chosen, *knobs], **QUIET).success(
        None, chosen, js=address.open_tab("train", "data"), **OWN
    )

    news = work.changed(changed, outputs=[findings, gallery, augmentation, check, prepare], **QUIET)
    news.then(prepared_told, [chosen, *knobs], told_of, **QUIET)
    for path in SPLIT:
        field = fields[path]
        event = field.blur if isinstance(field, gr.Textbox) else field.input
        event(prepared_told, [chosen, *knobs], told_of, **QUIET)
    drawing = [fields[path] for path in AUGMENTATION]
    gr.on(
        [field.input for field in drawing],
        _drawn_with,
        drawing,
        augmentation,
        trigger_mode="always_last",
        **QUIET,
    )

    def arrived(name: str) -> list[Any]:
        desk.check(name, desk.datasets.config(name))
        return shown(name)

    for event in arrivals:
        event.success(told(arrived), chosen, [*views, *knobs], **QUIET)
    deleted.success(told(shown), chosen, [*views, *knobs], **QUIET)
    return tab


def _drawn_with(preset: str | None, strength: float | None) -> dict[str, Any]:
    return gr.update(preset=preset, strength=strength) if preset and strength is not None else gr.skip()


def _names(desk: Desk) -> list[tuple[str, str]]:
    """Folders first; what is drawn needs none."""
    from workbench.ui.new_run import DRAWN as TOLD

    drawn = {value: title for title, value in TOLD.items()}
    return [*((name, name) for name in desk.datasets.folders()), *((drawn[name], name) for name in DRAWN)]
