// What a page can do better with JavaScript; without it everything works.

// A browser may keep a page as it was left: whoever comes back finds it without what covered it.
window.addEventListener("pagehide", () => {
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  if (HTMLElement.prototype.hidePopover) {
    for (const popover of document.querySelectorAll(":popover-open")) popover.hidePopover();
  }
  closeMenus(null);
});

// Where somebody who opens an account is, by the browser.
for (const field of document.querySelectorAll("[data-time-zone]")) {
  field.value = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
}

// Copy: the button names the element whose text it copies, and what it says afterwards. No text stands here:
// templates translate.
for (const button of document.querySelectorAll("[data-copy]")) {
  const words = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const source = document.querySelector(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent.trim());
      button.textContent = button.dataset.copied;
    } catch {
      // The clipboard needs https or localhost: select the text, so that one keystroke copies it.
      getSelection().selectAllChildren(source);
      button.textContent = button.dataset.selected;
    }
    setTimeout(() => { button.textContent = words; }, 2000);
  });
}

// A button chooses the time zone of this device in the field that it names, where the field offers it.
for (const button of document.querySelectorAll("[data-zone]")) {
  const field = document.querySelector(button.dataset.zone);
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  button.hidden = field.value === timeZone || ![...field.options].some(({ value }) => value === timeZone);
  button.addEventListener("click", () => {
    field.value = timeZone;
    button.hidden = true;
  });
}

// A button says what an amount of Credits costs: 1,000 are a dollar, and a valid amount is whole dollars.
for (const input of document.querySelectorAll("[data-price]")) {
  const button = document.querySelector(input.dataset.price);
  const words = button.textContent;
  const show = () => {
    const dollars = input.value && input.validity.valid ? input.value / 1000 : 0;
    const price = `$${dollars.toLocaleString("en-US")}.00`;
    button.textContent = dollars ? button.dataset.priced.replace("{price}", () => price) : words;
  };
  input.addEventListener("input", show);
  show();
}

// On a phone tabs are wider than the screen. They alone are scrolled: the page stays where whoever comes back left it.
const tab = document.querySelector(".team-tabs .active");
if (tab) {
  const tabs = tab.closest(".team-tabs");
  const [at, around] = [tab.getBoundingClientRect(), tabs.getBoundingClientRect()];
  tabs.scrollLeft += at.left - around.left - (around.width - at.width) / 2;
}

// Whoever follows a link to what is folded wants to read it.
const unfold = () => {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (target instanceof HTMLDetailsElement) target.open = true;
};
window.addEventListener("hashchange", unfold);
unfold();

// Menus are <details>: one is open at a time, and Escape or a click elsewhere closes it.
const closeMenus = (but) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (menu !== but) menu.open = false;
  }
};
document.addEventListener("click", (event) => closeMenus(event.target.closest("details.menu")));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") closeMenus(null);
});

// One box ticks all of a page. What a search brings in is found when it is needed.
document.addEventListener("change", ({ target }) => {
  if (target.dataset?.all) for (const box of document.getElementsByName(target.dataset.all)) box.checked = target.checked;
});
const showAll = () => {
  for (const box of document.querySelectorAll("[data-all]")) box.closest("[hidden]")?.removeAttribute("hidden");
};
document.addEventListener("htmx:afterSwap", showAll);
showAll();

// What comes anew with a list, such as the choices of a filter, leaves the field alone that somebody is at.
document.addEventListener("htmx:oobBeforeSwap", ({ detail }) => {
  if (detail.target === document.activeElement) detail.shouldSwap = false;
});

// Of many Teams, those whose names have these letters.
for (const input of document.querySelectorAll("[data-filter]")) {
  input.hidden = false;
  input.addEventListener("input", () => {
    const wanted = input.value.trim().toLowerCase();
    for (const item of document.querySelector(input.dataset.filter).children) {
      item.hidden = !item.textContent.toLowerCase().includes(wanted);
    }
  });
}

// The palette: every link of the sidebar by what it is called, and what the server finds, while one types.
const palette = document.getElementById("palette");
if (palette) {
  const text = document.getElementById("palette-text");
  const pages = document.getElementById("palette-pages");
  const found = document.getElementById("palette-found");
  const nothing = document.getElementById("palette-nothing");
  const links = () => [...palette.querySelectorAll("a")].filter((link) => !link.hidden);
  for (const link of document.querySelectorAll(".sidebar .nav-link, .sidebar .dropdown-item[href]")) {
    const copy = document.createElement("a");
    copy.className = "dropdown-item";
    copy.href = link.href;
    copy.textContent = link.textContent.replace(/\s+/g, " ").trim();
    pages.append(copy);
  }
  let asked = 0;
  const typed = () => text.value.trim().toLowerCase();
  const filter = () => {
    for (const link of pages.children) link.hidden = !link.textContent.toLowerCase().includes(typed());
  };
  const search = async () => {
    const wanted = typed();
    const question = (asked += 1);
    let answer = "";
    if (wanted.length > 1) {
      // In the body, as addresses stand in logs.
      const body = new URLSearchParams({ q: text.value.trim() });
      const headers = { "X-CSRFToken": palette.querySelector("[name=csrfmiddlewaretoken]").value };
      // Each answers for itself: while one fails, the other's results are shown.
      const answers = text.dataset.found.split(" ").map(async (address) => {
        const response = await fetch(address, { method: "POST", headers, body });
        return response.ok && !response.redirected ? response.text() : "";
      });
      answer = (await Promise.allSettled(answers)).map(({ value }) => value ?? "").join("");
    }
    if (question !== asked) return; // somebody typed on meanwhile
    found.innerHTML = answer;
    nothing.textContent = links().length ? "" : nothing.dataset.nothing;
  };
  const open = () => {
    document.getElementById("sidebar").hidePopover?.();
    text.value = "";
    filter();
    search();
    if (!palette.open) palette.showModal();
    text.focus();
  };
  let waits;
  text.addEventListener("input", () => {
    filter(); // at once: whoever types fast presses Enter before the server has answered
    clearTimeout(waits);
    waits = setTimeout(search, 150);
  });
  palette.addEventListener("keydown", (event) => {
    const all = links();
    const at = all.indexOf(document.activeElement);
    if (event.key === "ArrowDown") (all[at + 1] ?? all[0])?.focus();
    else if (event.key === "ArrowUp") (at > 0 ? all[at - 1] : text).focus();
    else if (event.key === "Escape") palette.close(); // a field for searches would be emptied first
    else if (event.key === "Enter" && document.activeElement === text) all[0]?.click();
    else return;
    event.preventDefault();
  });
  palette.addEventListener("click", (event) => {
    if (event.target === palette) palette.close();
  });
  document.addEventListener("keydown", (event) => {
    const types = event.target.closest?.("input, textarea, select, [contenteditable]");
    const opens = (event.key === "k" && (event.metaKey || event.ctrlKey)) || (event.key === "/" && !types);
    if (!opens || event.altKey) return;
    event.preventDefault();
    open();
  });
  for (const button of document.querySelectorAll("[data-palette]")) {
    button.hidden = false;
    button.addEventListener("click", open);
  }
}

// `g` and at once `u`: to the usage of this Team. What is typed into a field, or meant for the browser, is not.
const usage = document.getElementById("sidebar")?.dataset.usage;
let went = -Infinity;
document.addEventListener("keydown", (event) => {
  const types = event.target.closest?.("input, textarea, select, dialog, [contenteditable]");
  if (!usage || types || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "u" && event.timeStamp - went < 1000) location.assign(usage);
  went = event.key === "g" ? event.timeStamp : -Infinity;
});

// What was chosen before the scripts ran, and what the browser filled in again on a reload, is told as a change.
window.addEventListener("load", () => {
  for (const form of document.forms) {
    const changed = [...form.querySelectorAll("input")].some(
      (input) => input.checked !== input.defaultChecked || input.value !== input.defaultValue,
    );
    if (changed) form.dispatchEvent(new Event("change", { bubbles: true }));
  }
});
