// The supervision tree: who keeps whom alive, and what lives in each worker.

import { el } from "./dom.js";
import { className, counted } from "./format.js";

export class Tree {
  constructor() {
    this.body = el("div", { class: "tree scroll" });
    this.shown = "";
    this.element = el(
      "section",
      { class: "card" },
      el("header", { class: "card-head" }, el("h2", {}, "Supervision tree")),
      this.body,
    );
  }

  show(tree) {
    const text = JSON.stringify(tree);
    if (text === this.shown) return;
    this.shown = text;
    const roots = [broker(tree), tree.gateway && gateway(tree.gateway)];
    this.body.replaceChildren(el("ul", {}, roots.filter(Boolean)));
  }
}

function broker(tree) {
  if (tree.silent.includes("broker")) return branch("broker", null, "does not answer", true);
  return branch("broker", tree.pid, "supervises the shards", false, [...tree.shards, ...(tree.bridge ? [tree.bridge] : [])].map(child));
}

const gateway = (one) => branch("gateway", one.pid, `serves ${one.app}`, false, one.workers.map(child));

function child(process) {
  const restarts = process.restarts ? `, started again ${counted(process.restarts, "time")}` : "";
  const text = process.answered ? `${process.state}${restarts}` : `does not answer${restarts}`;
  return branch(process.name, process.pid, text, !process.answered, process.worker ? inside(process.worker) : []);
}

function inside(worker) {
  const kinds = (what, counts) =>
    Object.entries(counts).map(([kind, count]) => leaf(counted(count, what), className(kind)));
  return [
    ...worker.listeners.map((address) => leaf("listener", address)),
    ...kinds("socket", worker.sockets),
    ...kinds("channel", worker.channels),
    ...(worker.http_connections ? [leaf(counted(worker.http_connections, "HTTP connection"), "")] : []),
  ];
}

function branch(title, pid, text, bad, children = []) {
  return el(
    "li",
    { class: bad ? "bad" : "" },
    el(
      "span",
      { class: "node" },
      el("b", {}, title),
      pid ? el("span", { class: "muted figure" }, `pid ${pid}`) : null,
      el("span", { class: "what" }, text),
    ),
    children.length ? el("ul", {}, children) : null,
  );
}

const leaf = (title, text) =>
  el("li", { class: "leaf" }, el("span", { class: "node" }, title, el("span", { class: "muted" }, text)));
