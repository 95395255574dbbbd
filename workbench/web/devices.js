// What the devices do now and did in the last minutes, in a line that folds on narrow screens.

import { make, number } from "./dom.js";
import { poll } from "./poll.js";

const KEPT = 120; // moments of a history
const NARROW = 700; // pixels
const GIB = 2 ** 30;

export function mount(element, host) {
  const summary = make("summary", {});
  const list = make("div", { className: "list" });
  const box = make("details", { className: "devices-view", open: window.innerWidth > NARROW }, summary, list);
  element.append(box);

  let devices = [];
  let history = []; // [time, images a second, load of each device ...]
  let since = 0;
  let wasAtWork = false;

  function take(answer) {
    if (answer.devices) {
      devices = answer.devices;
      history = [];
    }
    const atWork = answer.runs.length > 0;
    if (atWork !== wasAtWork) history = [];
    wasAtWork = atWork;
    const loads = answer.figures.map(([load]) => load);
    history.push(...(atWork ? answer.history : [[answer.time, null, ...loads]]));
    history = history.slice(-KEPT);
    if (atWork && history.length) since = history.at(-1)[0] + 0.1;
  }

  function show(answer) {
    list.replaceChildren(
      ...answer.figures.map((figures, index) => deviceLine(devices[index], figures, history.map((moment) => moment[2 + index]))),
      ...answer.runs.map(({ run, speed }, index) =>
        speedLine(run, speed, index ? [] : history.map((moment) => moment[1])),
      ),
    );
    const loads = answer.figures.map(([load], index) => `${devices[index].device} ${percent(load)}`);
    const speeds = answer.runs.map(({ speed }) => `${number(speed)} images/s`);
    summary.textContent = ["Devices:", ...loads, ...speeds].join("  ");
  }

  async function step() {
    const known = devices.map((device) => device.device);
    const answer = await host.ask("devices", { since, known });
    take(answer);
    show(answer);
  }

  const polling = poll(element, () => 2, step, (error) => {
    box.classList.toggle("silent", Boolean(error));
    if (error) summary.textContent = error.message;
  });
  return () => {
    polling.stop();
    box.remove();
  };
}

function deviceLine({ device, name, memory_total: total }, [load, used, temperature, power, own], loads) {
  const facts = [
    ["busy", percent(load), "How busy it is"],
    ["memory", `${gib(used)} of ${gib(total)} GiB`, "Memory in use, by everybody"],
    ["own", own === null ? null : `${gib(own)} GiB own`, "Memory of the training, or of this app while none runs"],
    ["temperature", temperature === null ? null : `${number(temperature)} °C`, "Temperature"],
    ["power", power === null ? null : `${number(power)} W`, "Power"],
  ];
  return make(
    "div",
    { className: "device" },
    make("b", { title: name }, device),
    make("span", { className: "name" }, name),
    sparkline(loads, 1, `${device}: load of the last minutes`),
    ...facts.filter(([, text]) => text !== null).map(([kind, text, title]) => make("span", { className: kind, title }, text)),
  );
}

function speedLine(run, speed, speeds) {
  return make(
    "div",
    { className: "device speed" },
    make("b", {}, "speed"),
    make("span", { className: "name" }, run),
    sparkline(speeds, Math.max(...speeds, speed, 1), `${run}: images a second of the last minutes`),
    make("span", { className: "busy" }, `${number(speed)} images/s`),
  );
}

const WIDTH = 90;
const HEIGHT = 18;

function sparkline(values, largest, label) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  const known = values.map((value, index) => [index, value]).filter(([, value]) => value !== null && value !== undefined);
  const across = WIDTH / Math.max(values.length - 1, 1);
  const place = ([index, value]) => `${(index * across).toFixed(1)},${(HEIGHT - 1 - (value / largest) * (HEIGHT - 2)).toFixed(1)}`;
  line.setAttribute("points", known.map(place).join(" "));
  svg.append(line);
  return svg;
}

function percent(share) {
  return share === null ? "–" : `${Math.round(100 * share)} %`;
}

function gib(bytes) {
  return bytes === null ? "–" : (bytes / GIB).toFixed(1);
}
