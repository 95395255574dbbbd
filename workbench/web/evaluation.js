// An evaluation: how far it is, scores with intervals, thresholds, calibration, confusion, and its pictures.

import { make, number } from "./dom.js";
import { createCharts } from "./evaluation_charts.js";
import { createPictures } from "./evaluation_pictures.js";
import { confusionTable, scoreTables } from "./evaluation_tables.js";
import { createThreshold } from "./evaluation_threshold.js";
import { poll } from "./poll.js";

const CHOSEN = ["run", "split", "checkpoint", "data"];

export function mount(element, host) {
  const question = () => Object.fromEntries(CHOSEN.map((name) => [name, host.get(name)]));
  const ask = (name, more = {}) => host.ask(name, { ...question(), ...more });

  const state = make("span", { className: "state" });
  const detail = make("span", {});
  const bar = make("div", {});
  const track = make("div", { className: "track", role: "progressbar", ariaLabel: "Progress of the evaluation", ariaValueMin: 0 }, bar);
  const working = make("div", { className: "working", hidden: true }, make("p", { role: "status" }, state, " ", detail), track);
  const notice = make("p", { className: "notice", role: "status" });
  const headline = make("p", { className: "headline" });
  const tables = make("div", { className: "tables" });
  const confusion = make("div", {});
  const threshold = createThreshold((at) => ask("scores_at_threshold", { threshold: at }), moved);
  const charts = createCharts(host);
  const pictures = createPictures(ask);
  const found = make(
    "div",
    { hidden: true },
    headline,
    tables,
    threshold.element,
    charts.element,
    confusion,
    pictures.element,
  );
  const box = make("section", { className: "evaluation-view" }, working, notice, found);
  element.append(box);

  let asked = null;
  let mark = "";
  let told = "";
  let atWork = false;

  function moved(at) {
    charts.mark(at);
    pictures.threshold(at);
  }

  function showProgress(answer) {
    atWork = answer.at_work;
    const worthTelling = answer.at_work || ["failed", "lost", "stopped"].includes(answer.state);
    working.hidden = !worthTelling;
    if (!worthTelling) return;
    state.textContent = state.dataset.state = answer.state;
    detail.textContent = answer.error || (answer.total ? `${answer.detail} ${answer.step} of ${answer.total} pictures` : answer.detail);
    track.hidden = !answer.at_work;
    bar.style.width = `${answer.total ? (100 * answer.step) / answer.total : 0}%`;
    Object.assign(track, { ariaValueNow: answer.step, ariaValueMax: answer.total });
  }

  async function show() {
    notice.textContent = "Reading the evaluation …";
    const answer = await ask("evaluation");
    notice.textContent = answer.outdated ? "The run has another model by now: evaluate again to see how that one does." : "";
    headline.textContent =
      `${answer.pictures} pictures of the split ${answer.split}, threshold ${number(answer.threshold)}. ` +
      "Intervals hold the middle 95 % of what other draws of as many pictures give.";
    tables.replaceChildren(...scoreTables(answer));
    confusion.replaceChildren(...(answer.confusion ? [confusionTable(answer.confusion)] : []));
    found.hidden = false;
    threshold.show(answer);
    charts.show(answer);
    pictures.show(answer);
    element.dataset.shown = `${asked}/${mark}`;
  }

  async function step() {
    const wanted = JSON.stringify(question());
    if (wanted !== asked) {
      asked = wanted;
      mark = told = "";
      found.hidden = true;
      notice.textContent = "";
      delete element.dataset.shown;
    }
    box.hidden = !host.get("run");
    if (box.hidden) return;
    const answer = await ask("evaluation_progress");
    if (JSON.stringify(question()) !== wanted) return;
    showProgress(answer);
    const facts = JSON.stringify([wanted, answer.mark, answer.at_work]);
    if (facts !== told) host.tell("changed", { there: Boolean(answer.mark), at_work: answer.at_work });
    told = facts;
    if (!answer.mark) notice.textContent = atWork ? "" : "This model is not evaluated on this split yet: Evaluate does it.";
    else if (answer.mark !== mark) {
      mark = answer.mark;
      await show();
    }
  }

  function failed(error) {
    if (!error) return;
    if (!element.dataset.shown) mark = "";
    notice.textContent = error.message;
  }

  const polling = poll(element, () => (atWork ? 0.5 : 2), step, failed);
  for (const name of [...CHOSEN, "nudge"]) host.watch(name, polling.now);
  return () => {
    polling.stop();
    box.remove();
  };
}
