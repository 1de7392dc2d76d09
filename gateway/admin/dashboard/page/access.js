// The token: taken once from the address, or asked for; kept as long as the tab lives.

import { visible } from "./dom.js";

const KEY = "roost.admin.token";
const form = document.getElementById("access-form");
const box = document.getElementById("access");
const field = document.getElementById("token");
const sentence = document.getElementById("access-error");

/** The token that is known, or null. One in the address is kept and stripped, before anything else sees it. */
export function knownToken() {
  const address = new URL(location);
  const given = address.searchParams.get("token");
  if (given !== null) {
    sessionStorage.setItem(KEY, given);
    address.searchParams.delete("token");
    history.replaceState(null, "", address);
  }
  return sessionStorage.getItem(KEY);
}

/** Show the form, and call back with what is entered. */
export function askForToken(why, entered) {
  sessionStorage.removeItem(KEY);
  sentence.textContent = why;
  box.hidden = false;
  field.value = "";
  field.focus();
  form.onsubmit = (event) => {
    event.preventDefault();
    const token = field.value.trim();
    field.value = "";
    sessionStorage.setItem(KEY, token);
    box.hidden = true;
    entered(token);
  };
}

/** Why the socket was refused: `wrong token`, `unreachable`, or the node's sentence; empty if it was not. */
export async function whyRefused(token) {
  try {
    const answer = await fetch("dashboard/access", { headers: { Authorization: `Bearer ${token}` } });
    if (answer.status === 401) return "wrong token";
    return answer.ok ? "" : visible((await answer.text()).trim());
  } catch {
    return "unreachable";
  }
}
