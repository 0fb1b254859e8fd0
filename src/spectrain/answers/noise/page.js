"use strict";
// Gradient noise: one point a block or a direction, the chosen block in full.
const noise = data.answers.noise?.blocks ?? [];

if (noise.length) {
  const depths = noise.map((entry) => entry.depth ?? -1), deepest = Math.max(...depths, 1);
  const shade = (entry) => mix(color("time-0"), color("time-1"), entry.depth === null ? 0.5 : entry.depth / deepest);
  const chosen = () => Number(document.getElementById("noise-block").value);
  const degrees = (c2) => (c2 === null ? null : (180 / Math.PI) * Math.acos(Math.sqrt(Math.min(Math.max(c2, 0), 1))));
  const scaled = (c2, d) => (c2 === null ? null : Math.sqrt(d * Math.min(Math.max(c2, 0), 1)));
  const told = (entry) => `${text(entry.block)}<br>step ${entry.step.toLocaleString("en")}, ${entry.replicas} replicas`;

  const chance = (p) => (p === undefined || p === null ? "" : p <= 0.05 ? ", signal" : ", maybe chance");

  const dots = (points, { hollow = false, strong = false, error } = {}) => ({
    type: "scatter", mode: "markers", x: points.map((p) => p.x), y: points.map((p) => p.y), text: points.map((p) => p.told),
    hovertemplate: "%{text}<extra></extra>",
    error_y: error && { type: "data", array: error, thickness: 1, width: 0, color: color("accent") },
    marker: {
      size: strong ? 8 : 4.5, opacity: strong ? 1 : 0.55, symbol: hollow ? "circle-open" : "circle",
      color: strong ? color("accent") : points.map((p) => shade(p.entry)), line: hollow ? { width: 1.2 } : { width: 0 },
    },
  });
  const line = (x, y, dash) => ({ type: "scatter", mode: "lines", x, y, hoverinfo: "skip", line: { color: color("soft"), width: 1.3, dash } });
  const axis = (title, options = {}) => ({
    title: { text: title, standoff: 8, font: { size: 12 } }, showgrid: false, zeroline: false, showline: true, linecolor: color("line"),
    ticks: "outside", ticklen: 4, tickcolor: color("line"), nticks: 5, fixedrange: true, ...options,
  });
  const logarithmic = { type: "log", dtick: 1, exponentformat: "power", tickfont: { size: 11 } };
  const layout = (x, y) => ({ margin: { l: 58, r: 8, t: 6, b: 42 }, xaxis: x, yaxis: y });
  const unit = { range: [-0.03, 1.05] };

  const ofBlocks = (x, y, entries = noise) => entries.filter((e) => e[x] !== null && e[y] !== null).map((entry) => ({ x: entry[x], y: entry[y], entry, told: `${told(entry)}<br>${brief(entry[x])}, ${brief(entry[y])}` }));
  const ofDirections = (f, entries = noise) => entries.flatMap((entry) => entry.sigma.map((sigma, i) => {
    const [x, y] = f(entry, i);
    return { x, y, entry, told: `${told(entry)}<br>direction ${i + 1}, σ = ${brief(sigma)}${chance(entry.p[i])}<br>${brief(y)}` };
  })).filter((p) => p.x > 0 && p.y !== null && Number.isFinite(p.y));
  const both = (f, options) => [dots(ofDirections(f), options), dots(ofDirections(f, [noise[chosen()]]), { ...options, strong: true })];

  function drawNoise() {
    const one = noise[chosen()], diagonal = line([0, 1], [0, 1], "dot");
    for (const [id, x, y, names] of [["plateau", "zeta_pred", "zeta_emp", ["predicted ζ", "measured ζ"]], ["gap", "eta", "gamma", ["η", "γ"]]])
      show(`noise-${id}`, [diagonal, dots(ofBlocks(x, y)), dots(ofBlocks(x, y, [one]), { strong: true })], layout(axis(names[0], unit), axis(names[1], unit)));
    const sigma = axis("σ", logarithmic);
    show("noise-echo", [
      ...both((e, i) => [e.sigma[i], e.echo[i]]), line(one.sigma, one.isotropic, "dot"), line(one.sigma, one.proportional, "solid"),
      dots(ofDirections((e, i) => [e.sigma[i], e.echo[i]], [one]), { strong: true, error: one.echo_error }),
    ], layout(sigma, axis("echo ζ", unit)));
    show("noise-angle", [...both((e, i) => [e.sigma[i], degrees(e.left[i])]), ...both((e, i) => [e.sigma[i], degrees(e.right[i])], { hollow: true })], layout(sigma, axis("degrees", { range: [-2, 92] })));
    show("noise-spacing", both((e, i) => [e.sigma[i], i + 1 < e.sigma.length ? e.sigma[i] - e.sigma[i + 1] : null]), layout(sigma, axis("σ<sub>i</sub> − σ<sub>i+1</sub>", logarithmic)));
    show("noise-cosine", [...both((e, i) => [e.sigma[i], scaled(e.left[i], e.shape[0])]), ...both((e, i) => [e.sigma[i], scaled(e.right[i], e.shape[1])], { hollow: true })], layout(sigma, axis("√d cos θ", { rangemode: "tozero" })));
    show("noise-share", [line(data.answers.noise.curve.x, data.answers.noise.curve.y, "solid"), ...both((e, i) => [e.norm ? e.sigma[i] / e.norm : 0, e.echo[i]])], layout(axis("σ/‖G‖", logarithmic), axis("echo ζ", { range: [-0.03, 1.25] })));
  }

  draw(drawNoise);
  document.getElementById("noise-block").addEventListener("change", drawNoise);
}

const cost = data.answers.noise?.cost;

if (cost) {
  const told = (batch, steps, examples) => `batch of ${brief(batch)} ${text(cost.unit)}<br>${brief(steps)} × the fewest steps<br>${brief(examples)} × the fewest examples`;
  const mark = (x, y, symbol, words) => ({
    type: "scatter", mode: "markers", x: [x], y: [y], text: [words], hovertemplate: "%{text}<extra></extra>",
    marker: { size: 11, symbol, color: color("accent"), line: { width: 1.5, color: color("accent") } },
  });
  const most = Math.log10(Math.max(30, 1.3 * cost.now[1], 1.3 * cost.now[2]));
  const axis = (title) => ({
    title: { text: title, standoff: 8, font: { size: 12 } }, type: "log", range: [-0.05, most], showgrid: false, zeroline: false, showline: true,
    linecolor: color("line"), ticks: "outside", ticklen: 4, tickcolor: color("line"), tickvals: [1, 2, 5, 10, 30, 100, 1e3, 1e4], fixedrange: true,
  });
  draw(() => show("noise-cost", [
    {
      type: "scatter", mode: "lines", x: cost.examples, y: cost.steps, line: { color: color("soft"), width: 1.6 },
      text: cost.batch.map((batch, i) => told(batch, cost.steps[i], cost.examples[i])), hovertemplate: "%{text}<extra></extra>",
    },
    mark(2, 2, "circle-open", told(cost.scale, 2, 2)),
    mark(cost.now[2], cost.now[1], "diamond", `this run: ${told(...cost.now)}`),
  ], { margin: { l: 58, r: 8, t: 6, b: 42 }, xaxis: axis("examples, over the fewest"), yaxis: axis("steps, over the fewest") }));
}
