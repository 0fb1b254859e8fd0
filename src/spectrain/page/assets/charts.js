"use strict";
// What all pages share: the data, the colours of the theme, and how a chart is laid out.
const data = JSON.parse(document.getElementById("data").textContent);
const narrow = matchMedia("(max-width: 820px)");
const dark = matchMedia("(prefers-color-scheme: dark)");

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const text = (name) => name.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
const scale = () => document.querySelector("#scale input:checked").value;
const place = (step) => (scale() === "log" ? step + 1 : step); // step 0 has no place on a logarithmic axis
const brief = (value) => (value === null ? "no value" : Number(value.toPrecision(3)).toLocaleString("en", { maximumSignificantDigits: 3 }));

function stepAxis() {
  const log = scale() === "log";
  return {
    type: scale(), title: { text: log ? "step + 1" : "step", standoff: 6, font: { size: 12.5 } }, ...(log ? { dtick: 1 } : { nticks: 6 }),
    tickformat: ",d", showgrid: false, zeroline: false, ticks: "outside", ticklen: 4, tickcolor: color("line"),
    linecolor: color("line"), showline: true, fixedrange: true,
  };
}

function show(id, traces, layout) {
  const base = {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, hovermode: "closest", dragmode: false,
    font: { family: color("sans"), size: 12.5, color: color("soft") },
    hoverlabel: { bgcolor: color("card"), bordercolor: color("line"), font: { family: color("sans"), size: 13, color: color("ink") }, align: "left" },
  };
  Plotly.react(id, traces, { ...base, ...layout }, { displayModeBar: false, responsive: true });
}

const redrawn = [];
function draw(chart) {
  chart();
  redrawn.push(chart);
}
const redraw = () => redrawn.forEach((chart) => chart());
for (const target of [narrow, dark, document.getElementById("scale")]) target?.addEventListener("change", redraw);

// Logarithmic steps where most samples lie early, linear ones where they lie evenly.
function chooseScale(steps) {
  const log = steps.length > 4 && steps[Math.floor(steps.length / 2)] < steps.at(-1) / 6;
  document.querySelector(`#scale input[value=${log ? "log" : "linear"}]`).checked = true;
}

// Curves over steps, with their names at their ends.
function drawCurves(id, curves, { title = "", marks = [], percent = false, named = true, axis = {} }) {
  const values = curves.flatMap((curve) => curve.values);
  const low = Math.min(...values), high = Math.max(...values), room = (high - low || 1) * 0.06;
  const bottom = low - (marks.length ? 2 : 1) * room;
  const traces = curves.map((curve) => ({
    type: "scatter", mode: curve.steps.length > 1 ? "lines" : "markers", x: curve.steps.map(place), y: curve.values,
    line: { color: curve.color, width: curve.width, dash: curve.dash }, marker: { color: curve.color, size: 6 }, customdata: curve.steps,
    hovertemplate: `${text(curve.label)}<br>step %{customdata:,d}: %{y:${percent ? ".1%" : ".4g"}}<extra></extra>`,
  }));
  traces.push({
    type: "scatter", mode: "markers", x: marks.map(place), y: marks.map(() => low - room), hoverinfo: "skip",
    marker: { symbol: "line-ns-open", size: 5, color: color("faint"), line: { width: 1 } },
  });
  const last = Math.max(...curves.flatMap((curve) => curve.steps), ...marks, 1);
  const beside = named && !narrow.matches;
  show(id, traces, {
    margin: { l: title ? 52 : 38, r: beside ? 130 : 10, t: 10, b: 48 },
    xaxis: { ...stepAxis(), range: scale() === "log" ? [-0.02, Math.log10(place(last)) + 0.02] : [-0.01 * last, 1.01 * last] },
    yaxis: {
      title: { text: title, standoff: 8, font: { size: 12.5 } }, range: [bottom, high + room], gridcolor: color("line"),
      tickformat: percent ? ".0%" : "", zeroline: false, nticks: 6, fixedrange: true, ...axis,
    },
    annotations: named ? endLabels(curves.filter((curve) => curve.named !== false), bottom, high + room, beside) : [],
  });
}

function endLabels(curves, low, high, beside) {
  const gap = (high - low) * 0.08;
  if (!beside)
    return curves.map((curve, i) => ({
      text: text(curve.label), x: 1, xref: "paper", xanchor: "right", y: 1, yref: "paper", yanchor: "top", yshift: -17 * i,
      showarrow: false, font: { color: curve.color, size: 12.5 },
    }));
  const ends = curves.map((curve) => ({ curve, y: curve.values.at(-1) })).sort((a, b) => b.y - a.y);
  for (let i = 1; i < ends.length; i++) ends[i].y = Math.min(ends[i].y, ends[i - 1].y - gap);
  return ends.map(({ curve, y }) => ({
    text: text(curve.label), x: 1, xref: "paper", xanchor: "left", xshift: 8, y, showarrow: false, font: { color: curve.color, size: 12.5 },
  }));
}
