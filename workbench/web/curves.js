// The curves of a run while it trains: only new points are sent, and a zoom stays where it is.

import { BUTTONS, COLOURS, layout, smoothed } from "./charts.js";
import { make } from "./dom.js";
import { plotly } from "./plotly.js";
import { poll } from "./poll.js";

const MOST_POINTS = 4000; // of one line; then it is asked for anew, thinned by those who hold all of it
const DASHES = ["solid", "dash", "dot"]; // for as many classes again
const FEW = 4; // lines whose names fit above the chart
const EVERY_STEP = new Set(["training", "images a second"]); // lines that are smoothed
const PANELS = {
  loss: { title: "Loss", tall: true },
  score: { title: "Score", tall: true },
  learning_rate: { title: "Learning rate" },
  images_per_second: { title: "Images a second" },
};

export function mount(element, host) {
  const smoothing = make("input", { type: "range", min: 0, max: 0.98, step: 0.02, value: 0.6, id: unique("smoothing") });
  const log = make("input", { type: "checkbox", id: unique("log") });
  const score = make("select", { id: unique("score") }, make("option", {}, "dice"));
  const notice = make("p", { className: "notice", role: "status" });
  const charts = Object.fromEntries(
    Object.entries(PANELS).map(([panel, { title, tall }]) => [
      panel,
      make("div", { className: tall ? "chart tall" : "chart", role: "img", ariaLabel: title }),
    ]),
  );
  const box = make(
    "section",
    { className: "curves-view" },
    make(
      "div",
      { className: "controls" },
      make("label", { for: smoothing.id }, "Smoothing"),
      smoothing,
      make("span", {}, log, " ", make("label", { for: log.id }, "Logarithmic loss")),
      make("label", { for: score.id }, "Score"),
      score,
    ),
    notice,
    make("div", { className: "charts" }, ...Object.values(charts)),
  );
  element.append(box);

  let run = null;
  let offset = 0;
  let lines = new Map();
  let drawn = 0;
  let quiet = 0; // answers without anything new

  function reset() {
    offset = 0;
    lines = new Map();
  }

  function take(answer) {
    if (answer.anew) lines = new Map();
    for (const { panel, name, x, y } of answer.lines) {
      const key = `${panel}/${name}`;
      if (!lines.has(key)) lines.set(key, { panel, name, x: [], y: [] });
      lines.get(key).x.push(...x);
      lines.get(key).y.push(...y);
    }
    const names = answer.scores.filter((name) => ![...score.options].some((option) => option.value === name));
    score.append(...names.map((name) => make("option", {}, name)));
  }

  async function draw() {
    const library = await plotly(host.get("plotly"));
    const colour = getComputedStyle(element).color;
    for (const [panel, chart] of Object.entries(charts)) {
      const shown = [...lines.values()].filter((line) => line.panel === panel).sort(classesLast);
      const logarithmic = panel === "loss" && log.checked;
      const title = panel === "score" ? score.value : PANELS[panel].title;
      await library.react(
        chart,
        traces(shown, Number(smoothing.value)),
        {
          ...layout(title, colour, shown.length > 1, {}, vertical(panel, shown, logarithmic)),
          ...(shown.length > FEW ? { legend: { font: { size: 10 } } } : {}),
          uirevision: `${run}/${logarithmic}/${title}`, // a zoom stays while this does
          datarevision: (drawn += 1),
        },
        BUTTONS,
      );
      const last = shown.map((line) => `${line.name} ${line.y.at(-1)}`).join(", ");
      chart.ariaLabel = `${title}: ${last || "nothing yet"}`;
    }
    element.dataset.points = Math.max(0, ...[...lines.values()].map((line) => line.x.length));
  }

  async function step() {
    if (run !== host.get("run")) {
      run = host.get("run");
      reset();
    }
    box.hidden = !run;
    if (!run) return;
    const asked = { run, offset, score: score.value };
    const answer = await host.ask("curves", asked);
    if (asked.run !== host.get("run") || asked.score !== score.value || asked.offset !== offset) return;
    offset = answer.offset;
    quiet += 1;
    if (!answer.lines) return;
    quiet = 0;
    take(answer);
    await draw();
    if ([...lines.values()].some((line) => line.x.length > MOST_POINTS)) offset = 0;
    notice.textContent = lines.size ? "" : "The first points come with the first step.";
  }

  const polling = poll(element, () => (quiet > 10 ? 3 : 1), step, (error) => {
    if (error) notice.textContent = error.message;
    else if (lines.size) notice.textContent = "";
  });
  host.watch("run", polling.now);
  score.onchange = () => {
    offset = 0;
    polling.now();
  };
  smoothing.oninput = draw;
  log.onchange = draw;
  return () => {
    polling.stop();
    box.remove();
  };
}

/** Plotly would draw a line that neither rises nor falls in the middle of -1 to 1. */
function vertical(panel, lines, logarithmic) {
  if (logarithmic) return { type: "log" };
  const values = lines.flatMap((line) => line.y);
  const even = values.length > 1 && values[0] > 0 && values.every((value) => value === values[0]);
  if (panel === "score") return { type: "linear", rangemode: "tozero" };
  return { type: "linear", ...(even ? { range: [0, 2 * values[0]] } : {}) };
}

let count = 0;
function unique(name) {
  count += 1;
  return `${name}-${count}`;
}

/** `dice` before `dice[road]`. */
function classesLast(one, other) {
  return one.name.includes("[") - other.name.includes("[");
}

function traces(lines, smoothing) {
  return lines.flatMap((line, number) => {
    const base = {
      x: line.x,
      name: line.name.replace(/^.*\[(.*)\]$/, "$1"),
      type: "scatter",
      mode: line.x.length === 1 ? "markers" : "lines",
      line: { color: COLOURS[number % COLOURS.length], dash: DASHES[Math.floor(number / COLOURS.length) % DASHES.length], width: 2 },
    };
    if (!EVERY_STEP.has(line.name) || line.x.length < 3 || !smoothing) return [{ ...base, y: line.y }];
    const group = { legendgroup: line.name };
    return [
      { ...base, ...group, y: line.y, opacity: 0.3, showlegend: false, hoverinfo: "skip", line: { ...base.line, width: 1 } },
      { ...base, ...group, y: smoothed(line.y, smoothing) },
    ];
  });
}
