// Opens the dashboard: the token, the socket, one channel a view, and which view is shown.

import { askForToken, knownToken, whyRefused } from "./access.js";
import { el } from "./dom.js";
import { counted, duration } from "./format.js";
import { Overview } from "./overview.js";
import { Socket } from "./socket.js";
import { SocketsView } from "./sockets.js";
import { TopicsView } from "./topics.js";
import { TraceView } from "./trace.js";

const HIDDEN_LIMIT = 60_000; // a tab that nobody looks at burdens nobody
const STALE_AFTER = 5_000;

const state = document.getElementById("state");
const facts = document.getElementById("node-facts");
const views = {};
let socket = null;
let staleness = 0;

function showState(text, kind) {
  state.textContent = text;
  state.className = `pill ${kind}`;
}

function open(token) {
  const address = new URL("dashboard/socket/websocket?vsn=2.0.0", location);
  address.protocol = address.protocol.replace("http", "ws");
  socket = new Socket(address, token, {
    opened: () => showState("Connected", "good"),
    lost: (wasOpen) => lost(token, wasOpen),
  });
  views.overview = new Overview(document.getElementById("overview"), socket, measured);
  views.topics = new TopicsView(document.getElementById("topics"), socket);
  views.sockets = new SocketsView(document.getElementById("sockets"), socket);
  views.trace = new TraceView(document.getElementById("trace"), socket);
  socket.connect();
  showView();
}

async function lost(token, wasOpen) {
  clearTimeout(staleness);
  showState("Reconnecting", "warn");
  if (wasOpen) return;
  const why = await whyRefused(token);
  if (why === "wrong token") {
    socket.disconnect();
    socket = null;
    for (const view of document.querySelectorAll("[data-view]")) view.hidden = true;
    showState("No access", "bad");
    askForToken("That is not this node's token.", open);
  } else if (why === "unreachable") {
    showState("Node unreachable", "bad");
  } else if (why) {
    showState(why, "bad");
  }
}

function measured(node) {
  clearTimeout(staleness);
  staleness = setTimeout(() => showState("No news", "warn"), STALE_AFTER);
  const silent = node.silent.length;
  if (node.why_not_ready) showState("Not ready", "bad");
  else if (silent) showState(`${silent} silent`, "warn");
  else showState("Live", "good");
  facts.replaceChildren(
    el("span", {}, node.version),
    el("span", {}, `up ${duration(node.uptime)}`),
    el("span", { class: "wide-only" }, counted(node.workers.length, "worker")),
    el("span", { class: "wide-only" }, counted(node.shards.length, "shard")),
  );
}

/** The address says what is shown: `#topics`, or with what of it, `#topics/room%3A1`. */
function showView() {
  if (socket === null) return;
  const [wanted, ...rest] = location.hash.slice(1).split("/");
  const shown = wanted in views ? wanted : "overview";
  for (const view of document.querySelectorAll("[data-view]")) view.hidden = view.id !== shown;
  for (const tab of document.querySelectorAll("#tabs a")) {
    if (tab.hash === `#${shown}`) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
  let detail = null;
  try {
    detail = rest.length ? decodeURIComponent(rest.join("/")) : null;
  } catch {
    detail = null; // an address that somebody mistyped
  }
  views[shown].show?.(detail);
}

let hiding = 0;
document.addEventListener("visibilitychange", () => {
  clearTimeout(hiding);
  if (socket === null) return;
  if (document.hidden) hiding = setTimeout(() => socket.disconnect(), HIDDEN_LIMIT);
  else if (!socket.wanted) socket.connect();
});
addEventListener("hashchange", showView);

const token = knownToken();
if (token === null) {
  showState("No access", "warn");
  askForToken("", open);
} else {
  open(token);
}
