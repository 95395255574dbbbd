// Small charts of each split of a data set: how much is marked, which classes there are, and how large pictures are.

import { COLOURS } from "./charts.js";
import { make, number } from "./dom.js";

const MOST_NAMES = 12;
const WIDTH = 180;
const HEIGHT = 64;
const GREY = "#8888";
const BACKGROUND = "#8899a6";

/** An element for what `spread` of workbench.data counted. */
export function statistics({ largest, parts, colours: known }) {
  const names = Object.keys(Object.values(parts)[0]?.classes ?? {});
  const colours = Object.fromEntries(names.map((name) => [name, known[name] ?? BACKGROUND]));
  const side = Math.max(...Object.values(parts).flatMap(({ sizes }) => sizes.flatMap(([width, height]) => [width, height])));
  const box = make("div", { className: "statistics" });
  box.style.cssText = "display: grid; gap: 0.75rem; min-width: 0";
  for (const [split, part] of Object.entries(parts)) {
    const row = make(
      "div",
      { role: "group", ariaLabel: `${split} in charts` },
      chart("share of foreground", [...marked(part, largest), ...axis(percent(largest))]),
      chart("classes, by pixels", [...classes(part, colours), ...axis("100 %")]),
      chart("width and height", sizes(part, side)),
    );
    row.dataset.split = split;
    row.style.cssText = "display: flex; flex-wrap: wrap; gap: 0.25rem 1.5rem";
    box.append(make("div", {}, make("b", {}, `${split}, ${number(part.pictures, 9)} pictures`), row));
  }
  box.append(legend(names.slice(0, MOST_NAMES), colours, names.length - MOST_NAMES));
  return box;
}

function chart(title, drawn) {
  const picture = draw(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT + 16}`, width: WIDTH, height: HEIGHT + 16, role: "img", "aria-label": title },
    ...drawn,
  );
  const caption = make("div", {}, title);
  caption.style.fontSize = "0.8rem";
  return make("div", {}, caption, picture);
}

function axis(most) {
  const line = draw("path", { d: `M0 ${HEIGHT}.5H${WIDTH}`, stroke: GREY, fill: "none" });
  return [line, text("0 %", 0, HEIGHT + 12), text(most, WIDTH, HEIGHT + 12, "end")];
}

function marked({ marked: counts, pictures }, largest) {
  const highest = Math.max(...counts);
  const step = WIDTH / counts.length;
  return counts.map((count, place) => {
    const height = (count / highest) * (HEIGHT - 2);
    const [from, to] = [place, place + 1].map((edge) => percent((edge * largest) / counts.length));
    const told = `${from} to ${to}: ${number(count, 9)} of ${number(pictures, 9)} pictures`;
    return draw("rect", { x: place * step + 0.5, y: HEIGHT - height, width: step - 1, height, fill: COLOURS[0] }, tip(told));
  });
}

/** A bar each, one below the other, since classes may overlap. */
function classes({ classes: shares }, colours) {
  const step = HEIGHT / Object.keys(shares).length;
  return Object.entries(shares).map(([name, share], place) =>
    draw("rect", { x: 0, y: place * step, width: Math.max(share * WIDTH, share ? 1 : 0), height: Math.max(step - 1, 0.5), fill: colours[name] }, tip(`${name}: ${percent(share)}`)),
  );
}

/** A dot each, as large as it is frequent, in a square of its own. */
function sizes({ sizes: counted, pictures }, side) {
  const place = (pixels) => (pixels / side) * (HEIGHT - 6);
  const frame = draw("path", { d: `M.5 ${HEIGHT - place(side)}V${HEIGHT}.5H${place(side)}`, stroke: GREY, fill: "none" });
  const dots = counted.map(([width, height, count]) => {
    const told = `${width} x ${height}: ${number(count, 9)} of ${number(pictures, 9)} pictures`;
    return draw("circle", { cx: place(width), cy: HEIGHT - place(height), r: 2 + 4 * Math.sqrt(count / pictures), fill: COLOURS[1], "fill-opacity": 0.7 }, tip(told));
  });
  const [width, height] = counted[0];
  const told = counted.length > 1 ? [`${counted.length} sizes,`, `most ${width} x ${height}`] : ["all", `${width} x ${height}`];
  return [frame, ...dots, ...told.map((words, line) => text(words, HEIGHT + 8, HEIGHT / 2 + 14 * line))];
}

function legend(names, colours, more) {
  const patches = names.map((name) => {
    const patch = make("i", {});
    patch.style.cssText = `display: inline-block; width: 0.8em; height: 0.8em; margin-right: 0.3em; background: ${colours[name]}`;
    return make("span", {}, patch, name);
  });
  const box = make("div", {}, ...patches, more > 0 ? `and ${more} more` : null);
  box.style.cssText = "display: flex; flex-wrap: wrap; gap: 0.2rem 1rem; font-size: 0.8rem";
  return box;
}

const percent = (share) => `${number(100 * share, 3)} %`;
const text = (words, x, y, anchor = "start") => draw("text", { x, y, "text-anchor": anchor, fill: "currentColor", "font-size": 11 }, words);
const tip = (text) => draw("title", {}, text);

function draw(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}
