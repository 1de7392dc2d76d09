// Topics, searched by how they begin, and who subscribes to one.

import { el, name, visible } from "./dom.js";
import { counted, moment, number } from "./format.js";
import { table } from "./table.js";

const PAGE = 50;
const TYPING = 250; // milliseconds without a key after which is searched
const LANES = ["code", "V1", "V2", "V1, compressed", "V2, compressed"];

export class TopicsView {
  constructor(parent, socket) {
    this.channel = socket.channel("topics");
    this.offset = 0;
    this.asked = 0;
    this.field = el("input", {
      type: "search",
      id: "topic-search",
      placeholder: "for example room:",
      spellcheck: false,
      autocapitalize: "off",
      autocomplete: "off",
      oninput: () => this.typed(),
    });
    this.order = el("select", { ariaLabel: "Order", onchange: () => this.search(0) });
    this.order.append(
      el("option", { value: "subscribers" }, "most subscribers first"),
      el("option", { value: "topic" }, "by name"),
    );
    this.rows = el("tbody");
    this.count = el("p", { class: "muted", role: "status" });
    this.back = el("button", { type: "button", onclick: () => this.search(this.offset - PAGE) }, "Previous");
    this.next = el("button", { type: "button", onclick: () => this.search(this.offset + PAGE) }, "Next");
    this.detail = el("section", { class: "card detail", hidden: true });
    this.list = el(
      "section",
      { class: "card list" },
      el(
        "form",
        { class: "search", onsubmit: (event) => (event.preventDefault(), this.search(0)) },
        el("label", { htmlFor: "topic-search" }, "Topics that begin with"),
        el("div", { class: "field-row" }, this.field, this.order, el("button", { type: "submit" }, "Refresh")),
      ),
      this.count,
      el(
        "table",
        { class: "topics" },
        el(
          "thead",
          {},
          el("tr", {}, el("th", { scope: "col" }, "Topic"), el("th", { scope: "col", class: "right" }, "Subscribers")),
        ),
        this.rows,
      ),
      el("div", { class: "pages" }, this.back, this.next),
    );
    this.pane = el("div", { class: "pane" }, this.list, this.detail);
    parent.replaceChildren(this.pane);
  }

  show(topic) {
    if (!this.asked) this.search(0);
    this.topic = topic;
    this.pane.classList.toggle("opened", topic !== null);
    this.detail.hidden = topic === null;
    for (const row of this.rows.children) row.classList.toggle("chosen", row.topic === topic);
    if (topic !== null) this.open(topic);
  }

  typed() {
    clearTimeout(this.typing);
    this.typing = setTimeout(() => this.search(0), TYPING);
  }

  async search(offset) {
    clearTimeout(this.typing);
    const asked = ++this.asked;
    this.offset = Math.max(0, offset);
    const wanted = { prefix: this.field.value, order: this.order.value, offset: this.offset, limit: PAGE };
    try {
      const found = await this.channel.push("search", wanted);
      if (asked === this.asked) this.fill(found);
    } catch (error) {
      if (asked === this.asked) this.fail(error.message);
    }
  }

  fill(found) {
    this.rows.replaceChildren(
      ...found.topics.map(({ topic, subscribers }) => {
        const link = el("a", { href: `#topics/${encodeURIComponent(topic)}` }, name(topic));
        const row = el(
          "tr",
          { class: topic === this.topic ? "chosen" : "" },
          el("td", {}, link),
          el("td", { class: "right figure" }, number(subscribers)),
        );
        row.topic = topic;
        return row;
      }),
    );
    const last = this.offset + found.topics.length;
    const range = found.total > found.topics.length ? `${number(this.offset + 1)} to ${number(last)} of ` : "";
    const parts = [`${range}${counted(found.total, "topic")}, ${counted(found.subscribers, "subscriber")}`];
    if (!found.complete) parts.push("there are more: a longer beginning finds the rest");
    for (const silent of found.silent) parts.push(`${silent} does not answer`);
    this.count.textContent = found.total
      ? parts.join(" · ")
      : this.field.value
        ? "No topic begins so."
        : "No topic has subscribers.";
    this.count.className = "muted";
    this.back.disabled = this.offset === 0;
    this.next.disabled = last >= found.total;
  }

  fail(sentence) {
    this.rows.replaceChildren();
    this.count.textContent = sentence;
    this.count.className = "bad";
    this.back.disabled = this.next.disabled = true;
  }

  async open(topic) {
    const head = el(
      "header",
      { class: "card-head" },
      el("a", { href: "#topics", class: "close" }, "← All topics"),
      el("button", { type: "button", onclick: () => this.open(topic) }, "Refresh"),
    );
    const body = el("div", {}, el("p", { class: "muted" }, "Asking the workers …"));
    this.detail.replaceChildren(head, el("h2", {}, name(topic, "name whole")), body);
    try {
      body.replaceChildren(...subscribers(await this.channel.push("subscribers", { topic })));
    } catch (error) {
      body.replaceChildren(el("p", { class: "bad" }, error.message));
    }
  }
}

const COLUMNS = [["Socket"], ["Id"], ["Address"], ["Shard", "figure"], ["Form"], ["Since", "figure"]];

function subscribers({ total, subscribers: rows, silent }) {
  const shown = total > rows.length ? `, the first ${number(rows.length)} are shown` : "";
  const missing = (worker) => `${visible(worker)} does not answer: its subscribers are missing.`;
  return [
    el("p", { class: "muted" }, `${counted(total, "subscriber")}${shown}`),
    ...silent.map((worker) => el("p", { class: "bad" }, missing(worker))),
    ...(rows.length ? [table(COLUMNS, rows.map(cells))] : []),
  ];
}

function cells(row) {
  const socket =
    row.socket === null
      ? el("span", { class: "muted" }, `code in worker ${row.worker}`)
      : el("a", { class: "figure", href: `#sockets/${encodeURIComponent(row.socket)}` }, row.socket);
  const form = LANES[row.lane] ?? row.lane;
  return [socket, name(row.id), name(row.address), row.slot.join("/"), form, moment(row.since)];
}
