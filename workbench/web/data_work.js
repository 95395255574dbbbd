// What is done on a data set, how far it is, and a button to stop it; before that, what was found in the folder.

import { duration, make, number } from "./dom.js";
import { poll } from "./poll.js";

export function mount(element, host) {
  const about = make("p", { className: "about", role: "status" });
  const state = make("span", { className: "state" });
  const told = make("span", {});
  const stop = make("button", { type: "button" }, "Stop");
  const bar = make("div", {});
  const track = make("div", { className: "track", role: "progressbar", ariaLabel: "Progress", ariaValueMin: 0 }, bar);
  const work = make("div", { className: "work", hidden: true }, state, told, stop, track);
  const problem = make("p", { className: "problem", role: "alert", hidden: true });
  const box = make("section", { className: "data-work" }, about, work, problem);
  element.append(box);

  let data = null;
  let known = null; // the data set and its layout that `about` was asked for
  let marks = "";
  let busy = false;

  async function look(layout) {
    const asked = JSON.stringify([data, layout]);
    if (known === asked) return;
    known = asked;
    about.textContent = "Looking at the folder …";
    about.classList.remove("problem");
    try {
      const found = await host.ask("about", { data });
      if (known === asked) about.textContent = `Found ${found.report} It lies in ${found.path}.`;
    } catch (error) {
      if (known !== asked) return;
      about.textContent = error.message;
      about.classList.add("problem");
    }
  }

  function show(answer) {
    const { job } = answer;
    work.hidden = !job;
    problem.hidden = !job?.error;
    busy = Boolean(job?.at_work);
    if (!job) return;
    problem.textContent = job.error;
    state.textContent = state.dataset.state = job.state;
    const left = job.done && job.at_work ? `, about ${duration((job.seconds * (job.total - job.done)) / job.done)} left` : "";
    const count = job.total ? `: ${number(job.done, 9)} of ${number(job.total, 9)}` : "";
    told.textContent = `${job.title}${count}${job.at_work ? left : ` in ${duration(job.seconds)}`}`;
    stop.hidden = track.hidden = !busy;
    bar.style.width = `${job.total ? (100 * job.done) / job.total : 0}%`;
    Object.assign(track, { ariaValueNow: job.done, ariaValueMax: job.total });
  }

  async function step() {
    if (data !== host.get("data")) marks = "";
    data = host.get("data");
    box.hidden = !data;
    if (!data) return;
    const asked = data;
    const answer = await host.ask("state", { data });
    if (asked !== host.get("data")) return;
    look(answer.layout);
    show(answer);
    const seen = { data, checked: answer.checked, prepared: answer.prepared, busy };
    if (JSON.stringify(seen) !== marks) host.tell("changed", seen);
    marks = JSON.stringify(seen);
  }

  function failed(error) {
    if (!error) return;
    problem.hidden = false;
    problem.textContent = error.message;
  }

  const polling = poll(element, () => (busy ? 0.7 : 3), step, failed);
  stop.onclick = () => host.ask("stop", { data }).then(polling.now, failed);
  host.watch("data", polling.now);
  host.watch("nudge", polling.now); // something has just been begun
  return () => {
    polling.stop();
    box.remove();
  };
}
