// Tables whose columns know how they are set.

import { el } from "./dom.js";

/** `columns`: pairs of a heading and a class; `rows`: a list of cells each. Wide ones can be moved sideways. */
export function table(columns, rows) {
  const head = columns.map(([label, kind = ""]) => el("th", { scope: "col", class: kind }, label));
  const body = rows.map((cells) =>
    el(
      "tr",
      {},
      cells.map((cell, at) => el("td", { class: columns[at][1] ?? "" }, cell)),
    ),
  );
  return el("div", { class: "scroll" }, el("table", {}, el("thead", {}, el("tr", {}, head)), el("tbody", {}, body)));
}
