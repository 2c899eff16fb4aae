// One decision: on and back in the list one came from, and keys for the sections of the page.
import { NOT_MINE, keys } from "./keys.js";

const bar = document.querySelector("[data-from]");
const here = location.pathname.match(/decisions\/([0-9a-f-]{36})\//)?.[1];
let kept = null;
try { kept = JSON.parse(sessionStorage.getItem("decisions")); } catch { /* then there is no list to go back to */ }
const place = kept?.ids.indexOf(here) ?? -1;

function lead(selector, address) {
  const link = bar.querySelector(selector);
  if (address) link.href = address; else link.remove();
}

if (bar) {
  const beside = (by) => (place >= 0 && kept.ids[place + by] ? location.pathname.replace(here, kept.ids[place + by]) : "");
  lead("[data-back]", place >= 0 ? kept.address : "");
  lead("[data-newer]", beside(-1));
  lead("[data-older]", beside(1));
  bar.hidden = false;
}

function follow(selector) {
  const link = bar?.querySelector(selector);
  if (!link) return NOT_MINE;
  link.click();
}

function section(number) {
  const head = [...document.querySelectorAll("main .a-panel > header h2, #content .a-panel > header h2")].filter((each, at, all) => all.indexOf(each) === at)[number - 1];
  if (!head) return NOT_MINE;
  head.tabIndex = -1;
  head.focus();
  head.scrollIntoView({ block: "start" });
}

function compare() {
  const field = document.getElementById("compare-with");
  if (!field) return NOT_MINE;
  field.focus();
}

const numbers = Object.fromEntries([1, 2, 3, 4, 5, 6, 7, 8, 9].map((number) => [String(number), () => section(number)]));
keys({ ...numbers, j: () => follow("[data-older]"), k: () => follow("[data-newer]"), l: () => follow("[data-back]"), c: compare });
