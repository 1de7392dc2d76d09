// The other nodes, where this one is one of several.

import { el, name } from "./dom.js";
import { duration, number, seconds } from "./format.js";
import { table } from "./table.js";

const COLUMNS = [
  ["Node", "wide"],
  ["State"],
  ["Heard", "right figure"],
  ["Received", "right figure"],
  ["Lost", "right figure"],
];

export class Cluster {
  constructor() {
    this.way = el("p", {});
    this.nodes = el("div");
    this.element = el(
      "section",
      { class: "card", hidden: true },
      el("header", { class: "card-head" }, el("h2", {}, "Cluster")),
      this.way,
      this.nodes,
    );
  }

  show({ cluster }) {
    this.element.hidden = cluster === null;
    if (cluster === null) return;
    this.way.textContent = way(cluster);
    this.way.className = cluster.state === "connected" ? "muted" : "bad";
    const rows = cluster.nodes.map((row) => [
      name(row.node),
      row.up ? "up" : el("span", { class: "bad" }, "gone"),
      `${seconds(row.heard)} ago`,
      number(row.received),
      row.unknown_gaps ? `${number(row.lost)} and more` : number(row.lost),
    ]);
    const alone = el("p", { class: "muted" }, "No other node was heard.");
    this.nodes.replaceChildren(rows.length ? table(COLUMNS, rows) : alone);
  }
}

function way({ node, engine, state, since, round_trip, buffered, dropped }) {
  const how = {
    connected: `connected to ${engine} for ${duration(since)}`,
    deaf: `${engine} has not answered for ${duration(since)}`,
    connecting: `${engine} has been away for ${duration(since)}`,
  };
  const parts = [`This is ${node}`, how[state]];
  if (state === "connected" && round_trip !== null) parts.push(`${seconds(round_trip)} there and back`);
  if (buffered) parts.push(`${number(buffered)} publishes wait`);
  if (dropped) parts.push(`${number(dropped)} found no room to wait`);
  return parts.join(" \u00b7 ");
}
