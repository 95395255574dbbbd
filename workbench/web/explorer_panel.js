// The controls beside the viewers: what they change is drawn at once, and what needs Python is handed on.

import { make } from "./dom.js";
import { button, choice, oncePainted, section, slider, switched } from "./explorer_parts.js";

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

export const SETTINGS = {
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
  highlighted: null,
};

export class Panel {
  // `acts`: change(gate, change), explain({target}, key), take(format).
  constructor(settings, colours, viewers, acts) {
    Object.assign(this, { settings, colours, viewers, acts });
    this.legend = make("div", { className: "legend", role: "group", "aria-label": "Classes" });
    this.strip = make("canvas", { width: 256, height: 1, "aria-hidden": "true" });
    this.range = make("div", { className: "range" });
    this.scale = make("div", { className: "scale" }, this.strip, this.range);
    this.gates = make("div", { className: "row" });
    this.effect = make("div", { className: "facts", role: "status" });
    this.pixel = make("div", { className: "facts" });
    this.controls = this.makeControls();
    const files = Object.entries(FILES).map(([format, text]) => [format, button(text, () => acts.take(format))]);
    this.files = Object.fromEntries(files);
    const of = Object.fromEntries(Object.entries(this.controls).map(([name, control]) => [name, control.element]));
    this.element = make(
      "div",
      { className: "panel" },
      section("Classes", this.legend, of.mask, of.maskOpacity, of.threshold, of.contours, of.truth),
      section(
        "Attention and other maps",
        ...[of.map, of.mapOpacity, make("div", { className: "pair" }, of.blend, of.colourMap), of.rescale],
        ...[this.scale, this.gates, this.effect],
      ),
      section("One pixel", this.pixel),
      section("Take away", make("div", { className: "row" }, ...Object.values(this.files))),
    );
    this.tellPixels();
    this.describeMap();
  }

  makeControls() {
    const { settings } = this;
    const each = (act) => () => this.viewers.forEach(act);
    const masks = oncePainted(each((viewer) => viewer.drawMasks()));
    const dress = each((viewer) => viewer.dress());
    const maps = () => this.drawMaps();
    const set = (name, then) => (value) => {
      settings[name] = value;
      then();
    };
    const controls = {
      mask: switched("Mask", settings.mask, set("mask", dress), "Key m"),
      maskOpacity: slider("Opacity", settings.maskOpacity, set("maskOpacity", dress)),
      threshold: slider("Threshold", settings.threshold, set("threshold", masks), { min: 0.01, max: 0.99 }),
      contours: switched("Contours", settings.contours, set("contours", dress), "Key c"),
      truth: switched("True mask, in white", settings.truth, set("truth", dress), "Key t"),
      map: choice("Map", (key) => this.chooseMap(key)),
      mapOpacity: slider("Map opacity", settings.mapOpacity, set("mapOpacity", dress)),
      blend: choice("Blend", set("blend", maps)),
      colourMap: choice("Colours", set("colourMap", maps)),
      rescale: switched("Rescale to its own range", settings.rescale, set("rescale", maps)),
    };
    const named = (names) => names.map((name) => [name, name]);
    controls.blend.fill(named(BLENDS), settings.blend);
    controls.colourMap.fill(named(Object.keys(this.colours.maps)), settings.colourMap);
    return controls;
  }

  // What a new prediction decides.
  settle(answer) {
    const { settings, controls } = this;
    const names = JSON.stringify([answer.mode, answer.classes]);
    if (names !== this.names) {
      this.names = names;
      settings.hidden.clear();
      settings.threshold = answer.threshold;
      controls.threshold.set(answer.threshold);
      this.fillLegend(answer.classes);
    }
    controls.threshold.element.hidden = answer.mode === "multiclass"; // of several classes the likeliest is taken
    controls.truth.input.disabled = !answer.truth;
    this.files.attention.disabled = !answer.maps.some((map) => map.gate);
    if (settings.map.startsWith("cam")) settings.map = "";
    this.fillMaps(answer);
    this.tellPixels();
    this.tellEffect();
  }

  // --- classes ---

  fillLegend(classes) {
    const chips = classes.map(({ id, name, colour }, place) => {
      const light = (on) => () => this.highlight(on ? id : null);
      const chip = button("", () => this.toggleClass(place), {
        "aria-pressed": "true",
        "data-id": id,
        title: place < 9 ? `Key ${place + 1}` : "",
        onpointerenter: light(true),
        onpointerleave: light(false),
        onfocus: light(true),
        onblur: light(false),
      });
      chip.append(make("i", { style: `background:${colour}` }), name);
      return chip;
    });
    this.legend.replaceChildren(...chips);
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

  // --- maps ---

  fillMaps({ classes, maps }) {
    const { select } = this.controls.map;
    const named = maps.map(({ key, name }) => [key, name]);
    const causes = classes.map(({ name }) => [`cam:${name}`, `Grad-CAM of ${name}`]);
    if (this.settings.map === "cam") causes.unshift(["cam", "Grad-CAM of the pixel"]);
    const probabilities = classes.map(({ name, channel }) => [`probability:${channel}`, `Probability of ${name}`]);
    const isGate = ([key]) => key.startsWith("gate:");
    const groups = [
      { title: "Attention gates", options: named.filter(isGate) },
      { title: "Probabilities", options: [...probabilities, ...named.filter((map) => !isGate(map))] },
      { title: "What spoke for it", options: causes },
    ];
    this.controls.map.fill([["", "none"], ...groups.filter((group) => group.options.length)], this.settings.map);
    if (select.selectedIndex < 0) select.value = this.settings.map = "";
  }

  chooseMap(key) {
    this.settings.map = key;
    this.controls.map.select.value = key;
    if (key.startsWith("gate:")) this.gate = key;
    if (key.startsWith("cam:")) this.acts.explain({ target: key.slice(4) }, key);
    else this.drawMaps();
  }

  // The gate that was looked at last, or the one with the finest map; and away again. False where there is none.
  flipAttention() {
    const gates = this.viewers[0].shown.maps.filter((map) => map.gate).map((map) => map.key);
    const next = gates.includes(this.gate) ? this.gate : gates.at(-1);
    if (next) this.chooseMap(gates.includes(this.settings.map) ? "" : next);
    return !!next;
  }

  drawMaps() {
    for (const viewer of this.viewers) {
      viewer.drawMap();
      viewer.dress();
    }
    this.describeMap();
  }

  describeMap() {
    const maps = this.viewers.map((viewer) => viewer.map()).filter(Boolean);
    this.scale.hidden = !maps.length;
    if (maps.length) {
      this.drawStrip();
      this.range.textContent = `${this.toldScale(maps)}${maps[0].about ? ` ${maps[0].about}.` : ""}`;
    }
    const gate = maps[0]?.gate;
    const changes = Object.entries(CHANGES).map(([change, text]) => button(text, () => this.acts.change(gate, change)));
    const back = button("As it is", () => this.tellEffect());
    const changed = this.viewers.some((viewer) => viewer.extra.changes);
    this.gates.replaceChildren(...(gate ? changes : []), ...(changed ? [back] : []));
  }

  // What dark and light stand for, and the range of the values, of each picture where there are two.
  toldScale(maps) {
    const { map: key, rescale } = this.settings;
    const round = (value) => Number(value.toPrecision(3)).toString();
    const one = ({ low, high }) => `${round(low)} to ${round(high)}`;
    const own = ({ low, high }) => `dark ${round(low)}, light ${round(high)}`;
    if (rescale) return `rescaled: ${maps.map(own).join("; beside it ")}.`;
    if (key.startsWith("probability:")) return "dark 0, light 1.";
    return `dark 0, light 1; values here ${maps.map(one).join(", beside it ")}.`;
  }

  drawStrip() {
    const context = this.strip.getContext("2d");
    const image = context.createImageData(256, 1);
    const colours = this.colours.maps[this.settings.colourMap];
    for (let level = 0; level < 256; level++) {
      image.data.set([...colours.subarray(3 * level, 3 * level + 3), 255], 4 * level);
    }
    context.putImageData(image, 0, 0);
  }

  // --- answers ---

  // What changing a gate did, or nothing any more.
  tellEffect(gate, change, answers = []) {
    if (!answers.length) this.viewers.forEach((viewer) => viewer.change(null));
    const names = ["gained", "lost", "other class"];
    const keys = names.map((name, place) =>
      make("span", { className: "key" }, make("i", { style: `background:${this.colours.changes[place]}` }), name),
    );
    this.effect.replaceChildren(
      ...answers.map((answer) => make("p", {}, effectInWords(gate, change, answer))),
      ...(answers.length ? [make("p", {}, ...keys)] : []),
    );
    this.describeMap();
  }

  tellPixels(answers = []) {
    this.pixel.replaceChildren(...(answers.length ? answers.map(pixelFacts) : ["Click into the picture."]));
  }
}

function effectInWords(gate, change, { pixels, share, probability_change, dice_between, score_change }) {
  const sign = score_change >= 0 ? "+" : "−";
  const score = score_change === null ? "" : ` Dice against the true mask ${sign}${Math.abs(score_change).toFixed(4)}.`;
  return (
    `${gate} ${change}: ${pixels} pixels (${(100 * share).toFixed(2)} %) change their class, probabilities by ` +
    `${probability_change.toPrecision(2)} on average; Dice between both masks ${dice_between.toFixed(4)}.${score}`
  );
}

function pixelFacts({ row, column, told, probabilities, gates }) {
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
    make("p", {}, told),
  );
}
