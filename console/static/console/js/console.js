// The browser's time zone, for pages that are made on the server: once known, times are shown in it.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const known = document.cookie.split("; ").includes(`zone=${zone}`);
if (zone && !known) {
  document.cookie = `zone=${zone}; path=/admin/; max-age=31536000; samesite=lax`;
  const stored = document.cookie.split("; ").includes(`zone=${zone}`);
  // a page that answers a form is not asked for again: it would be sent twice
  if (stored && document.querySelector("#content time") && !document.querySelector("[data-posted]")) location.reload();
}

// A control that copies the text of another element.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
    button.textContent = "Copied";
  } catch {
    button.textContent = "Select and copy by hand";
  }
  setTimeout(() => { button.textContent = before; }, 2000);
});

// Trees: unfold or fold everything below at once.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-unfold]");
  if (!button) return;
  const open = button.getAttribute("aria-pressed") !== "true";
  for (const each of document.querySelectorAll(`#${button.dataset.unfold} details`)) each.open = open;
  button.setAttribute("aria-pressed", String(open));
  button.textContent = open ? "Fold all" : "Unfold all";
});

// On a phone the filter would fill the screen before the first decision.
if (matchMedia("(max-width: 760px)").matches) {
  for (const each of document.querySelectorAll("details[data-fold]")) each.open = false;
}
