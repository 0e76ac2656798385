// Light or dark: as the reader chose, else as the system says. Who draws in colours listens for the event "theme".
"use strict";

function stored(theme) {
  try {
    if (theme) localStorage.setItem("mmts-theme", theme);
    return localStorage.getItem("mmts-theme");
  } catch { // a browser may keep no storage for files
    return null;
  }
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  const button = document.getElementById("theme");
  button.hidden = false;
  button.textContent = theme === "dark" ? "Light" : "Dark";
  button.setAttribute("aria-label", `Switch to ${theme === "dark" ? "light" : "dark"} colours`);
  document.dispatchEvent(new Event("theme"));
}

function startTheme() {
  const system = matchMedia("(prefers-color-scheme: dark)");
  setTheme(stored() ?? (system.matches ? "dark" : "light"));
  system.addEventListener("change", () => stored() ?? setTheme(system.matches ? "dark" : "light"));
  document.getElementById("theme").addEventListener("click", () => {
    const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    stored(theme);
    setTheme(theme);
  });
}
