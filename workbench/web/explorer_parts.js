// Parts of a page: elements with their attributes, and controls with their labels.

// make("button", { class: "plain", onclick: act }, "Act"); texts are never read as HTML.
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export function button(text, act, attributes = {}) {
  return make("button", { type: "button", onclick: act, ...attributes }, text);
}

// A slider from 0 to 1 that shows its value; `changed` is called while it moves.
export function slider(text, value, changed, { min = 0, max = 1, step = 0.01 } = {}) {
  const shown = make("output", {}, value.toFixed(2));
  const input = make("input", { type: "range", min, max, step, "aria-label": text });
  input.value = value;
  input.addEventListener("input", () => {
    shown.textContent = Number(input.value).toFixed(2);
    changed(Number(input.value));
  });
  const element = make("label", { class: "slider" }, make("span", {}, text), input, shown);
  return {
    element,
    input,
    set(to) {
      input.value = to;
      shown.textContent = Number(to).toFixed(2);
    },
  };
}

export function switched(text, on, changed, title = "") {
  const input = make("input", { type: "checkbox", "aria-label": text });
  input.checked = on;
  input.addEventListener("change", () => changed(input.checked));
  return { element: make("label", { class: "switch", title }, input, make("span", {}, text)), input };
}

// A list to choose from; `options` are [value, text] pairs, or groups {title, options}.
export function choice(text, changed) {
  const select = make("select", { "aria-label": text });
  select.addEventListener("change", () => changed(select.value));
  const option = ([value, shown, disabled]) => make("option", { value, disabled }, shown);
  return {
    element: make("label", { class: "choice" }, make("span", {}, text), select),
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
