// The shards as a heat map, and the slider that changes their number.

import { el, Keyed } from "./dom.js";
import { bytes, counted, number, rate, seconds, share } from "./format.js";

const MEASURES = {
  delivered: ["deliveries a second", (shard) => shard.delivered, rate],
  subscribers: ["subscribers, the node's own too", (shard) => shard.subscribers, number],
  cpu: ["processor", (shard) => shard.cpu, share],
  queued: ["bytes waiting for workers", (shard) => shard.queued_bytes, bytes],
};
const REFUSAL_SHOWN = 8000; // milliseconds that a refusal stays, though the last change is told again and again
const LEAST = { delivered: 100, subscribers: 100, cpu: 0.25, queued: 100_000 }; // below it nothing is hot

export class Shards {
  constructor(channel) {
    this.channel = channel;
    this.count = 0;
    this.node = null;
    this.last = null;
    this.touched = false;
    this.measure = el("select", { ariaLabel: "What is hot", onchange: () => this.draw() });
    this.measure.append(...Object.entries(MEASURES).map(([value, [label]]) => el("option", { value }, label)));
    this.epochs = el("div", { class: "epochs" });
    this.rows = new Keyed(this.epochs, (epoch) => new Epoch(epoch));
    this.slider = el("input", { type: "range", min: 1, max: 8, value: 1, id: "shards", oninput: () => this.moved() });
    this.wanted = el("output", { class: "figure", htmlFor: "shards" }, "–");
    this.button = el("button", { type: "submit", class: "primary", disabled: true }, "Scale");
    this.steps = new Steps();
    this.element = el(
      "section",
      { class: "card shards" },
      el("header", { class: "card-head" }, el("h2", {}, "Shards"), this.measure),
      this.epochs,
      el(
        "form",
        { class: "scale", onsubmit: (event) => this.scale(event) },
        el("label", { htmlFor: "shards" }, "Number of shards"),
        this.slider,
        this.wanted,
        this.button,
      ),
      this.steps.element,
    );
  }

  limits({ cores, max_shards }) {
    this.most = Math.min(max_shards, Math.max(8, 2 * cores));
    this.highest = max_shards;
  }

  show(node) {
    this.node = node;
    const count = node.shards.filter((shard) => shard.epoch === node.epoch).length;
    if (count) {
      this.slider.max = Math.min(this.highest, Math.max(this.most, count));
      if (!this.touched || count !== this.count) {
        this.touched = false;
        this.slider.value = count;
      }
      this.count = count;
    }
    this.moved(null);
    this.draw();
    if (node.resharding) this.resharding(node.resharding);
  }

  draw() {
    if (this.node === null) return;
    const [, read, format] = MEASURES[this.measure.value];
    const { shards, epoch } = this.node;
    const top = Math.max(LEAST[this.measure.value], ...shards.map((shard) => read(shard) ?? 0));
    const epochs = new Map();
    for (const shard of shards) {
      const load = (read(shard) ?? 0) / top;
      const tiles = epochs.get(shard.epoch) ?? epochs.set(shard.epoch, []).get(shard.epoch);
      tiles.push([shard.number, { shard, load, value: format(read(shard)) }]);
    }
    this.epochs.classList.toggle("empty", !epochs.size);
    this.rows.show(
      [...epochs].map(([number, tiles]) => [number, { tiles, several: epochs.size > 1, current: number === epoch }]),
    );
  }

  moved(event = true) {
    if (event) this.touched = true;
    const wanted = Number(this.slider.value);
    this.wanted.textContent = this.count ? wanted : "–";
    this.button.disabled = !this.count || wanted === this.count || this.steps.underWay;
    this.button.textContent = wanted === this.count || !this.count ? "Scale" : `Scale to ${wanted}`;
  }

  async scale(event) {
    event.preventDefault();
    this.button.disabled = true;
    try {
      this.resharding(await this.channel.push("scale", { shards: Number(this.slider.value) }));
    } catch (error) {
      this.steps.fail(error.message);
    }
  }

  resharding(status) {
    this.steps.show(status);
    if (status.phase === "aborted") this.touched = false;
    this.moved(null);
  }
}

/** One set of shards; there are two while the number changes. */
class Epoch {
  constructor(number) {
    this.head = el("p", { class: "muted epoch-head" });
    const tiles = el("div", { class: "heat" });
    this.tiles = new Keyed(tiles, () => new Tile());
    this.number = number;
    this.element = el("div", { class: "epoch" }, this.head, tiles);
  }

  update({ tiles, several, current }) {
    this.head.textContent = several ? `Epoch ${this.number}${current ? ", in which workers publish" : ""}` : "";
    this.head.hidden = !several;
    this.element.classList.toggle("waiting", several && !current);
    this.tiles.show(tiles);
  }
}

class Tile {
  constructor() {
    this.title = el("span", { class: "tile-name" });
    this.value = el("b", { class: "figure" });
    this.small = el("span", { class: "figure tile-small" });
    this.element = el("div", { class: "shard" }, this.title, this.value, this.small);
  }

  update({ shard, load, value }) {
    this.title.textContent = `${shard.epoch}/${shard.number}`;
    this.value.textContent = shard.up ? value : "silent";
    this.small.textContent = shard.up
      ? shard.open
        ? counted(shard.subscribers, "subscriber")
        : "not open yet"
      : "does not answer";
    this.element.className = shard.up ? (shard.open ? "shard" : "shard opening") : "shard silent";
    this.element.style.setProperty("--load", shard.up ? load.toFixed(3) : 0);
    this.element.title = shard.up
      ? `${share(shard.cpu)} of a core, ${bytes(shard.memory)}, ${counted(shard.topics, "topic")}, ` +
        `${rate(shard.published)} publishes a second, ${bytes(shard.queued_bytes)} waiting`
      : "";
  }
}

/** How a change of the number goes: where it stands, for whom it waits, how it ended. */
class Steps {
  constructor() {
    this.underWay = false;
    this.failed = 0;
    this.bar = ["Prepare", "Change over", "Done"].map((text) => el("li", {}, text));
    this.text = el("p", { class: "muted" });
    this.list = el("ol", { class: "steps" }, this.bar);
    this.element = el("div", { class: "resharding", ariaLive: "polite", hidden: true }, this.list, this.text);
  }

  show(status) {
    if (Date.now() - this.failed < REFUSAL_SHOWN) return;
    const at = ["preparing", "changing over", "done"].indexOf(status.phase);
    const change = `${status.shards_before} → ${status.shards} shards`;
    const took = seconds(status.seconds);
    this.underWay = at === 0 || at === 1;
    this.element.hidden = false;
    this.element.className = `resharding ${status.phase === "aborted" ? "bad" : ""}`;
    this.list.hidden = status.phase === "aborted";
    this.bar.forEach((step, place) => {
      step.className = place < at || at === 2 ? "past" : place === at ? "now" : "";
    });
    if (status.phase === "aborted") this.text.textContent = `${change}, given up: ${status.reason}`;
    else if (status.shards === status.shards_before) this.text.textContent = `There were ${status.shards} already.`;
    else if (at === 2) this.text.textContent = `${change}, took ${took}, nothing was lost.`;
    else
      this.text.textContent =
        `${change}, ${took} so far` + (status.waits_for.length ? `, waits for ${status.waits_for.join(", ")}` : "");
  }

  fail(sentence) {
    this.failed = Date.now();
    this.element.hidden = false;
    this.element.className = "resharding bad";
    this.list.hidden = true;
    this.text.textContent = sentence;
  }
}
