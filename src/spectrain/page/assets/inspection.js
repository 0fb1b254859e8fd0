"use strict";

// A panel for each role: one measure over its layers, a curve for each checkpoint.
const lanes = data.profiles.lanes;

function drawLanes() {
  const measure = data.measures.find(({ key }) => key === document.getElementById("measure").value);
  const all = lanes.flatMap((lane) => lane.values[measure.key].flat()).filter((value) => value !== null);
  const log = !measure.share && all.length > 0 && Math.min(...all) > 0 && Math.max(...all) > 12 * Math.min(...all);
  const low = Math.min(...all), high = Math.max(...all), room = (high - low || Math.abs(high) || 1) * 0.08;
  const range = log ? [Math.log10(low) - 0.08, Math.log10(high) + 0.08] : [measure.share ? Math.min(0, low) : low - room, high + room];
  const count = data.profiles.steps.length;
  lanes.forEach((lane, index) => {
    const traces = lane.values[measure.key].map((values, at) => {
      const tint = mix(color("time-0"), color("time-1"), count > 1 ? at / (count - 1) : 1);
      return {
        type: "scatter", mode: lane.places.length > 1 ? "lines+markers" : "markers", x: lane.places, y: values,
        line: { color: tint, width: 1.6 }, marker: { color: tint, size: 5 }, connectgaps: false,
        text: values.map((value, i) => {
          const read = value === null ? "no value" : measure.share ? `${(100 * value).toPrecision(3)} %` : brief(value);
          return `${text(lane.names[i])}${count > 1 ? `<br>step ${data.profiles.steps[at].toLocaleString("en")}` : ""}<br><b>${read}</b>`;
        }),
        hovertemplate: "%{text}<extra></extra>",
      };
    });
    const first = Math.min(...lane.places), last = Math.max(...lane.places);
    show(`lane-${index}`, traces, {
      margin: { l: 46, r: 8, t: 6, b: 34 },
      xaxis: {
        title: { text: data.profiles.by_layer ? "layer" : "number in the file", standoff: 4, font: { size: 12 } }, tickformat: ",d", tick0: first, dtick: Math.max(1, Math.ceil((last - first) / 5)),
        range: [first - 0.6, last + 0.6], showgrid: false, zeroline: false, showline: true, linecolor: color("line"), ticks: "outside", ticklen: 4, tickcolor: color("line"), fixedrange: true,
      },
      yaxis: {
        type: log ? "log" : "linear", range, tickformat: measure.share ? ".0%" : "", gridcolor: color("line"), zeroline: false,
        ...(log && high / low < 1000 ? { dtick: "D2" } : {}), nticks: 5, fixedrange: true,
      },
    });
  });
}

if (document.getElementById("measure")) {
  draw(drawLanes);
  document.getElementById("measure").addEventListener("change", drawLanes);
}
