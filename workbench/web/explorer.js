// Looking at pictures with models: layers that follow their sliders in the browser, and questions where Python must act.
//
// host.get("colours") holds the colour maps and the colours of changes. host.get("run"), where given, is the run to look
// at, and may change. Asked are list_models, list_pictures, send_picture, predict, explain, change_gate, take_away and
// progress.

import { make } from "./dom.js";
import { Panel, SETTINGS } from "./explorer_panel.js";
import { button, choice, slider } from "./explorer_parts.js";
import { bytes } from "./explorer_planes.js";
import { inbox, send } from "./explorer_send.js";
import { Look, Viewer } from "./explorer_viewer.js";

const HINT = "m mask · a attention · c contours · t truth · 1–9 classes · ← → pictures · + − 0 zoom · click a pixel";
const PATIENCE = 900; // milliseconds between two questions how far a prediction is

export function mount(element, host) {
  const explorer = new Explorer(element, host);
  const seen = new IntersectionObserver(([entry]) => entry.isIntersecting && explorer.open());
  seen.observe(element);
  host.watch("run", () => explorer.open(host.get("run")));
  return () => {
    seen.disconnect();
    explorer.stop();
  };
}

class Explorer {
  constructor(element, host) {
    this.host = host;
    const { maps, changes } = host.get("colours");
    const decoded = Object.entries(maps).map(([name, text]) => [name, bytes(text)]);
    const colours = { changes, maps: Object.fromEntries(decoded) };
    this.settings = { ...SETTINGS, hidden: new Set() };
    this.look = new Look();
    this.lists = { validation: [], drawn: [], sent: [] };
    this.slice = 0;
    this.asked = 0;
    this.page = Math.random().toString(36).slice(2); // by which Python knows which questions replace each other
    const hands = {
      looked: () => this.viewers.forEach((viewer) => viewer.place()),
      hovered: (text) => (this.hover.textContent = text || HINT),
      picked: (row, column) => this.explain({ row, column }),
      key: (event, viewer) => this.key(event, viewer),
    };
    this.viewers = [0, 1].map(() => new Viewer(this.settings, this.look, colours, hands));
    this.panel = new Panel(this.settings, colours, this.viewers, {
      change: (gate, change) => this.change(gate, change),
      explain: (asked, key) => this.explain(asked, key),
      take: (format) => this.take(format),
    });
    this.build(element);
  }

  stop() {
    this.viewers.forEach((viewer) => viewer.stop());
    this.inbox.stop();
    this.root.remove();
  }

  build(element) {
    this.message = make("div", { className: "message", role: "alert", hidden: true });
    this.state = make("div", { className: "state", role: "status", "aria-live": "polite" });
    this.hover = make("div", { className: "hover" }, HINT);
    this.notes = make("div", { className: "notes" });
    this.root = make("div", { className: "explorer" });
    this.inbox = inbox(this.root, (files) => this.receive(files), (text) => this.fail(text));
    this.viewers[1].element.hidden = true;
    const viewers = make("div", { className: "viewers" }, ...this.viewers.map((viewer) => viewer.element));
    const below = make("div", { className: "below" }, this.hover, this.state);
    const pictures = make("div", {}, viewers, below, this.notes);
    this.root.append(
      make("div", { className: "bar" }, ...this.buildModels(), ...this.buildPictures()),
      this.message,
      make("div", { className: "body" }, pictures, this.panel.element),
    );
    element.append(this.root);
  }

  buildModels() {
    this.run = choice("Run", () => this.chooseRun());
    this.checkpoint = choice("Checkpoint", () => this.predict());
    this.other = choice("Compare with", () => this.predict());
    return [this.run.element, this.checkpoint.element, this.other.element];
  }

  buildPictures() {
    this.picture = choice("Picture", () => this.choosePicture());
    this.slices = slider("Slice", 0, () => {}, { step: 1 });
    this.slices.element.classList.add("slice");
    this.slices.element.hidden = true;
    this.slices.input.addEventListener("change", () => {
      this.slice = Number(this.slices.input.value);
      this.predict();
    });
    const before = button("‹", () => this.step(-1), { "aria-label": "Picture before" });
    const next = button("›", () => this.step(1), { "aria-label": "Next picture" });
    const steps = make("div", { className: "steps" }, before, next);
    return [this.picture.element, steps, this.inbox.element, this.slices.element];
  }

  fail(text) {
    this.message.textContent = text;
    this.message.hidden = !text;
  }

  // Do what takes time, and tell that it does; what goes wrong is one sentence on the page. Null if it did, or if
  // something else was asked for meanwhile.
  async work(text, task) {
    const asked = ++this.asked;
    const current = () => asked === this.asked;
    this.fail("");
    this.state.textContent = text;
    this.root.setAttribute("aria-busy", "true");
    const watch = setInterval(async () => {
      const { done, total, waiting } = await this.host.ask("progress", {}).catch(() => ({}));
      if (!current()) return;
      if (total > 1) this.state.textContent = `${text} ${done} of ${total} tiles.`;
      else if (waiting) this.state.textContent = `${text} ${waiting} wait${waiting > 1 ? "" : "s"}.`;
    }, PATIENCE);
    try {
      const answer = await task(current);
      return current() ? answer : null;
    } catch (error) {
      if (current()) this.fail(error.message);
      return null;
    } finally {
      clearInterval(watch);
      if (current()) {
        this.state.textContent = "";
        this.root.removeAttribute("aria-busy");
      }
    }
  }

  // --- what is chosen ---

  async open(run) {
    const { runs } = await this.host.ask("list_models", {}).catch((error) => {
      this.fail(error.message);
      return { runs: [] };
    });
    const wanted = run ?? (this.run.select.value || this.host.get("run"));
    this.runs = runs;
    const usable = runs.filter((each) => each.checkpoints.length);
    const chosen = (usable.find((each) => each.name === wanted) ?? usable[0])?.name ?? "";
    this.run.fill(
      runs.map(({ name, problem }) => [name, problem ? `${name} (${problem})` : name, !!problem]),
      chosen,
    );
    this.fillOther();
    if (chosen && chosen !== this.opened) await this.chooseRun();
    else if (chosen) this.fillCheckpoints();
    else if (this.message.hidden) this.fail("No run has a model yet: train one, and come back when it has validated once.");
  }

  fillCheckpoints() {
    const { checkpoints } = this.runs.find((run) => run.name === this.opened);
    const before = this.checkpoint.select.value;
    const chosen = checkpoints.some((each) => each.name === before) ? before : checkpoints[0].name;
    this.checkpoint.fill(checkpoints.map(({ name, about }) => [name, `${name} (${about})`]), chosen);
  }

  fillOther() {
    const others = this.runs.flatMap(({ name, checkpoints }) =>
      checkpoints.map((each) => [JSON.stringify([name, each.name]), `${name}, ${each.name}`]),
    );
    this.other.fill([["", "nothing"], ...others], this.other.select.value);
    if (this.other.select.selectedIndex < 0) this.other.select.value = "";
  }

  async chooseRun() {
    this.opened = this.run.select.value;
    this.fillCheckpoints();
    const run = this.opened;
    const listed = await this.work("Looking for pictures.", () => this.host.ask("list_pictures", { run }));
    if (!listed) return;
    const before = this.chosen();
    this.lists.validation = listed.validation.map((key) => ({ key, name: key, run }));
    this.lists.drawn = listed.drawn.map((key) => ({ key, name: key }));
    this.told = listed.told;
    this.fillPictures();
    const first = this.lists.validation.length ? "validation:0" : "drawn:0";
    this.picture.select.value = before && before.source !== "validation" ? before.value : first;
    await this.choosePicture();
  }

  fillPictures() {
    const group = (source, title) => ({
      title,
      options: this.lists[source].map(({ name }, place) => [`${source}:${place}`, name]),
    });
    const groups = [group("sent", "Yours"), group("validation", "Validation"), group("drawn", "Drawn")];
    this.picture.fill(groups.filter((each) => each.options.length));
  }

  chosen() {
    const value = this.picture.select.value;
    if (!value) return null;
    const [source, place] = value.split(":");
    return { value, source, ...this.lists[source][place] };
  }

  async choosePicture() {
    const { slices = 1 } = this.chosen();
    this.slice = Math.floor((slices - 1) / 2);
    this.slices.element.hidden = slices < 2;
    this.slices.input.max = slices - 1;
    this.slices.set(this.slice);
    this.look.zoomAt(0, 0.5, 0.5);
    await this.predict();
  }

  step(by) {
    const { options, selectedIndex } = this.picture.select;
    if (!options.length) return;
    this.picture.select.selectedIndex = (selectedIndex + by + options.length) % options.length;
    this.choosePicture();
  }

  async receive(files) {
    const problems = [];
    const before = this.lists.sent.length;
    for (const file of files) {
      try {
        this.lists.sent.unshift(await send(this.host, file, (text) => (this.state.textContent = text)));
      } catch (error) {
        problems.push(error.message);
      }
    }
    this.state.textContent = "";
    if (this.lists.sent.length > before) {
      this.fillPictures();
      this.picture.select.value = "sent:0";
      if (this.opened) await this.choosePicture();
    }
    if (problems.length) this.fail(problems.join(" "));
  }

  // --- what is asked ---

  question(place = 0) {
    const { source, key, run: of } = this.chosen() ?? {};
    const [run, checkpoint] = place
      ? JSON.parse(this.other.select.value)
      : [this.run.select.value, this.checkpoint.select.value];
    const picture = { source, key, run: of, slice: this.slice };
    return { run, checkpoint, picture, page: this.page, number: this.asked };
  }

  // The answers of all models that are looked at, one after the other.
  async askAll(name, viewers, asked, then) {
    const answers = [];
    for (const viewer of viewers) {
      const answer = await this.host.ask(name, { ...this.question(this.viewers.indexOf(viewer)), ...asked });
      await then(viewer, answer);
      answers.push(answer);
    }
    return answers;
  }

  async predict() {
    const two = !!this.other.select.value;
    this.viewers[1].element.hidden = !two;
    if (!two) this.viewers[1].empty();
    const answers = await this.work("Predicting.", (current) =>
      this.askAll("predict", this.viewers.slice(0, two ? 2 : 1), {}, async (viewer, answer) => {
        if (!current()) return;
        if (viewer === this.viewers[0]) this.panel.settle(answer);
        await viewer.show(answer);
        this.describe(viewer, answer);
      }),
    );
    if (answers) this.panel.drawMaps();
    else if (!this.message.hidden) this.viewers.forEach((viewer) => viewer.empty());
  }

  describe(viewer, answer) {
    const scores = answer.scores?.dice !== undefined ? ` · Dice ${answer.scores.dice.toFixed(3)}` : "";
    const size = `${answer.width} × ${answer.height}`;
    viewer.caption.textContent = `${answer.model}${scores} · ${size} · ${answer.seconds.toFixed(2)} s, ${answer.backend}`;
    if (viewer !== this.viewers[0]) return;
    const told = this.chosen()?.source === "validation" && this.told ? [this.told] : [];
    this.notes.replaceChildren(...[...answer.notes, ...told].map((note) => make("div", {}, note)));
  }

  // What speaks for a class: at a pixel, or wherever it is seen.
  async explain(asked, key = "cam") {
    const shown = this.viewers.filter((viewer) => viewer.shown);
    const answers = await this.work("Explaining.", () =>
      this.askAll("explain", shown, asked, async (viewer, answer) => {
        await viewer.explain(answer);
        if (asked.row !== undefined) viewer.mark(asked.row, asked.column);
      }),
    );
    this.settings.map = answers?.some((answer) => answer.map) ? key : "";
    if (shown.length) this.panel.fillMaps(shown[0].shown);
    this.panel.drawMaps();
    if (answers && asked.row !== undefined) this.panel.tellPixels(answers);
  }

  async change(gate, change) {
    const shown = this.viewers.filter((viewer) => viewer.map(`gate:${gate}`));
    const asked = { gate, change, threshold: this.settings.threshold };
    const answers = await this.work("Predicting with the gate changed.", () =>
      this.askAll("change_gate", shown, asked, (viewer, answer) => viewer.change(answer)),
    );
    if (answers) this.panel.tellEffect(gate, change, answers);
  }

  async take(format) {
    if (!this.viewers[0].shown) return;
    const asked = { format, threshold: this.settings.threshold };
    const file = await this.work("Writing the file.", () => this.host.ask("take_away", { ...this.question(), ...asked }));
    if (!file) return;
    const address = URL.createObjectURL(new Blob([bytes(file.data)], { type: "application/octet-stream" }));
    make("a", { href: address, download: file.name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  }

  // --- keys ---

  key(event, viewer) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const flip = (name) => () => this.panel.controls[name].input.click();
    const zoom = (factor) => () => {
      this.look.zoomAt(factor, this.look.x, this.look.y);
      this.viewers.forEach((each) => each.place());
    };
    const acts = {
      m: flip("mask"),
      c: flip("contours"),
      t: flip("truth"),
      a: () => this.panel.flipAttention() || this.fail("This model has no attention gates; Grad-CAM explains any model."),
      ArrowLeft: () => this.step(-1),
      ArrowRight: () => this.step(1),
      "+": zoom(1.5),
      "=": zoom(1.5),
      "-": zoom(1 / 1.5),
      0: zoom(0),
      Enter: () => this.explain(viewer.middle()),
    };
    const act = /^[1-9]$/.test(event.key) ? () => this.panel.toggleClass(Number(event.key) - 1) : acts[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }
}
