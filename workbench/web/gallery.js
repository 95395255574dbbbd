// The prepared pictures with their masks over them, page by page; a click shows one alone.

import { make, number } from "./dom.js";
import { statistics } from "./statistics.js";

export function mount(element, host) {
  const split = make("select", { ariaLabel: "Split" });
  const order = make("select", { ariaLabel: "Order" });
  const words = make("input", { type: "search", placeholder: "name", ariaLabel: "Search by name" });
  const opacity = make("input", { type: "range", min: 0, max: 1, step: 0.05, value: 0.5, ariaLabel: "Opacity of the masks" });
  const turn = (text, by, label) => make("button", { type: "button", ariaLabel: label, onclick: () => go(page + by) }, text);
  const before = turn("‹", -1, "Page before");
  const after = turn("›", 1, "Next page");
  const place = make("output", { className: "place" });
  const legend = make("span", { className: "legend" });
  const controls = make(
    "div",
    { className: "controls" },
    ...[split, order, words],
    make("label", {}, "Masks ", opacity),
    legend,
    make("span", { className: "turning" }, before, place, after),
  );
  const notice = make("p", { className: "notice", role: "status" });
  const grid = make("div", { className: "grid" });
  const dialog = make("dialog", {});
  const charts = make("details", { open: true }, make("summary", {}, "The splits in charts"));
  const box = make("section", { className: "gallery-view", hidden: true }, charts, controls, notice, grid, dialog);
  element.append(box);

  let page = 0;
  let pages = 1;
  let wanted = 0;

  async function show() {
    const ticket = ++wanted;
    const data = host.get("data");
    box.hidden = !data || !host.get("mark");
    if (box.hidden) return;
    try {
      const question = { data, page, split: split.value, order: order.value, words: words.value };
      const answer = await host.ask("gallery", question);
      if (ticket !== wanted) return; // another page was asked for meanwhile
      ({ page, pages } = answer);
      fill(answer);
      notice.textContent = answer.total ? "" : "No picture is called so.";
    } catch (error) {
      if (ticket === wanted) notice.textContent = error.message;
    }
  }

  async function chart() {
    const data = host.get("data");
    if (!data || !host.get("mark")) return;
    try {
      const spread = await host.ask("spread", { data });
      if (data === host.get("data")) charts.replaceChildren(charts.firstChild, statistics(spread));
    } catch (error) {
      charts.replaceChildren(charts.firstChild, make("p", {}, error.message));
    }
  }

  function fill(answer) {
    const all = Object.values(answer.splits).reduce((sum, count) => sum + count, 0);
    const splits = [["", `all (${number(all, 9)})`], ...Object.entries(answer.splits).map(([name, count]) => [name, `${name} (${number(count, 9)})`])];
    options(split, splits);
    options(order, answer.orders.map((name) => [name, name]));
    legend.replaceChildren(
      ...answer.classes.flatMap(({ name, colour }) => {
        const patch = make("i", {});
        patch.style.background = colour;
        return [patch, `${name} `];
      }),
    );
    place.textContent = `page ${number(page + 1, 9)} of ${number(pages, 9)}`;
    before.disabled = page === 0;
    after.disabled = page >= pages - 1;
    box.dataset.page = page;
    grid.replaceChildren(...answer.pictures.map(pair));
  }

  function pair(picture) {
    const open = make("button", { type: "button", ariaLabel: `Show ${picture.name} alone`, onclick: () => alone(picture.name) }, layers(picture));
    const share = `${(100 * picture.share).toFixed(1)} % marked`;
    return make("figure", { title: picture.name }, open, make("figcaption", {}, make("b", {}, picture.name), make("span", {}, `${picture.split}, ${share}`)));
  }

  async function alone(name) {
    try {
      const picture = await host.ask("picture", { data: host.get("data"), name });
      const close = make("button", { type: "button", onclick: () => dialog.close() }, "Close");
      dialog.replaceChildren(
        make("p", {}, make("b", {}, picture.name), ` ${picture.told} `, close),
        make("div", { className: "beside" }, make("img", { src: picture.picture, alt: `Picture ${name}` }), layers(picture)),
      );
      dialog.showModal();
    } catch (error) {
      notice.textContent = error.message;
    }
  }

  const go = (to) => {
    page = Math.min(Math.max(0, to), pages - 1);
    show();
  };
  const anew = () => go(0);
  let typing = null;
  words.oninput = () => {
    clearTimeout(typing);
    typing = setTimeout(anew, 250);
  };
  split.onchange = order.onchange = anew;
  opacity.oninput = () => box.style.setProperty("--opacity", opacity.value);
  dialog.onclick = (event) => event.target === dialog && dialog.close();
  host.watch("data", () => {
    split.replaceChildren();
    words.value = "";
    anew();
  });
  host.watch("mark", show);
  host.watch("data", chart);
  host.watch("mark", chart);
  show();
  chart();
  return () => box.remove();
}

function layers({ name, picture, mask }) {
  return make(
    "span",
    { className: "layers" },
    make("img", { src: picture, alt: `${name} with its mask` }),
    make("img", { src: mask, alt: "", className: "mask" }),
  );
}

function options(select, pairs) {
  const chosen = select.value;
  select.replaceChildren(...pairs.map(([value, text]) => make("option", { value }, text)));
  select.value = pairs.some(([value]) => value === chosen) ? chosen : pairs[0][0];
}
