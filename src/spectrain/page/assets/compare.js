"use strict";

if (document.getElementById("scale")) chooseScale(data.sampled);

const runColor = (index) => color(`run-${index % 6}`);
const shortened = (name) => (name.length > 18 ? `…${name.slice(-17)}` : name);

// Losses: held-out ones strong, those of the training batches faint where there are others.
if (data.losses.some((curves) => curves.length)) {
  draw(() => {
    const curves = data.losses.flatMap((curves, run) => {
      const chosen = curves.find((curve) => curve.name === "validation_loss") ?? curves[0];
      return curves.map((curve) => ({
        ...curve, label: shortened(data.names[run]), color: runColor(run),
        width: curve === chosen ? 2.2 : 0.7, named: curve === chosen,
      }));
    });
    drawCurves("loss-chart", curves, { title: "loss" });
  });
}

// Gradient ranks: a small chart per role, all on one scale.
const roles = Object.entries(data.ranks);
const highest = Math.max(...roles.flatMap(([, curves]) => curves.flatMap((curve) => curve?.values ?? [])));
roles.forEach(([, curves], index) => draw(() => {
  const drawn = curves.flatMap((curve, run) => (curve ? [{ ...curve, label: data.names[run], color: runColor(run), width: 1.6 }] : []));
  drawCurves(`rank-${index}`, drawn, { percent: true, named: false, axis: { range: [0, 1.05 * highest], nticks: 4 } });
}));
