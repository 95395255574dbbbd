// Painting on the labels of pictures, from what a model predicted or what they were, and saving them as new versions.
//
// host.get("run") is the run whose pictures are listed, host.get("nudge") changes when the list is to be asked anew.
// Asked are correctable, open_picture, label_version, save_label and use_label; told is changed, after the last two.

import { Editor } from "./correction_editor.js";
import { Pictures } from "./correction_pictures.js";
import { runLengths } from "./correction_planes.js";
import { coloursOf, Sheet } from "./correction_sheet.js";
import { KEYS, SETTINGS, Tools } from "./correction_tools.js";
import { BEGINNINGS, Versions } from "./correction_versions.js";
import { make } from "./dom.js";
import { button } from "./explorer_parts.js";
import { levels } from "./explorer_planes.js";

const HINT = "b brush · e eraser · f fill · [ ] size · 1–9 classes · n background · i ignored · + − 0 zoom · space moves";
const TYPED = "input[type=text], input[type=search], textarea, select"; // where letters are no commands
const ZOOMS = { "+": 1.5, "=": 1.5, "-": 1 / 1.5, 0: 0 };

export function mount(element, host) {
  const correction = new Correction(element, host);
  const seen = new IntersectionObserver(([entry]) => entry.isIntersecting && correction.follow());
  seen.observe(element);
  host.watch("run", () => correction.follow());
  host.watch("nudge", () => correction.list());
  return () => {
    seen.disconnect();
    correction.stop();
  };
}

class Correction {
  constructor(element, host) {
    Object.assign(this, { host, run: undefined, task: null, opened: null, editor: null, asked: 0, saving: null });
    this.settings = { ...SETTINGS };
    this.pictures = new Pictures((name) => this.choose(name));
    this.tools = new Tools(this.settings, {
      changed: (what) => this.changed(what),
      undo: () => this.turn("undo"),
      redo: () => this.turn("redo"),
    });
    this.sheet = new Sheet(this.settings, {
      press: (point, erasing) => this.press(point, erasing),
      lead: (points) => this.lead(points),
      lift: () => this.stroked("end"),
      giveUp: () => this.stroked("giveUp"),
      hovered: (point) => (this.hover.textContent = (point && this.words(point)) || HINT),
    });
    this.versions = new Versions({
      begin: (from) => this.begin(from),
      save: () => this.save(),
      look: (number) => this.lookAt(number),
      use: (number) => this.use(number),
    });
    this.build(element);
    this.ask = (event) => this.editor?.unsaved && event.preventDefault(); // the browser's own question
    window.addEventListener("beforeunload", this.ask);
  }

  stop() {
    window.removeEventListener("beforeunload", this.ask);
    this.pictures.stop();
    this.sheet.stop();
    this.root.remove();
  }

  build(element) {
    this.message = make("div", { className: "message", role: "alert", hidden: true });
    this.told = make("div", { className: "told" });
    this.title = make("h3", {});
    this.notes = make("div", { className: "notes" });
    this.hover = make("div", { className: "hover" }, HINT);
    this.state = make("div", { className: "state", role: "status", "aria-live": "polite" });
    this.dialog = make("dialog", { "aria-label": "Unsaved strokes" });
    const below = make("div", { className: "below" }, this.hover, this.state);
    const middle = make("div", { className: "middle" }, this.title, this.tools.element, this.sheet.element, below, this.notes);
    this.body = make("div", { className: "body", hidden: true }, this.pictures.element, middle, this.versions.element);
    this.root = make("div", { className: "correction" }, this.message, this.told, this.body, this.dialog);
    this.root.addEventListener("keydown", (event) => this.key(event));
    element.append(this.root);
  }

  fail(text) {
    this.message.textContent = text;
    this.message.hidden = !text;
  }

  // Ask what takes time, and tell that it does; what goes wrong is one sentence on the page, and null the answer.
  async work(text, task) {
    const asked = ++this.asked;
    this.fail("");
    this.state.textContent = text;
    this.root.setAttribute("aria-busy", "true");
    try {
      return await task();
    } catch (error) {
      this.fail(error.message);
      return null;
    } finally {
      if (asked === this.asked) {
        this.state.textContent = "";
        this.root.removeAttribute("aria-busy");
      }
    }
  }

  // --- which pictures ---

  // Look at the pictures of the run that Python names, unless strokes would be lost.
  async follow() {
    const run = this.host.get("run") ?? null;
    if (run === this.run || this.dialog.open) return;
    if (!(await this.mayLeave())) {
      this.state.textContent = `Still ${this.opened.name} of ${this.run}; once its strokes are saved, ${run ?? "no run"} is next.`;
      return;
    }
    this.run = this.host.get("run") ?? null;
    this.close();
    this.task = null;
    await this.list();
  }

  // Ask anew which pictures there are; the one that is open stays.
  async list() {
    const { run } = this;
    if (!run) {
      this.body.hidden = true;
      this.told.textContent = run === null ? "Choose a run whose pictures are to be corrected." : "";
      return;
    }
    const answer = await this.work("Listing the pictures.", () => this.host.ask("correctable", { run }));
    if (!answer || run !== this.run) return;
    this.told.replaceChildren(...answer.told.map((sentence) => make("p", {}, sentence)));
    if (!this.task) {
      this.task = answer;
      this.tools.settle(answer);
    }
    this.body.hidden = !answer.pictures.length;
    this.pictures.fill(answer.pictures);
    if (!this.opened && answer.pictures.length) await this.open(answer.pictures[0].name);
  }

  async choose(name) {
    if (name === this.opened?.name || this.dialog.open || !(await this.mayLeave())) return;
    await this.open(name);
  }

  async open(name) {
    const { run } = this;
    this.wanted = name;
    this.pictures.mark(name);
    const decode = (planes) => Promise.all((planes ?? []).map(levels));
    const found = await this.work(`Opening ${name}.`, async () => {
      const answer = await this.host.ask("open_picture", { run, picture: name });
      const [prediction, label, original] = await Promise.all([answer.prediction, answer.label, answer.original].map(decode));
      return { ...answer, planes: { prediction, label, original } };
    });
    if (run !== this.run || name !== this.wanted) return; // another was asked for meanwhile
    if (!found) {
      this.pictures.mark(this.opened?.name ?? null);
      return;
    }
    this.show(found);
  }

  show(opened) {
    this.opened = opened;
    const there = (from) => opened.planes[from].length > 0;
    const from = [this.preferred, opened.in_use ? "label" : "prediction", "label", "original"].find((each) => each && there(each));
    const size = { width: opened.width, height: opened.height };
    const planes = opened.planes[from].map((plane) => plane.slice());
    this.editor = new Editor(size, planes, from, (box) => this.sheet.redraw(box));
    this.title.textContent = `${opened.name} (${opened.split}, ${opened.width} × ${opened.height})`;
    this.notes.replaceChildren(...opened.notes.map((note) => make("div", {}, note)));
    this.tools.sizeFor(size);
    this.sheet.show(opened, planes, opened.planes.original, coloursOf(this.task), KEYS);
    this.sheet.dress();
    this.versions.note.value = "";
    this.versions.fillBeginnings(there, from);
    this.settleVersions(opened);
    this.settle();
  }

  close() {
    this.opened = this.editor = this.wanted = null;
    this.sheet.empty();
    this.settle();
  }

  // --- strokes ---

  press(point, erasing) {
    const tool = erasing ? "eraser" : this.settings.tool;
    this.hand = { tool, at: point, size: this.settings.size, value: tool === "eraser" ? 0 : this.settings.value };
    this.editor.begin(this.settings.plane);
    if (tool === "fill") this.editor.fill(point, this.hand.value);
    else this.editor.line(point, point, this.hand.size, this.hand.value);
  }

  lead(points) {
    if (!this.editor?.stroke || this.hand.tool === "fill") return;
    for (const point of points) {
      this.editor.line(this.hand.at, point, this.hand.size, this.hand.value);
      this.hand.at = point;
    }
  }

  stroked(how) {
    this.editor?.[how]();
    this.settle();
  }

  turn(way) {
    if (this.editor?.[way]()) this.settle();
  }

  // What the tools show of the editor.
  settle() {
    this.tools.settleHistory(this.editor);
    this.versions.unsaved.hidden = !this.editor?.unsaved;
    if (this.editor) this.versions.begin.select.value = this.editor.origin;
  }

  changed(what) {
    if (what === "class" && this.editor) this.sheet.redraw();
    if (what === "look") this.sheet.dress();
    this.sheet.drawRing();
  }

  words([x, y]) {
    const { width, height } = this.opened;
    const [column, row] = [Math.floor(x), Math.floor(y)];
    if (column < 0 || row < 0 || column >= width || row >= height) return "";
    const held = this.editor.planes.map((plane) => plane[row * width + column]);
    const several = this.task.mode === "multilabel";
    const there = ({ id }, place) => (several ? held[place] === 1 : held[0] === id);
    const names = this.task.classes.filter(there).map(({ name }) => name);
    if (held.includes(255)) names.push("ignored");
    return `row ${row}, column ${column}: ${names.join(", ") || "background"}`;
  }

  // --- versions ---

  settleVersions({ versions, in_use: inUse }) {
    Object.assign(this.opened, { versions, in_use: inUse });
    this.versions.fill(versions, inUse);
    this.pictures.update(this.opened.name, { versions: versions.length, in_use: inUse });
  }

  // A version's planes, decoded; null if that went wrong or another picture is open by now.
  async fetch(version) {
    const { opened, run } = this;
    const planes = await this.work("Fetching the label.", async () => {
      const answer = await this.host.ask("label_version", { run, picture: opened.name, version });
      return Promise.all(answer.planes.map(levels));
    });
    return opened === this.opened ? planes : null;
  }

  load(planes, origin, text) {
    const painted = this.editor.unsaved;
    this.editor.load(planes, origin);
    this.settle();
    this.state.textContent = `${text}${painted ? " Undo brings your strokes back." : ""}`;
  }

  async begin(from) {
    this.preferred = from;
    const planes = this.opened.planes[from] ?? (await this.fetch(this.opened.in_use));
    if (!planes) return this.settle();
    this.opened.planes[from] = planes;
    this.load(planes, from, `Begun anew from ${BEGINNINGS[from]}.`);
  }

  async lookAt(number) {
    const planes = await this.fetch(number);
    const name = number ? `Version ${number}` : "The original";
    if (planes) this.load(planes, number ? "label" : "original", `${name} is in the editor.`);
  }

  async use(number) {
    await this.saving;
    const { opened, run } = this;
    const name = number ? `Version ${number}` : "The original";
    const asked = { run, picture: opened.name, version: number };
    const answer = await this.work("Changing the label in use.", () => this.host.ask("use_label", asked));
    if (!answer) return;
    this.host.tell("changed", {});
    if (opened !== this.opened) return;
    opened.planes.label = null; // fetched when it is begun from
    this.settleVersions(answer);
    if (this.editor.unsaved) {
      this.state.textContent = `${name} of ${opened.name} is in use; the strokes in the editor are yet to be saved.`;
      return;
    }
    await this.lookAt(number);
    this.state.textContent = `${name} of ${opened.name} is in use.`;
  }

  save() {
    this.saving ??= this.saveNow().finally(() => (this.saving = null));
    return this.saving;
  }

  // True once it is saved.
  async saveNow() {
    const { editor, opened, run } = this;
    if (!editor) return false;
    editor.end();
    const { state } = editor;
    const planes = editor.planes.map((plane) => plane.slice());
    const label = { planes: planes.map(runLengths), begun_from: editor.origin, note: this.versions.note.value.trim() };
    const asked = { run, picture: opened.name, ...label };
    const answer = await this.work("Saving.", () => this.host.ask("save_label", asked));
    if (!answer) return false;
    editor.saved(state);
    opened.planes.label = planes;
    this.versions.note.value = "";
    this.settleVersions(answer);
    this.settle();
    this.state.textContent = `Version ${answer.in_use} of ${opened.name} is saved and in use.`;
    this.host.tell("changed", {});
    if ((this.host.get("run") ?? null) !== this.run) setTimeout(() => this.follow());
    return true;
  }

  // Whether nothing is lost if another picture is shown: else it is asked.
  async mayLeave() {
    await this.saving;
    if (!this.editor?.unsaved) return true;
    const answer = await this.question();
    return answer === "save" ? this.save() : answer === "drop";
  }

  question() {
    const close = (answer) => () => this.dialog.close(answer);
    this.dialog.returnValue = "stay";
    this.dialog.replaceChildren(
      make("p", {}, `The strokes on ${this.opened.name} are not saved.`),
      make(
        "div",
        { className: "pair" },
        button("Save as a new version", close("save"), { className: "save" }),
        button("Discard the strokes", close("drop")),
        button("Stay", close("stay")),
      ),
    );
    this.dialog.showModal();
    return new Promise((resolve) => {
      this.dialog.onclose = () => resolve(this.dialog.returnValue);
    });
  }

  // --- keys ---

  key(event) {
    if (this.dialog.open || !this.editor || event.altKey) return;
    const typing = event.target.matches(TYPED);
    const taken = event.ctrlKey || event.metaKey ? this.command(event, typing) : !typing && this.plainKey(event);
    if (taken) event.preventDefault();
  }

  command({ key, shiftKey }, typing) {
    const name = key.toLowerCase();
    if (name === "s") this.save();
    else if (typing) return false;
    else if (name === "z") this.turn(shiftKey ? "redo" : "undo");
    else if (name === "y") this.turn("redo");
    else return false;
    return true;
  }

  plainKey(event) {
    if (event.target === this.sheet.element && this.sheet.key(event)) return true;
    if (event.key in ZOOMS) this.sheet.zoom(ZOOMS[event.key]);
    else return this.tools.key(event);
    return true;
  }
}
