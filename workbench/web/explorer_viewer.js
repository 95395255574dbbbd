// One picture under its layers. Several viewers may share one `look`, and so show the same part at the same zoom.

import { make } from "./dom.js";
import { fill, levels, loaded, masks, outline, packed, paint, rgb, valueAt } from "./explorer_planes.js";

const LAYERS = ["mask", "map", "truth", "lines", "changes"];
const CLEAREST = 40; // of zoom
const CLICK = 4; // pixels of the screen that a hand may tremble
const KEYS =
  "Keys: m mask, a attention, c contours, t truth, 1 to 9 classes, arrows pictures, plus and minus zoom, " +
  "0 all of it, Enter explains the middle.";
const IGNORE = 255; // in true masks
const WHITE = packed([255, 255, 255]);

export class Look {
  constructor() {
    this.zoom = 1;
    this.x = this.y = 0.5; // the middle of what is seen, as shares of the picture
  }

  // Keep a point of the picture (shares) where it is while the zoom changes.
  zoomAt(factor, x, y) {
    const zoom = Math.min(Math.max(this.zoom * factor, 1), CLEAREST);
    const kept = this.zoom / zoom;
    this.zoom = zoom;
    this.move(x + (this.x - x) * kept, y + (this.y - y) * kept);
  }

  move(x, y) {
    const margin = 0.5 / this.zoom;
    this.x = Math.min(Math.max(x, margin), 1 - margin);
    this.y = Math.min(Math.max(y, margin), 1 - margin);
  }

  // Where a picture lies in a frame, in pixels of the screen.
  box({ width, height }, wide, tall) {
    const scale = Math.min(wide / width, tall / height) * this.zoom;
    const box = { left: wide / 2 - this.x * width * scale, top: tall / 2 - this.y * height * scale };
    if (width * scale <= wide) box.left = (wide - width * scale) / 2;
    if (height * scale <= tall) box.top = (tall - height * scale) / 2;
    return { ...box, width: width * scale, height: height * scale };
  }
}

export class Viewer {
  // `acts` are called with what the hand did: looked(), picked(row, column), hovered(text), key(event, viewer).
  constructor(settings, look, colours, acts) {
    Object.assign(this, { settings, look, colours, acts, shown: null, extra: {} });
    this.base = make("img", { alt: "", draggable: false });
    this.canvas = Object.fromEntries(LAYERS.map((name) => [name, make("canvas", { className: name })]));
    this.cross = make("div", { className: "cross", hidden: true });
    this.stage = make("div", { className: "stage" }, this.base, ...Object.values(this.canvas), this.cross);
    this.frame = make(
      "div",
      { className: "frame", tabIndex: 0, role: "application", "aria-label": "Viewer" },
      this.stage,
    );
    this.caption = make("figcaption");
    this.element = make("figure", {}, this.frame, this.caption);
    this.sizes = new ResizeObserver(() => this.place());
    this.sizes.observe(this.element);
    this.listen();
  }

  stop() {
    this.sizes.disconnect();
  }

  // Decode what Python gave, then draw it.
  async show(answer) {
    const [base, labels, truth, probabilities, maps] = await Promise.all([
      loaded(answer.base),
      answer.labels && levels(answer.labels),
      Promise.all((answer.truth ?? []).map(levels)),
      Promise.all(answer.probabilities.map(decoded)),
      Promise.all(answer.maps.map(decoded)),
    ]);
    const channels = probabilities.map((plane) => plane.levels);
    this.shown = { ...answer, labels, truth, maps, planes: probabilities, probabilities: channels };
    this.extra = {};
    this.cross.hidden = true;
    this.base.src = answer.base;
    this.pixels = [base.naturalWidth, base.naturalHeight];
    for (const canvas of Object.values(this.canvas)) [canvas.width, canvas.height] = this.pixels;
    this.frame.setAttribute("aria-label", `${answer.name} by ${answer.model}. ${KEYS}`);
    this.place();
    this.drawMasks();
    this.drawMap();
    this.dress();
  }

  empty() {
    this.shown = null;
    this.base.removeAttribute("src");
    this.caption.replaceChildren();
    for (const canvas of Object.values(this.canvas)) canvas.width = canvas.height = 0;
  }

  // --- layers ---

  // What is drawn anew when the threshold or the chosen classes change.
  drawMasks() {
    if (!this.shown) return;
    const { classes, truth } = this.shown;
    const { hidden, highlighted, threshold } = this.settings;
    const colour = ({ id, colour }) => {
      if (hidden.has(id)) return 0;
      return packed(rgb(colour), highlighted !== null && highlighted !== id ? 40 : 255);
    };
    const colours = [0, ...classes.map(colour)];
    const width = Math.max(1, Math.round(Math.max(...this.pixels) / 700));
    this.codes = masks(this.shown, threshold);
    fill(this.canvas.mask, this.codes, colours);
    outline(this.canvas.lines, this.codes, colours, width);
    const white = Array.from({ length: 256 }, (_, id) => (id === 0 || id === IGNORE ? 0 : WHITE));
    outline(this.canvas.truth, truth, white, width);
  }

  // What is drawn anew when another map, colour map or scale is chosen.
  drawMap() {
    const map = this.map();
    this.canvas.map.hidden = !map;
    if (!map) return;
    const { colourMap, rescale, blend } = this.settings;
    paint(this.canvas.map, map, this.colours.maps[colourMap], { rescale, byValue: blend === "by value" });
  }

  // The rest is style alone.
  dress() {
    const { mask, maskOpacity, mapOpacity, contours, truth, blend } = this.settings;
    this.canvas.mask.style.opacity = mask ? maskOpacity : 0;
    this.canvas.lines.hidden = !contours;
    this.canvas.truth.hidden = !truth;
    this.canvas.map.style.opacity = mapOpacity;
    this.canvas.map.style.mixBlendMode = blend === "by value" ? "normal" : blend;
    this.canvas.changes.hidden = !this.extra.changes;
  }

  // The map that the settings name, where this model has it.
  map(key = this.settings.map) {
    if (!this.shown || !key) return null;
    if (key.startsWith("cam")) return this.extra.cam ?? null;
    if (key.startsWith("probability:")) return this.shown.planes[key.slice(12)] ?? null;
    return this.shown.maps.find((map) => map.key === key) ?? null;
  }

  async explain(answer) {
    this.extra.cam = answer.map && (await decoded(answer.map));
    this.drawMap();
  }

  async change(answer) {
    this.extra.changes = answer && (await levels(answer.kinds));
    if (answer) {
      const colours = [0, ...this.colours.changes.map((colour) => packed(rgb(colour), 235))];
      fill(this.canvas.changes, [this.extra.changes], colours);
    }
    this.dress();
  }

  // --- place and hand ---

  place() {
    if (!this.shown) return;
    const { width, height } = this.shown;
    const wide = this.element.clientWidth;
    const tall = Math.min(Math.max((wide * height) / width, 200), Math.max(window.innerHeight * 0.7, 260));
    this.frame.style.height = `${tall}px`;
    this.box = this.look.box(this.shown, wide, tall);
    for (const side of ["left", "top", "width", "height"]) this.stage.style[side] = `${this.box[side]}px`;
    this.stage.classList.toggle("pixels", this.box.width / this.pixels[0] >= 2);
  }

  // Where on the picture an event happened, as shares.
  shares(event) {
    const bounds = this.frame.getBoundingClientRect();
    return [
      (event.clientX - bounds.left - this.box.left) / this.box.width,
      (event.clientY - bounds.top - this.box.top) / this.box.height,
    ];
  }

  // The pixel in the middle of what is seen.
  middle() {
    const { width, height } = this.shown;
    const whole = (share, of) => Math.min(Math.floor(share * of), of - 1);
    return { row: whole(this.look.y, height), column: whole(this.look.x, width) };
  }

  mark(row, column) {
    this.cross.hidden = false;
    this.cross.style.left = `${(100 * (column + 0.5)) / this.shown.width}%`;
    this.cross.style.top = `${(100 * (row + 0.5)) / this.shown.height}%`;
  }

  // What the planes say about a place, in words.
  words(x, y) {
    const [across, down] = this.pixels;
    const place = Math.floor(y * down) * across + Math.floor(x * across);
    const values = this.shown.classes.map(({ name, channel }) => [name, this.shown.planes[channel]]);
    const likely = values.map(([name, plane]) => [name, valueAt(plane, place)]).sort((one, two) => two[1] - one[1]);
    const map = this.map();
    const named = likely.slice(0, 3).map(([name, value]) => `${name} ${value.toFixed(2)}`);
    if (map?.name) named.push(`${map.name} ${valueAt(map, place).toFixed(2)}`);
    const column = Math.floor(x * this.shown.width);
    const row = Math.floor(y * this.shown.height);
    return `row ${row}, column ${column}: ${named.join(", ")}`;
  }

  listen() {
    const hands = new Map();
    let moved = 0;
    const inside = ([x, y]) => x >= 0 && x < 1 && y >= 0 && y < 1;
    this.frame.addEventListener("pointerdown", (event) => {
      if (!this.shown || event.button) return;
      this.frame.focus({ preventScroll: true });
      this.frame.setPointerCapture(event.pointerId);
      hands.set(event.pointerId, event);
      moved = hands.size > 1 ? Infinity : 0;
    });
    this.frame.addEventListener("pointermove", (event) => {
      if (!this.shown) return;
      const before = hands.get(event.pointerId);
      if (!before) {
        const shares = this.shares(event);
        this.acts.hovered(inside(shares) ? this.words(...shares) : "");
        return;
      }
      if (hands.size === 2) {
        const other = [...hands.values()].find((hand) => hand.pointerId !== event.pointerId);
        const apart = (hand) => Math.hypot(hand.clientX - other.clientX, hand.clientY - other.clientY);
        this.look.zoomAt(apart(event) / Math.max(apart(before), 1), ...this.shares(event));
      } else {
        const [across, down] = [event.clientX - before.clientX, event.clientY - before.clientY];
        moved += Math.abs(across) + Math.abs(down);
        if (moved > CLICK) {
          this.look.move(this.look.x - across / this.box.width, this.look.y - down / this.box.height);
        }
      }
      hands.set(event.pointerId, event);
      this.acts.looked();
    });
    for (const name of ["pointerup", "pointercancel"]) {
      this.frame.addEventListener(name, (event) => {
        const was = hands.delete(event.pointerId);
        const [x, y] = this.shown ? this.shares(event) : [-1, -1];
        if (!was || name === "pointercancel" || moved > CLICK || !inside([x, y])) return;
        this.acts.picked(Math.floor(y * this.shown.height), Math.floor(x * this.shown.width));
      });
    }
    this.frame.addEventListener("pointerleave", () => this.acts.hovered(""));
    this.frame.addEventListener(
      "wheel",
      (event) => {
        if (!this.shown || (!event.ctrlKey && document.activeElement !== this.frame)) return;
        event.preventDefault();
        this.look.zoomAt(Math.exp(-event.deltaY / 300), ...this.shares(event));
        this.acts.looked();
      },
      { passive: false },
    );
    this.frame.addEventListener("keydown", (event) => this.shown && this.acts.key(event, this));
  }
}

async function decoded(map) {
  return { ...map, levels: await levels(map.plane) };
}
