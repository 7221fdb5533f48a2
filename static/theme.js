// In the head and not deferred, so that no page flashes in the wrong theme: the chosen one, else the system's.
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  // Paper is white, whatever the screen is.
  const paper = matchMedia("print");
  let chosen = null;
  try {
    // The operators' pages keep theirs in the same place, as "auto" for whoever has chosen none.
    chosen = ["light", "dark"].find((theme) => theme === localStorage.getItem("theme"));
  } catch {
    // Storage is forbidden here; the system's theme it is.
  }
  const show = () => {
    document.documentElement.dataset.bsTheme = paper.matches ? "light" : chosen || (system.matches ? "dark" : "light");
  };
  show();
  system.addEventListener("change", show);
  paper.addEventListener("change", show);

  document.addEventListener("DOMContentLoaded", () => {
    for (const button of document.querySelectorAll("[data-theme-toggle]")) {
      button.hidden = false;
      button.addEventListener("click", () => {
        chosen = document.documentElement.dataset.bsTheme === "dark" ? "light" : "dark";
        try {
          localStorage.setItem("theme", chosen);
        } catch {
          // It holds for this page alone.
        }
        show();
      });
    }
  });
})();
