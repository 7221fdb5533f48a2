// What a page can do better with JavaScript; without it everything works.

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

// On a phone the tabs of a Team are wider than the screen.
document.querySelector(".team-tabs .active")?.scrollIntoView({ block: "nearest", inline: "center" });

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

// What was chosen before the scripts ran, and what the browser filled in again on a reload, is told as a change.
window.addEventListener("load", () => {
  for (const form of document.forms) {
    const changed = [...form.querySelectorAll("input")].some(
      (input) => input.checked !== input.defaultChecked || input.value !== input.defaultValue,
    );
    if (changed) form.dispatchEvent(new Event("change", { bubbles: true }));
  }
});
