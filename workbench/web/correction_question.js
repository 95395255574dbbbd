// A question on the page that must be answered first.

import { make } from "./dom.js";
import { button } from "./explorer_parts.js";

export class Question {
  constructor(title) {
    this.element = make("dialog", { "aria-label": title });
  }

  get open() {
    return this.element.open;
  }

  // Which of the answers [value, text, class] was chosen; `otherwise` where it was escaped from.
  ask(sentence, answers, otherwise) {
    const shown = answers.map(([value, text, className = ""]) =>
      button(text, () => this.element.close(value), { className }),
    );
    this.element.replaceChildren(make("p", {}, sentence), make("div", { className: "pair" }, ...shown));
    this.element.returnValue = otherwise;
    this.element.showModal();
    return new Promise((resolve) => {
      this.element.onclose = () => resolve(this.element.returnValue);
    });
  }
}
