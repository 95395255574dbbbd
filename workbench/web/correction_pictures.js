// The list of pictures, of which only the rows that are seen are on the page, so that 20,000 names stay light.

import { make } from "./dom.js";

const TALL = 40; // pixels of a row, as in the style sheet
const SPARE = 10; // rows above and below those that are seen

let lists = 0;

export class Pictures {
  // `choose(name)` is called with what the hand or the arrows chose.
  constructor(choose) {
    Object.assign(this, { choose, all: [], found: [], chosen: null, id: `correction-list-${++lists}` });
    this.words = make("input", { type: "search", placeholder: "Search by name", "aria-label": "Search pictures by name" });
    this.count = make("div", { className: "count", role: "status" });
    this.rows = make("div", { className: "rows" });
    this.list = make("div", { className: "list", role: "listbox", tabIndex: 0, "aria-label": "Pictures" }, this.rows);
    this.element = make("div", { className: "pictures" }, this.words, this.count, this.list);
    this.words.addEventListener("input", () => this.search());
    this.list.addEventListener("scroll", () => this.draw(), { passive: true });
    this.list.addEventListener("click", (event) => {
      const row = event.target.closest("[role=option]");
      if (row) this.choose(row.dataset.name);
    });
    this.list.addEventListener("keydown", (event) => this.key(event));
    this.sizes = new ResizeObserver(() => this.draw());
    this.sizes.observe(this.list);
  }

  stop() {
    this.sizes.disconnect();
  }

  fill(pictures) {
    this.all = pictures;
    this.filter();
  }

  search() {
    this.list.scrollTop = 0;
    this.filter();
  }

  filter() {
    const words = this.words.value.trim().toLowerCase();
    this.found = words ? this.all.filter(({ name }) => name.toLowerCase().includes(words)) : this.all;
    const [found, all] = [this.found.length, this.all.length].map((count) => count.toLocaleString("en"));
    this.count.textContent = words ? `${found} of ${all} pictures` : `${all} picture${all === "1" ? "" : "s"}`;
    this.rows.style.height = `${this.found.length * TALL}px`;
    this.draw();
  }

  // Mark a picture as the one that is open, and bring it into sight.
  mark(name) {
    this.chosen = name;
    const place = this.found.findIndex((picture) => picture.name === name);
    const { scrollTop, clientHeight } = this.list;
    if (place >= 0 && (place * TALL < scrollTop || (place + 1) * TALL > scrollTop + clientHeight)) {
      this.list.scrollTop = Math.max(0, place * TALL - clientHeight / 2);
    }
    this.draw();
  }

  // What is told of a picture changed: how many versions there are, and which is in use.
  update(name, facts) {
    const picture = this.all.find((each) => each.name === name);
    if (picture) Object.assign(picture, facts);
    this.draw();
  }

  draw() {
    const first = Math.max(0, Math.floor(this.list.scrollTop / TALL) - SPARE);
    const last = Math.min(this.found.length, Math.ceil((this.list.scrollTop + this.list.clientHeight) / TALL) + SPARE);
    const shown = this.found.slice(first, last).map((picture, place) => this.row(picture, first + place));
    this.rows.replaceChildren(...shown);
    const open = shown.find((row) => row.dataset.name === this.chosen);
    if (open) this.list.setAttribute("aria-activedescendant", open.id);
    else this.list.removeAttribute("aria-activedescendant");
  }

  row({ name, split, dice, versions, in_use: inUse }, place) {
    const corrected = inUse > 0 ? `version ${inUse} of ${versions} in use` : `${versions} kept, original in use`;
    const marked = versions ? make("b", { title: corrected, "aria-label": `corrected, ${corrected}` }, inUse > 0 ? `✎ ${inUse}` : "✎") : null;
    const scored = dice === null || dice === undefined ? "" : `, Dice ${dice.toFixed(3)}`;
    const row = make(
      "div",
      { role: "option", title: name, id: `${this.id}-${place}`, className: marked ? "corrected" : "" },
      make("span", { className: "name" }, name),
      make("span", { className: "about" }, `${split}${scored}`),
      marked,
    );
    for (const [what, value] of Object.entries({ selected: name === this.chosen, setsize: this.found.length, posinset: place + 1 })) {
      row.setAttribute(`aria-${what}`, value);
    }
    row.dataset.name = name;
    row.style.top = `${place * TALL}px`;
    return row;
  }

  key(event) {
    const page = Math.max(1, Math.floor(this.list.clientHeight / TALL) - 1);
    const last = this.found.length - 1;
    const at = this.found.findIndex(({ name }) => name === this.chosen);
    const places = { ArrowUp: at - 1, ArrowDown: at + 1, PageUp: at - page, PageDown: at + page, Home: 0, End: last };
    if (!(event.key in places) || last < 0) return;
    event.preventDefault();
    event.stopPropagation();
    this.choose(this.found[Math.min(Math.max(places[event.key], 0), last)].name);
  }
}
