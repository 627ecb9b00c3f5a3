// A column's title sorts its table, numbers as numbers; once more turns the order round. Cells without a value stay last.
const MISSING = ["", "–", "-", "not measured"];
const cellText = (row, column) => row.cells[column].textContent.trim();
const leadingNumber = (text) => parseFloat(text.replace(/−/g, "-").replace(/(\d),(?=\d{3})/g, "$1"));
function compareTexts(a, b) {
  const x = leadingNumber(a), y = leadingNumber(b);
  if (isNaN(x) !== isNaN(y)) return isNaN(x) ? 1 : -1;
  return x - y || a.localeCompare(b, "en", { numeric: true });
}
function sortTable(title) {
  const body = title.closest("table").tBodies[0], column = title.cellIndex;
  const down = title.getAttribute("aria-sort") === "ascending";
  const isMissing = (row) => MISSING.includes(cellText(row, column));
  const rows = [...body.rows].filter((row) => !isMissing(row));
  rows.sort((a, b) => (down ? -1 : 1) * compareTexts(cellText(a, column), cellText(b, column)));
  body.append(...rows, ...[...body.rows].filter(isMissing));
  title.parentElement.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
  title.setAttribute("aria-sort", down ? "descending" : "ascending");
}
document.querySelectorAll("table:not([class]) th").forEach((title) => {
  if (!title.textContent.trim()) return;
  title.tabIndex = 0;
  title.addEventListener("click", () => sortTable(title));
  title.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    sortTable(title);
  });
});
// A short cell stays on one line, and a long one stays wide: a table scrolls on a narrow screen, and does not grow tall.
// In print, where nothing scrolls, only a value stays on one line.
const VALUE_CELL = 14, SHORT_CELL = 32, LONG_CELL = 100; // characters
document.querySelectorAll("table:not([class]) td").forEach((cell) => {
  if (cell.textContent.length <= VALUE_CELL) cell.classList.add("value");
  if (cell.textContent.length <= SHORT_CELL) cell.classList.add("short");
  if (cell.textContent.length >= LONG_CELL) cell.classList.add("long");
});
