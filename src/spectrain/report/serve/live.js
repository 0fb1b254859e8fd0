"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const ago = (seconds) => {
  if (seconds === null) return "–";
  const past = Math.max(0, Date.now() / 1000 - seconds);
  if (past < 90) return `${Math.round(past)} s ago`;
  if (past < 5400) return `${Math.round(past / 60)} min ago`;
  return past < 172800 ? `${Math.round(past / 3600)} h ago` : `${Math.round(past / 86400)} days ago`;
};
const number = (value, digits) =>
  value === null ? "–" : value.toLocaleString("en", { maximumSignificantDigits: digits });
const path = (name) => name.split("/").map(encodeURIComponent).join("/");

const ask = async (address) => {
  const status = document.getElementById("connection");
  try {
    const answer = await fetch(address);
    if (!answer.ok) throw new Error(answer.statusText);
    status.textContent = "";
    return await answer.json();
  } catch {
    status.textContent = "The server does not answer; what is shown may be old.";
    return null;
  }
};

const listed = () => {
  const body = document.querySelector("#runs tbody");
  const button = document.getElementById("compare");
  const ticked = new Set();
  const tick = () => {
    button.disabled = ticked.size < 2;
    button.textContent = ticked.size < 2 ? "Compare ticked runs" : `Compare ${ticked.size} runs`;
  };
  button.addEventListener("click", () => {
    location.href = `compare?${new URLSearchParams([...ticked].map((name) => ["run", name]))}`;
  });
  const row = (run) => {
    const line = document.createElement("tr");
    const box = document.createElement("input");
    box.type = "checkbox";
    box.checked = ticked.has(run.name);
    box.disabled = Boolean(run.problem);
    box.setAttribute("aria-label", `compare ${run.name}`);
    box.addEventListener("change", () => {
      if (box.checked) ticked.add(run.name);
      else ticked.delete(run.name);
      tick();
    });
    const link = document.createElement("a");
    link.href = `run/${path(run.name)}`;
    link.textContent = run.name;
    const cells = [box, run.problem ? run.name : link, run.problem || run.state,
      number(run.step, 12), number(run.loss, 4), ago(run.last_record), number(run.blocks, 6)];
    for (const cell of cells) line.insertCell().append(cell);
    line.cells[2].className = `state ${run.state}`;
    return line;
  };
  const show = (runs) => {
    const focused = document.activeElement?.getAttribute("aria-label");
    body.replaceChildren(...runs.map(row));
    if (focused) body.querySelector(`[aria-label="${CSS.escape(focused)}"]`)?.focus();
    document.getElementById("count").textContent =
      runs.length === 1 ? "1 run" : `${runs.length} runs`;
  };
  tick();
  show(data.runs);
  setInterval(async () => {
    const runs = await ask("runs.json");
    if (runs) show(runs);
  }, data.every);
};

const followed = () => {
  const frame = document.getElementById("page");
  const look = async () => {
    const run = await ask(data.state);
    if (!run) return;
    const told = `${run.state} · step ${number(run.step, 12)} · loss ${number(run.loss, 4)} · `;
    document.getElementById("state").textContent = `${told}last record ${ago(run.last_record)}`;
    const view = frame.contentWindow;
    if (view.location.href === "about:blank" || view.document.readyState !== "complete") return;
    const shown = view.document.querySelector("meta[name=version]")?.content;
    const older = run.rendered !== null && shown !== run.rendered;
    if (!older && !(run.due && shown !== run.version)) return;
    const [x, y] = [view.scrollX, view.scrollY];
    frame.addEventListener("load", () => view.scrollTo(x, y), { once: true });
    view.location.reload();
  };
  look();
  setInterval(look, data.every);
};

if (data.runs) listed();
else if (data.state) followed();
