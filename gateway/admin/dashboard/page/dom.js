// Builds the page's elements. Text only ever becomes text: nothing in this page is parsed as HTML.

/** An element with properties and children; strings and numbers become text, null and false nothing. */
export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "class") made.className = value;
    else if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== false && child !== undefined));
  return made;
}

/** An element of a drawing. */
export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Cn}]/gu;

/** A text that a client chose, with what cannot be seen in it written out: controls, marks of direction. */
export function visible(text) {
  return String(text).replace(UNSEEN, (letter) => `\\u{${letter.codePointAt(0).toString(16)}}`);
}

/** The same as an element of its own direction, so that nothing around it is moved; empty names are shown as such. */
export function name(text, kind = "name") {
  if (text === null || text === undefined) return el("span", { class: "muted" }, "–");
  return el(
    "bdi",
    { class: text === "" ? "name muted" : kind, title: visible(text) },
    text === "" ? "(empty)" : visible(text),
  );
}

/** Keeps one element a key, in the order given, so that what stays keeps its focus and its selection. */
export class Keyed {
  constructor(parent, make) {
    this.parent = parent;
    this.make = make;
    this.kept = new Map();
  }

  /** `items`: pairs of a key and what the element's `update` is given. */
  show(items) {
    const next = new Map();
    for (const [key, value] of items) {
      const one = this.kept.get(key) ?? this.make(key, value);
      one.update(value);
      next.set(key, one);
    }
    for (const [key, one] of this.kept) if (!next.has(key)) one.element.remove();
    let at = this.parent.firstChild;
    for (const one of next.values()) {
      if (one.element === at) at = at.nextSibling;
      else this.parent.insertBefore(one.element, at);
    }
    this.kept = next;
  }
}
