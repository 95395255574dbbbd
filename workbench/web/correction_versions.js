// What a label is begun from, how it is saved, and the versions that were saved before.

import { make } from "./dom.js";
import { button, choice } from "./explorer_parts.js";

export const BEGINNINGS = { prediction: "the prediction", label: "the label in use", original: "the original label" };

export class Versions {
  // `acts`: begin(from), save(), look(number), use(number).
  constructor(acts) {
    this.acts = acts;
    this.begin = choice("Begin with", acts.begin);
    this.note = make("input", { type: "text", maxLength: 300, placeholder: "Note (if you like)", "aria-label": "Note" });
    this.save = button("Save as a new version", acts.save, { className: "save", title: "Ctrl+S", "aria-keyshortcuts": "Control+S" });
    this.list = make("ol", { className: "versions", "aria-label": "Versions of the label" });
    this.element = make(
      "div",
      { className: "side" },
      this.begin.element,
      make("form", { onsubmit: (event) => (event.preventDefault(), acts.save()) }, this.note, this.save),
      make("h4", {}, "Versions"),
      this.list,
    );
  }

  // The beginnings that this picture has.
  fillBeginnings(there, chosen) {
    this.begin.fill(Object.entries(BEGINNINGS).map(([from, text]) => [from, text, !there(from)]), chosen);
  }

  fill(versions, inUse) {
    const newest = [...versions].sort((one, other) => other.number - one.number);
    this.list.replaceChildren(...newest.map((version) => this.row(version, inUse)), this.row({ number: 0 }, inUse));
  }

  row({ number, made, begun_from: from, run, changed, note }, inUse) {
    const title = number ? `Version ${number}` : "Original";
    const begun = from === "prediction" && run ? `${BEGINNINGS.prediction} of ${run}` : (BEGINNINGS[from] ?? from);
    const facts = number
      ? [time(made), `${changed.toLocaleString("en")} pixel${changed === 1 ? "" : "s"} changed`, `begun from ${begun}`]
      : ["as the data gives it"];
    const used = number === inUse;
    const row = make(
      "li",
      {},
      make("div", {}, make("b", {}, title), used ? make("em", {}, "in use") : null),
      make("div", { className: "facts" }, facts.join(" · ")),
      note ? make("div", { className: "note" }, note) : null,
      make(
        "div",
        { className: "pair" },
        button("Look at it", () => this.acts.look(number), { "aria-label": `Look at it: ${title}` }),
        button("Use it", () => this.acts.use(number), { disabled: used, "aria-label": `Use it: ${title}` }),
      ),
    );
    row.dataset.version = number;
    return row;
  }
}

function time(made) {
  const date = new Date(made);
  return Number.isNaN(date.getTime()) ? String(made) : date.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}
