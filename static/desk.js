// On a phone the rows of the operators' lists are cards, in which each cell says its column. Without this script a list scrolls in a box of its own.
for (const table of document.querySelectorAll("#result_list, .inline-group table, .desk-scroll table")) {
  const labels = [...table.tHead.rows[0].cells].map((head) => head.textContent.trim() || head.querySelector("input")?.ariaLabel || "");
  for (const row of table.rows) {
    [...row.cells].forEach((cell, place) => {
      if (labels[place] && cell.colSpan === 1) cell.dataset.label = labels[place];
    });
  }
  // Above a column that has no name there is no heading.
  for (const head of [...table.tHead.rows[0].cells].filter((one, place) => !labels[place])) {
    const cell = document.createElement("td");
    cell.className = head.className;
    head.replaceWith(cell);
  }
  table.classList.add("desk-cards");
}
// There the filters stand above the rows, so each is folded until somebody opens it.
if (matchMedia("(max-width: 767px)").matches) {
  for (const filter of document.querySelectorAll("#changelist-filter details")) filter.open = false;
}
// Beside a field that narrows a choice, Django draws a picture and gives it words, which an element has only as a picture.
addEventListener("load", () => {
  for (const icon of document.querySelectorAll(".search-label-icon")) icon.setAttribute("role", "img");
});
