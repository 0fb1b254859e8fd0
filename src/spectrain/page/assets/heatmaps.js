"use strict";
// Role × depth through time, all on the one axis of steps.
const superscript = (number) => [...String(number)].map((digit) => ({ "-": "⁻" }[digit] ?? "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit])).join("");
const scales = {
  share: () => ({
    low: 0, high: 1, stops: [[0, "share-0"], [0.5, "share-1"], [1, "share-2"]], labels: { 0: "0", 0.5: "50 %", 1: "100 %" },
    read: (value) => `${(100 * value).toPrecision(2)} % of full rank`, transform: (value) => value,
  }),
  ratio: () => ({
    low: -4, high: 4, stops: [[0, "euclidean"], [3 / 8, "neutral"], [5 / 8, "neutral"], [1, "spectral"]],
    labels: { "-4": "1/16 Euclidean", "-1": "½", 1: "2", 4: "spectral 16" }, read: (value) => `ratio ${brief(value)}`, transform: Math.log2,
  }),
  decades: (values) => {
    const found = values.filter((value) => value > 0).map(Math.log10);
    const low = Math.floor(found.reduce((a, b) => Math.min(a, b), 0)), high = Math.max(Math.ceil(found.reduce((a, b) => Math.max(a, b), -Infinity)), low + 1);
    const labels = {};
    for (let tick = low; tick <= high; tick += Math.ceil((high - low) / 4)) labels[tick] = `10${superscript(tick)}`;
    return {
      low, high, stops: [[0, "decade-0"], [0.5, "decade-1"], [1, "decade-2"]], labels,
      read: (value) => `‖ΔW‖/‖W‖ = ${value.toExponential(1)}`, transform: Math.log10,
    };
  },
};

function drawLegend(id, { low, high, stops, labels }) {
  const legend = byId(id);
  legend.style.setProperty("--stops", stops.map(([at, name]) => `var(--${name}) ${100 * at}%`).join(","));
  legend.replaceChildren(...Object.entries(labels).map(([value, label]) => {
    const tick = document.createElement("span"), share = (value - low) / (high - low);
    tick.textContent = label;
    tick.style.left = `${100 * share}%`;
    tick.style.transform = `translateX(${-100 * (share === 0 ? 0 : share === 1 ? 1 : 0.5)}%)`;
    return tick;
  }));
}

// Edges of the columns: halfway between samples, on the scale that is drawn.
function edges(steps) {
  const [to, from] = scale() === "log" ? [Math.log, Math.exp] : [Number, Number];
  const at = steps.map((step) => to(place(step)));
  const inner = at.slice(1).map((right, i) => (right + at[i]) / 2);
  const [first, last] = inner.length ? [inner[0] - at[0], at.at(-1) - inner.at(-1)] : [0.25, 0.25];
  return [at[0] - first, ...inner, at.at(-1) + last].map(from);
}

function layRows(rows) {
  let y = 0;
  const groups = [];
  const at = rows.map((row, i) => {
    if (!i || row.role !== rows[i - 1].role) {
      y += i ? 0.5 : 0;
      groups.push({ role: row.role, start: y });
    }
    groups.at(-1).end = ++y;
    return y - 0.5;
  });
  return { at, groups, height: y };
}

function drawGrid(grid) {
  const { at, groups, height } = layRows(data.rows);
  const colors = scales[grid.scale](grid.values.flat());
  const traces = groups.map(({ start, end, role }) => {
    const members = data.rows.map((_, i) => i).filter((i) => at[i] > start && at[i] < end);
    return {
      type: "heatmap", x: edges(grid.steps), y: [start, ...members.map((i) => at[i] + 0.5)], name: role,
      rows: members.map((i) => data.rows[i].name), columns: grid.steps,
      z: members.map((i) => grid.values[i].map((value) => (value > 0 ? colors.transform(value) : null))),
      text: members.map((i) => grid.values[i].map((value, j) => {
        const row = data.rows[i], layer = row.depth === null ? "" : `, layer ${row.depth}`;
        const what = row.blocks > 1 ? `median of ${row.blocks} blocks` : text(row.name);
        return `${row.role}${layer}<br>${what}<br>step ${grid.steps[j].toLocaleString("en")}: <b>${value > 0 ? colors.read(value) : "no value"}</b>`;
      })),
      hovertemplate: "%{text}<extra></extra>", hoverongaps: false, coloraxis: "coloraxis", members,
    };
  });
  drawLegend(`legend-${grid.key}`, colors);
  const id = `grid-${grid.key}`, left = 98, fresh = !byId(id).classList.contains("js-plotly-plot"), chosen = data.blocks[choice.block];
  byId(id).style.height = `${Math.min(Math.max(height * 11, 90), 640) + 52}px`;
  byId(id).parentElement.style.setProperty("--gutter", `${left}px`);
  show(id, traces, {
    margin: { l: left, r: 12, t: 4, b: 48 }, xaxis: stepAxis(),
    yaxis: {
      range: [height, 0], showgrid: false, zeroline: false, fixedrange: true, ticks: "",
      tickvals: groups.map((group) => (group.start + group.end) / 2), ticktext: groups.map((group) => `${group.role} `),
    },
    shapes: chosen === undefined ? [] : [{ type: "rect", xref: "paper", x0: 0, x1: 1, y0: at[chosen] - 0.5, y1: at[chosen] + 0.5, line: { color: color("ink"), width: 1.5 } }],
    coloraxis: { cmin: colors.low, cmax: colors.high, showscale: false, colorscale: colors.stops.map(([at, name]) => [at, color(name)]) },
  }, { overSteps: true });
  const chart = byId(id);
  if (fresh && chart.on) chart.on("plotly_click", ({ points: [{ data: trace, pointIndex }] }) => choose(data.rows[trace.members[pointIndex[0]]].name));
}

const drawn = data.grids.filter((grid) => grid.steps.length);
drawn.forEach((grid) => {
  draw(() => drawGrid(grid));
  whenChosen(() => drawGrid(grid));
});
