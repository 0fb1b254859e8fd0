"use strict";
// Tables: sorted by the column whose heading is pressed (empty cells stay last), searched, saved.
function sortTable(table, heading) {
  const up = heading.getAttribute("aria-sort") !== "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", up ? "ascending" : "descending");
  const at = heading.cellIndex;
  const key = (row) => {
    const cell = row.cells[at];
    if (cell.dataset.sort !== undefined) return cell.dataset.sort;
    return cell.tagName === "TH" ? cell.dataset.block ?? cell.textContent : cell.classList.contains("number") ? cell.textContent.replace(/,/g, "").match(/^-?[\d.]+/)?.[0] : cell.textContent === "–" ? undefined : cell.textContent;
  };
  const rows = [...table.tBodies[0].rows], keys = new Map(rows.map((row) => [row, key(row)]));
  const numeric = [...keys.values()].every((one) => one === undefined || (one !== "" && Number.isFinite(Number(one))));
  rows.sort((a, b) => {
    const [x, y] = [keys.get(a), keys.get(b)];
    if (x === undefined || y === undefined) return (x === undefined) - (y === undefined);
    return (up ? 1 : -1) * (numeric ? x - y : x.localeCompare(y, "en", { numeric: true }));
  });
  table.tBodies[0].append(...rows);
}

function tableRows(table) {
  const shown = [...table.tBodies[0].rows].filter((row) => !row.hidden);
  const read = (cell) => (cell.dataset.sort !== undefined && cell.classList.contains("number") ? cell.dataset.sort : cell.dataset.block ?? cell.innerText.trim().replace(/^–$/, ""));
  return [[...table.tHead.rows[0].cells].map((cell) => cell.innerText.trim()), ...shown.map((row) => [...row.cells].map(read))];
}

// Rows that hold the phrase as it is typed; where there is none, those that hold each of its words.
function filterTable(table, typed, grave, told) {
  const phrase = typed.trim().toLowerCase(), words = phrase.split(/\s+/);
  const rows = [...table.tBodies[0].rows];
  const contents = rows.map((row) => `${row.textContent} ${row.cells[0].dataset.block ?? ""}`.toLowerCase());
  const whole = contents.some((content) => content.includes(phrase));
  let count = 0;
  rows.forEach((row, at) => {
    const found = whole ? contents[at].includes(phrase) : words.every((word) => contents[at].includes(word));
    row.hidden = !found || (grave && !row.querySelector(".concern"));
    count += !row.hidden;
  });
  table.dispatchEvent(new Event("filtered", { bubbles: true }));
  told.textContent = count === table.tBodies[0].rows.length ? "" : `${count.toLocaleString("en")} of ${table.tBodies[0].rows.length.toLocaleString("en")} rows`;
}

for (const table of document.querySelectorAll("table.sortable")) {
  const label = table.getAttribute("aria-label"), tools = document.createElement("p");
  tools.className = "downloads table-tools";
  const told = document.createElement("span");
  told.setAttribute("role", "status");
  if (table.tBodies[0].rows.length > 5) {
    const search = document.createElement("input"), boxes = [];
    search.type = "search";
    search.placeholder = "Search";
    search.setAttribute("aria-label", `Search the table: ${label}`);
    const apply = () => filterTable(table, search.value, boxes[0]?.checked, told);
    search.addEventListener("input", apply);
    tools.append(search);
    if (table.querySelector(".concern")) {
      const only = document.createElement("label"), box = document.createElement("input");
      box.type = "checkbox";
      box.addEventListener("change", apply);
      boxes.push(box);
      only.append(box, " only what asks for attention");
      tools.append(only);
    }
  }
  tools.append(told, button("CSV", `Save the table: ${label} as CSV`, () => save(`${table.id}.csv`, "text/csv", csv(tableRows(table)))));
  table.parentElement.before(tools);
  table.tHead.addEventListener("click", (event) => {
    const heading = event.target.closest("th");
    if (heading) sortTable(table, heading);
  });
}
