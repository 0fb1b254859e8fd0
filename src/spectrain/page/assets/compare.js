"use strict";
// Runs over each other; the boxes of the table of runs say which are drawn.
if (byId("scale")) chooseScale(data.sampled);

const COLOURS = 12, DASHES = ["solid", "dash", "dot", "dashdot", "longdash"];
const drawnRuns = new Set(data.names.map((_, run) => run));
const runLook = (run) => ({ color: color(`run-${run % COLOURS}`), dash: DASHES[Math.floor(run / COLOURS) % DASHES.length], run });
const few = () => drawnRuns.size <= 12;

const transparent = (shade, alpha) => {
  const part = (i) => parseInt(shade.slice(i, i + 2), 16);
  return `rgba(${part(1)},${part(3)},${part(5)},${alpha})`;
};

// Losses: held-out ones strong, those of the training batches faint where there are others.
function drawLosses() {
  if (byId("by-seed")?.checked) return drawBands();
  const curves = data.losses.flatMap((found, run) => {
    if (!drawnRuns.has(run)) return [];
    const chosen = found.find((curve) => curve.name === "validation_loss") ?? found[0];
    return found.map((curve) => ({
      ...curve, ...runLook(run), label: curve === chosen ? shortened(data.names[run]) : `${shortened(data.names[run])}, ${curve.label}`,
      width: curve === chosen ? 2.2 : 0.7, named: few() && curve === chosen,
    }));
  });
  if (curves.length) drawCurves("loss-chart", curves, { title: "loss", named: few() });
  else show("loss-chart", [], { xaxis: stepAxis() }, { overSteps: true });
}

// Means over seeds with their intervals; runs without a fellow stay single curves.
function drawBands() {
  const grouped = new Set(data.bands.flatMap((band) => band.runs));
  const single = data.losses.flatMap((found, run) => {
    if (!drawnRuns.has(run) || grouped.has(run) || !found.length) return [];
    const chosen = found.find((curve) => curve.name === "validation_loss") ?? found[0];
    return [{ ...chosen, ...runLook(run), label: shortened(data.names[run]), width: 1.6 }];
  });
  const bands = data.bands.filter((band) => band.runs.some((run) => drawnRuns.has(run)));
  const means = bands.map((band) => ({ steps: band.steps, values: band.mean, ...runLook(band.runs[0]), label: `${band.runs.length} seeds: ${shortened(data.names[band.runs[0]])} …`, width: 2.2 }));
  const [low, high] = valueRange([...single, ...means]), room = (high - low || 1) * 0.08;
  const fills = bands.map((band) => ({
    type: "scatter", mode: "lines", x: [...band.steps, ...[...band.steps].reverse()].map(place), y: [...band.high, ...[...band.low].reverse()],
    fill: "toself", fillcolor: transparent(color(`run-${band.runs[0] % COLOURS}`), 0.2), line: { width: 0 }, hoverinfo: "skip",
  }));
  show("loss-chart", [...fills, ...curveTraces([...means, ...single])], {
    margin: { l: 60, r: narrow.matches ? 10 : 130, t: 10, b: 48 }, xaxis: stepAxis(),
    yaxis: { title: { text: "loss", standoff: 8, font: { size: 12.5 } }, range: [low - room, high + room], gridcolor: color("line"), zeroline: false, nticks: 6, fixedrange: true },
    annotations: endLabels([...means, ...single], low - room, high + room, !narrow.matches),
  }, { overSteps: true });
}
if (data.losses.some((curves) => curves.length)) draw(drawLosses);

// Gradient ranks: a small chart per role, all on one scale.
const roles = Object.entries(data.ranks);
const highest = roles.flatMap(([, curves]) => curves.flatMap((curve) => curve?.values ?? [])).reduce((a, b) => Math.max(a, b), 0);
roles.forEach(([, curves], index) => draw(() => {
  const drawn = curves.flatMap((curve, run) => (curve && drawnRuns.has(run) ? [{ ...curve, ...runLook(run), label: data.names[run], width: 1.6 }] : []));
  if (drawn.length) drawCurves(`rank-${index}`, drawn, { percent: true, named: false, axis: { range: [0, 1.05 * highest], nticks: 4 } });
  else show(`rank-${index}`, [], { xaxis: stepAxis() }, { overSteps: true });
}));

// Drawn is what is ticked and not taken away by the search.
function chooseRuns() {
  drawnRuns.clear();
  for (const box of document.querySelectorAll(".toggle-run")) if (box.checked && !box.closest("tr").hidden) drawnRuns.add(Number(box.dataset.run));
  redraw();
}
document.addEventListener("change", (event) => {
  if (event.target.classList?.contains("toggle-run")) chooseRuns();
  if (event.target.id === "by-seed") redraw();
});
byId("runs-table").addEventListener("filtered", chooseRuns);
for (const button of document.querySelectorAll("[data-draw]")) button.addEventListener("click", () => {
  for (const box of document.querySelectorAll(".toggle-run")) box.checked = button.dataset.draw === "all";
  chooseRuns();
});
