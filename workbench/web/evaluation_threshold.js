// The slider that tells the scores at another threshold: values at once from a table of all 256, intervals a moment later.

import { make } from "./dom.js";

const PAUSE = 250; // milliseconds without a move, after which intervals are asked for
const BINS = 256;

/** `askIntervals(threshold)` gives value, low and high by score; `moved(threshold)` is called while it moves. */
export function createThreshold(askIntervals, moved) {
  const slider = make("input", { type: "range", min: 1, max: BINS - 1, step: 1, ariaLabel: "Threshold" });
  const shown = make("output", {});
  const reset = make("button", { type: "button" });
  const body = make("tbody", {});
  const controls = make("div", { className: "controls" }, make("span", {}, "Threshold"), slider, shown, reset);
  const wide = make(
    "div",
    { className: "wide" },
    make(
      "table",
      {},
      make("thead", {}, make("tr", {}, ...["score", "all pictures together", "mean over pictures"].map((title) => make("th", { scope: "col" }, title)))),
      body,
    ),
  );
  const note = make("p", { className: "notice" });
  const element = make("div", { className: "threshold" }, make("h3", {}, "Another threshold"), controls, wide, note);
  let scores = null;
  let names = [];
  let own = BINS / 2;
  let timer = null;

  function write(intervals = null) {
    const place = Number(slider.value);
    shown.textContent = (place / BINS).toFixed(3);
    const cell = (name) => {
      const value = scores[name]?.[place];
      const [, low, high] = intervals?.[name] ?? [];
      const range = low === undefined ? "" : ` ${low.toFixed(4)} to ${high.toFixed(4)}`;
      return make("td", {}, value === null || value === undefined ? "–" : value.toFixed(4), make("small", {}, range));
    };
    body.replaceChildren(
      ...names.map((name) => {
        const row = make("tr", {}, make("th", { scope: "row" }, name), cell(name), cell(`${name}_per_picture`));
        row.dataset.score = name;
        return row;
      }),
    );
  }

  function change() {
    write();
    const place = Number(slider.value);
    moved(place / BINS);
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const intervals = await askIntervals(place / BINS).catch(() => null);
      if (Number(slider.value) === place) write(intervals);
    }, PAUSE);
  }
  slider.oninput = change;
  reset.onclick = () => {
    slider.value = own;
    change();
  };

  return {
    element,
    show(answer) {
      scores = answer.by_threshold;
      controls.hidden = wide.hidden = !scores;
      if (!scores) {
        note.textContent = "Several classes that exclude each other: the likeliest is taken, so there is no threshold to choose.";
        moved(answer.threshold);
        return;
      }
      note.textContent =
        `Counted ${answer.sizes[0].size}; the values follow at once, in this page, from probabilities counted in 256 bins, ` +
        "and their intervals from the app when the slider rests.";
      names = Object.keys(scores).filter((name) => !name.endsWith("_per_picture"));
      own = Math.min(BINS - 1, Math.max(1, Math.floor(answer.threshold * BINS)));
      reset.textContent = `Back to ${answer.threshold}`;
      slider.value = own;
      change();
    },
  };
}
