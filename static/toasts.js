// Messages after an act are toasts: they come into one region that is read aloud, and can be closed. Without
// this script they are alerts above the page. No text stands here: templates translate.
{
  const toasts = document.getElementById("toasts");
  const calm = matchMedia("(prefers-reduced-motion: reduce)");

  const close = (toast) => {
    const focused = toast.contains(document.activeElement);
    const next = toast.nextElementSibling ?? toast.previousElementSibling;
    toast.remove();
    if (focused) (next?.querySelector("[data-close]") ?? document.getElementById("main")).focus({ preventScroll: true });
  };

  // Long enough to be read, and never from under a pointer or the focus. Whoever wants no motion closes it.
  const leave = (toast) => {
    setTimeout(() => {
      if (document.hidden || calm.matches || toast.matches(":hover, :focus-within")) leave(toast);
      else {
        toast.classList.add("is-leaving");
        setTimeout(() => close(toast), 300);
      }
    }, 5000 + 60 * toast.textContent.trim().length);
  };

  const show = (messages) => {
    for (const toast of messages) {
      toast.removeAttribute("role"); // the region is read aloud, and a toast in it only once
      toast.querySelector("[data-close]").hidden = false;
      toasts.append(toast);
      if ("leaves" in toast.dataset) leave(toast);
    }
  };

  toasts.addEventListener("click", ({ target }) => {
    if (target.closest("[data-close]")) close(target.closest(".alert"));
  });
  toasts.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    close(event.target.closest(".alert"));
  });
  // Whoever comes back by the browser's button finds none: what one offers may long be done.
  window.addEventListener("pagehide", () => toasts.replaceChildren());
  // Of a page that htmx asks for, one part is shown, and its messages are not in that.
  document.addEventListener("htmx:afterRequest", ({ detail }) => {
    const text = detail.xhr.responseText;
    if (!text.includes("data-message")) return;
    show(new DOMParser().parseFromString(text, "text/html").querySelectorAll("[data-message]"));
  });
  show(document.querySelectorAll("main [data-message]"));
}
