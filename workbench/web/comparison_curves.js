// The same curve of several runs in one chart each: training and validation loss, and a score.

import { BUTTONS, COLOURS, layout, smoothed } from "./charts.js";
import { make } from "./dom.js";
import { plotly } from "./plotly.js";

const CHARTS = {
  validation: { panel: "loss", line: "validation", title: "Validation loss" },
  score: { panel: "score", line: null, title: "Score" },
  training: { panel: "loss", line: "epoch mean", title: "Training loss, mean of each epoch" },
};

export function createCurves(host) {
  const score = make("select", { ariaLabel: "Score" }, make("option", {}, "dice"));
  const smoothing = make("input", { type: "range", min: 0, max: 0.98, step: 0.02, value: 0, ariaLabel: "Smoothing" });
  const log = make("input", { type: "checkbox" });
  const charts = Object.fromEntries(
    Object.entries(CHARTS).map(([name, { title }]) => [name, make("div", { className: "chart", role: "img", ariaLabel: title })]),
  );
  const element = make(
    "div",
    {},
    make("h3", {}, "Curves"),
    make("div", { className: "controls" }, make("label", {}, "Smoothing ", smoothing), make("label", {}, log, " Logarithmic loss"), make("label", {}, "Score ", score)),
    make("div", { className: "charts" }, ...Object.values(charts)),
  );
  const kept = new Map(); // run to { offset, lines }
  let shown = [];
  let drawn = 0;

  function take(run, answer) {
    const found = kept.get(run);
    found.offset = answer.offset;
    if (!answer.lines) return false;
    if (answer.anew) found.lines = new Map();
    for (const { panel, name, x, y } of answer.lines) {
      const key = `${panel}/${name}`;
      if (!found.lines.has(key)) found.lines.set(key, { x: [], y: [] });
      found.lines.get(key).x.push(...x);
      found.lines.get(key).y.push(...y);
    }
    const names = answer.scores.filter((name) => ![...score.options].some((option) => option.value === name));
    score.append(...names.map((name) => make("option", {}, name)));
    return true;
  }

  async function draw() {
    const library = await plotly(host.get("plotly"));
    const colour = getComputedStyle(element).color;
    for (const [name, { panel, line, title }] of Object.entries(CHARTS)) {
      const traces = shown.flatMap((run, number) => {
        const found = kept.get(run)?.lines.get(`${panel}/${line ?? score.value}`);
        if (!found) return [];
        const y = smoothed(found.y, Number(smoothing.value));
        const mode = found.x.length === 1 ? "markers" : "lines";
        return [{ type: "scatter", mode, name: run, x: found.x, y, line: { color: COLOURS[number % COLOURS.length], width: 2, dash: number < COLOURS.length ? "solid" : "dot" } }];
      });
      const written = name === "score" ? score.value : title;
      const vertical = panel === "score" ? { rangemode: "tozero" } : { type: log.checked ? "log" : "linear" };
      const legend = { orientation: "h", x: 0, y: -0.22, yanchor: "top" };
      await library.react(charts[name], traces, { ...layout(written, colour, true, {}, vertical), legend, uirevision: `${shown}/${written}/${log.checked}`, datarevision: (drawn += 1) }, BUTTONS);
      charts[name].dataset.lines = traces.length;
    }
  }

  score.onchange = () => {
    kept.clear();
    update(shown);
  };
  smoothing.oninput = log.onchange = draw;

  /** Asks for what is new of each run; whether there was anything. */
  async function update(runs) {
    let news = JSON.stringify(runs) !== JSON.stringify(shown);
    shown = runs;
    for (const run of runs) {
      if (!kept.has(run)) kept.set(run, { offset: 0, lines: new Map() });
      const { offset } = kept.get(run);
      const answer = await host.ask("compared_curves", { run, offset, score: score.value });
      if (kept.get(run)?.offset === offset && take(run, answer)) news = true;
    }
    if (news) await draw();
    return news;
  }
  return { element, update };
}
