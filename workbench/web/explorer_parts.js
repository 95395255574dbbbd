// Controls with their labels.

import { make } from "./dom.js";

export function button(text, act, properties = {}) {
  return make("button", { type: "button", onclick: act, ...properties }, text);
}

// A slider that shows its value; `changed` is called while it moves.
export function slider(text, value, changed, { min = 0, max = 1, step = 0.01 } = {}) {
  const written = (number) => Number(number).toFixed(step < 1 ? 2 : 0);
  const shown = make("output", {}, written(value));
  const input = make("input", { type: "range", min, max, step, value, "aria-label": text });
  input.addEventListener("input", () => {
    shown.textContent = written(input.value);
    changed(Number(input.value));
  });
  const element = make("label", { className: "slider" }, make("span", {}, text), input, shown);
  return {
    element,
    input,
    set(to) {
      input.value = to;
      shown.textContent = written(to);
    },
  };
}

// The same function, run once before the page is painted next, however often it is called until then.
export function oncePainted(act) {
  let due = false;
  return () => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      act();
    });
  };
}

export function switched(text, on, changed, title = "") {
  const input = make("input", { type: "checkbox", checked: on, "aria-label": text });
  input.addEventListener("change", () => changed(input.checked));
  return { element: make("label", { className: "switch", title }, input, make("span", {}, text)), input };
}

// A list to choose from; `options` are [value, text] pairs, or groups {title, options}.
export function choice(text, changed) {
  const select = make("select", { "aria-label": text });
  select.addEventListener("change", () => changed(select.value));
  const option = ([value, shown, disabled = false]) => make("option", { value, disabled }, shown);
  return {
    element: make("label", { className: "choice" }, make("span", {}, text), select),
    select,
    fill(options, chosen) {
      select.replaceChildren(
        ...options.map((each) =>
          each.options ? make("optgroup", { label: each.title }, ...each.options.map(option)) : option(each),
        ),
      );
      if (chosen !== undefined) select.value = chosen;
    },
  };
}

// A part of the panel that can be folded.
export function section(title, ...children) {
  return make("details", { open: true }, make("summary", {}, title), ...children);
}
