"""A live view of workbench/web in a notebook: the module that the app shows, mounted by anywidget."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anywidget
import traitlets

from workbench import web
from workbench.errors import UserError
from workbench.widgets.still import Bundle

MOUNT = """
import { mount } from "%s";

function render({ model, el }) {
  const own = Math.random().toString(36).slice(2);
  const waiting = new Map();
  let asked = 0;
  const answered = ({ id, answer, error }) => {
    const promise = waiting.get(id);
    waiting.delete(id);
    if (promise && error) promise.reject(new Error(error));
    else if (promise) promise.resolve(answer);
  };
  const watched = [];
  const changed = () => {
    for (const each of watched) {
      const value = JSON.stringify(model.get("values")[each.name]);
      if (value === each.value) continue;
      each.value = value;
      each.changed();
    }
  };
  model.on("msg:custom", answered);
  model.on("change:values", changed);
  const unmount = mount(el, {
    get: (name) => model.get("values")[name],
    watch: (name, act) => watched.push({ name, value: JSON.stringify(model.get("values")[name]), changed: act }),
    ask: (name, question) =>
      new Promise((resolve, reject) => {
        const id = `${own}-${(asked += 1)}`;
        waiting.set(id, { resolve, reject });
        model.send({ id, name, question: question ?? {} });
      }),
    tell: (name, facts) => model.send({ told: name, facts }),
  });
  return () => {
    model.off("msg:custom", answered);
    model.off("change:values", changed);
    unmount();
  };
}

export default { render };
"""

SILENT = "Python could not answer; what went wrong stands in the log of the kernel."

Answer = Callable[[dict[str, Any]], Any]


class LiveView(anywidget.AnyWidget):
    """The module `name`; `answers` are the functions that it may ask, by their names; `still` makes what is shown
    where there are no widgets. Other values are the module's own: `view.put(run="another")` changes one."""

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    values = traitlets.Dict().tag(sync=True)

    def __init__(
        self, name: str, answers: tuple[Answer, ...] = (), still: Callable[[], Bundle] = dict, **values: Any
    ) -> None:
        self._answers = {answer.__name__: answer for answer in answers}
        self._still = still
        self.told: dict[str, Any] = {}
        super().__init__(
            _anywidget_id=f"workbench.{name}",  # the key of its styles on the page
            _esm=MOUNT % web.address(name),
            _css=web.style(name),
            values=values,
        )
        self.on_msg(self._hear)

    def put(self, **values: Any) -> None:
        """Give the module other values."""
        self.values = {**self.values, **values}

    def _hear(self, _: Any, message: dict[str, Any], buffers: Any) -> None:
        if "told" in message:
            self.told = {**self.told, message["told"]: message["facts"]}
            return
        said: dict[str, Any] = {"error": SILENT}
        try:
            said = {"answer": self._answers[message["name"]](message["question"])}
        except UserError as error:
            said = {"error": str(error)}
        finally:  # whoever asks is not left waiting
            self.send({"id": message["id"], **said})

    def _repr_mimebundle_(self, **options: Any) -> Any:
        return with_still(super()._repr_mimebundle_(**options), self._still())


def with_still(shown: Any, still: Bundle) -> Any:
    """What a widget shows, beside a still for those who cannot show a widget."""
    data, facts = shown if isinstance(shown, tuple) else (shown, {})
    return {**data, **still}, facts
