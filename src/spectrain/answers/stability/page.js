"use strict";
// The course of what is nearest to its limit in one block, in decades from the limit.
if (data.answers.stability?.length) {
  const select = document.getElementById("stability-block");
  const drawCourse = () => {
    const curves = data.answers.stability[Number(select.value)].curves.map((curve) => ({
      ...curve,
      color: color("ink"),
      width: 2,
      dash: "solid",
    }));
    drawCurves("stability-chart", curves, { title: "log₁₀ of value / limit" });
  };
  draw(drawCourse);
  select.addEventListener("change", drawCourse);
}
