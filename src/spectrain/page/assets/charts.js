"use strict";
// What all pages share: the data, the colours of the theme, the axis of steps, and how a chart is
// drawn. A chart that is folded away is drawn when it unfolds.
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const narrow = matchMedia("screen and (max-width: 820px)");
const dark = matchMedia("(prefers-color-scheme: dark)");
const mouse = matchMedia("(pointer: fine)");

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const text = (name) => String(name).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
const brief = (value) => (value === null ? "no value" : Number(value.toPrecision(3)).toLocaleString("en", { maximumSignificantDigits: 3 }));
const shortened = (name, most = 18) => (name.length > most ? `${name.slice(0, Math.floor(most / 2) - 1)}…${name.slice(-Math.ceil(most / 2))}` : name);

function mix(from, to, share) {
  const parts = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  const [a, b] = [parts(from), parts(to)];
  return `rgb(${a.map((part, i) => Math.round(part + (b[i] - part) * share)).join(",")})`;
}

// 16-bit levels in base 64, as numbers in [0, 1]; null stands for no number.
function unpackLevels(packed) {
  const bytes = Uint8Array.from(atob(packed), (c) => c.charCodeAt(0)), view = new DataView(bytes.buffer);
  return Array.from({ length: bytes.length / 2 }, (_, i) => view.getUint16(2 * i, true));
}
function unpack({ low, high, log, levels }) {
  return unpackLevels(levels).map((level) => {
    if (level === 65535) return null;
    const share = level / 65534, value = low * (1 - share) + high * share;
    return log ? Math.exp(value) : value;
  });
}

// ---- the axis of steps: its unit, its scale, and the range that is looked at -------------------
const view = { unit: "steps", range: null, smoothing: 0 };
const scale = () => document.querySelector("#scale input:checked")?.value ?? "linear";
const passed = (kind) => data.clock?.[kind];

function interpolate(x, xs, ys) {
  let i = xs.findIndex((at) => at >= x);
  if (i < 0) i = xs.length - 1;
  if (xs[i] === x || xs.length < 2) return i === 0 ? (ys[0] * (x + 1)) / (xs[0] + 1) : ys[i];
  const [x0, y0] = i === 0 ? [-1, 0] : [xs[i - 1], ys[i - 1]];
  return y0 + ((ys[i] - y0) * (x - x0)) / (xs[i] - x0);
}
function inverse(y, xs, ys) {
  let i = ys.findIndex((at) => at >= y);
  if (i < 0) i = ys.length - 1;
  const [x0, y0] = i === 0 ? [-1, 0] : [xs[i - 1], ys[i - 1]];
  return ys[i] === y0 ? xs[i] : x0 + ((xs[i] - x0) * (y - y0)) / (ys[i] - y0);
}
const timeUnit = () => {
  const whole = passed("seconds").amounts.at(-1);
  return whole < 300 ? [1, "s"] : whole < 18000 ? [60, "min"] : [3600, "h"];
};
// Where a step lies. Step 0 has no place on a logarithmic axis, what has passed after it has.
function place(step) {
  if (view.unit === "tokens") return interpolate(step, passed("tokens").steps, passed("tokens").amounts);
  if (view.unit === "time") return interpolate(step, passed("seconds").steps, passed("seconds").amounts) / timeUnit()[0];
  return scale() === "log" ? step + 1 : step;
}
function stepAt(x) {
  if (view.unit === "tokens") return inverse(x, passed("tokens").steps, passed("tokens").amounts);
  if (view.unit === "time") return inverse(x * timeUnit()[0], passed("seconds").steps, passed("seconds").amounts);
  return scale() === "log" ? x - 1 : x;
}
const lastStep = () => Math.max(data.last ?? 0, 1);
function shownSteps() {
  return view.range ?? [0, lastStep()];
}
function stepAxis() {
  const log = scale() === "log", [from, to] = shownSteps().map(place);
  const title = view.unit === "tokens" ? "tokens" : view.unit === "time" ? `time of training, ${timeUnit()[1]}` : log ? "step + 1" : "step";
  const wide = view.range !== null && log && to / Math.max(from, 1e-9) < 20;
  const room = log ? 0.02 : 0.012 * (to - from);
  return {
    type: scale(), title: { text: title, standoff: 6, font: { size: 12.5 } }, ...(log && !wide ? { dtick: 1 } : { nticks: narrow.matches ? 5 : 8 }),
    tickformat: view.unit === "steps" ? ",d" : view.unit === "tokens" ? ".2~s" : "", showgrid: false, zeroline: false, ticks: "outside", ticklen: 4, tickcolor: color("line"),
    range: (log ? [Math.log10(Math.max(from, 1e-9)), Math.log10(to)] : [from, to]).map((end, i) => end + (i ? room : -room)),
    linecolor: color("line"), showline: true, fixedrange: !mouse.matches, autorange: false,
  };
}

// Logarithmic steps where most samples lie early, linear ones where they lie evenly.
function chooseScale(steps) {
  const log = steps.length > 4 && steps[Math.floor(steps.length / 2)] < steps.at(-1) / 6;
  document.querySelector(`#scale input[value=${log ? "log" : "linear"}]`).checked = true;
}

function zoomTo(range) {
  const [from, to] = range ?? [0, lastStep()];
  const ends = [Math.max(Math.min(from, to), 0), Math.min(Math.max(from, to), lastStep())];
  view.range = range && ends[1] - ends[0] >= 1 && (ends[0] > 0 || ends[1] < lastStep()) ? ends : null;
  const shown = shownSteps().map(Math.round);
  ["zoom-from", "zoom-to"].forEach((id, i) => { if (byId(id)) byId(id).value = shown[i]; });
  redraw();
}

// ---- drawing -----------------------------------------------------------------------------------
const waiting = new Map(); // charts that are folded away, by name
const visible = (element) => element.getClientRects().length > 0;

// Draw a chart, or keep it for when it unfolds. With overSteps, dragging over it narrows all.
function show(id, traces, layout, { overSteps = false } = {}) {
  if (!visible(byId(id))) return void waiting.set(id, [traces, layout, { overSteps }]);
  waiting.delete(id);
  const chart = byId(id), fresh = !chart.classList.contains("js-plotly-plot");
  const base = {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, hovermode: "closest",
    dragmode: overSteps && mouse.matches ? "zoom" : false,
    font: { family: color("sans"), size: 12.5, color: color("soft") },
    hoverlabel: { bgcolor: color("card"), bordercolor: color("line"), font: { family: color("sans"), size: 13, color: color("ink") }, align: "left" },
  };
  Plotly.react(chart, traces, { ...base, ...layout }, { displayModeBar: false, responsive: true, doubleClick: false, showTips: false });
  if (!fresh) return;
  addDownloads(chart);
  if (overSteps) {
    chart.on("plotly_relayout", (change) => {
      const axis = Object.keys(change).map((key) => key.match(/^(xaxis\d*)\.range\[0\]$/)?.[1]).find(Boolean);
      if (!axis) return;
      const ends = [change[`${axis}.range[0]`], change[`${axis}.range[1]`]].map((end) => stepAt(scale() === "log" ? 10 ** end : end));
      setTimeout(() => zoomTo(ends));
    });
    chart.on("plotly_doubleclick", () => zoomTo(null));
  }
}

const redrawn = [];
function draw(chart) {
  chart();
  redrawn.push(chart);
}
const redraw = () => redrawn.forEach((chart) => chart());
let queued = 0; // one drawing a frame, however fast a slider moves
const redrawSoon = () => { queued ||= requestAnimationFrame(() => { queued = 0; redraw(); }); };
const drawWaiting = () => { for (const [id, chart] of [...waiting]) if (visible(byId(id))) show(id, ...chart); };

// ---- downloads ---------------------------------------------------------------------------------
function save(name, type, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
// No spreadsheet shall take a name for a formula.
function csvCell(value) {
  const told = value === null || value === undefined ? "" : String(value);
  const safe = /^[=+\-@\t\r]/.test(told) && !/^[+-]?[\d.]/.test(told) ? `'${told}` : told;
  return /[",\n\r']/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
}
const csv = (rows) => rows.map((row) => row.map(csvCell).join(",")).join("\r\n");
function chartRows(chart) {
  const rows = [["series", "x", "y", "z"]];
  for (const trace of chart.data) {
    if (trace.hoverinfo === "skip" && !trace.name) continue;
    const x = Array.from(trace.customdata ?? trace.x ?? []);
    if (trace.z) trace.z.forEach((line, i) => line.forEach((value, j) => rows.push([trace.rows?.[i] ?? trace.name, trace.columns?.[j] ?? x[j], trace.y[i], value])));
    else Array.from(trace.y ?? []).forEach((y, i) => rows.push([trace.name, x[i], y, ""]));
  }
  return rows;
}
function button(label, what, press) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = label;
  made.setAttribute("aria-label", what);
  made.addEventListener("click", press);
  return made;
}
function addDownloads(chart) {
  const title = chart.getAttribute("aria-label"), tools = document.createElement("p");
  tools.className = "downloads";
  tools.append(
    button("CSV", `Save data of “${title}” as CSV`, () => save(`${chart.id}.csv`, "text/csv", csv(chartRows(chart)))),
    button("SVG", `Save “${title}” as SVG`, async () => {
      const url = await Plotly.toImage(chart, { format: "svg", width: chart.clientWidth, height: chart.clientHeight });
      save(`${chart.id}.svg`, "image/svg+xml", decodeURIComponent(url.slice(url.indexOf(",") + 1)));
    }),
  );
  chart.after(tools);
}

// ---- curves over steps -------------------------------------------------------------------------
// Exponential mean over steps that starts without bias: the smoothing is what is kept over 1/600
// of the run, however densely a curve is sampled.
function smooth({ steps, values }) {
  let sum = 0, weight = 0, before = null;
  return values.map((value, i) => {
    if (value === null) return null;
    const keep = view.smoothing ** (((steps[i] - (before ?? steps[i] - lastStep() / 600)) * 600) / lastStep());
    before = steps[i];
    sum = keep * sum + (1 - keep) * value;
    weight = keep * weight + (1 - keep);
    return sum / weight;
  });
}

// The range that holds what is looked at of some curves.
function valueRange(curves) {
  const [from, to] = shownSteps();
  const all = curves.flatMap((curve) => curve.values.filter((value, i) => value !== null && curve.steps[i] >= from && curve.steps[i] <= to));
  const known = all.length ? all : curves.flatMap((curve) => curve.values).filter((value) => value !== null);
  return known.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
}

function curveTraces(curves, { percent = false, axis = "y" } = {}) {
  const trace = (curve, values, look) => ({
    type: "scatter", mode: curve.steps.length > 1 ? "lines" : "markers", x: curve.steps.map(place), y: values, name: curve.label, yaxis: axis,
    line: { color: curve.color, width: curve.width, dash: curve.dash }, marker: { color: curve.color, size: 6 }, customdata: curve.steps,
    hovertemplate: `${text(curve.label)}<br>step %{customdata:,d}: %{y:${percent ? ".1%" : ".4g"}}<extra></extra>`, ...look,
  });
  if (!view.smoothing) return curves.map((curve) => trace(curve, curve.values));
  return curves.flatMap((curve) => [
    trace(curve, curve.values, { opacity: 0.25, hoverinfo: "skip", hovertemplate: undefined, name: "" }), trace(curve, smooth(curve)),
  ]);
}

// Curves over steps, with their names at their ends.
function drawCurves(id, curves, { title = "", marks = [], percent = false, named = true, axis = {} }) {
  const [low, high] = valueRange(curves), room = (high - low || Math.abs(high) || 1) * 0.06;
  const bottom = low - (marks.length ? 2 : 1) * room;
  const traces = curveTraces(curves, { percent });
  if (marks.length) traces.push(sampleTicks(marks, low - room));
  const beside = named && !narrow.matches;
  show(id, traces, {
    margin: { l: title ? 60 : 42, r: beside ? 130 : 10, t: 10, b: 48 }, xaxis: stepAxis(),
    yaxis: {
      title: { text: title, standoff: 8, font: { size: 12.5 } }, range: [bottom, high + room], gridcolor: color("line"),
      tickformat: percent ? ".0%" : "", zeroline: false, nticks: 6, fixedrange: true, ...axis,
    },
    annotations: named ? endLabels(curves.filter((curve) => curve.named !== false), bottom, high + room, beside) : [],
  }, { overSteps: true });
}

const sampleTicks = (steps, y) => ({
  type: "scatter", mode: "markers", x: steps.map(place), y: steps.map(() => y), hoverinfo: "skip",
  marker: { symbol: "line-ns-open", size: 5, color: color("faint"), line: { width: 1 } },
});

const ended = (curve) => `<span style="color:${curve.color}">━</span> ${text(curve.label)}`;
function endLabels(curves, low, high, beside) {
  const gap = (high - low) * 0.08;
  if (!beside)
    return curves.map((curve, i) => ({
      text: ended(curve), x: 1, xref: "paper", xanchor: "right", y: 1, yref: "paper", yanchor: "top", yshift: -17 * i,
      showarrow: false, font: { color: color("ink"), size: 12.5 },
    }));
  const [, to] = shownSteps();
  const ends = curves.map((curve) => ({ curve, y: curve.values.filter((value, i) => value !== null && curve.steps[i] <= to).at(-1) ?? low })).sort((a, b) => b.y - a.y);
  for (let i = 1; i < ends.length; i++) ends[i].y = Math.min(ends[i].y, ends[i - 1].y - gap);
  return ends.map(({ curve, y }) => ({
    text: ended(curve), x: 1, xref: "paper", xanchor: "left", xshift: 8, y, showarrow: false, font: { color: color("ink"), size: 12.5 },
  }));
}
