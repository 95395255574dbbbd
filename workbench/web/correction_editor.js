// The label of one picture while it is painted on: strokes, fills, undo and redo, and whether anything would be lost.
// Knows no page; `redraw(box)` is called with what changed.

import { copied, difference, floodFill, paintLine, restore, union } from "./correction_planes.js";

const STEPS = 400; // to take back
const MEMORY = 2 ** 28; // bytes for them: 50 whole planes of 2048 × 2048 even where nothing can be packed

export class Editor {
  // `origin` says what the planes are, as do those of labels that are put in later.
  constructor(size, planes, origin, redraw) {
    Object.assign(this, { size, planes, firstOrigin: origin, redraw });
    this.done = [];
    this.undone = [];
    this.stroke = null;
    this.state = 0; // every state that the planes were in has a number
    this.states = 0;
    this.safe = new Set([0]); // those of them that can be had again: saved, or fetched
  }

  get unsaved() {
    return this.stroke?.box != null || !this.safe.has(this.state);
  }

  // The planes were saved as they were in a state.
  saved(state) {
    this.safe = new Set([state]);
  }

  get origin() {
    return this.done.findLast((step) => step.origin)?.origin ?? this.firstOrigin;
  }

  // --- strokes: begun on a plane, led from point to point, ended or given up ---

  // A hand is {tool: "brush", "eraser" or "fill", size, value}, as it is when it presses.
  begin(plane, hand, point) {
    this.end();
    const value = hand.tool === "eraser" ? 0 : hand.value;
    this.stroke = { ...hand, value, plane, at: point, before: this.planes[plane].slice(), box: null };
    if (hand.tool === "fill") this.touched(this.filled(point));
    else this.lead(point);
  }

  lead(point) {
    if (!this.stroke || this.stroke.tool === "fill") return;
    const { plane, at, size, value } = this.stroke;
    this.touched(paintLine(this.planes[plane], this.size, at, point, size, value));
    this.stroke.at = point;
  }

  filled([x, y]) {
    const { width, height } = this.size;
    if (x < 0 || y < 0 || x >= width || y >= height) return null;
    return floodFill(this.planes[this.stroke.plane], this.size, Math.floor(x), Math.floor(y), this.stroke.value);
  }

  touched(box) {
    if (!box) return;
    this.stroke.box = union(this.stroke.box, box);
    this.redraw(box);
  }

  end() {
    if (!this.stroke) return;
    const { plane, before, box } = this.stroke;
    this.stroke = null;
    if (box) this.keep([{ plane, box, copy: copied(before, box, this.size.width) }]);
  }

  giveUp() {
    if (!this.stroke) return;
    const { plane, before, box } = this.stroke;
    this.stroke = null;
    this.planes[plane].set(before);
    if (box) this.redraw(box);
  }

  // --- whole labels ---

  // Put another label in, which can be taken back like a stroke.
  load(planes, origin) {
    this.end();
    const nothingLost = !this.unsaved;
    const patches = [];
    planes.forEach((levels, plane) => {
      const box = difference(this.planes[plane], levels, this.size);
      if (!box) return;
      patches.push({ plane, box, copy: copied(this.planes[plane], box, this.size.width) });
      this.planes[plane].set(levels);
      this.redraw(box);
    });
    this.keep(patches, origin);
    if (nothingLost) this.safe.add(this.state);
  }

  // --- steps ---

  keep(patches, origin = null) {
    const bytes = patches.reduce((sum, { copy }) => sum + copy.byteLength, 0);
    this.done.push({ patches, bytes, origin, before: this.state, after: ++this.states });
    this.state = this.states;
    this.undone = [];
    let kept = this.done.reduce((sum, step) => sum + step.bytes, 0);
    while (this.done.length > STEPS || (kept > MEMORY && this.done.length > 1)) {
      const oldest = this.done.shift();
      kept -= oldest.bytes;
      this.firstOrigin = oldest.origin ?? this.firstOrigin;
    }
  }

  undo() {
    return this.turn(this.done, this.undone, "before");
  }

  redo() {
    return this.turn(this.undone, this.done, "after");
  }

  turn(from, to, side) {
    this.end();
    const step = from.pop();
    if (!step) return false;
    for (const patch of step.patches) {
      const now = copied(this.planes[patch.plane], patch.box, this.size.width);
      restore(this.planes[patch.plane], patch.box, this.size.width, patch.copy);
      patch.copy = now;
      this.redraw(patch.box);
    }
    step.bytes = step.patches.reduce((sum, { copy }) => sum + copy.byteLength, 0);
    this.state = step[side];
    to.push(step);
    return true;
  }
}
