// The same validation picture in all runs, epoch by epoch on one slider; a run without that epoch shows its last before.

import { make } from "./dom.js";

const KEPT = 200; // answers that are not asked for again

export function createPreviews(host) {
  const picture = make("select", { ariaLabel: "Picture" });
  const slider = make("input", { type: "range", min: 0, max: 0, step: 1, value: 0, ariaLabel: "Epoch" });
  const epochName = make("output", {});
  const attention = make("input", { type: "checkbox" });
  const notice = make("p", { className: "notice" });
  const cells = make("div", { className: "cells" });
  const controls = make(
    "div",
    { className: "controls" },
    make("label", {}, "Picture ", picture),
    make("span", {}, "Epoch"),
    slider,
    epochName,
    make("label", {}, attention, " attention of the finest gate"),
  );
  const element = make("div", {}, make("h3", {}, "The same picture in all runs"), controls, notice, cells);
  const known = new Map(); // run to { mark, epochs, pictures, gates }
  const answers = new Map();
  let runs = [];
  let epochs = [];
  let ticket = 0;

  async function update(wanted) {
    let news = JSON.stringify(wanted) !== JSON.stringify(runs);
    runs = wanted;
    for (const run of runs) {
      const before = known.get(run);
      const answer = await host.ask("compared_previews", { run, mark: before?.mark ?? "" });
      if (answer.mark === before?.mark) continue;
      known.set(run, { ...before, ...answer });
      news = true;
    }
    if (news) await begin();
  }

  async function begin() {
    const newest = Number(slider.value) >= epochs.length - 1;
    epochs = [...new Set(runs.flatMap((run) => known.get(run)?.epochs ?? []))].sort((a, b) => a - b);
    slider.max = Math.max(0, epochs.length - 1);
    if (newest) slider.value = slider.max;
    const names = [...new Set(runs.flatMap((run) => picturesOf(run).map((each) => each.name)))];
    const howOften = (name) => runs.filter((run) => picturesOf(run).some((each) => each.name === name)).length;
    names.sort((a, b) => howOften(b) - howOften(a));
    const chosen = picture.value;
    picture.replaceChildren(
      ...names.map((name) => make("option", { value: name }, howOften(name) === runs.length ? name : `${name} (${howOften(name)} of ${runs.length} runs)`)),
    );
    if (names.includes(chosen)) picture.value = chosen;
    controls.hidden = cells.hidden = !epochs.length;
    notice.textContent = epochs.length ? "" : "None of these runs has previews yet.";
    await show();
  }

  const picturesOf = (run) => known.get(run)?.pictures ?? [];

  async function show() {
    if (!epochs.length) return;
    const epoch = epochs[Number(slider.value)];
    epochName.textContent = `${epoch} of ${epochs.at(-1)}`;
    slider.setAttribute("aria-valuetext", `epoch ${epoch}`);
    const mine = ++ticket;
    const found = [];
    let truth = null;
    for (const run of runs) {
      const number = picturesOf(run).findIndex((each) => each.name === picture.value);
      const at = (known.get(run)?.epochs ?? []).filter((each) => each <= epoch).at(-1);
      if (number < 0 || at === undefined) {
        found.push(make("figure", {}, make("p", { className: "notice" }, number < 0 ? "not among its pictures" : "not begun yet"), make("figcaption", {}, run)));
        continue;
      }
      truth ??= { ...picturesOf(run)[number], run };
      const gate = attention.checked ? known.get(run).gates?.at(-1) ?? null : null;
      const map = (await maps(run, at, gate))[number];
      if (mine !== ticket) return; // the slider has moved on
      const address = gate && map.attention ? map.attention : map.prediction;
      const told = attention.checked && !map.attention ? "no gates; prediction" : gate ? `attention, ${map.legend}` : "";
      const words = [run, `epoch ${at}`, told].filter(Boolean).join(", ");
      found.push(make("figure", {}, make("img", { src: address, alt: words }), make("figcaption", {}, words)));
    }
    const own = truth ? [["picture", truth.picture], [`truth, as in ${truth.run}`, truth.truth]] : [];
    cells.replaceChildren(
      ...own.map(([name, address]) => make("figure", {}, make("img", { src: address, alt: name }), make("figcaption", {}, name))),
      ...found,
    );
    cells.dataset.epoch = epoch;
  }

  async function maps(run, epoch, gate) {
    const key = JSON.stringify([known.get(run).mark, run, epoch, gate]);
    if (!answers.has(key)) {
      if (answers.size >= KEPT) answers.delete(answers.keys().next().value);
      answers.set(key, await host.ask("compared_maps", { run, epoch, gate }));
    }
    return answers.get(key);
  }

  slider.oninput = picture.onchange = attention.onchange = () => show().catch((error) => (notice.textContent = error.message));
  return { element, update };
}
