// Looking at pictures with models: layers that follow their sliders in the browser, and questions where Python must act.
//
// host.get("colours") holds the colour maps and the colours of changes; host.get("run"), where given, is the run to look
// at, and may change; that somebody has `chosen` another is told. Asked are list_models, list_pictures, send_picture,
// predict, explain, change_gate, take_away and progress.

import { make } from "./dom.js";
import { Choices } from "./explorer_choices.js";
import { Panel, SETTINGS } from "./explorer_panel.js";
import { bytes } from "./explorer_planes.js";
import { Look, Viewer } from "./explorer_viewer.js";

const HINT = "m mask · a attention · c contours · t truth · 1–9 classes · ← → pictures · + − 0 zoom · click a pixel";
const NO_GATES = "This model has no attention gates; Grad-CAM explains any model.";
const PATIENCE = 900; // milliseconds between two questions how far a prediction is

export function mount(element, host) {
  const explorer = new Explorer(element, host);
  const seen = new IntersectionObserver(([entry]) => entry.isIntersecting && explorer.choices.open());
  seen.observe(element);
  host.watch("run", () => explorer.choices.open(host.get("run")));
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
    this.asked = 0;
    this.page = Math.random().toString(36).slice(2); // by which Python knows which questions replace each other
    this.root = make("div", { className: "explorer" });
    this.choices = new Choices(host, this.root, {
      predict: (fresh) => this.predict(fresh),
      work: (text, task) => this.work(text, task),
      tell: (text) => (this.state.textContent = text),
      fail: (text) => this.fail(text),
    });
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
    this.choices.stop();
    this.root.remove();
  }

  build(element) {
    this.message = make("div", { className: "message", role: "alert", hidden: true });
    this.state = make("div", { className: "state", role: "status", "aria-live": "polite" });
    this.hover = make("div", { className: "hover" }, HINT);
    this.notes = make("div", { className: "notes" });
    this.viewers[1].element.hidden = true;
    const viewers = make("div", { className: "viewers" }, ...this.viewers.map((viewer) => viewer.element));
    const below = make("div", { className: "below" }, this.hover, this.state);
    const pictures = make("div", {}, viewers, below, this.notes);
    const body = make("div", { className: "body" }, pictures, this.panel.element);
    this.root.append(this.choices.element, this.message, body);
    element.append(this.root);
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

  // The answers of all models that are looked at, one after the other; each is drawn as it comes.
  async askAll(name, viewers, asked, then) {
    const answers = [];
    for (const viewer of viewers) {
      const answer = await this.host.ask(name, { ...this.question(viewer), ...asked });
      await then(viewer, answer);
      answers.push(answer);
    }
    return answers;
  }

  question(viewer) {
    const model = this.choices.models[this.viewers.indexOf(viewer)];
    return { ...model, picture: this.choices.asked(), page: this.page, number: this.asked };
  }

  async predict(fresh = false) {
    const two = this.choices.models.length > 1;
    this.viewers[1].element.hidden = !two;
    if (!two) this.viewers[1].empty();
    if (fresh) this.look.zoomAt(0, 0.5, 0.5);
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

  describe(viewer, { model, scores, width, height, seconds, backend, notes }) {
    const dice = scores?.dice === undefined ? [] : [`Dice ${scores.dice.toFixed(3)}`];
    const took = `${seconds.toFixed(2)} s, ${backend}`;
    viewer.caption.textContent = [model, ...dice, `${width} × ${height}`, took].join(" · ");
    if (viewer !== this.viewers[0]) return;
    this.notes.replaceChildren(...[...notes, ...this.choices.notes()].map((note) => make("div", {}, note)));
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
    if (this.viewers[0].shown) this.panel.fillMaps(this.viewers[0].shown);
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
    const [first] = this.viewers;
    if (!first.shown) return;
    const asked = { format, threshold: this.settings.threshold };
    const files = await this.work("Writing the file.", () => this.askAll("take_away", [first], asked, () => {}));
    if (!files) return;
    const address = URL.createObjectURL(new Blob([bytes(files[0].data)], { type: "application/octet-stream" }));
    make("a", { href: address, download: files[0].name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  }

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
      a: () => this.panel.flipAttention() || this.fail(NO_GATES),
      ArrowLeft: () => this.choices.step(-1),
      ArrowRight: () => this.choices.step(1),
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
