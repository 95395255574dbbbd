// Painting on the labels of pictures, from what a model predicted or what they were, and saving them as new versions.
//
// host.get("run") is the run whose pictures are listed, host.get("nudge") changes when the list is to be asked anew.
// What is asked and told is in correction_desk.js.

import { Desk } from "./correction_desk.js";
import { Editor } from "./correction_editor.js";
import { News } from "./correction_news.js";
import { Pictures } from "./correction_pictures.js";
import { IGNORED } from "./correction_planes.js";
import { Question } from "./correction_question.js";
import { coloursOf, Sheet } from "./correction_sheet.js";
import { KEYS, SETTINGS, Tools } from "./correction_tools.js";
import { BEGINNINGS, Versions } from "./correction_versions.js";
import { make } from "./dom.js";

const HINT = "b brush · e eraser · f fill · [ ] size · 1–9 classes · n background · i ignored · + − 0 zoom · space moves";
const TYPED = "input[type=text], input[type=search], textarea, select"; // where letters are no commands
const ANSWERS = [
  ["save", "Save as a new version", "save"],
  ["drop", "Discard the strokes"],
  ["stay", "Stay"],
];
const ZOOMS = { "+": 1.5, "=": 1.5, "-": 1 / 1.5, 0: 0 };

export function mount(element, host) {
  const correction = new Correction(element, host);
  const seen = new IntersectionObserver(([entry]) => correction.see(entry.isIntersecting));
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
    Object.assign(this, { host, run: undefined, task: null, opened: null, editor: null, saving: null });
    Object.assign(this, { visible: false, outdated: false });
    this.root = make("div", { className: "correction" });
    this.news = new News(this.root);
    this.desk = new Desk(host);
    this.settings = { ...SETTINGS };
    this.pictures = new Pictures((name) => this.choose(name));
    this.tools = new Tools(this.settings, {
      changed: (what) => this.changed(what),
      undo: () => this.turn("undo"),
      redo: () => this.turn("redo"),
    });
    this.sheet = new Sheet(this.settings, {
      press: (point, erasing) => this.press(point, erasing),
      lead: (points) => points.forEach((point) => this.editor?.lead(point)),
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
    this.told = make("div", { className: "told" });
    this.title = make("h3", {});
    this.notes = make("div", { className: "notes" });
    this.hover = make("div", { className: "hover" }, HINT);
    this.unsaved = make("div", { className: "unsaved", hidden: true }, "Unsaved strokes");
    this.question = new Question("Unsaved strokes");
    const below = make("div", { className: "below" }, this.hover, this.news.state);
    const head = make("div", { className: "head" }, this.title, this.unsaved);
    const middle = make("div", { className: "middle" }, head, this.tools.element, this.sheet.element, below, this.notes);
    this.body = make("div", { className: "body", hidden: true }, this.pictures.element, middle, this.versions.element);
    this.root.append(this.news.message, this.told, this.body, this.question.element);
    this.root.addEventListener("keydown", (event) => this.key(event));
    element.append(this.root);
  }

  // --- which pictures ---

  // Nothing is asked until the page shows the view.
  async see(visible) {
    this.visible = visible;
    if (!visible) return;
    await this.follow();
    if (this.outdated) await this.list();
  }

  get elsewhere() {
    return (this.host.get("run") ?? null) !== this.run;
  }

  // Look at the pictures of the run that Python names, unless strokes would be lost.
  async follow() {
    if (!this.visible || !this.elsewhere || this.question.open) return;
    if (!(await this.mayLeave())) {
      const next = this.host.get("run") ?? "no run";
      this.news.tell(`Still ${this.opened.name} of ${this.run}; once its strokes are saved, ${next} is next.`);
      return;
    }
    this.run = this.host.get("run") ?? null;
    this.close();
    this.task = null;
    await this.list("Listing the pictures.");
  }

  // Ask anew which pictures there are; the one that is open stays.
  async list(text = "") {
    const { run } = this;
    this.outdated = !this.visible;
    if (this.outdated) return;
    if (!run) {
      this.body.hidden = true;
      this.told.textContent = run === null ? "Choose a run whose pictures are to be corrected." : "";
      return;
    }
    const answer = await this.news.work(text, () => this.desk.pictures(run));
    if (!answer || run !== this.run) return;
    this.told.replaceChildren(...answer.told.map((sentence) => make("p", {}, sentence)));
    if (!this.task) {
      this.task = answer;
      this.tools.settle(answer);
    }
    this.body.hidden = !answer.pictures.length;
    this.pictures.fill(answer.pictures);
    if (!this.opened && answer.pictures.length) await this.open(answer.pictures[0].name);
    else if (this.opened) await this.catchUp(answer.pictures.find(({ name }) => name === this.opened.name));
  }

  // Another page may have saved versions of the picture that is open.
  async catchUp(listed) {
    const { versions, in_use: inUse, name } = this.opened;
    const same = !listed || (listed.versions === versions.length && listed.in_use === inUse);
    if (!same && !this.saving && !this.editor.unsaved) await this.open(name);
  }

  async choose(name) {
    if (name === this.opened?.name || this.question.open || !(await this.mayLeave())) return;
    await (this.elsewhere ? this.follow() : this.open(name));
  }

  async open(name) {
    const { run } = this;
    this.wanted = name;
    this.pictures.mark(name);
    const found = await this.news.work(`Opening ${name}.`, () => this.desk.open(run, name));
    if (run !== this.run || name !== this.wanted) return; // another was asked for meanwhile
    if (found && (await this.mayLeave())) this.show(found); // strokes may have been painted while it was fetched
    else this.pictures.mark(this.opened?.name ?? null);
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
    const { tool, size, value, plane } = this.settings;
    this.editor.begin(plane, { tool: erasing ? "eraser" : tool, size, value }, point);
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
    this.unsaved.hidden = !this.editor?.unsaved;
    if (this.editor) this.versions.begin.select.value = this.editor.origin;
  }

  changed(what) {
    if (what === "mask" && this.editor) this.sheet.redraw();
    this.sheet.dress();
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
    if (held.includes(IGNORED)) names.push("ignored");
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
    const { opened } = this;
    const planes = await this.news.work("Fetching the label.", () => this.desk.version(opened, version));
    return opened === this.opened ? planes : null;
  }

  load(planes, origin, text) {
    const painted = this.editor.unsaved;
    this.editor.load(planes, origin);
    this.settle();
    this.news.tell(`${text}${painted ? " Undo brings your strokes back." : ""}`);
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
    if (planes) this.load(planes, number ? `version ${number}` : "original", `${name} is in the editor.`);
  }

  async use(number) {
    await this.saving;
    const { opened } = this;
    const name = number ? `Version ${number}` : "The original";
    const answer = await this.news.work("Changing the label in use.", () => this.desk.use(opened, number));
    if (!answer || opened !== this.opened) return;
    opened.planes.label = null; // fetched when it is begun from
    this.settleVersions(answer);
    if (this.editor.unsaved) {
      this.news.tell(`${name} of ${opened.name} is in use; the strokes in the editor are yet to be saved.`);
      return;
    }
    await this.lookAt(number);
    this.news.tell(`${name} of ${opened.name} is in use.`);
  }

  save() {
    this.saving ??= this.saveNow().finally(() => (this.saving = null));
    return this.saving;
  }

  // True once it is saved.
  async saveNow() {
    const { editor, opened } = this;
    if (!editor) return false;
    editor.end();
    const { state, origin } = editor;
    const planes = editor.planes.map((plane) => plane.slice());
    const note = this.versions.note.value.trim();
    const answer = await this.news.work("Saving.", () => this.desk.save(opened, planes, origin, note));
    if (!answer) return false;
    editor.saved(state);
    opened.planes.label = planes;
    this.versions.note.value = "";
    this.settleVersions(answer);
    this.settle();
    const told = `Version ${answer.in_use} of ${opened.name} is saved and in use.`;
    this.news.tell(told);
    if (this.elsewhere) setTimeout(() => this.follow().then(() => this.news.tell(told)));
    return true;
  }

  // Whether nothing is lost if another picture is shown: else it is asked.
  async mayLeave() {
    await this.saving;
    if (!this.editor?.unsaved) return true;
    if (this.question.open) return false;
    const answer = await this.question.ask(`The strokes on ${this.opened.name} are not saved.`, ANSWERS, "stay");
    if (answer === "drop") this.editor.saved(this.editor.state); // there is nothing left that would be missed
    return answer === "save" ? this.save() : answer === "drop";
  }

  // --- keys ---

  key(event) {
    if (this.question.open || !this.editor || event.altKey) return;
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
