"use strict";
// Loss, with learning rate and gradient norm under it, and what happened at which step.
if (byId("scale")) chooseScale(data.sampled);

function drawLoss() {
  const main = data.curves[0].name;
  const losses = data.curves.map((curve) => ({ ...curve, color: color(curve.name === main ? "ink" : "accent"), width: curve.name === main ? 1.4 : 2 }));
  const rates = data.rates.map((curve, i) => ({ ...curve, label: data.rates.length > 1 ? `learning rate, ${curve.label}` : "learning rate", color: color(`run-${i}`), width: 1.6 }));
  const norms = data.norm.map((curve) => ({ ...curve, label: "gradient norm", color: color("falling"), width: 1.4 }));
  const panels = [{ curves: losses, title: "loss", share: 3, marks: data.sampled }, { curves: rates, title: "learning rate", share: 1 }, { curves: norms, title: "gradient norm", share: 1.2 }].filter((panel) => panel.curves.length);
  const whole = panels.reduce((sum, panel) => sum + panel.share, 0), gap = 0.075;
  const traces = [], axes = {}, annotations = [];
  const [from, to] = shownSteps();
  const events = data.milestones.map((mark, i) => ({ ...mark, number: i + 1 })).filter(({ step }) => step >= from && step <= to);
  const line = events.length ? 14 : 0; // the events' numbers stand between the first title and its panel
  let top = 1;
  panels.forEach(({ curves, title, share, marks }, i) => {
    const name = i ? `y${i + 1}` : "y", bottom = i === panels.length - 1 ? 0 : top - share / whole;
    const [low, high] = valueRange(curves), log = title === "gradient norm" && low > 0 && high > 30 * low;
    const room = (high - low || Math.abs(high) || 1) * 0.07;
    traces.push(...curveTraces(curves, { axis: name }));
    if (marks?.length) traces.push({ ...sampleTicks(marks, low - room), yaxis: name });
    axes[`yaxis${i ? i + 1 : ""}`] = {
      domain: [bottom, top - (i ? gap : 0)], gridcolor: color("line"), zeroline: false, nticks: i ? 3 : 6, fixedrange: true,
      type: log ? "log" : "linear", range: log ? [Math.log10(low) - 0.1, Math.log10(high) + 0.1] : [low - (marks?.length ? 2 : 1) * room, high + room],
      ...(log ? { dtick: 1, exponentformat: "power" } : { tickformat: i && high < 1e-2 ? ".1~e" : "" }),
    };
    annotations.push({
      text: title, x: 0, xref: "paper", xanchor: "left", xshift: 14, y: top - (i ? gap : 0), yref: "paper", yanchor: "bottom", yshift: i ? 0 : line, showarrow: false, font: { size: 12, color: color("ink") },
    });
    top = bottom;
  });
  if (losses.length > 1) annotations.push(...endLabels(losses, 0, 1, false));
  show("loss-chart", traces, {
    margin: { l: 52, r: 12, t: 22 + line, b: 44 }, xaxis: { ...stepAxis(), anchor: panels.length > 1 ? `y${panels.length}` : "y" }, ...axes,
    shapes: events.map(({ step }) => ({ type: "line", x0: place(step), x1: place(step), y0: 0, y1: 1, yref: "paper", line: { color: color("faint"), width: 1, dash: "dot" } })),
    annotations: [...annotations, ...events.map(({ step, kind, number, text: words }) => ({
      text: String(number), hovertext: `${text(kind)}, step ${step.toLocaleString("en")}<br>${text(words)}`, x: scale() === "log" ? Math.log10(place(step)) : place(step), y: 1, yref: "paper", yanchor: "bottom",
      showarrow: false, font: { size: 11.5, color: color("ink") },
    }))],
  }, { overSteps: true });
}
if (data.curves.length) draw(drawLoss);
