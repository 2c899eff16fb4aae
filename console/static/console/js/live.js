// Keeps a part of a page as new as the server's (data-live: its address), and says loudly when it cannot.
const EVERY = 1000;
const LOST_AFTER = 3000;
const GIVES_UP = 4000;
const SAYS_EVERY = 5000;

const root = document.querySelector("[data-live]");
const state = document.querySelector("[data-live-state]");
const lost = document.querySelector("[data-live-lost]");
const said = document.querySelector("[data-live-said]");
const filter = document.querySelector("[data-live-filter]");

let etag = null;
let pressed = false;
let seenAt = Date.now();
let ahead = 0; // of the server's clock before ours
let ended = "";
let words = "";
let saidAt = 0;
let timer = 0;
let last = new Map([...(root?.children ?? [])].map((each) => [each.id, each.outerHTML]));

const inWords = (ms) => {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 100) return `${seconds} s`;
  if (seconds < 6000) return `${Math.floor(seconds / 60)} min`;
  return seconds < 360000 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86400)} d`;
};

function ages() {
  for (const each of document.querySelectorAll("time[data-age]")) {
    const length = Date.now() + ahead - Date.parse(each.dateTime);
    each.dataset.ago = length < -1000 ? `in ${inWords(-length)}` : inWords(length);
  }
}

function narrow() {
  if (!filter || !root) return;
  const asked = filter.value.trim().toLowerCase();
  let shown = 0;
  for (const each of root.querySelectorAll("[data-name]")) {
    each.hidden = Boolean(asked) && !each.dataset.name.toLowerCase().includes(asked);
    shown += each.hidden ? 0 : 1;
  }
  const none = document.querySelector("[data-live-none]");
  if (none) none.hidden = !asked || shown > 0;
}

// Only what is different is exchanged: what somebody reads, has unfolded or stands on stays as it is.
function take(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html").body;
  const before = new Map([...root.children].map((each) => [each.id, each]));
  const now = new Map();
  const wanted = [...fresh.children].map((each) => {
    const text = each.outerHTML;
    const old = before.get(each.id);
    now.set(each.id, text);
    return old && last.get(each.id) === text ? old : exchange(old, each);
  });
  for (const old of before.values()) if (!wanted.includes(old)) old.remove();
  wanted.forEach((each, place) => {
    if (root.children[place] !== each) root.insertBefore(each, root.children[place] ?? null);
  });
  last = now;
  words = root.querySelector("[data-live-words]")?.dataset.liveWords ?? "";
}

function exchange(old, fresh) {
  for (const open of old?.querySelectorAll("details[open]") ?? []) {
    const same = open.id && fresh.querySelector(`#${CSS.escape(open.id)}`);
    if (same) same.open = true;
  }
  return fresh;
}

// Moving an element takes the focus from it: given back by id, or by address.
function keepingFocus(change) {
  const held = document.activeElement;
  const inside = held && root.contains(held) ? held : null;
  const top = inside?.getBoundingClientRect().top;
  change();
  if (!inside) return;
  const section = inside.closest("[id]")?.id;
  const again = root.contains(inside)
    ? inside
    : (inside.id && document.getElementById(inside.id)) ||
      [...(document.getElementById(section) ?? root).querySelectorAll("a[href]")].find((each) => each.href === inside.href) ||
      (section && document.getElementById(section)?.querySelector("a, summary"));
  if (!again) return;
  again.focus({ preventScroll: true });
  scrollBy(0, again.getBoundingClientRect().top - top);
}

function tell() {
  if (!words || words === said.textContent || Date.now() - saidAt < SAYS_EVERY) return;
  said.textContent = words;
  saidAt = Date.now();
}

function show() {
  const isLost = Boolean(ended) || Date.now() - seenAt > LOST_AFTER;
  root.toggleAttribute("data-lost", isLost);
  state.hidden = isLost;
  lost.hidden = !isLost;
  const since = new Date(seenAt).toLocaleTimeString();
  const text = ended || `No contact with the server. What you see is from ${since} and may be wrong by now. Trying again.`;
  if (!isLost || lost.dataset.said === text) return;
  lost.textContent = lost.dataset.said = text;
  if (ended) lost.append(" ", Object.assign(document.createElement("a"), { href: "", textContent: "Load the page again" }));
}

async function look() {
  const asked = Date.now();
  try {
    const answer = await fetch(root.dataset.live, {
      headers: etag ? { "If-None-Match": etag } : {},
      cache: "no-store",
      redirect: "manual",
      signal: AbortSignal.timeout(GIVES_UP),
    });
    if (answer.type === "opaqueredirect") ended = "You are signed out. What you see is no longer kept up to date.";
    else if (answer.status === 403 || answer.status === 404) ended = "You may no longer see this, or it is gone.";
    else if (answer.status === 200) await took(answer, asked);
    else if (answer.status === 304) seenAt = asked;
  } catch (error) {
    // no contact: said by its age
    if (!["TypeError", "TimeoutError", "AbortError"].includes(error.name)) throw error;
  }
}

async function took(answer, asked) {
  const html = await answer.text();
  const date = Date.parse(answer.headers.get("Date") ?? "");
  if (date && Math.abs(date - asked) > 2000) ahead = date - asked;
  seenAt = asked;
  if (pressed) return; // the next look brings it: nothing moves under a finger
  etag = answer.headers.get("ETag");
  keepingFocus(() => take(html));
  narrow();
}

async function round() {
  clearTimeout(timer);
  if (document.hidden || ended) return;
  await look();
  ages();
  show();
  tell();
  clearTimeout(timer);
  timer = setTimeout(round, EVERY);
}

if (root) {
  root.addEventListener("pointerdown", () => { pressed = true; });
  for (const name of ["pointerup", "pointercancel"]) {
    addEventListener(name, () => setTimeout(() => { pressed = false; }, 300));
  }
  filter?.addEventListener("input", narrow);
  document.addEventListener("visibilitychange", round);
  setInterval(() => { if (!document.hidden) { ages(); show(); } }, EVERY);
  state.innerHTML = '<span class="a-pill" data-tone="ok">Live</span> looked at every second';
  said.textContent = words = root.querySelector("[data-live-words]")?.dataset.liveWords ?? "";
  narrow();
  round();
}
ages();

// A form that acts is sent once, however often it is pressed. Back from the next page it can be used again.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-once]")) return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "1";
});
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("[data-once]")) delete form.dataset.sent;
});
