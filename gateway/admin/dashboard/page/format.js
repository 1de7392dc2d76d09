// Figures for people.

const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const SHORT = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

export const number = (value) => (value === null || value === undefined ? "–" : WHOLE.format(value));

/** So many in a second; large ones shortened. */
export function rate(value) {
  if (value === null || value === undefined) return "–";
  if (value >= 100_000) return SHORT.format(value);
  if (value >= 10 || value === 0) return WHOLE.format(value);
  return value.toFixed(1);
}

export function bytes(value) {
  if (value === null || value === undefined) return "–";
  for (const unit of ["B", "kB", "MB"]) {
    if (value < 1000) return unit === "B" ? `${Math.round(value)} B` : `${value.toFixed(1)} ${unit}`;
    value /= 1000;
  }
  return `${value.toFixed(1)} GB`;
}

/** A time that something took. */
export function seconds(value) {
  if (value === null || value === undefined) return "–";
  if (value === 0) return "0";
  if (value < 0.001) return `${(value * 1000).toFixed(2)} ms`;
  if (value < 0.1) return `${(value * 1000).toFixed(1)} ms`;
  if (value < 1) return `${Math.round(value * 1000)} ms`;
  return `${value.toFixed(1)} s`;
}

/** A share of a core. */
export const share = (value) => (value === null || value === undefined ? "–" : `${Math.round(value * 100)} %`);

export function duration(value) {
  const whole = Math.max(0, Math.floor(value));
  const days = Math.floor(whole / 86400);
  const two = (part) => String(part).padStart(2, "0");
  const clock = `${Math.floor((whole % 86400) / 3600)}:${two(Math.floor((whole % 3600) / 60))}:${two(whole % 60)}`;
  return days ? `${days} d ${clock}` : clock;
}

/** A moment by the clock on the wall, with its date if it was not today. */
export function moment(unix) {
  if (unix === null || unix === undefined) return "–";
  const then = new Date(unix * 1000);
  const clock = then.toLocaleTimeString("en-GB");
  return then.toDateString() === new Date().toDateString() ? clock : `${then.toLocaleDateString("sv")} ${clock}`;
}

/** One of them, or many. */
export const counted = (value, one, many = `${one}s`) => `${number(value)} ${value === 1 ? one : many}`;

/** A class without its module. */
export const className = (text) => text.slice(text.lastIndexOf(".") + 1);
