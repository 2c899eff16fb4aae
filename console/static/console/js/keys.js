// Single keys for pages that people work with all day. They do nothing in a text field, with a modifier, in a dialog, or
// where whoever works here has turned them off (WCAG 2.2, 2.1.4).
const OFF = "keys-off";
const isOff = () => { try { return localStorage.getItem(OFF) === "1"; } catch { return false; } };
const isText = (target) => target.matches("textarea, select, [contenteditable], input:not([type=radio], [type=checkbox], [type=button])");

export function keys(acts) {
  const dialog = document.getElementById("keys");
  const off = dialog?.querySelector("[data-keys-off]");
  const all = { ...acts, "?": () => dialog?.showModal() };
  if (off) {
    off.checked = isOff();
    off.addEventListener("change", () => { try { localStorage.setItem(OFF, off.checked ? "1" : "0"); } catch { /* then they stay on */ } });
  }
  for (const button of document.querySelectorAll("[data-keys]")) {
    button.hidden = false;
    button.addEventListener("click", all["?"]);
  }
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
    if (isText(event.target)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || isOff()) return;
    if (event.key === "Enter" && event.target.closest("a, button, summary, input")) return;
    if (all[event.key]?.() !== undefined || !all[event.key]) return;
    event.preventDefault();
  });
}

export const NOT_MINE = true;  // what an act returns that leaves its key to the browser
