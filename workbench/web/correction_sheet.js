// The picture under the label that is painted on it: drawing, zoom, and what hands and keys do on it.

import { IGNORED, union, whole, widened } from "./correction_planes.js";
import { make } from "./dom.js";
import { packed, rgb } from "./explorer_planes.js";
import { oncePainted } from "./explorer_parts.js";
import { Look } from "./explorer_viewer.js";

const GREYS = [packed([110, 110, 110]), packed([190, 190, 190])]; // stripes of what is ignored
const WHITE = Uint32Array.from({ length: 256 }, (_, level) => (level === 0 || level === IGNORED ? 0 : packed([255, 255, 255])));
const MIDDLE = 1; // button of a mouse
const PEN_ERASER = 32; // among the buttons of a pen

// What the levels of every plane are drawn in.
export function coloursOf({ mode, classes }) {
  const table = (pairs) => {
    const colours = new Uint32Array(256);
    for (const [level, colour] of pairs) colours[level] = packed(rgb(colour));
    colours[IGNORED] = GREYS[0];
    return colours;
  };
  if (mode === "multilabel") return classes.map(({ colour }) => table([[1, colour]]));
  return [table(classes.map(({ id, colour }) => [id, colour]))];
}

// Draw a box of planes, later ones over earlier ones; with a line's width, their inner edges alone.
function draw(canvas, layers, size, box, line) {
  const { width, height } = size;
  const { left, top, right, bottom } = box;
  const context = canvas.getContext("2d");
  const image = context.createImageData(right - left, bottom - top);
  const pixels = new Uint32Array(image.data.buffer);
  const inside = (plane, place, row, column) => {
    const here = plane[place];
    for (let far = 1; far <= line; far++) {
      if (column >= far && plane[place - far] !== here) return false;
      if (column + far < width && plane[place + far] !== here) return false;
      if (row >= far && plane[place - far * width] !== here) return false;
      if (row + far < height && plane[place + far * width] !== here) return false;
    }
    return true;
  };
  for (const { plane, colours } of layers) {
    for (let row = top, pixel = 0; row < bottom; row++) {
      for (let column = left, place = row * width + left; column < right; column++, place++, pixel++) {
        const level = plane[place];
        const colour = colours[level];
        if (!colour || (line && inside(plane, place, row, column))) continue;
        pixels[pixel] = level === IGNORED ? GREYS[((row + column) >> 2) & 1] : colour;
      }
    }
  }
  context.putImageData(image, left, top);
}

export class Sheet {
  // `acts` are what hands do: press(point, erasing), lead(points), lift(), giveUp(), hovered(point or null).
  constructor(settings, acts) {
    Object.assign(this, { settings, acts, look: new Look(), size: null, due: null, space: false });
    this.base = make("img", { alt: "", draggable: false });
    this.mask = make("canvas", { className: "mask" });
    this.original = make("canvas", { className: "original" });
    this.ring = make("div", { className: "ring", hidden: true });
    this.stage = make("div", { className: "stage" }, this.base, this.mask, this.original, this.ring);
    this.element = make(
      "div",
      { className: "frame", tabIndex: 0, role: "application", "aria-label": "Picture to correct" },
      this.stage,
    );
    this.paintDue = oncePainted(() => this.paint());
    this.placeSoon = oncePainted(() => this.place());
    this.sizes = new ResizeObserver(this.placeSoon);
    this.sizes.observe(this.element);
    this.listen();
  }

  stop() {
    this.sizes.disconnect();
  }

  // Show a picture with `planes`, which stay the caller's: tell what changed in them by `redraw`.
  show({ width, height, base, name }, planes, original, colours, keys) {
    this.size = { width, height };
    Object.assign(this, { planes, colours, originalPlanes: original });
    this.base.src = base;
    for (const canvas of [this.mask, this.original]) Object.assign(canvas, this.size);
    this.element.setAttribute("aria-label", `${name}, ${width} × ${height}`);
    this.element.setAttribute("aria-description", keys);
    this.look.zoomAt(0, 0.5, 0.5);
    this.cursor = null;
    this.originalDrawn = false;
    this.place();
    this.redraw();
  }

  empty() {
    this.size = this.due = null;
    this.base.removeAttribute("src");
    for (const canvas of [this.mask, this.original]) canvas.width = canvas.height = 0;
    this.ring.hidden = true;
    this.element.style.height = "";
  }

  get line() {
    return Math.max(1, Math.round(Math.max(this.size.width, this.size.height) / 700));
  }

  redraw(box = whole(this.size)) {
    this.due = union(this.due, box);
    this.paintDue();
  }

  // Draw what changed since the page was painted last; the chosen class lies on top.
  paint() {
    if (!this.size || !this.due) return;
    const { outlines, plane } = this.settings;
    const box = outlines ? widened(this.due, this.line, this.size) : this.due;
    this.due = null;
    const layers = this.planes.map((levels, number) => ({ plane: levels, colours: this.colours[number], number }));
    layers.sort((one, other) => (one.number === plane) - (other.number === plane));
    draw(this.mask, layers, this.size, box, outlines ? this.line : 0);
  }

  dress() {
    this.mask.style.opacity = this.settings.outlines ? 1 : this.settings.opacity;
    this.original.hidden = !this.settings.original;
    if (!this.settings.original || !this.size || this.originalDrawn) return;
    const layers = this.originalPlanes.map((plane) => ({ plane, colours: WHITE }));
    draw(this.original, layers, this.size, whole(this.size), this.line);
    this.originalDrawn = true;
  }

  // --- place ---

  place() {
    if (!this.size) return;
    const { width, height } = this.size;
    const wide = this.element.clientWidth;
    const tall = Math.min(Math.max((wide * height) / width, 200), Math.max(window.innerHeight * 0.7, 260));
    this.element.style.height = `${tall}px`;
    this.box = this.look.box(this.size, wide, tall);
    for (const side of ["left", "top", "width", "height"]) this.stage.style[side] = `${this.box[side]}px`;
    this.stage.classList.toggle("pixels", this.box.width / width >= 2);
    this.drawRing();
  }

  zoom(factor, [x, y] = [this.look.x * this.size.width, this.look.y * this.size.height]) {
    this.look.zoomAt(factor, x / this.size.width, y / this.size.height);
    this.placeSoon();
  }

  pan(across, down) {
    this.look.move(this.look.x - across / this.box.width, this.look.y - down / this.box.height);
    this.placeSoon();
  }

  // Where on the picture an event happened, in its pixels.
  point({ clientX, clientY }) {
    const bounds = this.stage.getBoundingClientRect();
    const { width, height } = this.size;
    return [((clientX - bounds.left) * width) / bounds.width, ((clientY - bounds.top) * height) / bounds.height];
  }

  // The circle that shows where the brush is and how large.
  drawRing() {
    const shown = this.size && this.cursor;
    this.ring.hidden = !shown;
    if (!shown) return;
    const { width, height } = this.size;
    const across = this.settings.tool === "fill" ? 0 : (this.settings.size * this.box.width) / width;
    this.ring.style.width = this.ring.style.height = `${Math.max(across, 5)}px`;
    this.ring.style.left = `${(100 * this.cursor[0]) / width}%`;
    this.ring.style.top = `${(100 * this.cursor[1]) / height}%`;
  }

  hover(point) {
    this.cursor = point;
    this.drawRing();
    this.acts.hovered(point);
  }

  // Keys on the picture itself: arrows lead the circle (with Shift by one pixel), Enter presses and lifts. True if taken.
  key(event) {
    if (event.key === "Enter") {
      this.acts.press(this.cursor ?? this.middle(), false);
      this.acts.lift();
      return true;
    }
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const way = ways[event.key];
    if (!way) return false;
    const { width, height } = this.size;
    const [x, y] = this.cursor ?? this.middle();
    const far = event.shiftKey ? 1 : Math.max(1, Math.round(this.settings.size / 2));
    this.hover([Math.min(Math.max(x + way[0] * far, 0.5), width - 0.5), Math.min(Math.max(y + way[1] * far, 0.5), height - 0.5)]);
    return true;
  }

  middle() {
    return [Math.floor(this.look.x * this.size.width) + 0.5, Math.floor(this.look.y * this.size.height) + 0.5];
  }

  // --- hands ---

  listen() {
    const hands = new Map(); // every pointer that is down, as it was last seen
    let doing = null; // "paint" or "look"
    const frame = this.element;
    const giveUp = () => {
      if (doing === "paint") this.acts.giveUp();
      doing = "look";
    };
    frame.addEventListener("mousedown", (event) => event.button === MIDDLE && event.preventDefault());
    frame.addEventListener("pointerdown", (event) => {
      if (!this.size || (event.pointerType === "mouse" && event.button > MIDDLE)) return;
      if (event.pointerType === "touch" && [...hands.values()].some((hand) => hand.pointerType === "pen")) return; // a palm
      frame.focus({ preventScroll: true });
      frame.setPointerCapture(event.pointerId);
      hands.set(event.pointerId, event);
      if (hands.size > 1) return giveUp();
      doing = this.space || (event.button === MIDDLE && event.pointerType === "mouse") ? "look" : "paint";
      if (doing === "paint") this.acts.press(this.point(event), (event.buttons & PEN_ERASER) !== 0);
    });
    frame.addEventListener("pointermove", (event) => {
      if (!this.size) return;
      this.hover(this.point(event));
      const before = hands.get(event.pointerId);
      if (!before) return;
      hands.set(event.pointerId, event);
      if (doing === "paint") {
        const between = event.getCoalescedEvents?.() ?? [];
        this.acts.lead((between.length ? between : [event]).map((each) => this.point(each)));
      } else if (hands.size > 1) {
        const other = [...hands.values()].find((hand) => hand.pointerId !== event.pointerId);
        const apart = (hand) => Math.hypot(hand.clientX - other.clientX, hand.clientY - other.clientY);
        this.zoom(apart(event) / Math.max(apart(before), 1), this.point(event));
        this.pan((event.clientX - before.clientX) / hands.size, (event.clientY - before.clientY) / hands.size);
      } else this.pan(event.clientX - before.clientX, event.clientY - before.clientY);
    });
    for (const name of ["pointerup", "pointercancel"]) {
      frame.addEventListener(name, (event) => {
        if (!hands.delete(event.pointerId)) return;
        if (doing === "paint") (name === "pointerup" ? this.acts.lift : this.acts.giveUp)();
        doing = hands.size ? "look" : null; // the finger that is left paints no more
      });
    }
    frame.addEventListener("pointerleave", () => this.hover(null));
    frame.addEventListener(
      "wheel",
      (event) => {
        if (!this.size || (!event.ctrlKey && document.activeElement !== frame)) return;
        event.preventDefault();
        this.zoom(Math.exp(-event.deltaY / 300), this.point(event));
      },
      { passive: false },
    );
    const space = (down) => (event) => {
      if (event.key !== " ") return;
      event.preventDefault();
      this.space = down;
      frame.classList.toggle("moving", down);
    };
    frame.addEventListener("keydown", space(true));
    frame.addEventListener("keyup", space(false));
    frame.addEventListener("blur", () => space(false)({ key: " ", preventDefault() {} }));
  }
}
