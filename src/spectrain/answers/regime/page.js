"use strict";
// The norm of one block beside that of its noise twin and the equilibrium of each moment's settings.
if (data.answers.regime?.length) {
  const select = document.getElementById("regime-block");
  const looks = { norm: ["ink", 2, "solid"], "noise twin": ["accent", 1.6, "dash"], equilibrium: ["faint", 1.4, "dot"] };
  const drawNorms = () => {
    const curves = data.answers.regime[Number(select.value)].curves.map((curve) => {
      const [name, width, dash] = looks[curve.name];
      return { ...curve, color: color(name), width, dash };
    });
    drawCurves("regime-chart", curves, { title: "norm" });
  };
  draw(drawNorms);
  select.addEventListener("change", drawNorms);
}
