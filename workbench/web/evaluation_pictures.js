// The pictures of an evaluation, the worst first, with their errors; a page at a time, and each drawn when it is seen.

import { make } from "./dom.js";

const TITLES = { hd95: "95 % Hausdorff distance", boundary_f: "boundary F-score", picture: "name" };
const HIGH_IS_BAD = new Set(["hd95"]);
const PATIENCE = 700; // milliseconds between two questions how far it is
const OUTLINES = "lines: the truth in white, the prediction in black";

/** `ask(name, question)` asks Python, with what is chosen on the page. */
export function createPictures(ask) {
  const order = make("select", { ariaLabel: "Sort by" });
  const direction = make("select", { ariaLabel: "Direction" }, ...["worst first", "best first"].map((text) => make("option", {}, text)));
  const named = make("input", { type: "search", placeholder: "part of a name", ariaLabel: "Name" });
  const least = make("input", { type: "number", min: 0, max: 1, step: 0.05, value: 0, ariaLabel: "Least Dice" });
  const most = make("input", { type: "number", min: 0, max: 1, step: 0.05, value: 1, ariaLabel: "Largest Dice" });
  const cls = make("select", { ariaLabel: "Class" });
  const clsLabel = make("label", {}, "Class ", cls);
  const count = make("span", { role: "status" });
  const back = make("button", { type: "button" }, "Previous");
  const on = make("button", { type: "button" }, "Next");
  const notice = make("p", { className: "notice", role: "status" });
  const opening = make("p", { className: "notice opening", role: "status" });
  const cards = make("div", { className: "cards" });
  const legend = make("p", { className: "legend" });
  const element = make(
    "div",
    { className: "pictures" },
    make("h3", {}, "Pictures"),
    make(
      "div",
      { className: "controls" },
      make("label", {}, "Sort by ", order),
      direction,
      make("label", {}, "Name ", named),
      make("label", {}, "Dice between ", least, " and ", most),
      clsLabel,
    ),
    legend,
    notice,
    opening,
    cards,
    make("div", { className: "controls" }, back, on, count),
  );

  let colours = {};
  let start = 0;
  let at = 0.5;
  let listed = 0;
  let ticket = 0;
  let timer = null;
  let drawing = false;

  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) entry.target.dataset.seen = entry.isIntersecting ? "yes" : "";
    drawSeen();
  }, { rootMargin: "300px" });

  async function list() {
    const mine = ++ticket;
    const question = {
      order: order.value || "dice",
      descending: (direction.selectedIndex === 1) !== HIGH_IS_BAD.has(order.value),
      named: named.value,
      least: Number(least.value),
      most: Number(most.value),
      start,
    };
    const answer = await ask("evaluated_pictures", question);
    if (mine !== ticket) return;
    listed = answer.rows.length;
    watcher.disconnect();
    cards.replaceChildren(...answer.rows.map(card));
    for (const each of cards.children) watcher.observe(each);
    const range = answer.total ? `${start + 1} to ${start + listed} of ${answer.total}` : "none";
    count.textContent = answer.total === answer.of ? range : `${range} (${answer.of} in all)`;
    back.disabled = start === 0;
    on.disabled = start + listed >= answer.total;
    notice.textContent = answer.total ? "" : "No picture is so: change the name or the range.";
  }

  function card(row) {
    const told = [`Dice ${written(row.dice)}`];
    if (!["dice", "picture"].includes(order.value)) told.push(`${TITLES[order.value] ?? order.value} ${written(row[order.value])}`);
    const found = make(
      "figure",
      { className: "card" },
      make("div", { className: "shown" }),
      make("figcaption", {}, make("b", { title: row.picture }, row.picture), make("span", {}, told.join(", ")), make("span", { className: "at" })),
    );
    found.dataset.picture = row.picture;
    found.dataset.dice = row.dice ?? "";
    return found;
  }

  function explain() {
    const ofErrors = Boolean(cls.value) || cls.options.length < 3;
    const patches = Object.entries(ofErrors ? colours.errors : colours.classes).map(([text, [red, green, blue]]) => {
      const patch = make("i", {});
      patch.style.background = `rgb(${red} ${green} ${blue})`;
      return make("span", {}, patch, " ", text);
    });
    legend.replaceChildren(...patches, ofErrors ? make("span", {}, OUTLINES) : "picture, truth, prediction");
  }

  const stateOf = () => `${at}/${cls.value}`;

  /** One after another; what has been scrolled away waits. */
  async function drawSeen() {
    if (drawing) return;
    drawing = true;
    const watch = setInterval(tellOpening, PATIENCE);
    try {
      for (;;) {
        const next = [...cards.children].find((each) => each.dataset.seen && each.dataset.drawn !== stateOf());
        if (!next) break;
        const state = stateOf();
        await draw(next, state);
      }
    } finally {
      clearInterval(watch);
      drawing = false;
      opening.textContent = "";
    }
  }

  /** Before the first picture can be drawn all may have to be prepared. */
  async function tellOpening() {
    const { told } = await ask("gallery_progress").catch(() => ({ told: "" }));
    if (drawing) opening.textContent = told;
  }

  async function draw(found, state) {
    const question = { picture: found.dataset.picture, threshold: at, class: cls.value || null };
    try {
      const answer = await ask("error_picture", question);
      const images = answer.pictures.map(({ title, address }) =>
        make("img", { src: address, alt: `${found.dataset.picture}: ${title}`, title }),
      );
      found.querySelector(".shown").replaceChildren(...images);
      const other = String(answer.dice ?? "") !== found.dataset.dice && Math.abs(answer.dice - Number(found.dataset.dice)) > 5e-5;
      found.querySelector(".at").textContent = other ? `Dice ${written(answer.dice)} at ${at.toFixed(3)}` : "";
      found.dataset.drawn = state;
    } catch (error) {
      found.querySelector(".shown").replaceChildren(make("p", { className: "notice" }, error.message));
      found.dataset.drawn = state;
    }
  }

  const again = () => {
    start = 0;
    return list().catch((error) => (notice.textContent = error.message));
  };
  const turn = (by) => {
    start = Math.max(0, start + by);
    list().catch((error) => (notice.textContent = error.message));
  };
  order.onchange = direction.onchange = again;
  named.oninput = least.oninput = most.oninput = () => {
    clearTimeout(timer);
    timer = setTimeout(again, 200);
  };
  cls.onchange = () => {
    explain();
    drawSeen();
  };
  back.onclick = () => turn(-12);
  on.onclick = () => turn(12);

  return {
    element,
    show(answer) {
      order.replaceChildren(...answer.orders.map((name) => make("option", { value: name }, TITLES[name] ?? name)));
      clsLabel.hidden = answer.classes.length < 2;
      cls.replaceChildren(
        make("option", { value: "" }, "all: truth, prediction"),
        ...answer.classes.map((name) => make("option", { value: name }, `errors of ${name}`)),
      );
      colours = answer.colours;
      explain();
      again();
    },
    /** The errors at another threshold, a moment after the last move. */
    threshold(threshold) {
      at = threshold;
      clearTimeout(timer);
      timer = setTimeout(drawSeen, 250);
    },
  };
}

const written = (value) => (typeof value === "number" ? (Number.isInteger(value) && value > 1 ? String(value) : value.toFixed(4)) : "–");
