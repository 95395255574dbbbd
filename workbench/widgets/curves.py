"""The curves of a run while it trains, as a plotly figure that a thread feeds until the run has ended."""

from __future__ import annotations

import threading
from typing import Any

import plotly.graph_objects as go

from workbench.plots import Curve, loss_and_score_curves, loss_figure
from workbench.runs.records import Record, current
from workbench.runs.run import Run
from workbench.widgets.still import figure_png
from workbench.widgets.view import with_still

LAYOUT = {"height": 480, "margin": {"l": 60, "r": 20, "t": 50, "b": 50}, "uirevision": "keep"}
"""A zoom stays when points come."""


class Curves(go.FigureWidget):
    """Losses above, scores below. It needs no cell that waits, and stops by itself when the run has ended."""

    def __init__(self, run: Run, seconds: float = 1.0) -> None:
        super().__init__(loss_figure((), run.name))
        self.update_layout(**LAYOUT)
        self._run, self._seconds = run, seconds
        self._offset, self._records = 0, list[Record]()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._follow, name=f"curves of {run.name}", daemon=True)
        self.look()
        self._thread.start()

    def look(self) -> None:
        """Read what is new and draw it."""
        news = self._run.history(self._offset)
        if news.restarted:
            self._records.clear()
        self._offset = news.offset
        self._records.extend(news.records)
        if news.records:
            self._draw(loss_and_score_curves(current(self._records)))

    def stop(self) -> None:
        """Draw no more; the run goes on."""
        self._done.set()

    def wait(self, seconds: float | None = None) -> None:
        """Until the run has ended and its last point is drawn, or so long."""
        self._thread.join(seconds)

    def _follow(self) -> None:
        ended = False
        while not ended and not self._done.wait(self._seconds):
            ended = self._run.status().ended  # before the last look, so that nothing comes after it
            self.look()
        self.update_layout(title=f"{self._run.name}: {self._run.status().state}")

    def _draw(self, curves: list[Curve]) -> None:
        drawn = {trace.name: trace for trace in self.data}
        new = [curve for curve in curves if curve.name not in drawn]
        with self.batch_update():
            for curve in curves:
                if curve.name in drawn:
                    drawn[curve.name].update(x=curve.steps, y=curve.values, mode=_mode(curve))
        for trace in loss_figure(new).data:
            self.add_trace(trace)

    def _repr_mimebundle_(self, *asked: Any, **options: Any) -> Any:
        still = {"image/png": figure_png(self)} if self.data else {}
        return with_still(super()._repr_mimebundle_(*asked, **options), still)


def _mode(curve: Curve) -> str:
    return "markers" if len(curve.steps) == 1 else "lines"


def curves(run: Run, seconds: float = 1.0) -> Curves:
    """Live curves that look for new points so often."""
    return Curves(run, seconds)
