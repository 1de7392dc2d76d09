// The node as a whole: what must be known first, figures, charts, shards, workers, and the tree.

import { Chart } from "./chart.js";
import { Cluster } from "./cluster.js";
import { el } from "./dom.js";
import { bytes, counted, number, rate, seconds } from "./format.js";
import { Hottest } from "./hottest.js";
import { Shards } from "./shards.js";
import { Tree } from "./tree.js";
import { Workers } from "./workers.js";

const MAX_POINTS = 300;

const FIGURES = [
  ["Connections", (node) => number(node.connections), (node) => counted(node.channels, "channel")],
  ["Messages in", (node) => rate(node.rates?.received), (node) => `${bytes(node.rates?.bytes_received)}/s`, "/s"],
  ["Published", (node) => rate(node.rates?.published), (node) => `${rate(node.rates?.joined)} joins/s`, "/s"],
  ["Delivered", (node) => rate(node.rates?.delivered), (node) => `${bytes(node.rates?.bytes_sent)}/s`, "/s"],
  ["Latency, median", (node) => seconds(node.latency?.median), (node) => `99 %: ${seconds(node.latency?.p99)}`],
  ["Cores in use", (node) => cores(node), (node) => bytes(memory(node))],
];

export class Overview {
  constructor(parent, socket, measured) {
    this.measured = measured;
    this.points = [];
    this.notices = el("div", { class: "notices", role: "status" });
    this.figures = FIGURES.map(([label, , , unit]) => {
      const value = el("b", { class: "figure" }, "–");
      const small = el("span", { class: "muted figure" }, " ");
      const element = el(
        "div",
        { class: "tile" },
        el("span", { class: "label" }, label),
        el("span", { class: "value" }, value, unit ? el("small", {}, unit) : null),
        small,
      );
      return { element, value, small };
    });
    this.throughput = new Chart(
      "Throughput, a second",
      [
        { label: "delivered", line: "line-1", read: (point) => point.rates?.delivered },
        { label: "published", line: "line-2", read: (point) => point.rates?.published },
        { label: "received", line: "line-3", read: (point) => point.rates?.received },
      ],
      rate,
    );
    this.latency = new Chart(
      "Latency of broadcasts",
      [
        { label: "median", line: "line-1", read: (point) => point.latency?.median },
        { label: "99 %", line: "line-2", read: (point) => point.latency?.p99 },
      ],
      seconds,
    );
    const channel = socket.channel("node");
    this.shards = new Shards(channel);
    this.workers = new Workers();
    this.cluster = new Cluster();
    this.hottest = new Hottest();
    this.tree = new Tree();
    parent.replaceChildren(
      this.notices,
      el(
        "div",
        { class: "tiles" },
        this.figures.map(({ element }) => element),
      ),
      el("div", { class: "two" }, this.throughput.element, this.latency.element),
      el("div", { class: "two" }, this.shards.element, this.workers.element),
      this.cluster.element,
      el("div", { class: "two" }, this.hottest.elements),
      this.tree.element,
    );
    channel
      .on("joined", ({ points, ...limits }) => {
        this.points = points;
        this.shards.limits(limits);
      })
      .on("measured", (node) => this.update(node))
      .on("resharding", (status) => this.shards.resharding(status))
      .on("hottest", (found) => this.hottest.showTopics(found))
      .on("slowest", (found) => this.hottest.showClients(found))
      .on("tree", (tree) => this.tree.show(tree));
  }

  update(node) {
    this.points.push({ time: node.time, rates: node.rates, latency: node.latency });
    this.points.splice(0, Math.max(0, this.points.length - MAX_POINTS));
    FIGURES.forEach(([, value, small], at) => {
      this.figures[at].value.textContent = value(node);
      this.figures[at].small.textContent = small(node);
    });
    this.notices.replaceChildren(...sentences(node).map((text) => el("p", { class: "notice" }, text)));
    this.throughput.show(this.points);
    this.latency.show(this.points);
    this.shards.show(node);
    this.workers.show(node);
    this.cluster.show(node);
    this.measured(node);
  }
}

/** What an operator must know first. */
function sentences(node) {
  const said = [];
  if (node.why_not_ready) said.push(`No clients are taken: ${node.why_not_ready}.`);
  for (const name of node.silent) {
    if (name === "bridge") said.push("The bridge does not answer: other nodes may not be heard.");
    else if (name !== "broker") said.push(`${capital(name)} does not answer: what follows is without it.`);
    else if (node.why_not_ready !== "there is no broker")
      said.push("The broker does not answer: its shards are not shown.");
  }
  for (const shard of node.shards) {
    if (shard.up && !shard.open && node.resharding?.phase !== "preparing") {
      said.push(`Shard ${shard.epoch}/${shard.number} waits for workers: publishes wait for it.`);
    }
  }
  const slow = node.workers.reduce((sum, worker) => sum + worker.slow_clients, 0);
  if (slow) said.push(`${counted(slow, "client does", "clients do")} not read as fast as they are sent to.`);
  return said;
}

const processes = (node) => [...node.supervisors, ...node.workers, ...node.shards].filter(({ up }) => up);
const memory = (node) => processes(node).reduce((sum, one) => sum + one.memory, 0);

function cores(node) {
  const known = processes(node).filter(({ cpu }) => cpu !== null);
  return known.length ? known.reduce((sum, { cpu }) => sum + cpu, 0).toFixed(2) : "–";
}

const capital = (text) => text[0].toUpperCase() + text.slice(1);
