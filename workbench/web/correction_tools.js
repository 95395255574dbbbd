// The bar of tools: what paints, how large, which class, and how the label is drawn over the picture.

import { IGNORED } from "./correction_planes.js";
import { make } from "./dom.js";
import { button, slider, switched } from "./explorer_parts.js";

export const SETTINGS = { tool: "brush", size: 12, plane: 0, value: 1, opacity: 0.5, outlines: false, original: false };
export const KEYS =
  "Keys: b brush, e eraser, f fill, brackets change the size, 1 to 9 classes, n background, i ignored, o outlines, " +
  "t original label, arrows move the circle and Enter paints there, plus and minus zoom, 0 all of it, space moves, " +
  "Ctrl+Z takes back, Ctrl+S saves.";
const TOOLS = [
  ["brush", "Brush", "b"],
  ["eraser", "Eraser", "e"],
  ["fill", "Fill", "f"],
];
const BIGGER = 1.2; // by a bracket

let groups = 0;

// Some to choose one of: [value, text, key, colour].
function radios(title, changed) {
  const name = `correction-${++groups}`;
  const element = make("div", { className: "radios", role: "radiogroup", "aria-label": title });
  const inputs = new Map();
  return {
    element,
    fill(options, chosen) {
      inputs.clear();
      const shown = options.map(([value, text, key, colour]) => {
        const input = make("input", { type: "radio", name, onchange: () => changed(value), checked: value === chosen, "aria-label": text });
        inputs.set(value, input);
        if (key) input.setAttribute("aria-keyshortcuts", key);
        const patch = colour && make("i", {});
        if (patch) patch.style.background = colour;
        return make("label", { title: key ? `Key ${key}` : "" }, input, patch || null, make("span", {}, text), key ? make("kbd", {}, key) : null);
      });
      element.replaceChildren(make("span", { className: "title" }, title), ...shown);
    },
    choose: (value) => inputs.has(value) && (inputs.get(value).checked = true),
  };
}

export class Tools {
  // `acts`: changed(what), where what is "tool", "mask" (to be drawn anew) or "look"; undo(); redo().
  constructor(settings, acts) {
    Object.assign(this, { settings, acts, classes: [], several: false });
    this.tool = radios("Tool", (tool) => this.set({ tool }, "tool"));
    this.tool.fill(TOOLS, settings.tool);
    this.classChoice = radios("Class", (chosen) => this.choose(chosen));
    this.paints = radios("Paints", (value) => this.set({ value }, "tool"));
    this.size = slider("Size", settings.size, (size) => this.set({ size }, "tool"), { min: 1, max: 100, step: 1 });
    this.opacity = slider("Opacity", settings.opacity, (opacity) => this.set({ opacity }, "look"));
    this.outlines = switched("Outlines only", settings.outlines, (outlines) => this.set({ outlines }, "mask"), "Key o");
    this.original = switched("Original label, in white", settings.original, (original) => this.set({ original }, "look"), "Key t");
    this.undo = button("Undo", acts.undo, { title: "Ctrl+Z", "aria-keyshortcuts": "Control+Z" });
    this.redo = button("Redo", acts.redo, { title: "Ctrl+Shift+Z", "aria-keyshortcuts": "Control+Shift+Z" });
    this.element = make(
      "div",
      { className: "tools", role: "toolbar", "aria-label": "Tools" },
      make("div", { className: "row" }, this.tool.element, this.size.element, make("span", { className: "pair" }, this.undo, this.redo)),
      make("div", { className: "row" }, this.classChoice.element, this.paints.element),
      make("div", { className: "row" }, this.opacity.element, this.outlines.element, this.original.element),
    );
    this.settleHistory();
  }

  set(values, what) {
    Object.assign(this.settings, values);
    this.acts.changed(what);
  }

  // Which classes there are: of one plane, whose levels are chosen, or a plane each, of which one is chosen.
  settle({ mode, classes }) {
    this.classes = classes;
    this.several = mode === "multilabel";
    const named = classes.map(({ id, name, colour }, place) => [
      this.several ? place : id,
      name,
      place < 9 ? String(place + 1) : "",
      colour,
    ]);
    const value = this.several || !classes.length ? 1 : classes[0].id;
    Object.assign(this.settings, { plane: 0, value });
    const background = [0, "background", "n"];
    const ignored = [IGNORED, `ignored (${IGNORED})`, "i", "repeating-linear-gradient(45deg, #6e6e6e 0 3px, #bebebe 3px 6px)"];
    this.paints.element.hidden = !this.several;
    if (this.several) {
      this.classChoice.fill(named, 0);
      this.paints.fill([[1, "the class", ""], background, ignored], 1);
    } else {
      this.classChoice.fill([background, ...named, ignored], value);
      this.paints.fill([], value);
    }
  }

  sizeFor({ width, height }) {
    const most = Math.max(50, Math.round(Math.max(width, height) / 4));
    this.size.input.max = most;
    this.resize(Math.min(this.settings.size, most));
  }

  settleHistory(editor) {
    this.undo.disabled = !editor?.done.length;
    this.redo.disabled = !editor?.undone.length;
  }

  choose(chosen) {
    this.set(this.several ? { plane: chosen } : { value: chosen }, this.several ? "mask" : "tool");
  }

  resize(size) {
    this.size.set(Math.min(Math.max(Math.round(size), 1), Number(this.size.input.max)));
    this.set({ size: Number(this.size.input.value) }, "tool");
  }

  chooseValue(value) {
    (this.several ? this.paints : this.classChoice).choose(value);
    this.set({ value }, "tool");
  }

  chooseClass(place) {
    if (place >= this.classes.length) return false;
    const chosen = this.several ? place : this.classes[place].id;
    this.classChoice.choose(chosen);
    this.choose(chosen);
    if (this.several) this.chooseValue(1);
    return true;
  }

  chooseTool(tool) {
    this.tool.choose(tool);
    this.set({ tool }, "tool");
  }

  // True where a key was one of the tools'.
  key({ key }) {
    if (/^[1-9]$/.test(key)) return this.chooseClass(Number(key) - 1);
    const { size } = this.settings;
    const acts = {
      "[": () => this.resize(Math.min(size - 1, size / BIGGER)),
      "]": () => this.resize(Math.max(size + 1, size * BIGGER)),
      n: () => this.chooseValue(0),
      i: () => this.chooseValue(IGNORED),
      o: () => this.outlines.input.click(),
      t: () => this.original.input.click(),
      ...Object.fromEntries(TOOLS.map(([tool, , letter]) => [letter, () => this.chooseTool(tool)])),
    };
    acts[key]?.();
    return key in acts;
  }
}
