// The list of decisions: keys, rows that are chosen, counts beside it, and a list or search that goes on by itself.
import { NOT_MINE, keys } from "./keys.js";

const list = document.querySelector("[data-list]");
const PAGE = 50;
const number = new Intl.NumberFormat("en");
const rows = () => [...(list?.querySelectorAll("tr[data-decision]") ?? [])];
const chosen = () => rows().filter((row) => row.querySelector("[name=decision]").checked);
const said = (text) => { const box = list?.querySelector("[data-said]"); if (box) box.textContent = text; };
let here = -1;

// --- where one came from, for the page of a decision -------------------------------------------------------------------
function remember() {
  const kept = { address: location.pathname + location.search, ids: rows().map((row) => row.dataset.decision) };
  try { sessionStorage.setItem("decisions", JSON.stringify(kept)); } catch { /* then its page offers no way on */ }
}

// --- keys --------------------------------------------------------------------------------------------------------------
function move(by) {
  const all = rows();
  if (!all.length) return NOT_MINE;
  all[here]?.removeAttribute("data-here");
  here = Math.min(all.length - 1, Math.max(0, here + by));
  all[here].setAttribute("data-here", "");
  // the link gets the focus, so that a screen reader says where one is
  all[here].querySelector(".c-when a").focus();
}

function tick() {
  const box = rows()[here]?.querySelector("[name=decision]");
  if (!box) return NOT_MINE;
  box.checked = !box.checked;
  count();
}

function compare() {
  if (chosen().length === 2) return void list.querySelector("[data-compare]").click();
  said("Choose two decisions to compare: x chooses the row.");
}

function follow(rel) {
  const link = document.querySelector(`a[rel=${rel}]`);
  const form = document.querySelector(`form[data-${rel}]`);
  if (link) link.click(); else if (form) form.requestSubmit(); else return NOT_MINE;
}

function toSearch() {
  const panel = document.querySelector("[data-search]")?.closest("details");
  if (!panel) return NOT_MINE;
  panel.open = true;
  panel.querySelector("input:not([type=hidden])").focus();
}

// --- chosen rows -------------------------------------------------------------------------------------------------------
function count() {
  const number = chosen().length;
  said(number ? `${number} chosen` : "");
}

if (list) {
  const all = list.querySelector("[data-all]");
  all.hidden = false;
  all.querySelector("input").addEventListener("change", (event) => {
    for (const row of rows()) row.querySelector("[name=decision]").checked = event.target.checked;
    count();
  });
  list.addEventListener("change", count);
  list.addEventListener("submit", (event) => {
    const needed = event.submitter?.matches("[data-compare]") ? 2 : 1;
    const number = chosen().length;
    if (needed === 2 ? number === 2 : number) return;
    event.preventDefault();
    said(needed === 2 ? `Choose two decisions to compare: ${number} chosen.` : "Choose at least one decision.");
  });
  list.addEventListener("focusin", (event) => {
    const row = event.target.closest("tr[data-decision]");
    if (!row) return;
    rows()[here]?.removeAttribute("data-here");
    here = rows().indexOf(row);
    row.setAttribute("data-here", "");
  });
  remember();
}

// --- counts ------------------------------------------------------------------------------------------------------------
const counts = document.querySelector("[data-counts]");
if (counts) {
  fetch(counts.dataset.counts, { headers: { "X-Fragment": "1" }, credentials: "same-origin" })
    .then(async (answer) => { if (answer.ok) counts.innerHTML = await answer.text(); })  // our own page's answer: the policy lets no script in it run
    .catch(() => { /* the link stays */ });
}

// --- a list that goes on, where what is asked for is rare ----------------------------------------------------------------
const going = document.querySelector("[data-going]");
const LONGEST = 60_000;

async function lookOn(stop) {
  const onward = document.querySelector("a[rel=next]");
  const until = Date.now() + LONGEST;
  let told = null;
  while (onward?.isConnected && !stop.hidden && rows().length < PAGE && Date.now() < until) {
    const answer = await fetch(onward.href, { headers: { "X-Fragment": "1" }, credentials: "same-origin" });
    if (!answer.ok) throw new Error(String(answer.status));
    told = await answer.json();
    list.querySelector("[data-rows]").insertAdjacentHTML("beforeend", told.rows);
    if (told.cursor) { const next = new URL(onward.href); next.searchParams.set("cursor", told.cursor); onward.href = next; } else onward.remove();
    remember();
    going.querySelector("[data-words]").innerHTML = told.words;  // our own page's answer, as the counts are
    going.querySelector("[data-count]").textContent = number.format(rows().length);
  }
  if (told && !told.cursor) going.dataset.tone = "ok";
  going.querySelector("[data-onward]").hidden = !onward?.isConnected;
}

if (going) {
  const stop = going.querySelector("[data-stop]");
  stop.hidden = false;
  going.querySelector("[data-onward]").hidden = true;  // nobody has to, while it goes on by itself
  stop.addEventListener("click", () => { stop.hidden = true; });
  lookOn(stop).catch(() => going.querySelector("p").append(" The server could not be reached. Go on with “Older”.")).finally(() => { stop.hidden = true; });
}

// --- a search that goes on ---------------------------------------------------------------------------------------------
const progress = document.querySelector("[data-progress]");
const words = progress?.querySelector("[data-words]");
let asking = null;
let isOver = !progress || "over" in progress.dataset;
let isToTheEnd = false;
const GO_ON = "#go-on";  // whoever begins a search, or asks for older ones, is led here with it; coming back is without
const LONGEST_SEARCH = 600_000;

function tell(told) {
  words.innerHTML = told.words;  // our own page's answer, as the counts are
  for (const onward of words.querySelectorAll("[data-onward]")) onward.hidden = true;  // nobody has to, while it goes on by itself
}

function put(told) {
  // what does not go on this page any more stands on its further ones
  if (rows().length < PAGE) list?.querySelector("[data-rows]")?.insertAdjacentHTML("beforeend", told.rows);
  if (told.is_over) document.querySelector("form[data-next]")?.remove();
  remember();
}

async function goOn() {
  const onward = document.querySelector("form[data-next]");
  const [stop, toEnd] = ["[data-stop]", "[data-to-end]"].map((name) => progress.querySelector(name));
  stop.hidden = false;
  toEnd.hidden = true;
  const until = Date.now() + (isToTheEnd ? LONGEST_SEARCH : LONGEST);
  let isLate = false;
  while (!isOver && !isLate && onward?.isConnected && (isToTheEnd || rows().length < PAGE)) {
    asking = new AbortController();
    const answer = await fetch(onward.action, { method: "POST", body: new FormData(onward), headers: { "X-Fragment": "1" }, credentials: "same-origin", signal: asking.signal });
    const told = await answer.json();
    if (!answer.ok) { words.textContent = `${told.title}. ${told.detail}`; break; }
    put(told);
    tell(told);
    isOver = told.is_over;
    isLate = !isOver && Date.now() >= until;
    if (told.is_whole) progress.dataset.tone = "ok";
  }
  stop.hidden = true;
  asking = null;
  for (const each of words.querySelectorAll("[data-onward]")) each.hidden = isLate;
  if (isToTheEnd) location.reload();  // the page says how far it came, and leads to what was found
  else if (isLate) words.append(" Paused, as it took long. Go on with “Older”.");
  toEnd.hidden = isOver;
}

function cancel() {
  const body = new FormData();
  body.append("csrfmiddlewaretoken", document.querySelector("[name=csrfmiddlewaretoken]").value);
  navigator.sendBeacon(progress.dataset.cancel, body);
}

if (progress && !isOver) {
  progress.querySelector("[data-stop]").addEventListener("click", () => {
    isOver = true;
    asking?.abort();
    cancel();
    document.querySelector("form[data-next]")?.remove();
    words.append(" Stopped.");
  });
  const unreached = (error) => { if (error.name !== "AbortError") words.append(" The server could not be reached. Go on with “Older”."); };
  const toEnd = progress.querySelector("[data-to-end]");
  toEnd.addEventListener("click", () => { isToTheEnd = true; goOn().catch(unreached); });
  toEnd.hidden = false;
  if (location.hash === GO_ON) {
    history.replaceState(history.state, "", location.pathname + location.search);
    goOn().catch(unreached);
  }
}

keys({ j: () => move(1), ArrowDown: () => (here < 0 ? NOT_MINE : move(1)), k: () => move(-1), ArrowUp: () => (here < 0 ? NOT_MINE : move(-1)), x: tick, c: compare, n: () => follow("next"), p: () => follow("prev"), "/": toSearch });
