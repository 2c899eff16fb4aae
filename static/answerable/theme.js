// The theme chosen in the admin, on pages outside its frame.
const chosen = JSON.parse(localStorage.getItem("adminTheme") ?? '"auto"');
const dark = chosen === "dark" || (chosen === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
document.documentElement.classList.toggle("dark", dark);
