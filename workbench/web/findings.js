// What the doctor found in a data set: the gravest first, with pictures, a box to tick for each mend, and the numbers.

import { make } from "./dom.js";
import { statistics } from "./statistics.js";

const CHANGED = "Files or folders of it have changed since: look for faults again, what is told here may be over.";

export function mount(element, host) {
  const box = make("section", { className: "findings-view", hidden: true });
  element.append(box);
  let wanted = 0;

  async function show() {
    const ticket = ++wanted;
    const data = host.get("data");
    if (!data || !host.get("mark")) {
      box.hidden = true;
      return;
    }
    try {
      const report = await host.ask("findings", { data });
      if (ticket !== wanted) return;
      box.replaceChildren(...(report.headline ? parts(report) : []));
      box.hidden = !report.headline;
    } catch (error) {
      box.replaceChildren(make("p", { className: "problem", role: "alert" }, error.message));
      box.hidden = false;
    }
  }

  function parts(report) {
    const ticks = new Map();
    const mend = make("button", { type: "button", className: "mend" }, "Apply the ticked mends");
    mend.onclick = () => {
      mend.disabled = true; // the next check brings another report
      host.tell("mend", { findings: [...ticks].filter(([, tick]) => tick.checked).map(([which]) => which) });
      setTimeout(() => (mend.disabled = false), 3000);
    };
    const findings = report.findings.map((finding, which) => section(finding, which, ticks));
    return [
      make("p", { className: "headline" }, report.headline),
      report.checked ? make("p", { className: "checked" }, `Checked ${new Date(1000 * report.checked).toLocaleString("en")}.`) : null,
      report.changed ? make("p", { className: "problem" }, CHANGED) : null,
      report.refusal ? make("p", { className: "problem", role: "alert" }, report.refusal) : null,
      ...findings,
      ticks.size ? mend : null,
      make("h3", {}, "The data set in numbers"),
      make("div", { className: "wide" }, make("table", {}, make("tbody", {}, ...report.summary.map(row)))),
      report.spread ? statistics(report.spread) : null,
      report.gallery.length ? make("h3", {}, "As training will see it") : null,
      make("div", { className: "figures" }, ...report.gallery.map(figure)),
    ].filter(Boolean);
  }

  host.watch("data", show);
  host.watch("mark", show);
  show();
  return () => box.remove();
}

function section(finding, which, ticks) {
  const tick = finding.mend ? make("input", { type: "checkbox", checked: true }) : null;
  if (tick) ticks.set(which, tick);
  const names = [...finding.files, ...(finding.more ? [`and ${finding.more.toLocaleString("en")} more`] : [])];
  return make(
    "div",
    { className: `finding ${finding.severity}`, role: "group", ariaLabel: finding.title },
    make("p", { className: "title" }, make("span", { className: "severity" }, finding.severity), " ", finding.title),
    finding.explanation ? make("p", {}, finding.explanation) : null,
    tick ? make("label", {}, tick, " ", make("b", {}, "Mend: "), finding.mend) : null,
    finding.advice ? make("p", {}, make("b", {}, tick ? "Or by hand: " : "By hand: "), finding.advice) : null,
    make("div", { className: "figures" }, ...finding.illustrations.map(figure)),
    names.length
      ? make("details", {}, make("summary", {}, `Which (${finding.count.toLocaleString("en")})`), make("p", { className: "names" }, names.join("\n")))
      : null,
  );
}

function figure({ caption, pictures }) {
  return make(
    "figure",
    {},
    make("div", {}, ...pictures.map((src) => make("img", { src, alt: caption, loading: "lazy" }))),
    make("figcaption", {}, caption),
  );
}

function row([title, text]) {
  return make("tr", {}, make("th", { scope: "row" }, title), make("td", {}, text));
}
