// Light, dark, or as the system says. Before anything is drawn, so that nothing flashes.
(() => {
  const NAME = "botburrow.theme";
  const ORDER = ["auto", "light", "dark"];
  const SIGN = { auto: "◐", light: "☀", dark: "☾" };
  const read = () => {
    try {
      return localStorage.getItem(NAME) || "auto";
    } catch {
      return "auto";
    }
  };
  const show = (theme) => {
    if (theme === "auto") document.documentElement.removeAttribute("data-theme");
    else document.documentElement.setAttribute("data-theme", theme);
    const button = document.getElementById("theme");
    if (!button) return;
    button.textContent = SIGN[theme];
    button.setAttribute("aria-label", `Theme: ${theme}`);
    button.title = `Theme: ${theme} (t)`;
  };
  const next = () => {
    const theme = ORDER[(ORDER.indexOf(read()) + 1) % ORDER.length];
    try {
      localStorage.setItem(NAME, theme);
    } catch {
      // Not kept, then.
    }
    show(theme);
  };
  show(read());
  document.addEventListener("DOMContentLoaded", () => {
    show(read());
    document.getElementById("theme").addEventListener("click", next);
  });
})();
