"use strict";

if (document.getElementById("scale")) chooseScale(data.sampled);

// Loss.
if (data.curves.length) {
  draw(() => {
    const main = data.curves[0].name;
    const curves = data.curves.map((curve) => ({
      ...curve, color: color(curve.name === main ? "ink" : "accent"), width: curve.name === main ? 1.4 : 2,
    }));
    drawCurves("loss-chart", curves, { title: "loss", marks: data.sampled });
  });
}

// Role × depth through time.
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
    const low = Math.floor(Math.min(...found)), high = Math.max(Math.ceil(Math.max(...found)), low + 1);
    const labels = {};
    for (let tick = low; tick <= high; tick += Math.ceil((high - low) / 4)) labels[tick] = `10${superscript(tick)}`;
    return {
      low, high, stops: [[0, "decade-0"], [0.5, "decade-1"], [1, "decade-2"]], labels,
      read: (value) => `‖ΔW‖/‖W‖ = ${value.toExponential(1)}`, transform: Math.log10,
    };
  },
};
const superscript = (number) => [...String(number)].map((digit) => ({ "-": "⁻" }[digit] ?? "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit])).join("");

function drawLegend(id, { low, high, stops, labels }) {
  const legend = document.getElementById(id);
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

function drawGrid(grid, labelled) {
  const { at, groups, height } = layRows(data.rows);
  const colors = scales[grid.scale](grid.values.flat());
  const traces = groups.map(({ start, end }) => {
    const members = data.rows.map((_, i) => i).filter((i) => at[i] > start && at[i] < end);
    return {
      type: "heatmap", x: edges(grid.steps), y: [start, ...members.map((i) => at[i] + 0.5)],
      z: members.map((i) => grid.values[i].map((value) => (value > 0 ? colors.transform(value) : null))),
      text: members.map((i) => grid.values[i].map((value, j) => {
        const row = data.rows[i], layer = row.depth === null ? "" : `, layer ${row.depth}`;
        const what = row.blocks > 1 ? `median of ${row.blocks} blocks` : text(row.name);
        return `${row.role}${layer}<br>${what}<br>step ${grid.steps[j].toLocaleString("en")}: <b>${value > 0 ? colors.read(value) : "no value"}</b>`;
      })),
      hovertemplate: "%{text}<extra></extra>", hoverongaps: false, coloraxis: "coloraxis",
    };
  });
  drawLegend(`legend-${grid.key}`, colors);
  const id = `grid-${grid.key}`, left = labelled ? 98 : 4;
  document.getElementById(id).style.height = `${Math.min(Math.max(height * 14, 90), 640) + 52}px`;
  document.getElementById(id).parentElement.style.setProperty("--gutter", `${left}px`);
  show(id, traces, {
    margin: { l: left, r: 8, t: 4, b: 48 }, xaxis: stepAxis(),
    yaxis: {
      range: [height, 0], showgrid: false, zeroline: false, showticklabels: labelled, fixedrange: true, ticks: "",
      tickvals: groups.map((group) => (group.start + group.end) / 2), ticktext: groups.map((group) => `${group.role} `),
    },
    coloraxis: { cmin: colors.low, cmax: colors.high, showscale: false, colorscale: colors.stops.map(([at, name]) => [at, color(name)]) },
  });
}

const drawn = data.grids.filter((grid) => grid.steps.length);
drawn.forEach((grid, i) => draw(() => drawGrid(grid, i === 0 || narrow.matches)));
