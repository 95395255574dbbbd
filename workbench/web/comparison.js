// Several runs together: scores with intervals, curves, previews on one slider, and what differs in their configurations.

import { createCurves } from "./comparison_curves.js";
import { createPreviews } from "./comparison_previews.js";
import { make } from "./dom.js";
import { interval, table } from "./evaluation_tables.js";
import { poll } from "./poll.js";

export function mount(element, host) {
  const notice = make("p", { className: "notice", role: "status" });
  const scores = make("div", {});
  const sentences = make("ul", {});
  const knobs = make("div", {});
  const curves = createCurves(host);
  const previews = createPreviews(host);
  const found = make("div", { hidden: true }, scores, sentences, curves.element, previews.element, knobs);
  const box = make("section", { className: "comparison-view" }, notice, found);
  element.append(box);

  let asked = "";
  let quiet = 0;

  function show(runs, answer) {
    const told = answer.told;
    scores.replaceChildren(
      table(
        `Scores on ${host.get("split")}`,
        ["run", "model", "epochs", "best epoch", ...told.map((name) => name.replaceAll("_", " "))],
        answer.rows.map((row) => [
          row.run,
          row.model,
          String(row.epochs),
          String(row.best_epoch ?? "–"),
          ...told.map((name) => score(row.scores[name])),
        ]),
      ),
    );
    sentences.replaceChildren(...answer.sentences.map((sentence) => make("li", {}, sentence)));
    const different = Object.entries(answer.knobs);
    const title = "What differs in their configurations";
    knobs.replaceChildren(
      different.length
        ? table(title, ["knob", ...runs], different.map(([path, values]) => [path, ...runs.map((run) => values[run])]))
        : make("p", { className: "notice" }, "Their configurations do not differ."),
    );
    knobs.classList.add("knobs");
  }

  async function step() {
    const runs = host.get("runs") ?? [];
    const wanted = JSON.stringify([runs, host.get("split")]);
    if (wanted !== asked) {
      asked = wanted;
      quiet = 0;
      delete element.dataset.shown;
      if (runs.length < 2) {
        found.hidden = true;
        notice.textContent = "Choose at least two runs to compare.";
        return;
      }
      notice.textContent = "Comparing …";
      const answer = await host.ask("compare", { runs, split: host.get("split") });
      if (wanted !== asked) return;
      show(runs, answer);
      notice.textContent = "";
      found.hidden = false;
    }
    if (runs.length < 2) return;
    quiet += 1;
    if (await curves.update(runs)) quiet = 0;
    await previews.update(runs);
    element.dataset.shown = wanted;
  }

  function failed(error) {
    if (!error) return;
    asked = element.dataset.shown ? asked : "";
    found.hidden = !element.dataset.shown;
    notice.textContent = error.message;
  }

  const polling = poll(element, () => (quiet > 5 ? 5 : 1), step, failed);
  host.watch("runs", polling.now);
  host.watch("split", polling.now);
  return () => {
    polling.stop();
    box.remove();
  };
}

const score = (values) => (values ? interval({ value: values[0], low: values[1], high: values[2] }) : "–");
