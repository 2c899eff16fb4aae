// What unfold's pages say in inline expressions, said here: the content security policy allows no inline script.
document.addEventListener("alpine:init", () => {
  for (const name of ["theme", "searchForm", "searchDropdown", "searchCommand"]) {
    if (window[name]) Alpine.data(name, window[name]);
  }
  Alpine.data("shell", () => ({
    activeTab: "",
    sidebarMobileOpen: false,
    sidebarDesktopOpen: (localStorage.getItem("sidebarDesktopOpen") ?? "1") === "1",

    init() {
      const tab = this.$el.dataset.tab;
      this.activeTab = (tab && window.getCurrentTab?.()) || tab || "";
      this.$watch("sidebarDesktopOpen", (open) => localStorage.setItem("sidebarDesktopOpen", open ? "1" : "0"));
    },

    // Where a form with tabs is sent: back to the tab it was on.
    get formAction() {
      const here = window.location.pathname + window.location.search;
      return this.activeTab && this.activeTab !== "general" ? `${here}#${this.activeTab}` : here;
    },
  }));
});

document.addEventListener("DOMContentLoaded", () => {
  document.getElementById("main")?.setAttribute("role", "main");
  // where the skip link leads: focus goes there, and no further Tab stops at it
  document.getElementById("content")?.setAttribute("tabindex", "-1");
  // On a phone a list's headers stand beside their values, as its model writes them: "sent by".
  for (const cell of document.querySelectorAll("#result_list [data-label]")) {
    cell.dataset.label = cell.dataset.label.charAt(0).toUpperCase() + cell.dataset.label.slice(1);
  }
  // Icons are ligatures: their text ("fact_check") is no word for a screen reader where a label or title says it.
  for (const icon of document.querySelectorAll(".material-symbols-outlined")) {
    const owner = icon.closest("a, button, summary, [role=button]");
    const named = owner && (owner.title || owner.textContent.replace(icon.textContent, "").trim());
    if (named) icon.setAttribute("aria-hidden", "true");
  }
  // A browser may let its own autofocus fall when a page is busy while it opens; who works by keys relies on it.
  const first = document.querySelector("[autofocus]");
  if (first && document.activeElement === document.body) first.focus();
});
