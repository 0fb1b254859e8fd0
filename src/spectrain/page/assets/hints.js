"use strict";
// Help where the reader points at a term or moves to it: what the glossary of the page says.
const hint = document.createElement("div");
hint.id = "hint";
hint.setAttribute("role", "tooltip");
hint.hidden = true;
document.body.append(hint);

function tell(target) {
  const entry = target.dataset.term ? byId(target.dataset.term) : null;
  const words = entry ? entry.querySelector("dd").textContent : target.dataset.hint;
  if (!words) return;
  hint.textContent = words;
  hint.hidden = false;
  target.setAttribute("aria-describedby", "hint");
  const at = target.getBoundingClientRect(), own = hint.getBoundingClientRect();
  const left = Math.min(Math.max(at.left, 8), innerWidth - own.width - 8);
  const above = at.bottom + own.height + 10 > innerHeight && at.top > own.height + 10;
  hint.style.left = `${left}px`;
  hint.style.top = `${above ? at.top - own.height - 6 : at.bottom + 6}px`;
}
function quiet() {
  hint.hidden = true;
  for (const told of document.querySelectorAll("[aria-describedby=hint]")) told.removeAttribute("aria-describedby");
}
const hinted = (event) => (event.target instanceof Element ? event.target.closest("[data-hint], [data-term]") : null);
for (const kind of ["mouseover", "focusin"]) document.addEventListener(kind, (event) => (hinted(event) ? tell(hinted(event)) : quiet()));
document.addEventListener("focusout", quiet);
document.addEventListener("keydown", (event) => { if (event.key === "Escape") quiet(); });
addEventListener("scroll", quiet, { passive: true, capture: true });

// In sentences, the first use of each term links to its entry.
const names = Object.keys(data.terms ?? {}).sort((a, b) => b.length - a.length);
const spelled = names.length ? new RegExp(`(?<![\\p{L}\\p{N}_])(${names.map((name) => name.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&")).join("|")})(?![\\p{L}\\p{N}_])`, "iu") : null;
const entries = Object.fromEntries(names.map((name) => [name.toLowerCase(), data.terms[name]]));

function linkTerms(root) {
  const known = new Set();
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT, {
    acceptNode: (node) => (node.parentElement.closest("a, button, .name, .formula, .chart, .topic, .sign, select, h1, h2") ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT),
  });
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const found = node.data.match(spelled);
    if (!found) continue;
    const rest = node.splitText(found.index), entry = entries[found[0].toLowerCase()];
    rest.splitText(found[0].length);
    walker.currentNode = rest;
    if (known.has(entry)) continue;
    known.add(entry);
    const link = document.createElement("a");
    link.href = `#${entry}`;
    link.className = "term";
    link.dataset.term = entry;
    link.textContent = rest.data;
    rest.replaceWith(link);
    walker.currentNode = link.firstChild;
  }
}
if (spelled) for (const part of document.querySelectorAll(".finding, .verdicts li, .note, figcaption")) linkTerms(part);
