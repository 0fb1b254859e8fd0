"use strict";

// The spectrum of one block: a ridge per step, early ones behind.
function unpack(waterfall) {
  const bytes = Uint8Array.from(atob(waterfall.packed), (c) => c.charCodeAt(0));
  const view = new DataView(bytes.buffer), width = waterfall.indices.length;
  return waterfall.steps.map((_, row) => waterfall.indices.map((_, i) => (view.getUint16(2 * (row * width + i), true) / 65535) * data.waterfalls.decades));
}

const SHOWN = 3.5, PITCH = 0.5; // decades of a ridge, decades between ridges

function drawWaterfall() {
  const chosen = document.getElementById("block").value, source = document.getElementById("source").value;
  const waterfall = data.waterfalls.waterfalls[`${chosen}/${source}`];
  const rows = waterfall ? unpack(waterfall) : [], count = rows.length;
  const traces = rows.flatMap((below, i) => {
    const base = PITCH * (count - 1 - i), { indices, largest, steps } = waterfall;
    const y = below.map((decades) => (decades < SHOWN ? base + SHOWN - decades : null));
    const line = { color: mix(color("time-0"), color("time-1"), count > 1 ? i / (count - 1) : 1), width: 1.5 };
    const told = below.map((decades, j) => `step ${steps[i].toLocaleString("en")}<br>σ<sub>${indices[j]}</sub> = ${(10 ** -decades).toPrecision(3)} σ<sub>1</sub>, σ<sub>1</sub> = ${brief(largest[i])}`);
    return [
      { type: "scatter", mode: "lines", x: [...indices, indices.at(-1), 1], y: [...y.map((height) => height ?? base), base, base], fill: "toself", fillcolor: color("paper"), line: { width: 0 }, hoverinfo: "skip" },
      { type: "scatter", mode: indices.length > 1 ? "lines" : "markers", x: indices, y, line, marker: { color: line.color }, text: told, hovertemplate: "%{text}<extra></extra>" },
    ];
  });
  const every = Math.ceil(count / 10) || 1;
  const marked = rows.map((_, i) => i).filter((i) => (count - 1 - i) % every === 0);
  show("waterfall-chart", traces, {
    margin: { l: narrow.matches ? 52 : 98, r: 8, t: 8, b: 48 },
    xaxis: {
      type: "log", title: { text: "index of the singular value", standoff: 6, font: { size: 12.5 } }, tickvals: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000],
      tickformat: ",d", showgrid: false, zeroline: false, showline: true, linecolor: color("line"), ticks: "outside", ticklen: 4, tickcolor: color("line"), fixedrange: true,
    },
    yaxis: {
      ...(count === 1
        ? { title: { text: "σᵢ/σ₁", standoff: 6, font: { size: 12.5 } }, tickvals: [3, 2, 1, 0].map((below) => SHOWN - below), ticktext: ["0.001 ", "0.01 ", "0.1 ", "1 "] }
        : {
          title: { text: "step", standoff: 6, font: { size: 12.5 } }, tickvals: marked.map((i) => PITCH * (count - 1 - i) + SHOWN),
          ticktext: marked.map((i) => `${waterfall.steps[i].toLocaleString("en")} `),
        }),
      showgrid: false, zeroline: false, ticks: "",
      range: [-0.2, PITCH * (count - 1) + SHOWN + 0.2], fixedrange: true,
    },
  });
}

function mix(from, to, share) {
  const parts = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  const [a, b] = [parts(from), parts(to)];
  return `rgb(${a.map((part, i) => Math.round(part + (b[i] - part) * share)).join(",")})`;
}

if (data.waterfalls.blocks.length) {
  draw(drawWaterfall);
  for (const id of ["block", "source"]) document.getElementById(id).addEventListener("change", drawWaterfall);
}

// Sort the table by the column whose heading is pressed; empty cells stay last.
const table = document.getElementById("blocks");
table?.tHead.addEventListener("click", (event) => {
  const heading = event.target.closest("th");
  if (!heading) return;
  const up = heading.getAttribute("aria-sort") !== "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", up ? "ascending" : "descending");
  const numeric = (row) => row.cells[heading.cellIndex].classList.contains("number");
  const key = (row) => row.cells[heading.cellIndex].dataset.sort;
  const compare = (a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x === undefined || y === undefined) return (x === undefined) - (y === undefined);
    return (up ? 1 : -1) * (numeric(a) ? x - y : x.localeCompare(y, "en", { numeric: true }));
  };
  table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
});
