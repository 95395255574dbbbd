// What Python is asked about labels, and its answers with the planes decoded.

import { runLengths } from "./correction_planes.js";
import { levels } from "./explorer_planes.js";

const decoded = (planes) => Promise.all((planes ?? []).map(levels));

export class Desk {
  constructor(host) {
    this.host = host;
  }

  // What may be corrected of a run: {mode, classes, pictures, told}.
  pictures(run) {
    return this.host.ask("correctable", { run });
  }

  // A picture with the planes of what its label may be begun from: {prediction, label, original}.
  async open(run, picture) {
    const answer = await this.host.ask("open_picture", { run, picture });
    const { prediction, label, original } = answer;
    const [predicted, used, first] = await Promise.all([prediction, label, original].map(decoded));
    return { ...answer, run, planes: { prediction: predicted, label: used, original: first } };
  }

  async version({ run, name }, version) {
    return decoded((await this.host.ask("label_version", { run, picture: name, version })).planes);
  }

  // {versions, in_use}, as `use` does.
  save({ run, name }, planes, begunFrom, note) {
    return this.told("save_label", { run, picture: name, planes: planes.map(runLengths), begun_from: begunFrom, note });
  }

  use({ run, name }, version) {
    return this.told("use_label", { run, picture: name, version });
  }

  async told(what, question) {
    const answer = await this.host.ask(what, question);
    this.host.tell("changed", {});
    return answer;
  }
}
