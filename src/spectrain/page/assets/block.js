"use strict";
// One block: its spectra, their density, and the course of any measure.
const spectra = () => data.waterfalls.waterfalls[`${data.waterfalls.blocks.indexOf(byId("block").value)}/${byId("source")?.value}`];
const below = (waterfall) => {
  const levels = unpackLevels(waterfall.packed), width = waterfall.indices.length;
  return waterfall.steps.map((_, row) => waterfall.indices.map((_, i) => (levels[row * width + i] / 65535) * data.waterfalls.decades));
};
const indexTicks = () => ({
  type: "log", title: { text: "index of the singular value", standoff: 6, font: { size: 12.5 } }, tickvals: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000],
  tickformat: ",d", showgrid: false, zeroline: false, showline: true, linecolor: color("line"), ticks: "outside", ticklen: 4, tickcolor: color("line"), fixedrange: true,
});
const plainAxis = (title, more = {}) => ({ title: { text: title, standoff: 8, font: { size: 12.5 } }, gridcolor: color("line"), zeroline: false, nticks: 5, fixedrange: true, ...more });
const power = { type: "log", exponentformat: "power", showexponent: "all" };

// Tell in words why there is no chart, in its place.
function absent(id, words) {
  const place = byId(id).parentElement.querySelector(".absent");
  place.textContent = words;
  place.hidden = !words;
  byId(id).classList.toggle("empty", Boolean(words));
}

function drawOverlay() {
  const waterfall = spectra();
  absent("overlay-chart", waterfall ? "" : "No spectrum of this matrix is kept on this page.");
  const rows = waterfall ? below(waterfall) : [], last = rows.length - 1;
  const kept = [...new Set([0, Math.floor(last / 2), last])].filter((i) => i >= 0);
  const traces = kept.map((i) => {
    const shade = mix(color("time-0"), color("time-1"), last > 0 ? i / last : 1), largest = waterfall.largest[i] ?? 0;
    return {
      type: "scatter", mode: waterfall.indices.length > 1 ? "lines+markers" : "markers", x: waterfall.indices, name: `step ${waterfall.steps[i]}`,
      y: rows[i].map((decades) => (decades < data.waterfalls.decades && largest > 0 ? largest * 10 ** -decades : null)),
      line: { color: shade, width: 2, dash: ["solid", "dash", "dot"][kept.length - 1 - kept.indexOf(i)] }, marker: { color: shade, size: 4 },
      hovertemplate: `step ${waterfall.steps[i].toLocaleString("en")}<br>σ<sub>%{x}</sub> = %{y:.4g}<extra></extra>`,
    };
  });
  show("overlay-chart", traces, {
    margin: { l: 64, r: 8, t: 8, b: 48 }, xaxis: indexTicks(), yaxis: plainAxis("σ", { ...power }), showlegend: traces.length > 0,
    legend: { x: 0.02, y: 0.02, xanchor: "left", yanchor: "bottom", bgcolor: color("paper"), font: { color: color("ink") } },
  });
}

function drawMap() {
  const waterfall = spectra(), enough = waterfall && waterfall.steps.length > 1 && waterfall.indices.length > 1;
  absent("map-chart", enough ? "" : "A map needs spectra of two samples at least.");
  const rows = enough ? below(waterfall) : [], indices = enough ? waterfall.indices : [];
  const bounds = indices.length ? [indices[0] - 0.5, ...indices.slice(1).map((right, i) => Math.sqrt(right * indices[i])), indices.at(-1) + 0.5] : [];
  const deepest = Math.min(rows.flat().filter((decades) => decades < data.waterfalls.decades).reduce((a, b) => Math.max(a, b), 1), 4);
  const trace = {
    type: "heatmap", x: enough ? edgesOf(waterfall.steps) : [], y: bounds, name: "log10(sigma/sigma_1)", rows: indices, columns: enough ? waterfall.steps : [],
    z: indices.map((_, i) => rows.map((line) => (line[i] < data.waterfalls.decades ? -line[i] : null))),
    text: indices.map((index, i) => rows.map((line, j) => `step ${waterfall.steps[j].toLocaleString("en")}<br>σ<sub>${index}</sub> = ${(10 ** -line[i]).toPrecision(3)} σ<sub>1</sub>, σ<sub>1</sub> = ${brief(waterfall.largest[j])}`)),
    hovertemplate: "%{text}<extra></extra>", hoverongaps: false, zmin: -deepest, zmax: 0,
    colorscale: [[0, color("share-0")], [0.5, color("share-1")], [1, color("share-2")]], colorbar: { thickness: 10, len: 0.9, outlinewidth: 0, title: { text: "" } },
  };
  show("map-chart", enough ? [trace] : [], {
    margin: { l: 58, r: 8, t: 8, b: 48 }, xaxis: stepAxis(), yaxis: { ...indexTicks(), title: { text: "index", standoff: 6, font: { size: 12.5 } }, autorange: "reversed" },
  }, { overSteps: true });
}
function edgesOf(steps) {
  const at = steps.map(place), inner = at.slice(1).map((right, i) => (right + at[i]) / 2);
  return [at[0], ...inner, at.at(-1)];
}

function drawDensity() {
  const found = data.densities[byId("block").value];
  absent("density-chart", found ? "" : "The answer on randomness says nothing of this weight.");
  const traces = [], shapes = [], annotations = [], most = Math.max(found?.edges.at(-1) ?? 1, found?.spikes[0] ?? 0);
  const reach = found && most > 4 * found.edges.at(-1) ? 1.6 * found.edges.at(-1) : 1.05 * most; // spikes further out are told in words
  if (found) {
    const { edges, heights, spikes, bulk, more } = found, tops = heights.reduce((a, b) => Math.max(a, b), 0);
    traces.push({
      type: "bar", x: heights.map((_, i) => (edges[i] + edges[i + 1]) / 2), y: heights, width: heights.map((_, i) => edges[i + 1] - edges[i]), name: "eigenvalues",
      marker: { color: color("bars") }, hovertemplate: "λ = %{x:.3g}: density %{y:.3g}<extra></extra>",
    });
    if (bulk) {
      traces.push({ type: "scatter", mode: "lines", x: bulk.x, y: bulk.y.map((y) => Math.min(y, 1.6 * tops)), name: "Marchenko-Pastur law", line: { color: color("accent"), width: 2 }, hovertemplate: `fitted law, ${(100 * bulk.share).toPrecision(3)} % of the eigenvalues<extra></extra>` });
      for (const [edge, label] of [[bulk.lower, "lower edge"], [bulk.upper, "upper edge"]]) {
        shapes.push({ type: "line", x0: edge, x1: edge, y0: 0, y1: 1, yref: "paper", line: { color: color("accent"), width: 1, dash: "dot" } });
        annotations.push({ text: label, x: edge, y: 1, yref: "paper", yanchor: "bottom", showarrow: false, font: { size: 11, color: color("soft") } });
      }
    }
    if (spikes.length) traces.push({
      type: "scatter", mode: "markers", x: spikes, y: spikes.map(() => 0.02 * tops), name: "spikes", marker: { symbol: "triangle-up", size: 9, color: color("euclidean") },
      hovertemplate: "spike, λ = %{x:.4g}<extra></extra>",
    });
    const told = `${spikes.length + more} ${spikes.length + more === 1 ? "spike" : "spikes"}${bulk ? "" : "; no random bulk fits"}`;
    const beyond = spikes.filter((spike) => spike > reach);
    if (beyond.length) annotations.push({ text: `${beyond.length + more} beyond, up to λ = ${brief(spikes[0])} →`, x: 1, xref: "paper", xanchor: "right", y: 0.87, yref: "paper", yanchor: "top", showarrow: false, font: { size: 12, color: color("soft") } });
    annotations.push({ text: told, x: 1, xref: "paper", xanchor: "right", y: 0.95, yref: "paper", yanchor: "top", showarrow: false, font: { size: 12, color: color("ink") } });
  }
  show("density-chart", traces, { margin: { l: 58, r: 8, t: 22, b: 48 }, xaxis: plainAxis("eigenvalue λ = σ²", { showgrid: false, range: [0, reach] }), yaxis: plainAxis("density", { rangemode: "tozero" }), shapes, annotations, bargap: 0 });
}

function drawCourse() {
  const number = byId("measured").value, name = data.courses.measures[number];
  const found = data.courses.courses[`${data.courses.blocks.indexOf(byId("block").value)}/${number}`];
  absent("course-chart", found ? "" : `Of this block ${name} is not recorded, or not kept on this page.`);
  const values = found ? unpack(found.values) : [], known = values.filter((value) => value !== null);
  const log = found?.values.log && known.length > 0;
  const curve = { label: `${byId("block").value}, ${name}`, steps: found ? data.courses.grids[found.steps] : [], values, color: color("accent"), width: 1.8 };
  const [low, high] = known.length ? valueRange([curve]) : [0, 1], room = (high - low || Math.abs(high) || 1) * 0.07;
  show("course-chart", found ? curveTraces([curve]) : [], {
    margin: { l: 64, r: 12, t: 8, b: 48 }, xaxis: stepAxis(),
    yaxis: plainAxis(text(name.replace(/_/g, " ")), log ? { ...power, range: [Math.log10(low) - 0.1, Math.log10(high) + 0.1] } : { range: [low - room, high + room] }),
  }, { overSteps: true });
}

const blockCharts = byId("block") ? [drawDensity, ...(byId("measured") ? [drawCourse] : []), ...(byId("source") ? [drawOverlay, drawMap] : [])] : [];
const drawBlock = () => blockCharts.forEach((chart) => chart());
if (blockCharts.length) {
  draw(drawBlock);
  whenChosen(drawBlock);
  for (const id of ["source", "measured"]) byId(id)?.addEventListener("change", drawBlock);
}
