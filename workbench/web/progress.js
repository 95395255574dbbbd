// How a run is: state, progress, figures, what went wrong and what to do, and the end of its log.

import { duration, make, number } from "./dom.js";
import { poll } from "./poll.js";

export function mount(element, host) {
  const state = make("span", { className: "state" });
  const detail = make("span", { className: "detail" });
  const bar = make("div", {});
  const track = make("div", { className: "track", role: "progressbar", ariaLabel: "Progress", ariaValueMin: 0 }, bar);
  const figures = make("dl", { className: "figures" });
  const problem = make("p", { className: "problem", role: "alert", hidden: true });
  const next = make("p", { className: "next" });
  const log = make("pre", { tabIndex: 0, ariaLabel: "End of the log" });
  const box = make(
    "section",
    { className: "progress-view" },
    make("p", { className: "headline", role: "status" }, state, " ", detail),
    track,
    figures,
    problem,
    next,
    make("details", {}, make("summary", {}, "Log"), log),
  );
  element.append(box);

  let run = null;
  let mark = "";
  let atWork = false;
  let told = "";

  function show(answer) {
    state.textContent = answer.state;
    state.dataset.state = answer.state;
    detail.textContent = answer.detail;
    const [done, total] =
      answer.state === "preparing" ? [answer.prepared, answer.pictures] : [answer.step, answer.total];
    bar.style.width = `${total ? (100 * done) / total : 0}%`;
    Object.assign(track, { ariaValueNow: done, ariaValueMax: total });
    const pairs = figuresOf(answer).map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)));
    figures.replaceChildren(...pairs);
    problem.hidden = !answer.error;
    problem.textContent = answer.error;
    next.textContent = answer.next;
    const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 4;
    log.textContent = answer.log;
    if (atEnd) log.scrollTop = log.scrollHeight;
  }

  function tell(answer) {
    const facts = `${run}/${answer.state}`;
    if (facts !== told) host.tell("changed", { run, state: answer.state, at_work: answer.at_work, can_go_on: answer.can_go_on });
    told = facts;
  }

  async function step() {
    if (run !== host.get("run")) {
      run = host.get("run");
      mark = "";
    }
    box.hidden = !run;
    if (!run) return;
    const asked = run;
    const answer = await host.ask("progress", { run, mark });
    if (asked !== host.get("run") || answer.mark === mark) return;
    mark = answer.mark;
    atWork = answer.at_work;
    show(answer);
    tell(answer);
  }

  function failed(error) {
    if (!error) return;
    mark = "";
    problem.hidden = false;
    problem.textContent = error.message;
  }

  const polling = poll(element, () => (atWork ? 1 : 3), step, failed);
  host.watch("run", polling.now);
  host.watch("nudge", polling.now); // something has just been done to the run
  return () => {
    polling.stop();
    box.remove();
  };
}

function figuresOf(answer) {
  const told = [];
  if (answer.state === "preparing" && answer.pictures) told.push(["Prepared", `${answer.prepared} of ${answer.pictures}`]);
  if (answer.total) {
    told.push(["Epoch", `${answer.epoch} of ${answer.epochs}`]);
    told.push(["Step", `${number(answer.step, 9)} of ${number(answer.total, 9)}`]);
  }
  if (answer.images_per_second) told.push(["Images a second", number(answer.images_per_second)]);
  if (answer.seconds_left !== null) told.push(["Time left", duration(answer.seconds_left)]);
  if (answer.best && answer.best.score !== null) {
    told.push([`Best (${answer.best.by})`, `${number(answer.best.score, 4)} in epoch ${answer.best.epoch}`]);
  }
  if (answer.device) told.push(["Device", answer.device]);
  return told;
}
