// Dice over thresholds, precision over sensitivity, and calibration; the first two with the threshold that is looked at.

import { BUTTONS, COLOURS, layout } from "./charts.js";
import { make } from "./dom.js";
import { plotly } from "./plotly.js";

const BINS = 256;
const UNIT = { range: [0, 1.02] };

export function createCharts(host) {
  const charts = Object.fromEntries(
    ["Dice over thresholds", "Precision and sensitivity", "Calibration"].map((title) => [
      title,
      make("div", { className: "chart", role: "img", ariaLabel: title }),
    ]),
  );
  const notice = make("p", { className: "notice" });
  const element = make("div", {}, notice, make("div", { className: "charts" }, ...Object.values(charts)));
  let answer = null;
  let place = BINS / 2;
  let due = false;

  async function draw() {
    due = false;
    if (!answer) return;
    const library = await plotly(host.get("plotly"));
    const colour = getComputedStyle(element).color;
    const slides = answer.by_threshold !== null;
    const drawn = {
      "Dice over thresholds": [slides ? answer.curves.flatMap((each, number) => overThresholds(each, number, place)) : [], "threshold", "Dice"],
      "Precision and sensitivity": [answer.curves.flatMap((each, number) => precision(each, number, slides ? place : null)), "sensitivity", "precision"],
      Calibration: [[diagonal(), ...answer.curves.map(calibration)], "probability given", "share that is the class"],
    };
    for (const [title, [traces, x, y]] of Object.entries(drawn)) {
      const chart = charts[title];
      chart.hidden = !traces.length;
      if (!traces.length) continue;
      const several = answer.curves.length > 1;
      await library.react(
        chart,
        traces,
        {
          ...layout(title, colour, several, { ...UNIT, title: { text: x, standoff: 4 } }, { ...UNIT, title: { text: y, standoff: 4 } }),
          hovermode: "closest",
          legend: { orientation: "h", x: 0, y: -0.22, yanchor: "top" },
          uirevision: title,
        },
        BUTTONS,
      );
    }
  }

  return {
    element,
    show(given) {
      answer = given;
      draw().catch((error) => (notice.textContent = error.message));
    },
    mark(threshold) {
      place = Math.round(threshold * BINS);
      if (due) return;
      due = true;
      requestAnimationFrame(() => draw().catch((error) => (notice.textContent = error.message)));
    },
  };
}

const line = (number, name) => ({ type: "scatter", mode: "lines", name, legendgroup: name, line: { color: COLOURS[number % COLOURS.length], width: 2 } });
const dot = (number, name) => ({ type: "scatter", mode: "markers", name: `${name}, at the threshold`, legendgroup: name, showlegend: false, marker: { color: COLOURS[number % COLOURS.length], size: 11 } });

function overThresholds(each, number, place) {
  const x = each.dice.map((_, bin) => bin / BINS);
  return [
    { ...line(number, each.name), x, y: each.dice },
    { ...dot(number, each.name), x: [place / BINS], y: [each.dice[place]] },
  ];
}

function precision(each, number, place) {
  const text = each.dice.map((_, bin) => `threshold ${(bin / BINS).toFixed(3)}`);
  const curve = { ...line(number, each.name), x: each.sensitivity, y: each.precision, text };
  return place === null ? [curve] : [curve, { ...dot(number, each.name), x: [each.sensitivity[place]], y: [each.precision[place]] }];
}

const diagonal = () => ({ type: "scatter", mode: "lines", name: "as it should be", x: [0, 1], y: [0, 1], line: { color: "#888", dash: "dot", width: 1 }, hoverinfo: "skip" });

function calibration(each, number) {
  const text = each.pixels.map((pixels) => `${pixels.toLocaleString("en")} pixels`);
  return { ...line(number, each.name), mode: "lines+markers", x: each.predicted, y: each.observed, text };
}
