// The tables of an evaluation.

import { make } from "./dom.js";

const four = (value) => (value === null || value === undefined ? "–" : value.toFixed(4));

/** A score with its interval. */
export function interval({ value, low, high }) {
  if (value === null || value === undefined) return "–";
  const range = low === null || high === null ? "" : `${four(low)} to ${four(high)}`;
  return make("span", {}, four(value), " ", make("small", {}, range));
}

/** Rows of cells, the first of which names its row. */
export function table(caption, titles, rows) {
  const head = make("tr", {}, ...titles.map((title) => make("th", { scope: "col" }, title)));
  const body = rows.map(([first, ...rest]) =>
    make("tr", {}, make("th", { scope: "row" }, first), ...rest.map((cell) => (cell instanceof Element && cell.tagName === "TD" ? cell : make("td", {}, cell)))),
  );
  return make(
    "div",
    { className: "wide", tabIndex: 0, role: "region", ariaLabel: caption },
    make("table", {}, make("caption", {}, caption), make("thead", {}, head), make("tbody", {}, ...body)),
  );
}

/** Each size a table, then what is not a ratio of pixels. */
export function scoreTables(answer) {
  const sizes = answer.sizes.map(({ size, classes, rows }) =>
    table(
      `Scores ${size}`,
      ["score", classes.length ? "all pictures together, mean over classes" : "all pictures together", ...classes, "mean over pictures"],
      rows.map((row) => [row.score, interval(row.all), ...row.classes.map(four), interval(row.per_picture)]),
    ),
  );
  const { hd95_per_picture: hd95, boundary_f_per_picture: boundary, pictures_without_hd95: without } = answer.outlines;
  const others = [
    ["95 % Hausdorff distance, pixels or mm", interval(hd95)],
    ["boundary F-score", interval(boundary)],
    [`batch IoU, batches of ${answer.batch_iou.batch}`, four(answer.batch_iou.value)],
    ...Object.entries(answer.best_threshold ?? {}).map(([name, best]) => [
      `best threshold for ${name}`,
      `${best.threshold.toFixed(3)} (Dice ${four(best.dice)})`,
    ]),
    ...answer.curves.map((each) => [`calibration error, ${each.name}`, four(each.calibration_error)]),
  ];
  if (without) others.splice(1, 0, ["pictures without a distance", String(without)]);
  return [...sizes, table("Outlines, thresholds, calibration", ["", ""], others)];
}

/** A row a true class: what its pixels were taken for, darker for more. */
export function confusionTable({ classes, counts }) {
  const rows = counts.map((row, number) => {
    const total = row.reduce((sum, value) => sum + value, 0);
    const cells = row.map((value) => {
      const share = total ? value / total : null;
      const cell = make("td", { title: `${value.toLocaleString("en")} pixels` }, share === null ? "–" : `${(100 * share).toFixed(1)} %`);
      cell.style.background = `color-mix(in srgb, #0072b2 ${Math.round(60 * (share ?? 0))}%, transparent)`;
      return cell;
    });
    return [classes[number], ...cells];
  });
  const element = table("Confusion: a row a true class, a column what its pixels were taken for", ["", ...classes], rows);
  element.classList.add("confusion");
  return element;
}
