"use strict";
// The chosen block: everywhere on the page, and in the address as #block=NAME.
const choice = { block: null };
const choosing = []; // what follows the choice
const whenChosen = (follow) => choosing.push(follow);

function addressed() {
  const found = location.hash.match(/^#block=(.*)$/s);
  try {
    return found ? decodeURIComponent(found[1]) : null;
  } catch {
    return null; // no address of this page
  }
}
const isBlock = (name) => Object.hasOwn(data.blocks ?? {}, name) || (data.waterfalls?.blocks ?? []).includes(name);

function choose(name, { address = true } = {}) {
  if (name === choice.block || !isBlock(name)) return;
  choice.block = name;
  if (address) location.hash = `block=${encodeURIComponent(name)}`;
  for (const row of document.querySelectorAll("tr.chosen")) row.classList.remove("chosen");
  for (const head of document.querySelectorAll("th[data-block]")) {
    if (head.dataset.block !== name) continue;
    head.parentElement.classList.add("chosen");
  }
  for (const button of document.querySelectorAll("th[data-block] > button")) button.setAttribute("aria-pressed", button.parentElement.dataset.block === name);
  for (const select of document.querySelectorAll("select")) {
    const option = [...select.options].find((one) => (one.dataset.block ?? (select.id === "block" ? one.value : null)) === name);
    if (option && select.value !== option.value) {
      select.value = option.value;
      select.dispatchEvent(new Event("change"));
    }
  }
  choosing.forEach((follow) => follow(name));
}

document.addEventListener("change", (event) => {
  const option = event.target.selectedOptions?.[0];
  const name = option?.dataset.block ?? (event.target.id === "block" ? option?.value : undefined);
  if (name !== undefined) choose(name);
});

// A name at the head of a row is a button that chooses its block.
for (const head of document.querySelectorAll("th[data-block]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "pick";
  button.setAttribute("aria-pressed", "false");
  button.append(...head.childNodes);
  button.addEventListener("click", () => choose(head.dataset.block));
  head.append(button);
}

// Where there is little room a verdict is cut; pressed, it is whole.
for (const line of document.querySelectorAll(".verdicts li")) line.addEventListener("click", () => line.classList.toggle("whole"));

// ---- folds -------------------------------------------------------------------------------------
document.addEventListener("toggle", () => drawWaiting(), true);
function unfoldTo(id) {
  const target = byId(id);
  if (!target) return;
  for (let fold = target; fold; fold = fold.parentElement) if (fold.tagName === "DETAILS") fold.open = true;
  drawWaiting();
  target.scrollIntoView();
  if (target.tabIndex >= -1 && target.hasAttribute("tabindex")) target.focus({ preventScroll: true });
}
function followAddress() {
  const name = addressed();
  if (name !== null) choose(name, { address: false });
  else if (location.hash.length > 1) unfoldTo(location.hash.slice(1));
}
addEventListener("hashchange", followAddress);
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='#']");
  if (!link || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault(); // a page inside a frame has another base than its address
  if (link.hash === location.hash) unfoldTo(link.hash.slice(1));
  else location.hash = link.hash;
});
const folds = () => document.querySelectorAll("details.fold, #colophon details");
function unfoldAll(open) {
  for (const fold of folds()) fold.open = open;
  byId("unfold")?.setAttribute("aria-pressed", open);
  if (byId("unfold")) byId("unfold").textContent = open ? "Fold all" : "Unfold all";
  drawWaiting();
}
byId("unfold")?.addEventListener("click", () => unfoldAll(byId("unfold").getAttribute("aria-pressed") !== "true"));

// ---- print: all is unfolded, and every chart fits the paper --------------------------------------
const PAPER = 980; // CSS pixels between the margins of a landscape A4 sheet
let before = null;
addEventListener("beforeprint", () => {
  before = [...document.querySelectorAll("details")].filter((fold) => !fold.open && !fold.classList.contains("menu"));
  for (const fold of before) fold.open = true;
  drawWaiting();
  for (const chart of document.querySelectorAll(".js-plotly-plot")) {
    const share = chart.closest(".pairs, .multiples") ? 0.46 : 1;
    Plotly.relayout(chart, { width: PAPER * share, ...(chart.id === "loss-chart" ? { height: 460 } : {}) });
  }
});
addEventListener("afterprint", () => {
  for (const fold of before ?? []) fold.open = false;
  for (const chart of document.querySelectorAll(".js-plotly-plot")) Plotly.relayout(chart, { width: null, height: null, autosize: true });
});
