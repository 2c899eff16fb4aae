// The reviewer's page: keys for everything, drafts that survive whatever happens, the next item in the same page.
// Every form works without this file; with it, an answer is put where the item was.
const desk = document.getElementById("desk");
const SAVE_EVERY_MS = 3000;
const RENEW_EVERY_MS = 60000;
const WRITTEN = ["decision", "outcome", "output", "reason_code", "note"];

let isBusy = false;
let isDirty = false;
let isOver = false;
let savedAt = Date.now();
let activeAt = Date.now();

const find = (selector, within = desk ?? document) => within?.querySelector(selector);
const form = () => find("[data-form]");
const decision = () => find("[name=decision]:checked")?.value ?? "";

// --- saying ----------------------------------------------------------------------------------------------------------
function say(text, tone = "info", links = []) {
  const box = find("[data-said]");
  if (!box) return;
  box.dataset.tone = tone;
  box.replaceChildren(Object.assign(document.createElement("p"), { textContent: text }));
  for (const link of links) box.append(link);
  box.hidden = !text;
  if (tone === "bad") box.scrollIntoView({ block: "nearest" });
}

const link = (text, href) => Object.assign(document.createElement("a"), { textContent: text, href });

function againButton(address) {
  const again = document.createElement("form");
  again.action = address;
  again.dataset.swap = "";
  again.append(find("[name=csrfmiddlewaretoken]").cloneNode());
  again.append(Object.assign(document.createElement("button"), { className: "a-button c-small", textContent: "Claim it again" }));
  return again;
}

// --- what is typed, in this tab, until the server has it ---------------------------------------------------------------
const place = () => `review.${desk.dataset.person}.${find("[data-item]")?.dataset.token}`;

function written() {
  const given = new FormData(form());
  return Object.fromEntries(WRITTEN.map((name) => [name, given.get(name) ?? ""]));
}

function remember() {
  try { sessionStorage.setItem(place(), JSON.stringify(written())); } catch { /* a full or forbidden store: the server has drafts too */ }
}

function forget() {
  try { sessionStorage.removeItem(place()); } catch { /* as above */ }
}

function restore() {
  let kept = null;
  try { kept = JSON.parse(sessionStorage.getItem(place())); } catch { kept = null; }
  if (!kept || JSON.stringify(kept) === JSON.stringify(written())) return;
  for (const name of ["outcome", "output", "note"]) {
    const field = form().elements[name];
    if (field && kept[name]) field.value = kept[name];
  }
  for (const name of ["decision", "reason_code"]) {
    const choice = [...form().querySelectorAll(`[name=${name}]`)].find((each) => each.value === kept[name]);
    if (choice) choice.checked = true;
  }
  isDirty = true;
  say("What you had typed in this tab is back.");
}

// --- asking the server -------------------------------------------------------------------------------------------------
async function ask(address, body, rest = {}) {
  const headers = { "X-Fragment": "1" };
  return fetch(address, { method: "POST", body, headers, redirect: "manual", credentials: "same-origin", ...rest });
}

function sayRefused(answer, told) {
  if (answer.type === "opaqueredirect") {
    remember();
    const next = encodeURIComponent(location.pathname);
    say("You were signed out. What you wrote is kept in this tab: sign in here and it is back.", "bad", [link("Sign in", `${desk.dataset.signIn}?next=${next}`)]);
  } else if (told?.is_over) {
    isOver = true;
    say(`${told.title}. ${told.detail}`, "bad", told.claim_again ? [againButton(told.claim_again)] : []);
    lock();
  } else if (told) {
    const fields = told.fields.map((each) => each.detail).join(" ");
    say(`${told.title}. ${fields || told.detail}`, "bad");
    form()?.elements[told.fields[0]?.name]?.focus?.();
  } else if (answer.status === 403) {
    remember();
    say("This page is older than your sign-in. What you wrote is kept in this tab.", "bad", [link("Load the page again", location.href)]);
  } else {
    remember();
    say("The server could not do this now. What you wrote is kept in this tab; try again.", "bad");
  }
}

const wordsOf = async (answer) => (answer.headers.get("Content-Type")?.startsWith("application/json") ? answer.json() : null);

function lock() {
  for (const each of desk.querySelectorAll("[data-form] :is(input, button, select), [data-judge] :is(input, button)")) each.disabled = true;
}

// --- the next item in the same page ------------------------------------------------------------------------------------
async function swap(sent, submitter) {
  if (isBusy) return;
  isBusy = true;
  if (sent.matches("[data-form]")) remember();
  else await save();
  const body = new FormData(sent, submitter);
  try {
    const answer = await ask(sent.action, body);
    const text = answer.ok && !answer.headers.get("Content-Type").startsWith("application/json") ? await answer.text() : null;
    if (text === null) return sayRefused(answer, await wordsOf(answer));
    if (sent.matches("[data-form]")) forget();
    put(text, answer.headers.get("X-Address"));
  } catch {
    remember();
    say("The server cannot be reached. What you wrote is kept in this tab; try again.", "bad");
  } finally {
    isBusy = false;
  }
}

function put(text, address) {
  // parsed from our own server's answer; the policy lets no script in it run
  desk.innerHTML = text;
  if (address && address !== location.pathname) history.pushState(null, "", address);
  begin();
  scrollTo(0, 0);
  find("[data-title]")?.focus({ preventScroll: true });
}

function begin() {
  isDirty = isOver = false;
  savedAt = Date.now();
  const keys = find("[data-keys]");
  if (keys) keys.hidden = false;
  const start = find("[data-start-output]");
  if (start) start.hidden = false;
  if (form()) restore();
  arrange();
}

// --- drafts and the lease ----------------------------------------------------------------------------------------------
async function save(rest = {}) {
  if (!form() || isOver || !isDirty) return;
  await renew(rest);
}

async function renew(rest = {}) {
  const sent = form();
  isDirty = false;
  savedAt = Date.now();
  const body = new FormData(sent);
  try {
    const answer = await ask(sent.dataset.draft, body, rest);
    if (sent !== form()) return;
    const told = await wordsOf(answer);
    if (!answer.ok) return sayRefused(answer, told);
    if (!isDirty) forget();
    find("[data-item]").dataset.lease = told.lease_until;
    find("[data-kept]").textContent = `Draft kept ${new Date().toLocaleTimeString()}. Erasable; the log holds a commitment to it.`;
  } catch {
    isDirty = true;  // and tried again
  }
}

function tick() {
  const item = find("[data-item]");
  if (item && !isOver) {
    const left = Date.parse(item.dataset.lease) - Date.now();
    const words = left > 90000 ? `${Math.round(left / 60000)} min more` : `${Math.max(0, Math.round(left / 1000))} s more`;
    find("[data-lease-left]").textContent = words;
    find("[data-lease-left]").parentElement.dataset.tone = left < 120000 ? "warn" : "neutral";
    const wasActive = activeAt > savedAt;
    if (isDirty && Date.now() - savedAt >= SAVE_EVERY_MS) save();
    else if (form() && wasActive && Date.now() - savedAt >= RENEW_EVERY_MS) renew();
  }
  const undo = find("[data-undo]", document);
  if (!undo) return;
  const left = Math.ceil((Date.parse(undo.dataset.until) - Date.now()) / 1000);
  if (left <= 0) undo.remove();
  else find("[data-left]", undo).textContent = `in ${left} s`;
}

// --- the form ----------------------------------------------------------------------------------------------------------
function arrange() {
  if (!form()) return;
  const chosen = decision();
  for (const each of desk.querySelectorAll("[data-when]")) each.hidden = each.dataset.when !== chosen;
  const reasons = find("[data-reasons]");
  reasons.hidden = !chosen || chosen === "confirm";
  find("[data-rest]").hidden = !chosen && Boolean(find("[data-judge]"));
  let number = 0;
  for (const each of reasons.querySelectorAll("[data-fits]")) {
    each.hidden = !each.dataset.fits.split(" ").includes(chosen);
    if (each.hidden) find("input", each).checked = false;
    const key = find("[data-number]", each);
    key.textContent = each.hidden || ++number > 9 ? "" : String(number);
    key.hidden = !key.textContent;
  }
}

function choose(value) {
  const choice = find(`[name=decision][value=${value}]`);
  if (!choice || choice.disabled) return;
  choice.checked = true;
  touched();
  arrange();
  if (value === "confirm") return handIn();
  if (value === "modify") return find("#outcome").select();
  choice.focus();
}

function chooseNumber(number) {
  const among = decision() ? "[data-reasons] label:not([hidden]) input" : "[data-outcomes] input";
  const choice = [...desk.querySelectorAll(among)][number - 1];
  if (!choice) return decision() || find("[data-judge]") ? undefined : say("Choose a decision first: m, r, e or a.");
  choice.checked = true;
  choice.focus();
  touched();
}

function lacks() {
  const chosen = decision();
  if (!chosen) return "Choose a decision: c, m, r, e or a.";
  if (chosen === "modify" && !find("#outcome").value.trim()) return "Say the corrected outcome.";
  if (chosen !== "confirm" && !find("[name=reason_code]:checked")) return "Choose a reason: press its number.";
  return "";
}

function handIn() {
  if (find("[data-judge]") && !decision()) return find("[data-judge]").requestSubmit();
  const missing = lacks();
  if (!missing) return form()?.requestSubmit();
  say(missing, "warn");
  document.activeElement?.blur?.();
}

function touched() {
  isDirty = true;
  activeAt = Date.now();
  remember();
}

// --- events --------------------------------------------------------------------------------------------------------------
const isText = (target) => target.matches("textarea, select, [contenteditable]") || (target.matches("input") && !target.matches("[type=radio], [type=checkbox], [type=button]"));

const KEYS = {
  c: () => choose("confirm"),
  m: () => choose("modify"),
  r: () => choose("reject"),
  e: () => choose("escalate"),
  a: () => choose("abstain"),
  t: () => find("#note")?.focus(),
  n: () => find("[data-next]", document)?.requestSubmit(),
  u: () => find("[data-undo]", document)?.requestSubmit(),
  d: () => openPanel("d"),
  h: () => openPanel("h"),
  "?": () => document.getElementById("keys")?.showModal(),
};

function openPanel(key) {
  const panel = find(`[data-panel=${key}]`);
  if (!panel) return;
  panel.open = true;
  find("select, button", panel)?.focus();
}

function typing(event) {
  const inNote = event.target.matches("textarea");
  if (event.key === "Escape") event.target.blur();
  else if (event.key === "Enter" && event.target.closest("[data-form]") && (!inNote || event.ctrlKey || event.metaKey)) handIn();
  else return;
  event.preventDefault();
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
  if (isText(event.target)) return typing(event);
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const isControl = event.target.closest("a, button, summary");
  if (event.key === "Enter" && !isControl && desk) handIn();
  else if (/^[1-9]$/.test(event.key) && desk) chooseNumber(Number(event.key));
  else if (KEYS[event.key] && (desk || "nu".includes(event.key))) KEYS[event.key]();
  else return;
  event.preventDefault();
});

if (desk) {
  desk.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-swap]")) return;
    event.preventDefault();
    if (event.target.matches("[data-form]") && lacks()) return say(lacks(), "warn");
    swap(event.target, event.submitter);
  });
  desk.addEventListener("input", (event) => { if (event.target.closest("[data-form]")) touched(); });
  desk.addEventListener("change", (event) => { if (event.target.closest("[data-form]")) { touched(); arrange(); } });
  desk.addEventListener("focusout", (event) => { if (event.target.closest("[data-form]")) save(); });
  desk.addEventListener("click", (event) => {
    if (event.target.closest("[data-keys]")) KEYS["?"]();
    if (!event.target.closest("[data-start-output]")) return;
    find("#output").value = find("[data-output]").textContent;
    touched();
  });
  for (const kind of ["pointermove", "keydown", "scroll"]) addEventListener(kind, () => { activeAt = Date.now(); }, { passive: true });
  document.addEventListener("visibilitychange", () => { if (document.hidden) save({ keepalive: true }); });
  addEventListener("popstate", () => location.reload());
  begin();
}
setInterval(tick, 500);
