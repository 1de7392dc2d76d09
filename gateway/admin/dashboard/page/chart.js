// A line chart of the last minutes, drawn as SVG so that it follows the theme. What was not seen is a gap.

import { el, svg } from "./dom.js";

const SPAN = 300; // seconds
const GAP = 3.5; // seconds without a look that break a line
const HEIGHT = 150;
const EDGE = { left: 52, right: 10, top: 8, bottom: 20 };

export class Chart {
  /** `series`: `{ label, line, read }`, where `line` is the class that colours it and `read` takes a point. */
  constructor(title, series, format) {
    this.series = series;
    this.format = format;
    this.points = [];
    this.drawing = svg("svg", { role: "img", "aria-label": title });
    this.values = series.map(() => el("b", { class: "figure" }, "–"));
    const legend = series.map(({ label, line }, at) =>
      el("span", { class: "legend-entry" }, el("i", { class: `swatch ${line}` }), label, " ", this.values[at]),
    );
    this.when = el("span", { class: "muted" }, "now");
    this.element = el(
      "section",
      { class: "card chart" },
      el("header", { class: "card-head" }, el("h2", {}, title), this.when),
      el("div", { class: "legend" }, legend),
      this.drawing,
    );
    new ResizeObserver(() => this.draw()).observe(this.element);
    this.drawing.addEventListener("pointermove", (event) => this.point(event));
    this.drawing.addEventListener("pointerleave", () => this.point(null));
  }

  show(points) {
    this.points = points;
    this.draw();
  }

  draw() {
    const width = Math.max(220, this.drawing.clientWidth);
    const now = this.points.at(-1)?.time ?? 0;
    const seen = this.points.filter(({ time }) => time > now - SPAN);
    const top = niceTop(Math.max(0, ...seen.flatMap((point) => this.series.map(({ read }) => read(point) ?? 0))));
    this.x = (time) => EDGE.left + (1 - (now - time) / SPAN) * (width - EDGE.left - EDGE.right);
    const y = (value) => HEIGHT - EDGE.bottom - (value / top) * (HEIGHT - EDGE.top - EDGE.bottom);
    this.drawing.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.cursor = svg("line", { class: "cursor", y1: EDGE.top, y2: HEIGHT - EDGE.bottom, visibility: "hidden" });
    this.drawing.replaceChildren(
      ...this.grid(top, y, width),
      ...this.series.map(({ read, line }) => svg("path", { class: `line ${line}`, d: this.path(seen, read, y) })),
      this.cursor,
    );
    this.tell(this.hovered ?? null);
  }

  grid(top, y, width) {
    const rows = [0, top / 2, top].flatMap((value) => [
      svg("line", { class: "grid", x1: EDGE.left, x2: width - EDGE.right, y1: y(value), y2: y(value) }),
      svg("text", { class: "axis", x: EDGE.left - 8, y: y(value) + 4, "text-anchor": "end" }, this.format(value)),
    ]);
    const ends = [
      ["start", EDGE.left, "5 min ago"],
      ["end", width - EDGE.right, "now"],
    ];
    return [
      ...rows,
      ...ends.map(([anchor, x, text]) => svg("text", { class: "axis", x, y: HEIGHT - 4, "text-anchor": anchor }, text)),
    ];
  }

  path(points, read, y) {
    let drawn = "";
    let last = null;
    for (const point of points) {
      const value = read(point);
      if (value === null || value === undefined) continue;
      const joined = last !== null && point.time - last < GAP;
      drawn += `${joined ? "L" : "M"}${this.x(point.time).toFixed(1)} ${y(value).toFixed(1)}`;
      if (!joined) drawn += "h0.01"; // a single look is a dot
      last = point.time;
    }
    return drawn;
  }

  /** Show the values of the look that is nearest to the pointer. */
  point(event) {
    this.hovered = null;
    if (event !== null && this.points.length) {
      const at = event.clientX - this.drawing.getBoundingClientRect().left;
      const distance = (point) => Math.abs(this.x(point.time) - at);
      this.hovered = this.points.reduce((best, point) => (distance(point) < distance(best) ? point : best));
    }
    this.tell(this.hovered);
  }

  tell(hovered) {
    const point = hovered ?? this.points.at(-1);
    this.series.forEach(({ read }, at) => {
      this.values[at].textContent = this.format(point ? read(point) : null);
    });
    this.when.textContent = hovered ? new Date(point.time * 1000).toLocaleTimeString("en-GB") : "now";
    this.cursor?.setAttribute("visibility", hovered ? "visible" : "hidden");
    if (hovered) {
      this.cursor.setAttribute("x1", this.x(point.time));
      this.cursor.setAttribute("x2", this.x(point.time));
    }
  }
}

/** The next of 1, 2, 3, 5, 10, 20, ... */
function niceTop(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 3, 5, 10].map((step) => step * power).find((step) => step >= value);
}
