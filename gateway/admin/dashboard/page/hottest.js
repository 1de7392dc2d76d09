// Where the load is: the topics with most deliveries now, and the clients for whom most waits.

import { el, name } from "./dom.js";
import { bytes, counted, rate } from "./format.js";
import { table } from "./table.js";

const TOPICS = [
  ["Topic", "wide"],
  ["Deliveries/s", "right figure"],
  ["Publishes/s", "right figure"],
];
const CLIENTS = [["Socket", "figure"], ["Id", "wide"], ["Address"], ["Waiting", "right figure"]];

export class Hottest {
  constructor() {
    this.topics = el("div", {}, quiet("Nothing is known yet."));
    this.clients = el("div", {}, quiet("Nothing is known yet."));
    this.elements = [card("Hottest topics", this.topics), card("Slowest clients", this.clients)];
  }

  showTopics({ topics }) {
    const busy = topics.filter(({ deliveries }) => deliveries > 0);
    const rows = busy.map(({ topic, deliveries, publishes }) => [
      el("a", { href: `#topics/${encodeURIComponent(topic)}` }, name(topic)),
      rate(deliveries),
      rate(publishes),
    ]);
    this.topics.replaceChildren(rows.length ? table(TOPICS, rows) : quiet("No topic has deliveries now."));
  }

  showClients({ total, waiting, clients }) {
    const rows = clients.map((row) => [
      el("a", { href: `#sockets/${encodeURIComponent(row.socket)}` }, row.socket),
      name(row.id),
      name(row.address),
      bytes(row.waiting),
    ]);
    const sum = `${bytes(waiting)} wait for ${counted(total, "client")}.`;
    this.clients.replaceChildren(
      ...(rows.length ? [table(CLIENTS, rows), quiet(sum)] : [quiet("No client falls behind.")]),
    );
  }
}

const card = (title, body) =>
  el("section", { class: "card" }, el("header", { class: "card-head" }, el("h2", {}, title)), body);

const quiet = (text) => el("p", { class: "muted" }, text);
