// One socket in full, or those of an id or an address.

import { el, name, visible } from "./dom.js";
import { bytes, className, counted, moment, number } from "./format.js";
import { table } from "./table.js";

const ADDRESS = /^(\d{1,3}(\.\d{1,3}){3}|[0-9a-f]*:[0-9a-f:.]*:[0-9a-f:.]*)(\/\d{1,3})?$/i;

export class SocketsView {
  constructor(parent, socket) {
    this.channel = socket.channel("sockets");
    this.asked = 0;
    this.field = el("input", {
      type: "search",
      id: "socket-search",
      placeholder: "3.17, user:1 or 10.0.0.7",
      spellcheck: false,
      autocapitalize: "off",
      autocomplete: "off",
    });
    this.body = el("div", { role: "status" });
    parent.replaceChildren(
      el(
        "section",
        { class: "card" },
        el(
          "form",
          { class: "search", onsubmit: (event) => this.submit(event) },
          el("label", { htmlFor: "socket-search" }, "A socket's number or id, or the address or network of clients"),
          el("div", { class: "field-row" }, this.field, el("button", { type: "submit", class: "primary" }, "Show")),
        ),
      ),
      this.body,
    );
  }

  submit(event) {
    event.preventDefault();
    const wanted = this.field.value.trim();
    const address = wanted ? `#sockets/${encodeURIComponent(wanted)}` : "#sockets";
    if (location.hash === address) this.show(wanted || null);
    else location.hash = address;
  }

  async show(wanted) {
    const asked = ++this.asked;
    if (wanted === null) {
      this.body.replaceChildren(
        el("p", { class: "muted hint" }, "A topic's subscribers lead here too, each by its socket."),
      );
      return;
    }
    this.field.value = wanted;
    this.body.replaceChildren(el("p", { class: "muted hint" }, "Asking the workers …"));
    const ask = ADDRESS.test(wanted)
      ? this.channel.push("at", { address: wanted })
      : this.channel.push("named", { name: wanted });
    let shown;
    try {
      const found = await ask;
      shown = [...missing(found.silent), ...(ADDRESS.test(wanted) ? listed(found) : inFull(found, wanted))];
    } catch (error) {
      shown = [el("p", { class: "card bad" }, error.message)];
    }
    if (asked === this.asked) this.body.replaceChildren(...shown);
  }
}

const missing = (silent) =>
  silent.map((worker) => el("p", { class: "notice" }, `${worker} does not answer: its sockets are missing.`));

const COLUMNS = [
  ["Socket"],
  ["Id"],
  ["Class", "wide-only"],
  ["Address"],
  ["Channels", "right figure"],
  ["Waiting", "right figure"],
  ["Since", "right figure wide-only"],
];

/** Sockets of an address, one a row. */
function listed({ total, sockets }) {
  if (!total) return [el("p", { class: "muted hint" }, "No client is connected from there.")];
  const rows = sockets.map((row) => [
    el("a", { class: "figure", href: `#sockets/${encodeURIComponent(row.socket)}` }, row.socket),
    name(row.id),
    className(row.kind),
    name(row.address),
    number(row.channels),
    bytes(row.waiting),
    moment(row.since),
  ]);
  const shown = total > sockets.length ? `, the first ${number(sockets.length)} are shown` : "";
  return [
    el(
      "section",
      { class: "card" },
      el("p", { class: "muted" }, counted(total, "socket") + shown),
      table(COLUMNS, rows),
    ),
  ];
}

/** Sockets of a name, with all that is known of them. */
function inFull({ total, sockets, gone }, wanted) {
  if (!total && !gone.length) return [el("p", { class: "muted hint" }, "No socket is called ", name(wanted), ".")];
  const more =
    total > sockets.length
      ? [
          el(
            "p",
            { class: "muted hint" },
            `${counted(total, "socket")} have this id, the first ${sockets.length} are shown.`,
          ),
        ]
      : [];
  return [...more, ...sockets.map(socketCard), ...gone.map(goneCard)];
}

function socketCard({ row, assigns, channels, events }) {
  const facts = [
    ["Id", name(row.id)],
    ["Class", row.kind],
    ["Transport", row.transport],
    ["Address", name(row.address)],
    ["Since", moment(row.since)],
    ["Last heartbeat", moment(row.heartbeat)],
    ["Waits for the client", bytes(row.waiting)],
    ["Waits for channels", bytes(row.held_back)],
    ["Assigns", code(assigns)],
  ];
  return el(
    "section",
    { class: "card" },
    el("header", { class: "card-head" }, el("h2", {}, `Socket ${row.socket}`)),
    el(
      "dl",
      { class: "facts" },
      facts.map(([label, value]) => el("div", {}, el("dt", {}, label), el("dd", { class: "figure" }, value))),
    ),
    el(
      "h3",
      {},
      counted(row.channels, "channel") +
        (row.channels > channels.length ? `, the first ${number(channels.length)} are shown` : ""),
    ),
    el("ul", { class: "channels" }, channels.map(channelEntry)),
    ...history(events),
  );
}

function channelEntry(channel) {
  const refs = [
    ["class", className(channel.channel)],
    ["join_ref", channel.join_ref],
    ["ref", channel.ref],
    ["subscriber", channel.subscriber],
    ["since", moment(channel.since)],
  ];
  return el(
    "li",
    {},
    el(
      "div",
      { class: "channel-line" },
      el("a", { href: `#topics/${encodeURIComponent(channel.topic)}` }, name(channel.topic)),
      el("span", { class: "pill small" }, channel.state),
    ),
    el(
      "div",
      { class: "muted refs figure" },
      refs.map(([label, value]) => el("span", {}, `${label} `, el("b", {}, value === null ? "–" : visible(value)))),
    ),
    channel.assigns === "{}" ? null : code(channel.assigns),
  );
}

const goneCard = ({ socket, events }) =>
  el(
    "section",
    { class: "card" },
    el("header", { class: "card-head" }, el("h2", {}, `Socket ${socket} is gone`)),
    ...history(events),
  );

function history(events) {
  if (!events.length) return [];
  const rows = events.map((event) =>
    el(
      "li",
      {},
      el("span", { class: "muted figure" }, moment(event.time)),
      el("span", {}, event.event),
      event.topic === null ? null : name(event.topic),
    ),
  );
  return [el("h3", {}, "Last events"), el("ol", { class: "events" }, rows)];
}

const code = (text) => el("code", { class: "whole" }, visible(text));
