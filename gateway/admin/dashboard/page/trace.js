// What the node does as it happens: matches of a trace, and of a broadcast where it was when.

import { el, name, visible } from "./dom.js";
import { bytes, counted, number } from "./format.js";

const MAX_ROWS = 500;
const FIELDS = [
  ["topic", "Topic", "room:lobby or room:*"],
  ["event", "Event", "new_msg"],
  ["socket", "Socket", "3.17 or an id"],
];

export class TraceView {
  constructor(parent, socket) {
    this.on = false;
    this.channel = socket
      .channel("trace")
      .on("joined", () => this.ended(this.on ? "The connection was lost, and the trace with it." : ""))
      .on("traced", (news) => this.add(news))
      .on("over", ({ reason }) => this.ended(sentence(reason)));
    this.fields = FIELDS.map(([key, , placeholder]) =>
      el("input", { type: "text", id: `trace-${key}`, placeholder, spellcheck: false, autocapitalize: "off" }),
    );
    this.limit = el("select", { id: "trace-limit" });
    this.limit.append(
      ...[20, 100, 1000].map((count) => el("option", { value: count, selected: count === 100 }, count)),
    );
    this.button = el("button", { type: "submit", class: "primary" }, "Start");
    this.state = el("p", { class: "muted", role: "status" });
    this.rows = el("ol", { class: "traced" });
    parent.replaceChildren(
      el(
        "section",
        { class: "card" },
        el(
          "form",
          { class: "filters", onsubmit: (event) => this.submit(event) },
          FIELDS.map(([key, label], at) =>
            el("div", {}, el("label", { htmlFor: `trace-${key}` }, label), this.fields[at]),
          ),
          el("div", { class: "narrow" }, el("label", { htmlFor: "trace-limit" }, "Matches"), this.limit),
          this.button,
        ),
        this.state,
      ),
      this.rows,
    );
    this.ended("");
  }

  async submit(event) {
    event.preventDefault();
    if (this.on) {
      await this.channel.push("stop").catch(() => {});
      this.ended("Stopped.");
      return;
    }
    const wanted = Object.fromEntries(FIELDS.map(([key], at) => [key, this.fields[at].value.trim()]));
    this.rows.replaceChildren();
    try {
      const { limit, seconds } = await this.channel.push("start", { ...wanted, limit: Number(this.limit.value) });
      this.begun(limit, seconds);
    } catch (error) {
      this.ended(error.message, "bad");
    }
  }

  begun(limit, seconds) {
    this.on = true;
    this.found = 0;
    this.button.textContent = "Stop";
    this.button.className = "";
    this.say(`Waiting for the next ${number(limit)} matches, ${Math.round(seconds / 60)} minutes at most.`);
  }

  ended(text, kind = "muted") {
    this.on = false;
    this.button.textContent = "Start";
    this.button.className = "primary";
    this.say(
      text || "Subscriptions, joins, messages, broadcasts and pushes, as they happen. It costs nothing when off.",
      kind,
    );
  }

  say(text, kind = "muted") {
    this.state.textContent = text;
    this.state.className = kind;
  }

  add({ rows, silent, lost }) {
    for (const row of rows) this.rows.prepend(row.kind === "broadcast" ? broadcast(row) : happened(row));
    while (this.rows.children.length > MAX_ROWS) this.rows.lastChild.remove();
    this.found += rows.length;
    const missed = Object.entries(lost).map(([process, count]) => `${process} saw ${number(count)} more`);
    const quiet = silent.map((process) => `${process} does not answer`);
    if (this.on) this.say([counted(this.found, "match", "matches"), ...missed, ...quiet].join(" · "));
  }
}

function happened(row) {
  const status = row.status ? el("span", { class: "pill small" }, visible(row.status)) : null;
  return el("li", { class: "card" }, line(row, row.kind, status), payload(row));
}

/** A broadcast: folded, how long it took; unfolded, where it was when, from its beginning on. */
function broadcast(row) {
  const begin = row.hops[0].at;
  const whole = Math.max(1, row.hops.at(-1).at - begin);
  const hops = row.hops.map((hop) => {
    const bar = el("i", { class: "hop-bar" });
    bar.style.setProperty("--at", ((hop.at - begin) / whole).toFixed(4));
    const took = `${((hop.at - begin) / 1e6).toFixed(3)} ms`;
    const where = el("span", { class: "muted" }, place(hop));
    return el("li", {}, el("span", { class: "figure right" }, took), bar, el("b", {}, hop.hop), where);
  });
  const missing = row.missing.map((what) => el("p", { class: "bad" }, `Nothing was heard of ${what}.`));
  const total = el("span", { class: "pill small figure" }, `${(whole / 1e6).toFixed(2)} ms`);
  const head = el("summary", {}, line(row, "broadcast", total));
  return el("li", { class: "card" }, el("details", {}, head, payload(row), el("ol", { class: "hops" }, hops), missing));
}

/** As log lines may show it, and cut. */
const payload = (row) =>
  row.payload ? el("code", { class: "payload", title: visible(row.payload) }, visible(row.payload)) : null;

function line(row, kind, more) {
  const millis = String(Math.floor(row.time * 1000) % 1000).padStart(3, "0");
  const clock = `${new Date(row.time * 1000).toLocaleTimeString("en-GB")}.${millis}`;
  const socket =
    row.socket && el("a", { class: "figure", href: `#sockets/${encodeURIComponent(row.socket)}` }, row.socket);
  return el(
    "div",
    { class: "trace-line" },
    el("span", { class: "muted figure" }, clock),
    el("b", {}, kind),
    row.topic === undefined || row.topic === null ? null : name(row.topic),
    row.event ? el("span", { class: "muted" }, visible(row.event)) : null,
    socket ? el("span", { class: "muted" }, "socket ", socket) : null,
    row.node ? el("span", { class: "muted" }, `from node ${visible(row.node)}`) : null,
    row.size === undefined || row.size === null ? null : el("span", { class: "muted figure" }, bytes(row.size)),
    more,
  );
}

function place(hop) {
  const shard = hop.slot ? `shard ${hop.slot.join("/")}` : "";
  if (hop.members) {
    const found = Object.entries(hop.members).map(([worker, count]) => `${number(count)} of worker ${worker}`);
    return `${shard}: ${found.join(", ") || "no members"}`;
  }
  const worker = hop.worker === undefined ? "" : `worker ${hop.worker}`;
  const to = hop.recipients === undefined ? "" : `, to ${number(hop.recipients)}`;
  return ([worker, worker && shard ? `from ${shard}` : shard].filter(Boolean).join(", ") || "bridge") + to;
}

const sentence = (text) => (text ? `${text[0].toUpperCase()}${text.slice(1)}${text.endsWith(".") ? "" : "."}` : "");
