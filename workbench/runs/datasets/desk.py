"""Answers to what views of a data set ask, with questions and answers as JSON; knows no page.

Data sets go by the names of `Datasets`: no path that came from a browser is opened.
"""

from __future__ import annotations

import base64
import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.config import DataConfig, RunConfig
from workbench.errors import UserError, choices
from workbench.runs.datasets.checks import contents_of, keep_check, kept_check, kept_mends
from workbench.runs.datasets.deleting import delete_sent, deletion_told
from workbench.runs.datasets.known import Datasets
from workbench.runs.datasets.legend import legend, spread_told
from workbench.runs.exploring.questions import number_of, text_of
from workbench.runs.jobs import Jobs, Progress

if TYPE_CHECKING:
    from workbench.data.doctor import Report
    from workbench.data.prepared import Prepared
    from workbench.data.thumbnails import Thumbnail

Json = dict[str, Any]

PAGE = 24
"""Pictures that a gallery shows at a time."""
LARGE = 768
"""The longer side of a picture that is looked at alone."""
SAMPLES, DRAWS, PREVIEW = 3, 5, 144
"""Pictures that an augmentation is shown on, how often, and their longer side."""


class Desk:
    """Each of `answers` takes a question and gives its answer, or raises a UserError; the rest is for buttons."""

    def __init__(self, datasets: Datasets) -> None:
        self.datasets = datasets
        self.jobs = Jobs()
        self.answers = (
            *(self.state, self.about, self.stop, self.findings),
            *(self.gallery, self.spread, self.picture, self.augmented),
        )

    # --- what views ask: `data` is the name of a data set ---

    def state(self, question: Json) -> Json:
        """The work that is done on it, and marks of what is there to be seen, which change with it."""
        name = text_of(question, "data")
        job, data = self.jobs.get(name), self.datasets.config(name).data
        index, check = self._folder(name) / "index.json", self.datasets.file_of_check(name)
        return {
            "layout": f"{data.layout} {data.options}",
            "job": None
            if job is None
            else {
                **{what: getattr(job, what) for what in ("title", "state", "done", "total", "error", "at_work")},
                "seconds": round(job.seconds, 1),
            },
            "checked": str(check.stat().st_mtime_ns) if check.is_file() else "",
            "prepared": f"{index.parent.name}-{index.stat().st_mtime_ns}" if index.is_file() else "",
        }

    def about(self, question: Json) -> Json:
        """The layout that was found, in a sentence."""
        from workbench.data.layouts import open_source

        data = self.datasets.config(text_of(question, "data")).data
        return {"report": open_source(data.path, data.layout, **data.options).report, "path": data.path}

    def stop(self, question: Json) -> Json:
        """End the work at the next picture."""
        self.jobs.stop(text_of(question, "data"))
        return {}

    def findings(self, question: Json) -> Json:
        """What the doctor found last, with pictures, and the numbers; empty before a check."""
        name = text_of(question, "data")
        return kept_check(self.datasets.file_of_check(name), self.datasets.path(name))

    def gallery(self, question: Json) -> Json:
        """A `page` of the prepared pictures: those of a `split` whose names hold `words`, in an `order`."""
        from workbench.data.thumbnails import ORDERS, chosen, thumbnail

        prepared = self.prepared(text_of(question, "data"))
        split, order = question.get("split") or "", question.get("order") or ORDERS[0]
        if split and split not in prepared.splits:
            raise choices("split", str(split), prepared.splits)
        if order not in ORDERS:
            raise choices("order", str(order), ORDERS)
        numbers = chosen(prepared, split, str(question.get("words") or ""), order)
        pages = max(1, -(-len(numbers) // PAGE))
        page = min(number_of(question, "page", most=1 << 30), pages - 1)
        splits = _split_of(prepared)
        return {
            "total": len(numbers),
            "page": page,
            "pages": pages,
            "splits": {name: len(its) for name, its in prepared.splits.items()},
            "orders": list(ORDERS),
            "classes": legend(prepared.task),
            "pictures": [
                {
                    "name": prepared.entries[number].name,
                    "split": splits.get(number, "in no split"),
                    "share": prepared.entries[number].share,
                    **_told(thumbnail(prepared, number)),
                }
                for number in numbers[page * PAGE : (page + 1) * PAGE]
            ],
        }

    def spread(self, question: Json) -> Json:
        """How the prepared pictures of each split differ."""
        from workbench.data.spread import Measured, spread

        prepared = self.prepared(text_of(question, "data"))
        measured = [
            Measured(entry.original, entry.class_pixels, entry.image_shape[0] * entry.image_shape[1])
            for entry in prepared.entries
        ]
        splits = {split: [measured[number] for number in its] for split, its in prepared.splits.items()}
        return spread_told(prepared.task, spread(prepared.task, splits))

    def picture(self, question: Json) -> Json:
        """One picture by its `name`, as large as it was prepared."""
        from workbench.data.thumbnails import shown

        prepared, name = self.prepared(text_of(question, "data")), text_of(question, "name")
        if name not in prepared.names:
            raise UserError(f"There is no picture {name!r} here (any more): choose another one.")
        number = prepared.names.index(name)
        entry = prepared.entries[number]
        size = f"{entry.original[1]} x {entry.original[0]}, prepared {entry.image_shape[1]} x {entry.image_shape[0]}"
        return {"name": name, "told": size, **_told(shown(prepared, number, LARGE))}

    def augmented(self, question: Json) -> Json:
        """Some training pictures, each as it is and as a `preset` draws it at a `strength`, by a `seed`."""
        from workbench.data.thumbnails import drawn
        from workbench.data.transforms import PRESETS, preview

        prepared, preset = self.prepared(text_of(question, "data")), text_of(question, "preset")
        strength = question.get("strength", 1)
        if not isinstance(strength, int | float) or not 0 <= strength <= 2:
            raise UserError(f"A strength lies between 0 and 2, not at {str(strength)[:40]!r}.")
        numbers = prepared.splits["train"]
        few = [
            numbers[place * (len(numbers) - 1) // max(1, SAMPLES - 1)] for place in range(min(SAMPLES, len(numbers)))
        ]
        samples = [(prepared.image(number), prepared.mask(number)) for number in few]
        seed = number_of(question, "seed", most=1 << 30)
        rows = preview(samples, preset, float(strength), seed, DRAWS)
        return {
            "told": PRESETS[preset].description,
            "rows": [
                {
                    "name": prepared.entries[number].name,
                    "pictures": [_told(drawn(image, mask, prepared.task, PREVIEW)) for image, mask in row],
                }
                for number, row in zip(few, rows, strict=True)
            ],
        }

    # --- what buttons do ---

    def check(self, name: str, config: RunConfig) -> None:
        """Decide the configuration and begin to look for faults."""
        decided = self.datasets.decide(name, config)
        self.jobs.start(
            name,
            "Looking at every picture and mask",
            lambda progress: (contents_of(decided.data.path), _check(decided.data, progress)),
            lambda found: keep_check(self.datasets.file_of_check(name), found[1], found[0]),
        )

    def mend(self, name: str, findings: list[int]) -> RunConfig:
        """Apply the mends of these findings of the last check, by their numbers; returns what is decided now."""
        from workbench.data.doctor.mending import write_mends

        mends, config = kept_mends(self.datasets.file_of_check(name)), self.datasets.config(name)
        if mends is None:
            raise UserError(f"{name} has not been checked yet: check it first.")
        wanted = [mend for number, mend in enumerate(mends) if number in findings and mend]
        if not wanted:
            raise UserError("Nothing is chosen to be mended: tick at least one mend.")
        before = _stored_groups(config.data)
        data = write_mends(config.data, wanted, self.datasets.file_of_mend(name))
        if before and any(mend.groups for mend in wanted):
            _join_groups(data, before)
        return self.datasets.decide(name, config.model_copy(update={"data": data}))

    def prepare(self, name: str, config: RunConfig) -> None:
        """Decide the configuration and begin to prepare; started again it goes on where it was."""
        decided = self.datasets.decide(name, config)
        self.jobs.start(name, "Preparing", lambda progress: self._prepare(decided.data, progress), lambda _: None)

    def deletion_told(self, name: str) -> str:
        """What deleting a data set that was sent would do; refused while it is used, and of other folders."""
        self.jobs.refuse_at_work(name)
        return deletion_told(self.datasets, name)

    def delete(self, name: str) -> None:
        """Delete a data set that was sent, for good."""
        self.jobs.refuse_at_work(name)
        delete_sent(self.datasets, name)
        _opened.cache_clear()  # else the disk would not be free yet

    def _prepare(self, data: DataConfig, progress: Progress) -> Prepared:
        from workbench.runs.preparing import prepare_for

        return prepare_for(data, self.datasets.runs, progress)

    def prepared_told(self, name: str, config: RunConfig) -> str:
        """What was prepared and how it is split; of a configuration that is not decided how it would be split."""
        from workbench.data.assign import assign_splits
        from workbench.data.layouts import open_source

        if not (self._folder(name) / "index.json").is_file():
            return (
                "Prepare decodes every picture once; after that they are shown below, and training reads nothing else."
            )
        prepared = self.prepared(name)
        if config.data == self.datasets.config(name).data:
            return " ".join(prepared.facts["report"][1:])
        source = open_source(prepared.source["path"], prepared.source["layout"], **prepared.source["options"])
        _, report = assign_splits(config.data, source, prepared.entries)
        return f"As these knobs stand, once it is prepared anew: {' '.join(report)}"

    def prepared(self, name: str) -> Prepared:
        """The data set as it is decided, prepared."""
        folder = self._folder(name)
        index = folder / "index.json"
        if not index.is_file():
            raise UserError(f"{name} is not prepared as it is decided: prepare it first.")
        return _opened(folder, index.stat().st_mtime_ns)

    def _folder(self, name: str) -> Path:
        from workbench.runs.preparing import prepared_folder

        return prepared_folder(self.datasets.config(name).data, self.datasets.runs)


def _check(data: DataConfig, progress: Progress) -> Report:
    from workbench.data.doctor import check

    return check(data, progress)


@lru_cache(maxsize=2)
def _opened(folder: Path, changed: int) -> Prepared:
    """`changed` is when it was prepared."""
    from workbench.data.prepared import open_prepared

    return open_prepared(folder)


def _stored_groups(data: DataConfig) -> dict[str, str]:
    return json.loads(Path(data.group_file).read_text(encoding="utf-8")) if data.group_file else {}


def _join_groups(data: DataConfig, before: dict[str, str]) -> None:
    """A second mend keeps together what the first one did."""
    from workbench.data.splits import join_groups, write_groups

    assert data.group_file
    write_groups(data.group_file, join_groups(before, _stored_groups(data)))


def _split_of(prepared: Prepared) -> dict[int, str]:
    return {number: split for split, numbers in prepared.splits.items() for number in numbers}


def _told(thumbnail: Thumbnail) -> Json:
    picture, mask = (base64.b64encode(data).decode() for data in thumbnail)
    return {"picture": f"data:image/jpeg;base64,{picture}", "mask": f"data:image/png;base64,{mask}"}
