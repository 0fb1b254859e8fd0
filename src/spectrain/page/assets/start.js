"use strict";
// What acts on all charts over steps, and the block in the address.
for (const target of [narrow, dark]) target.addEventListener("change", redraw);
byId("scale")?.addEventListener("change", redraw);

if (byId("axis")) {
  const units = [["steps", "steps"], ["tokens", "tokens"], ["time", "time of training"]];
  for (const [unit, label] of units) {
    const lacking = (unit === "tokens" && !passed("tokens")) || (unit === "time" && !passed("seconds"));
    const option = new Option(lacking ? `${label} (not recorded)` : label, unit);
    option.disabled = lacking;
    byId("axis").add(option);
  }
  byId("axis").addEventListener("change", () => { view.unit = byId("axis").value; redraw(); });
  byId("smoothing").addEventListener("input", () => { view.smoothing = Number(byId("smoothing").value); redrawSoon(); });
  for (const id of ["zoom-from", "zoom-to"]) {
    byId(id).max = lastStep();
    byId(id).addEventListener("change", () => zoomTo([Number(byId("zoom-from").value), Number(byId("zoom-to").value)]));
  }
  byId("zoom-out").addEventListener("click", () => zoomTo(null));
  byId("zoom-from").value = 0;
  byId("zoom-to").value = lastStep();
}
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});

const first = byId("block")?.value;
followAddress();
if (choice.block === null && first) choose(first, { address: false });
