"""Where a browser gives a data set: a ZIP, or pictures and masks file by file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from workbench.data.receive import receive_files, receive_zip
from workbench.errors import UserError
from workbench.runs.datasets.known import Datasets
from workbench.runs.files import full_disk_told
from workbench.ui.events import QUIET
from workbench.ui.told import told


def create_upload(datasets: Datasets, chosen: gr.Dropdown, names: Callable[[], list[tuple[str, str]]]) -> list[Any]:
    """The boxes to drop files in; what arrives is chosen among the `names`. Returns the events that bring something.

    Receiving ends whatever becomes of the page: the data set is then in the list.
    """

    def received(folder: Path) -> gr.Dropdown:
        return gr.Dropdown(choices=names(), value=datasets.name_of(folder))

    def from_zip(path: str | None, progress: gr.Progress = gr.Progress()) -> gr.Dropdown:  # noqa: B008
        if path is None:
            raise UserError("There is no ZIP: choose one first.")

        def tell(done: int, total: int) -> None:
            progress(done / max(1, total), desc="Unpacking")

        with full_disk_told(datasets.uploads):
            return received(receive_zip(Path(path), datasets.uploads, progress=tell))

    def from_files(pictures: list[str] | None, masks: list[str] | None, name: str) -> list[Any]:
        images, truths = ([Path(path) for path in paths or ()] for paths in (pictures, masks))
        with full_disk_told(datasets.uploads):
            return [received(receive_files(images, truths, datasets.uploads, name.strip())), None, None]

    with gr.Accordion("Send pictures and masks from this computer", open=False, elem_id="data-send"):
        with gr.Row():
            packed = gr.File(
                label="A ZIP of the folder", file_types=[".zip"], height=140, min_width=260, elem_id="data-zip"
            )
            pictures, masks = (
                gr.File(label=label, file_count="multiple", height=140, min_width=260, elem_id=name)
                for label, name in (("or pictures", "data-pictures"), ("and their masks", "data-masks"))
            )
        with gr.Row(elem_id="data-add-row"):
            name = gr.Textbox(label="Name", placeholder="by the first picture", max_lines=1, elem_id="data-name")
            add = gr.Button("Add these files", min_width=140, elem_id="data-add")
        gr.Markdown(
            "A picture and its mask have the same name; without a mask file of its own a picture is paired with "
            f"NAME_mask. Files land in `{datasets.uploads}`, a folder for each data set."
        )
    unpacked = packed.upload(told(from_zip), packed, chosen, show_progress_on=packed, api_visibility="private")
    for event in (unpacked.success, unpacked.failure):
        event(lambda: gr.File(value=None), outputs=packed, **QUIET)  # so that another can come
    return [
        unpacked,
        add.click(told(from_files), [pictures, masks, name], [chosen, pictures, masks], api_visibility="private"),
    ]
