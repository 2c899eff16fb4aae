/* The form of a card: says what is not saved yet, and where a new row begins. Everything works without it. */
const form = document.querySelector("form[data-card]");
const unsaved = form?.querySelector("[data-unsaved]");
let touched = Boolean(document.querySelector("[data-focus], [role=alert]"));
let leaving = false;

function tell() {
  if (unsaved) unsaved.hidden = !touched;
}

form?.addEventListener("input", () => { touched = true; tell(); });
form?.addEventListener("submit", () => { leaving = true; });
window.addEventListener("beforeunload", (event) => { if (touched && !leaving) event.preventDefault(); });
document.addEventListener("keydown", (event) => {
  if (form && (event.ctrlKey || event.metaKey) && event.key === "s") {
    event.preventDefault();
    form.requestSubmit();
  }
});
document.getElementById(document.querySelector("[data-focus]")?.dataset.focus)?.focus();
tell();
