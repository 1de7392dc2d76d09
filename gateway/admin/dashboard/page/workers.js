// The workers, each with its share of the clients, and the supervisors.

import { el, Keyed } from "./dom.js";
import { bytes, number, rate, seconds, share } from "./format.js";

const COLUMNS = [
  ["Connections", (row) => number(row.connections)],
  ["Delivered/s", (row) => rate(row.delivered)],
  ["CPU", (row) => share(row.cpu)],
  ["Memory", (row) => bytes(row.memory)],
  ["Loop lag", (row) => (row.lag === null ? "–" : `≤ ${seconds(row.lag)}`), "wide-only"],
];

export class Workers {
  constructor() {
    const body = el("tbody");
    this.rows = new Keyed(body, () => new Row());
    const head = el(
      "tr",
      {},
      el("th", { scope: "col" }, "Process"),
      COLUMNS.map(([label, , kind = ""]) => el("th", { scope: "col", class: `right ${kind}` }, label)),
    );
    this.element = el(
      "section",
      { class: "card" },
      el("header", { class: "card-head" }, el("h2", {}, "Processes")),
      el("div", { class: "scroll" }, el("table", {}, el("thead", {}, head), body)),
    );
  }

  show(node) {
    this.rows.show([...node.workers, ...node.supervisors].map((row) => [row.name, row]));
  }
}

class Row {
  constructor() {
    this.title = el("th", { scope: "row" });
    this.cells = COLUMNS.map(([, , kind = ""]) => el("td", { class: `right figure ${kind}` }));
    this.element = el("tr", {}, this.title, this.cells);
  }

  update(row) {
    const serves = "connections" in row;
    this.title.textContent = row.name;
    this.element.className = row.up ? (serves ? "" : "muted") : "bad";
    COLUMNS.forEach(([, read], at) => {
      const known = row.up && (serves || at === 2 || at === 3);
      this.cells[at].textContent = known ? read(row) : at === 0 && !row.up ? "silent" : "";
    });
  }
}
