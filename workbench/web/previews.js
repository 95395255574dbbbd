// What the model makes of the same few pictures, epoch after epoch: picture, truth, prediction and attention.

import { make } from "./dom.js";
import { poll } from "./poll.js";

const KEPT = 60; // epochs that are not asked for again

export function mount(element, host) {
  const slider = make("input", { type: "range", min: 0, max: 0, step: 1, value: 0, ariaLabel: "Epoch" });
  const epochName = make("output", { className: "epoch" });
  const gate = make("select", { ariaLabel: "Attention gate" });
  const rescale = make("input", { type: "checkbox" });
  const gateControls = make(
    "span",
    { className: "gate" },
    make("label", {}, "Attention of ", gate),
    make("label", { title: "Spread the colours over what the map spans; the scale is named below it" }, rescale, " rescaled"),
  );
  const notice = make("p", { className: "notice", role: "status" });
  const rows = make("div", { className: "rows" });
  const controls = make("div", { className: "controls" }, make("span", {}, "Epoch"), slider, epochName, gateControls);
  const box = make("section", { className: "previews-view" }, controls, notice, rows);
  element.append(box);

  let run = null;
  let mark = "";
  let epochs = [];
  let pictures = [];
  let kept = new Map();
  let wanted = 0;

  function begin(answer) {
    const newest = epochs.length === 0 || Number(slider.value) === epochs.length - 1;
    mark = answer.mark;
    epochs = answer.epochs;
    slider.max = Math.max(0, epochs.length - 1);
    if (newest) slider.value = slider.max;
    if (answer.pictures) {
      pictures = answer.pictures;
      kept = new Map();
      gate.replaceChildren(...answer.gates.map((name) => make("option", {}, name)));
      gate.value = answer.gates.at(-1) ?? "";
      rows.replaceChildren(...pictures.map((picture) => row(picture, answer.gates.length > 0)));
    }
    gateControls.hidden = !gate.options.length;
    controls.hidden = rows.hidden = !epochs.length;
    notice.textContent = epochs.length ? "" : "The first pictures come with the first validation.";
  }

  async function show() {
    const epoch = epochs[Number(slider.value)];
    if (epoch === undefined) return;
    epochName.textContent = `${epoch} of ${epochs.at(-1)}`;
    slider.setAttribute("aria-valuetext", `epoch ${epoch}`);
    const ticket = ++wanted;
    const maps = await mapsOf(epoch);
    if (ticket !== wanted) return; // the slider has moved on
    element.dataset.epoch = epoch;
    maps.forEach((map, number) => {
      const [prediction, attention] = rows.children[number].querySelectorAll(".changing img");
      prediction.src = map.prediction;
      if (attention && map.attention) {
        attention.src = map.attention;
        attention.parentElement.querySelector("figcaption").textContent = `Attention, ${map.legend}`;
      }
    });
  }

  async function mapsOf(epoch) {
    const question = { run, epoch, gate: gate.value || null, rescale: rescale.checked };
    const key = JSON.stringify([mark, question]);
    if (!kept.has(key)) {
      if (kept.size >= KEPT) kept.delete(kept.keys().next().value);
      kept.set(key, await host.ask("maps", question));
    }
    return kept.get(key);
  }

  async function step() {
    if (run !== host.get("run")) {
      run = host.get("run");
      mark = "";
      epochs = [];
      pictures = [];
      rows.replaceChildren();
    }
    box.hidden = !run;
    if (!run) return;
    const asked = run;
    const answer = await host.ask("previews", { run, mark });
    if (asked !== host.get("run") || answer.mark === mark) return;
    begin(answer);
    await show();
  }

  const failed = (error) => {
    if (error) notice.textContent = error.message;
    else if (epochs.length) notice.textContent = "";
  };
  const polling = poll(element, () => 3, step, failed);
  host.watch("run", polling.now);
  const change = () => show().then(() => failed(null), failed);
  slider.oninput = gate.onchange = rescale.onchange = change;
  return () => {
    polling.stop();
    box.remove();
  };
}

function row(picture, attention) {
  const figure = (title, source, changing) =>
    make(
      "figure",
      { className: changing ? "changing" : "" },
      make("img", { alt: `${title} of ${picture.name}`, ...(source ? { src: source } : {}) }),
      make("figcaption", {}, title),
    );
  return make(
    "div",
    { className: "row", role: "group", ariaLabel: picture.name },
    figure("Picture", picture.picture, false),
    figure("Truth", picture.truth, false),
    figure("Prediction", null, true),
    attention ? figure("Attention", null, true) : null,
  );
}
