// What is looked at: a run and its checkpoint, another to compare it with, and a picture.

import { make } from "./dom.js";
import { button, choice, slider } from "./explorer_parts.js";
import { inbox, send } from "./explorer_send.js";

const NO_MODEL = "No run has a model yet: train one, and come back when it has validated once.";
const SOURCES = { sent: "Yours", validation: "Validation", drawn: "Drawn" };

export class Choices {
  // `acts`: predict(fresh), where a fresh picture is seen whole; work(text, task), which tells that something takes time
  // and returns null if it went wrong; tell(text); fail(text). Files dropped on `root` are taken.
  constructor(host, root, acts) {
    Object.assign(this, { host, acts });
    this.lists = { sent: [], validation: [], drawn: [] };
    this.slice = 0;
    this.told = "";
    this.run = choice("Run", () => {
      root.dataset.run = this.run.select.value;
      host.tell("chosen", { run: root.dataset.run });
      this.chooseRun();
    });
    this.checkpoint = choice("Checkpoint", () => acts.predict());
    this.other = choice("Compare with", () => acts.predict());
    this.picture = choice("Picture", () => this.choosePicture());
    this.slices = slider("Slice", 0, () => {}, { step: 1 });
    this.slices.element.classList.add("slice");
    this.slices.element.hidden = true;
    this.slices.input.addEventListener("change", () => {
      this.slice = Number(this.slices.input.value);
      acts.predict();
    });
    const before = button("‹", () => this.step(-1), { "aria-label": "Picture before" });
    const next = button("›", () => this.step(1), { "aria-label": "Next picture" });
    this.inbox = inbox(root, (files) => this.receive(files), acts.fail);
    this.element = make(
      "div",
      { className: "bar" },
      ...[this.run.element, this.checkpoint.element, this.other.element, this.picture.element],
      ...[make("div", { className: "steps" }, before, next), this.inbox.element, this.slices.element],
    );
  }

  stop() {
    this.inbox.stop();
  }

  // --- models ---

  get models() {
    const other = this.other.select.value;
    const one = { run: this.run.select.value, checkpoint: this.checkpoint.select.value };
    return other ? [one, JSON.parse(other)] : [one];
  }

  // Read anew which runs there are; the one that was looked at stays, unless another is named.
  async open(named) {
    let runs = [];
    let problem = "";
    try {
      ({ runs } = await this.host.ask("list_models", {}));
    } catch (error) {
      problem = error.message;
    }
    this.runs = runs;
    const wanted = named ?? (this.run.select.value || this.host.get("run"));
    const usable = runs.filter((each) => each.checkpoints.length);
    const chosen = (usable.find((each) => each.name === wanted) ?? usable[0])?.name ?? "";
    const shown = ({ name, problem: why }) => [name, why ? `${name} (${why})` : name, !!why];
    this.run.fill(runs.map(shown), chosen);
    this.fillOther();
    if (chosen && chosen !== this.opened) await this.chooseRun();
    else if (chosen) this.fillCheckpoints();
    else this.acts.fail(problem || NO_MODEL);
  }

  fillCheckpoints() {
    const { checkpoints } = this.runs.find((run) => run.name === this.opened);
    const before = this.checkpoint.select.value;
    const chosen = checkpoints.some((each) => each.name === before) ? before : checkpoints[0].name;
    const shown = ({ name, about }) => [name, `${name} (${about})`];
    this.checkpoint.fill(checkpoints.map(shown), chosen);
  }

  fillOther() {
    const others = this.runs.flatMap(({ name: run, checkpoints }) =>
      checkpoints.map(({ name: checkpoint }) => [JSON.stringify({ run, checkpoint }), `${run}, ${checkpoint}`]),
    );
    this.other.fill([["", "nothing"], ...others], this.other.select.value);
    if (this.other.select.selectedIndex < 0) this.other.select.value = "";
  }

  async chooseRun() {
    const run = this.run.select.value;
    this.opened = run;
    this.fillCheckpoints();
    const listed = await this.acts.work("Looking for pictures.", () => this.host.ask("list_pictures", { run }));
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

  // --- pictures ---

  fillPictures() {
    const groups = Object.entries(SOURCES).map(([source, title]) => ({
      title,
      options: this.lists[source].map(({ name }, place) => [`${source}:${place}`, name]),
    }));
    this.picture.fill(groups.filter((each) => each.options.length));
  }

  // The picture with where it comes from; null before there is one.
  chosen() {
    const value = this.picture.select.value;
    if (!value) return null;
    const [source, place] = value.split(":");
    return { value, source, ...this.lists[source][place] };
  }

  // As Python is asked for it.
  asked() {
    const { source, key, run } = this.chosen() ?? {};
    return { source, key, run, slice: this.slice };
  }

  // What should be said of where the pictures come from.
  notes() {
    return this.told && this.chosen()?.source === "validation" ? [this.told] : [];
  }

  async choosePicture() {
    const { slices = 1 } = this.chosen();
    this.slice = Math.floor((slices - 1) / 2);
    this.slices.element.hidden = slices < 2;
    this.slices.input.max = slices - 1;
    this.slices.set(this.slice);
    await this.acts.predict(true);
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
        this.lists.sent.unshift(await send(this.host, file, this.acts.tell));
      } catch (error) {
        problems.push(error.message);
      }
    }
    this.acts.tell("");
    if (this.lists.sent.length > before) {
      this.fillPictures();
      this.picture.select.value = "sent:0";
      if (this.opened) await this.choosePicture();
    }
    if (problems.length) this.acts.fail(problems.join(" "));
  }
}
