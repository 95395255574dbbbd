// A few training pictures with their masks, as they are and as a preset of random transforms draws them.

import { make } from "./dom.js";

export function mount(element, host) {
  const again = make("button", { type: "button" }, "Draw again");
  const told = make("span", { role: "status" });
  const rows = make("div", { className: "rows" });
  const box = make("section", { className: "augmentation-view", hidden: true }, make("p", {}, again, " ", told), rows);
  element.append(box);
  let seed = 0;
  let wanted = 0;

  async function show() {
    const ticket = ++wanted;
    const data = host.get("data");
    box.hidden = !data || !host.get("mark");
    if (box.hidden) return;
    try {
      const question = { data, preset: host.get("preset"), strength: host.get("strength"), seed };
      const answer = await host.ask("augmented", question);
      if (ticket !== wanted) return;
      told.textContent = answer.told;
      rows.replaceChildren(...answer.rows.map(row));
      box.dataset.shown = JSON.stringify([question.preset, question.strength, seed]);
    } catch (error) {
      if (ticket !== wanted) return;
      told.textContent = error.message;
      rows.replaceChildren();
    }
  }

  again.onclick = () => {
    seed += 1;
    show();
  };
  for (const name of ["data", "mark", "preset", "strength"]) host.watch(name, show);
  show();
  return () => box.remove();
}

function row({ name, pictures }) {
  return make(
    "div",
    { className: "row", role: "group", ariaLabel: name },
    ...pictures.map(({ picture, mask }, which) =>
      make(
        "figure",
        {},
        make("span", {}, make("img", { src: picture, alt: which ? `${name}, transformed` : name }), make("img", { src: mask, alt: "" })),
        make("figcaption", {}, which ? `draw ${which}` : "as it is"),
      ),
    ),
  );
}
