// Looking at pictures with models: layers that follow their sliders in the browser, and questions where Python must act.
//
// host.get("colours") holds the colour maps and the colours of changes. host.get("run"), where given, is the run to look
// at, and may change. Asked are list_models, list_pictures, send_picture, predict, explain, change_gate, take_away and
// progress.

import { button, choice, make, section, slider, switched } from "./explorer_parts.js";
import { bytes } from "./explorer_planes.js";
import { inbox, send } from "./explorer_send.js";
import { Look, Viewer } from "./explorer_viewer.js";

const BLENDS = ["normal", "multiply", "screen", "overlay", "by value"];
const CHANGES = { opened: "Open the gate", shuffled: "Shuffle its map" };
const FILES = {
  label: "Mask",
  overlay: "Overlay",
  geojson: "GeoJSON",
  csv: "Measurements",
  probability: "Probabilities",
  attention: "Attention",
};
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
    this.colours = {
      changes,
      maps: Object.fromEntries(Object.entries(maps).map(([name, text]) => [name, bytes(text)])),
    };
    this.settings = {
      mask: true,
      maskOpacity: 0.4,
      contours: true,
      truth: false,
      threshold: 0.5,
      map: "",
      mapOpacity: 0.6,
      blend: "normal",
      colourMap: "viridis",
      rescale: false,
      hidden: new Set(),
      highlighted: null,
    };
    this.look = new Look();
    this.lists = { validation: [], drawn: [], sent: [] };
    this.slice = 0;
    this.asked = 0;
    const acts = {
      looked: () => this.viewers.forEach((viewer) => viewer.place()),
      hovered: (viewer, text) => (this.hover.textContent = text || this.hint()),
      picked: (viewer, row, column) => this.explain({ row, column }),
      key: (event, viewer) => this.key(event, viewer),
    };
    this.viewers = [0, 1].map(() => new Viewer(this.settings, this.look, this.colours, acts));
    this.build(element);
  }

  stop() {
    this.viewers.forEach((viewer) => viewer.stop());
    this.inbox.stop();
    this.root.remove();
  }

  // --- the page ---

  build(element) {
    this.message = make("div", { class: "message", role: "alert", hidden: true });
    this.state = make("div", { class: "state", role: "status", "aria-live": "polite" });
    this.hover = make("div", { class: "hover" });
    this.notes = make("div", { class: "notes" });
    this.root = make("div", { class: "explorer" });
    this.inbox = inbox(this.root, (files) => this.receive(files), (text) => this.fail(text));
    const models = this.buildModels();
    const pictures = this.buildPictures();
    this.second = this.viewers[1].element;
    this.second.hidden = true;
    this.root.append(
      make("div", { class: "bar" }, ...models, ...pictures),
      this.message,
      make(
        "div",
        { class: "body" },
        make(
          "div",
          { class: "pictures" },
          make("div", { class: "viewers" }, ...this.viewers.map((viewer) => viewer.element)),
          make("div", { class: "below" }, this.hover, this.state),
          this.notes,
        ),
        make("div", { class: "panel" }, ...this.buildPanel()),
      ),
    );
    element.append(this.root);
    this.hover.textContent = this.hint();
  }

  buildModels() {
    this.run = choice("Run", () => this.chooseRun());
    this.checkpoint = choice("Checkpoint", () => this.predict());
    this.other = choice("Beside it", () => this.predict());
    return [this.run.element, this.checkpoint.element, this.other.element];
  }

  buildPictures() {
    this.picture = choice("Picture", () => this.choosePicture());
    this.place = slider("Slice", 0, () => {}, { step: 1 });
    this.place.element.classList.add("slice");
    this.place.element.hidden = true;
    this.place.input.addEventListener("change", () => {
      this.slice = Number(this.place.input.value);
      this.predict();
    });
    const steps = make(
      "div",
      { class: "steps" },
      button("‹", () => this.step(-1), { "aria-label": "Picture before" }),
      button("›", () => this.step(1), { "aria-label": "Next picture" }),
    );
    return [this.picture.element, steps, this.inbox.element, this.place.element];
  }

  buildPanel() {
    const masks = () => this.viewers.forEach((viewer) => viewer.drawMasks());
    const maps = () => this.drawMaps();
    const dress = () => this.viewers.forEach((viewer) => viewer.dress());
    const set = (name, then) => (value) => {
      this.settings[name] = value;
      then();
    };
    const { settings } = this;
    this.controls = {
      mask: switched("Mask", settings.mask, set("mask", dress), "Key m"),
      maskOpacity: slider("Opacity", settings.maskOpacity, set("maskOpacity", dress)),
      threshold: slider("Threshold", settings.threshold, set("threshold", masks), { min: 0.01, max: 0.99 }),
      contours: switched("Contours", settings.contours, set("contours", dress), "Key c"),
      truth: switched("True mask, in white", settings.truth, set("truth", dress), "Key t"),
      map: choice("Map", (key) => this.chooseMap(key)),
      mapOpacity: slider("Map opacity", settings.mapOpacity, set("mapOpacity", dress)),
      blend: choice("Blend", set("blend", () => (maps(), dress()))),
      colourMap: choice("Colours", set("colourMap", maps)),
      rescale: switched("Rescale to its own range", settings.rescale, set("rescale", maps)),
    };
    const { mask, maskOpacity, threshold, contours, truth, map, mapOpacity, blend, colourMap, rescale } = this.controls;
    blend.fill(BLENDS.map((name) => [name, name]), settings.blend);
    colourMap.fill(Object.keys(this.colours.maps).map((name) => [name, name]), settings.colourMap);
    this.legend = make("div", { class: "legend", role: "group", "aria-label": "Classes" });
    this.scale = make("canvas", { width: 256, height: 1, "aria-hidden": "true" });
    this.range = make("div", { class: "range" });
    this.pixel = make("div", { class: "facts" }, "Click into the picture.");
    this.gates = make("div", { class: "row" });
    this.effect = make("div", { class: "facts", role: "status" });
    const files = Object.entries(FILES).map(([format, text]) => button(text, () => this.take(format), { "data-format": format }));
    this.files = Object.fromEntries(files.map((each) => [each.dataset.format, each]));
    return [
      section("Classes", this.legend, mask.element, maskOpacity.element, threshold.element, contours.element, truth.element),
      section(
        "Attention and other maps",
        map.element,
        mapOpacity.element,
        make("div", { class: "pair" }, blend.element, colourMap.element),
        rescale.element,
        make("div", { class: "scale" }, this.scale, this.range),
        this.gates,
        this.effect,
      ),
      section("One pixel", this.pixel),
      section("Take away", make("div", { class: "row" }, ...files)),
    ];
  }

  hint() {
    return "m mask · a attention · c contours · t truth · 1–9 classes · ← → pictures · + − 0 zoom · click a pixel";
  }

  fail(text) {
    this.message.textContent = text;
    this.message.hidden = !text;
  }

  // Ask, and tell meanwhile that it takes time; what goes wrong is one sentence on the page. Null if it did.
  async work(text, task) {
    const asked = ++this.asked;
    this.fail("");
    this.state.textContent = text;
    this.root.setAttribute("aria-busy", "true");
    const watch = setInterval(async () => {
      const { done, total, waiting } = await this.host.ask("progress", {}).catch(() => ({}));
      if (asked !== this.asked) return;
      if (total > 1) this.state.textContent = `${text} ${done} of ${total} tiles.`;
      else if (waiting) this.state.textContent = `${text} ${waiting} wait${waiting > 1 ? "" : "s"}.`;
    }, PATIENCE);
    try {
      const answer = await task(() => asked === this.asked);
      return asked === this.asked ? answer : null;
    } catch (error) {
      if (asked === this.asked) this.fail(error.message);
      return null;
    } finally {
      clearInterval(watch);
      if (asked === this.asked) {
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
    const before = run ?? (this.run.select.value || this.host.get("run"));
    this.runs = runs;
    const usable = runs.filter((each) => each.checkpoints.length);
    this.run.fill(runs.map(({ name, problem }) => [name, problem ? `${name} (${problem})` : name, !!problem]));
    const chosen = (usable.find((each) => each.name === before) ?? usable[0])?.name;
    this.run.select.value = chosen ?? "";
    this.fillOther();
    if (!chosen) {
      if (this.message.hidden) this.fail("No run has a model yet: train one, and come back when it has validated once.");
    } else if (chosen !== this.opened) {
      await this.chooseRun();
    }
  }

  fillOther() {
    const others = this.runs.flatMap(({ name, checkpoints }) =>
      checkpoints.map((each) => [JSON.stringify([name, each.name]), `${name}, ${each.name}`]),
    );
    this.other.fill([["", "nothing"], ...others], this.other.select.value);
    if (this.other.select.selectedIndex < 0) this.other.select.value = "";
  }

  async chooseRun() {
    const name = this.run.select.value;
    this.opened = name;
    const { checkpoints } = this.runs.find((run) => run.name === name);
    this.checkpoint.fill(checkpoints.map((each) => [each.name, `${each.name} (${each.about})`]));
    const listed = await this.work("Looking for pictures.", () => this.host.ask("list_pictures", { run: name }));
    if (!listed) return;
    this.lists.validation = listed.validation.map((key) => ({ key, name: key, run: name }));
    this.lists.drawn = listed.drawn.map((key) => ({ key, name: key }));
    this.told = listed.told;
    const before = this.chosen();
    this.fillPictures();
    const first = this.lists.validation.length ? "validation:0" : "drawn:0";
    this.picture.select.value = before?.source === "sent" || before?.source === "drawn" ? before.value : first;
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
    this.place.element.hidden = slices < 2;
    this.place.input.max = slices - 1;
    this.place.set(this.slice);
    this.look.zoom = 1;
    this.look.move(0.5, 0.5);
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
    let came = 0;
    for (const file of files) {
      try {
        const known = await send(this.host, file, (text) => (this.state.textContent = text));
        this.lists.sent.unshift(known);
        came += 1;
      } catch (error) {
        problems.push(error.message);
      }
    }
    this.state.textContent = "";
    if (came) {
      this.fillPictures();
      this.picture.select.value = "sent:0";
      if (this.opened) await this.choosePicture();
    }
    if (problems.length) this.fail(problems.join(" "));
  }

  // --- what is asked ---

  question(place = 0) {
    const { source, key, run } = this.chosen() ?? {};
    const other = place ? JSON.parse(this.other.select.value) : [this.run.select.value, this.checkpoint.select.value];
    return { run: other[0], checkpoint: other[1], picture: { source, key, run, slice: this.slice } };
  }

  shownViewers() {
    return this.viewers.filter((viewer, place) => viewer.shown && (!place || this.other.select.value));
  }

  async predict() {
    const two = !!this.other.select.value;
    this.second.hidden = !two;
    if (!two) this.viewers[1].empty();
    const done = await this.work("Predicting.", async (current) => {
      for (const viewer of this.viewers.slice(0, two ? 2 : 1)) {
        const answer = await this.host.ask("predict", this.question(this.viewers.indexOf(viewer)));
        if (!current()) return null;
        if (viewer === this.viewers[0]) this.settle(answer);
        await viewer.show(answer);
        this.describe(viewer, answer);
      }
      return true;
    });
    if (done === null && !this.message.hidden) this.viewers.forEach((viewer) => viewer.empty());
    if (!done) return;
    this.drawMaps();
    this.pixel.replaceChildren("Click into the picture.");
    this.showEffect();
  }

  // Settings that the new prediction decides.
  settle(answer) {
    const { settings, controls } = this;
    const names = JSON.stringify([answer.mode, answer.classes]);
    if (names !== this.names) {
      this.names = names;
      settings.hidden.clear();
      settings.threshold = answer.threshold;
      controls.threshold.set(answer.threshold);
      this.fillLegend(answer);
    }
    controls.threshold.element.hidden = answer.mode === "multiclass"; // of several classes the likeliest is taken
    controls.truth.input.disabled = !answer.truth;
    this.files.attention.disabled = !answer.maps.some((map) => map.gate);
    if (settings.map === "cam") settings.map = "";
    this.fillMaps(answer);
  }

  fillMaps(answer) {
    const probabilities = answer.classes.map(({ name, channel }) => [`probability:${channel}`, `Probability of ${name}`]);
    const maps = answer.maps.map(({ key, name }) => [key, name]);
    const explained = this.viewers.some((viewer) => viewer.extra.cam);
    this.controls.map.fill([
      ["", "none"],
      { title: "Attention gates", options: maps.filter(([key]) => key.startsWith("gate:")) },
      { title: "Probabilities", options: [...probabilities, ...maps.filter(([key]) => !key.startsWith("gate:"))] },
      { title: "What spoke for it", options: [["cam", explained ? "Grad-CAM of what was clicked" : "Grad-CAM of the class that is seen most"]] },
    ]);
    this.controls.map.select.value = this.settings.map;
    if (this.controls.map.select.selectedIndex < 0) this.controls.map.select.value = this.settings.map = "";
  }

  async chooseMap(key) {
    this.settings.map = key;
    this.drawMaps();
    if (key === "cam" && !this.viewers[0].extra.cam) await this.explain({});
  }

  drawMaps() {
    if (this.settings.map.startsWith("gate:")) this.gate = this.settings.map;
    this.viewers.forEach((viewer) => {
      viewer.drawMap();
      viewer.dress();
    });
    this.describeMap();
  }

  describe(viewer, answer) {
    const scores = answer.scores?.dice !== undefined ? ` · Dice ${answer.scores.dice.toFixed(3)}` : "";
    const size = `${answer.width} × ${answer.height}`;
    viewer.caption.textContent = `${answer.model}${scores} · ${size} · ${answer.seconds.toFixed(2)} s, ${answer.backend}`;
    const told = this.chosen()?.source === "validation" && this.told ? [this.told] : [];
    if (viewer === this.viewers[0]) {
      this.notes.replaceChildren(...[...answer.notes, ...told].map((note) => make("div", {}, note)));
    }
  }

  describeMap() {
    const key = this.settings.map;
    const map = this.viewers[0].map();
    const { colourMap, rescale } = this.settings;
    const strip = this.scale.getContext("2d");
    const image = strip.createImageData(256, 1);
    const colours = this.colours.maps[colourMap];
    for (let level = 0; level < 256; level++) image.data.set([...colours.subarray(3 * level, 3 * level + 3), 255], 4 * level);
    strip.putImageData(image, 0, 0);
    this.scale.parentElement.hidden = !map;
    if (map) {
      const span = `${map.low.toPrecision(3)} to ${map.high.toPrecision(3)}`;
      const scale = rescale ? `rescaled: dark ${map.low.toPrecision(3)}, light ${map.high.toPrecision(3)}` : "dark 0, light 1";
      const values = key.startsWith("probability:") || rescale ? "" : `, values here ${span}`;
      this.range.textContent = `${scale}${values}${map.about ? `. ${map.about}.` : ""}`;
    }
    const gate = map?.gate;
    this.gates.replaceChildren(
      ...(gate ? Object.entries(CHANGES).map(([change, text]) => button(text, () => this.change(gate, change))) : []),
      ...(gate && this.viewers.some((viewer) => viewer.extra.changes) ? [button("As it is", () => this.showEffect())] : []),
    );
  }

  async explain(region) {
    const shown = this.shownViewers();
    const answers = await this.work("Explaining.", async () => {
      const found = [];
      for (const viewer of shown) {
        const answer = await this.host.ask("explain", { ...this.question(this.viewers.indexOf(viewer)), ...region });
        await viewer.explain(answer);
        if (region.row !== undefined) viewer.mark(region.row, region.column);
        found.push(answer);
      }
      return found;
    });
    if (!answers) return;
    this.settings.map = "cam";
    this.fillMaps(this.viewers[0].shown);
    this.drawMaps();
    if (region.row !== undefined) this.pixel.replaceChildren(...answers.map((answer, place) => facts(answer, shown[place])));
  }

  async change(gate, change) {
    const shown = this.shownViewers().filter((viewer) => viewer.map(`gate:${gate}`));
    const answers = await this.work("Predicting with the gate changed.", async () => {
      const found = [];
      for (const viewer of shown) {
        const question = { ...this.question(this.viewers.indexOf(viewer)), gate, change, threshold: this.settings.threshold };
        const answer = await this.host.ask("change_gate", question);
        await viewer.change(answer);
        found.push(answer);
      }
      return found;
    });
    if (answers) this.showEffect(gate, change, answers);
  }

  // What changing a gate did, or nothing.
  showEffect(gate, change, answers = []) {
    if (!answers.length) this.viewers.forEach((viewer) => viewer.change(null));
    const [gained, lost, other] = this.colours.changes;
    const key = (colour, text) => make("span", { class: "key" }, make("i", { style: `background:${colour}` }), text);
    const told = ({ pixels, share, probability_change, dice_between, score_change }) => {
      const score = score_change === null ? "" : ` Dice against the true mask ${score_change >= 0 ? "+" : "−"}${Math.abs(score_change).toFixed(4)}.`;
      return make(
        "p",
        {},
        `${gate} ${change}: ${pixels} pixels (${(100 * share).toFixed(2)} %) change their class, probabilities by ${probability_change.toPrecision(2)} on average; Dice between both masks ${dice_between.toFixed(4)}.${score}`,
      );
    };
    this.effect.replaceChildren(
      ...answers.map(told),
      ...(answers.length ? [make("p", {}, key(gained, "gained"), key(lost, "lost"), key(other, "other class"))] : []),
    );
    this.describeMap();
  }

  async take(format) {
    if (!this.viewers[0].shown) return;
    const question = { ...this.question(), format, threshold: this.settings.threshold };
    const file = await this.work("Writing the file.", () => this.host.ask("take_away", question));
    if (!file) return;
    const address = URL.createObjectURL(new Blob([bytes(file.data)], { type: "application/octet-stream" }));
    make("a", { href: address, download: file.name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  }

  // --- classes and keys ---

  fillLegend({ classes }) {
    this.legend.replaceChildren(
      ...classes.map(({ id, name, colour }, place) => {
        const light = (on) => () => this.highlight(on ? id : null);
        return button("", () => this.toggleClass(place), {
          "aria-pressed": "true",
          "data-id": id,
          title: place < 9 ? `Key ${place + 1}` : "",
          onpointerenter: light(true),
          onpointerleave: light(false),
          onfocus: light(true),
          onblur: light(false),
        });
      }),
    );
    [...this.legend.children].forEach((chip, place) => {
      chip.append(make("i", { style: `background:${classes[place].colour}` }), classes[place].name);
    });
  }

  highlight(id) {
    this.settings.highlighted = id;
    if (this.legend.children.length > 1) this.viewers.forEach((viewer) => viewer.drawMasks());
  }

  toggleClass(place) {
    const chip = this.legend.children[place];
    if (!chip) return;
    const id = Number(chip.dataset.id);
    const { hidden } = this.settings;
    if (!hidden.delete(id)) hidden.add(id);
    chip.setAttribute("aria-pressed", !hidden.has(id));
    this.viewers.forEach((viewer) => viewer.drawMasks());
  }

  key(event, viewer) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const flip = (name) => () => this.controls[name].input.click();
    const zoom = (factor) => () => {
      this.look.zoomAt(factor, this.look.x, this.look.y);
      this.viewers.forEach((each) => each.place());
    };
    const acts = {
      m: flip("mask"),
      c: flip("contours"),
      t: flip("truth"),
      a: () => this.flipAttention(),
      ArrowLeft: () => this.step(-1),
      ArrowRight: () => this.step(1),
      "+": zoom(1.5),
      "=": zoom(1.5),
      "-": zoom(1 / 1.5),
      0: zoom(0),
      Enter: () => {
        const { width, height } = viewer.shown;
        const whole = (share, of) => Math.min(Math.floor(share * of), of - 1);
        this.explain({ row: whole(this.look.y, height), column: whole(this.look.x, width) });
      },
    };
    const act = /^[1-9]$/.test(event.key) ? () => this.toggleClass(Number(event.key) - 1) : acts[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  // The gate that was looked at last, or the one with the finest map; and away again.
  flipAttention() {
    const gates = this.viewers[0].shown.maps.filter((map) => map.gate).map((map) => map.key);
    if (!gates.length) return this.fail("This model has no attention gates; Grad-CAM explains any model.");
    if (gates.includes(this.settings.map)) this.settings.map = "";
    else this.settings.map = gates.includes(this.gate) ? this.gate : gates.at(-1);
    this.controls.map.select.value = this.settings.map;
    this.drawMaps();
  }
}

function facts({ row, column, target, probabilities, gates }, viewer) {
  const bar = ({ name, value }) => [
    make("dt", {}, name),
    make("dd", {}, make("meter", { min: 0, max: 1, value, "aria-label": name }), value.toFixed(3)),
  ];
  const likely = [...probabilities].sort((one, two) => two.value - one.value).slice(0, 8);
  return make(
    "div",
    {},
    make("p", {}, `Row ${row}, column ${column}. Probabilities:`),
    make("dl", {}, ...likely.flatMap(bar)),
    ...(gates.length ? [make("p", {}, "Gates let through:"), make("dl", {}, ...gates.flatMap(bar))] : []),
    make("p", {}, `The map shows what spoke for ${target} here.`),
  );
}
