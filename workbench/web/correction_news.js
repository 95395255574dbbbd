// What the view of corrections says: that something takes time, what was done, and what went wrong.

import { make } from "./dom.js";

export class News {
  // `root` is marked as busy meanwhile.
  constructor(root) {
    this.root = root;
    this.asked = 0;
    this.message = make("div", { className: "message", role: "alert", hidden: true });
    this.state = make("div", { className: "state", role: "status", "aria-live": "polite" });
  }

  tell(text) {
    this.state.textContent = text;
  }

  fail(text) {
    this.message.textContent = text;
    this.message.hidden = !text;
  }

  // Ask what takes time, and tell that it does, unless there is no text for it; what goes wrong is one sentence on the
  // page, and null the answer.
  async work(text, task) {
    const asked = text ? ++this.asked : -1;
    if (text) {
      this.fail("");
      this.tell(text);
      this.root.setAttribute("aria-busy", "true");
    }
    try {
      return await task();
    } catch (error) {
      this.fail(error.message);
      return null;
    } finally {
      if (asked === this.asked) {
        this.tell("");
        this.root.removeAttribute("aria-busy");
      }
    }
  }
}
