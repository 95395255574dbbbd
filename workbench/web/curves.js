// The curves of a run while it trains: only new points are sent, and a zoom stays where it is.

import { make } from "./dom.js";
import { plotly } from "./plotly.js";
import { poll } from "./poll.js";

const MOST_POINTS = 4000; // of one line; then it is asked for anew, thinned by those who hold all of it
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f5f9f", "#5b6b7b"];
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
      const shown = [...lines.values()].filter((line) => line.panel === panel);
      const logarithmic = panel === "loss" && log.checked;
      const title = panel === "score" ? score.value : PANELS[panel].title;
      await library.react(
        chart,
        traces(shown, Number(smoothing.value)),
        {
          ...layout(title, colour, shown, logarithmic, panel === "score"),
          uirevision: `${run}/${logarithmic}/${title}`, // a zoom stays while this does
          datarevision: (drawn += 1),
        },
        { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d"] },
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

let count = 0;
function unique(name) {
  count += 1;
  return `${name}-${count}`;
}

function traces(lines, smoothing) {
  return lines.flatMap((line, number) => {
    const base = {
      x: line.x,
      name: line.name,
      type: "scatter",
      mode: line.x.length === 1 ? "markers" : "lines",
      line: { color: COLOURS[number % COLOURS.length], width: 2 },
    };
    if (!EVERY_STEP.has(line.name) || line.x.length < 3 || !smoothing) return [{ ...base, y: line.y }];
    const group = { legendgroup: line.name };
    return [
      { ...base, ...group, y: line.y, opacity: 0.3, showlegend: false, hoverinfo: "skip", line: { ...base.line, width: 1 } },
      { ...base, ...group, y: smoothed(line.y, smoothing) },
    ];
  });
}

/** A moving average that forgets by `share` a point, without leaning on its first value. */
function smoothed(values, share) {
  let sum = 0;
  let weight = 0;
  return values.map((value) => {
    sum = sum * share + value;
    weight = weight * share + 1;
    return sum / weight;
  });
}

/** Plotly would draw a line that does not rise or fall in the middle of -1 to 1. */
function around(lines) {
  const values = lines.flatMap((line) => line.y);
  return values.length > 1 && values[0] > 0 && values.every((value) => value === values[0]) ? { range: [0, 2 * values[0]] } : {};
}

function layout(title, colour, lines, logarithmic, unit) {
  const axis = { gridcolor: "rgba(128,128,128,0.25)", zerolinecolor: "rgba(128,128,128,0.4)", automargin: true };
  return {
    title: { text: title, x: 0, xanchor: "left", font: { size: 14 }, pad: { l: 8 } },
    font: { color: colour, family: "system-ui, sans-serif", size: 12 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    margin: { l: 48, r: 12, t: 32, b: 36 },
    hovermode: "x unified",
    hoverlabel: { font: { color: "#111" }, bgcolor: "#fff" },
    showlegend: lines.length > 1,
    legend: { orientation: "h", x: 1, xanchor: "right", y: 1, yanchor: "bottom" },
    xaxis: { ...axis, title: { text: "step", standoff: 4 } },
    yaxis: { ...axis, type: logarithmic ? "log" : "linear", ...(unit ? { rangemode: "tozero" } : around(lines)) },
  };
}
