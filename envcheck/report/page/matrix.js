// The matrix: filters on every axis, a grid for each backend and class of hosts, the keyboard, and pages of them.

const PAGE = 600; // places on one page: what is drawn within a few milliseconds
const FILTERS = ["host", "verdict", "state", "expectation"];

const valueOf = (cell, name) => {
  if (name === "expectation") return cell.judged ? (cell.met ? "met" : "not met") : "";
  return name in cell.axes ? cell.axes[name] : cell[name];
};

function byVersion(one, other) {
  const parts = (text) => text.split(/(\d+)/).map((part, place) => (place % 2 ? Number(part) : part));
  const [a, b] = [parts(one), parts(other)];
  for (let place = 0; place < Math.max(a.length, b.length); place += 1) {
    const [x, y] = [a[place] ?? "", b[place] ?? ""];
    if (x !== y) return x < y ? -1 : 1;
  }
  return 0;
}

function optionsOf(all, name) {
  const found = [...new Set(all.cells.map((cell) => valueOf(cell, name)))].filter((one) => one !== "");
  return found.sort(byVersion);
}

function matches(cell, asked) {
  for (const [name, value] of asked.exact) if (valueOf(cell, name) !== value) return false;
  if (asked.group && cell.group !== asked.group) return false;
  return asked.words.every((word) => cell.search.includes(word));
}

function askedOf(query, all) {
  const names = [...all.axes, ...FILTERS];
  return {
    exact: names.filter((name) => query.get(name)).map((name) => [name, query.get(name)]),
    group: query.get("is") || "", text: query.get("q") || "",
    words: (query.get("q") || "").toLowerCase().split(/\s+/).filter(Boolean),
  };
}

function matrixView(all, query, state) {
  const root = el("div", { class: "matrix" });
  const tally = el("ul", { class: "tally", "aria-label": "How many cells have each verdict; a press shows only those" });
  const grids = el("div", { class: "grids" }), said = el("span", { class: "found" });
  const pager = el("span", { class: "row pager" });
  let asked = askedOf(query, all), page = Number(query.get("page") || 1), shown = [];

  function ask(name, value) {
    if (value) query.set(name, value); else query.delete(name);
    query.delete("page");
    page = 1;
    asked = askedOf(query, all);
    state.remember(query);
    draw();
  }

  function turn(to) {
    page = to;
    query.set("page", String(to));
    state.remember(query);
    draw();
    grids.querySelector(".place")?.focus();
  }

  function drawTally() {
    const counts = new Map();
    for (const cell of all.cells) counts.set(cell.group, (counts.get(cell.group) || 0) + 1);
    const order = [...all.verdicts, ...all.states], rank = (one) => order.indexOf(one);
    const sample = new Map(all.cells.map((cell) => [cell.group, cell]));
    tally.replaceChildren(...[...counts].sort(([a], [b]) => rank(a) - rank(b)).map(([group, number]) => {
      const cell = sample.get(group), on = asked.group === group;
      const look = group === "stale" ? "skip-state" : cell.look, sign = group === "stale" ? "stale" : cell.icon;
      return el("li", {}, el("button", { type: "button", class: `badge ${look}`, "aria-pressed": String(on), "data-group": group, title: MEANING[group],
        onclick: () => { ask("is", on ? "" : group); tally.querySelector(`[data-group="${CSS.escape(group)}"]`)?.focus(); } }, icon(sign), el("b", {}, number.toLocaleString("en")), ` ${group}`));
    }));
  }

  function draw() {
    const found = all.cells.filter((cell) => matches(cell, asked)), pages = pagesOf(found);
    page = Math.min(Math.max(1, page), Math.max(1, pages.length));
    shown = pages[page - 1] || [];
    grids.replaceChildren(...gridsOf(shown, found));
    if (!found.length) grids.append(el("p", {}, "No cell is like that. ", el("button", { class: "button", type: "button", onclick: clear }, "Clear the filters")));
    roving(grids, (by) => { if (page + by >= 1 && page + by <= pages.length) turn(page + by); });
    said.textContent = found.length === all.cells.length ? count(found.length, "cell") : `${found.length.toLocaleString("en")} of ${count(all.cells.length, "cell")}`;
    $("status").textContent = said.textContent;
    pager.replaceChildren(...(pages.length > 1 ? [
      el("button", { class: "button", type: "button", disabled: page === 1, onclick: () => turn(page - 1) }, "‹ Previous"),
      el("span", {}, `Page ${page} of ${pages.length}`),
      el("button", { class: "button", type: "button", disabled: page === pages.length, onclick: () => turn(page + 1) }, "Next ›")] : []));
    drawTally();
  }

  function clear() {
    for (const name of [...query.keys()]) query.delete(name);
    for (const field of root.querySelectorAll("select, input")) field.value = "";
    ask("is", "");
    root.querySelector("input").focus();
  }

  const form = el("form", { class: "filters", role: "search", "aria-label": "Filters", onsubmit: (event) => event.preventDefault() },
    el("label", {}, "Search", el("input", { type: "search", id: "search", value: asked.text, placeholder: "id, verdict, code", oninput: (event) => ask("q", event.target.value) })),
    [...all.axes, ...FILTERS].map((name) => {
      const options = optionsOf(all, name), chosen = query.get(name) || "";
      if (!options.length) return null;
      return el("label", {}, named(name), el("select", { "data-filter": name, onchange: (event) => ask(name, event.target.value) },
        el("option", { value: "" }, `all${options.length > 1 ? ` ${options.length}` : ""}`),
        options.map((one) => el("option", { value: one, selected: one === chosen }, one))));
    }),
    el("button", { class: "button", type: "button", onclick: clear }, "Clear"));

  root.append(el("h2", { class: "sr", tabindex: "-1" }, "Matrix"), tally, form,
    el("div", { class: "row" }, said, el("span", { class: "quiet hint" }, el("kbd", {}, "/"), " searches, ", el("kbd", {}, "←↑↓→"), " move, ", el("kbd", {}, "Enter"), " opens a cell, ", el("kbd", {}, "PgDn"), " turns the page"), el("span", { class: "grow" }, pager)),
    grids, legendOf(all));
  draw();
  state.print = (all_) => { if (all_) { const found = all.cells.filter((cell) => matches(cell, asked)).slice(0, 5 * PAGE); grids.replaceChildren(...gridsOf(found, found)); } else draw(); };
  state.escape = clear;
  return root;
}

// Whole lines go on a page, so that a grid is cut between lines only.
function pagesOf(found) {
  const pages = [];
  let page = [], line = [];
  const flush = () => {
    if (page.length && page.length + line.length > PAGE) { pages.push(page); page = []; }
    page.push(...line);
    line = [];
  };
  for (const cell of found) {
    if (line.length && (line[0].line !== cell.line || line[0].grid !== cell.grid)) flush();
    line.push(cell);
  }
  flush();
  if (page.length) pages.push(page);
  return pages;
}

const groupBy = (cells, name) => {
  const found = new Map();
  for (const cell of cells) (found.get(cell[name]) || found.set(cell[name], []).get(cell[name])).push(cell);
  return found;
};

const columnOrder = (one, other) => one.split("\n").map((part, place) => byVersion(part, other.split("\n")[place])).find(Boolean) || 0;

function gridsOf(cells, found) {
  const totals = groupBy(found, "grid");
  return [...groupBy(cells, "grid")].map(([name, members]) => {
    const [backend, host] = name.split("\n"), columns = [...new Set(members.map((cell) => cell.column))].sort(columnOrder);
    const title = host ? `${backend} on ${host}` : `${backend}, not run yet`, whole = totals.get(name).length;
    return el("section", {}, el("h3", { class: "title" }, title, el("small", {}, members.length < whole ? `${members.length} of ${count(whole, "cell")} on this page` : count(whole, "cell"))),
      el("div", { class: "scroll" }, el("table", { class: "grid", role: "grid", "aria-label": title },
        el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "MediaPipe"), columns.map((one) => headOf(one)))),
        el("tbody", {}, [...groupBy(members, "line")].map(([line, row]) => lineOf(line, row, columns))))));
  });
}

function headOf(column) {
  const [cuda, driver] = column.split("\n");
  return el("th", { scope: "col" }, cuda ? `CUDA ${cuda}` : "no CUDA", el("small", {}, driver && driver !== "any" ? `driver ${driver}` : "any driver"));
}

function lineOf(line, row, columns) {
  const [mediapipe, python, opencv] = line.split("\n"), places = new Map(row.map((cell) => [cell.column, cell]));
  const more = [python && `Python ${python}`, opencv && `OpenCV ${opencv}`].filter(Boolean).join(", ");
  return el("tr", {}, el("th", { scope: "row" }, mediapipe || "–", more && el("small", {}, more)),
    columns.map((column) => (places.has(column) ? el("td", {}, placeOf(places.get(column))) : el("td", { class: "blank" }, el("span", { class: "sr" }, "no such cell")))));
}

function placeOf(cell) {
  const stale = cell.state === "stale", speedup = cell.state === "tested" || stale ? cell.speedup : null;
  const code = cell.judged && !cell.met && cell.codes.length ? cell.codes[0] : "";
  const label = [cell.id, stale && "stale", cell.word, speedup && `${speed(speedup)}, interval ${interval(speedup)}`, code, cell.judged && age(cell.at, cell.now)].filter(Boolean).join(", ");
  return el("a", { class: `place ${cell.look} ${cell.state}`, href: hrefOf(cell), tabindex: "-1", "data-cell": cell.number, "aria-label": label, title: cell.because },
    stale && icon("stale"), icon(cell.icon), el("span", { class: "word" }, cell.word),
    speedup ? el("small", {}, el("strong", {}, speed(speedup)), ` (${interval(speedup)})`) : code ? el("small", {}, code) : "",
    cell.judged ? el("small", {}, `${stale ? "stale, " : ""}${age(cell.at, cell.now)}${cell.composed ? ", composed" : ""}`) : "");
}

function legendOf(all) {
  const states = all.states.filter((one) => MEANING[one] && all.cells.some((cell) => cell.state === one));
  return el("ul", { class: "legend", "aria-label": "Legend" }, states.map((one) => el("li", {}, icon(one === "stale" ? "stale" : STATE_ICON[one]), ` ${one}: ${MEANING[one]}`)));
}

// One place of all grids is in the order of Tab; arrows move it. Rows and columns are those that are seen.
function roving(grids, turn) {
  const places = [...grids.querySelectorAll(".place")];
  if (!places.length) return;
  places[0].tabIndex = 0;
  grids.onfocusin = (event) => {
    if (!event.target.matches(".place")) return;
    grids.querySelector('.place[tabindex="0"]')?.setAttribute("tabindex", "-1");
    event.target.tabIndex = 0;
  };
  grids.onkeydown = (event) => {
    const here = event.target.closest(".place");
    if (!here || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "PageDown" || event.key === "PageUp") { event.preventDefault(); turn(event.key === "PageDown" ? 1 : -1); return; }
    const to = neighbour(here, event.key, grids);
    if (to) { event.preventDefault(); to.focus(); }
  };
}

function neighbour(here, key, grids) {
  const row = here.closest("tr"), inRow = [...row.querySelectorAll(".place")], at = inRow.indexOf(here);
  if (key === "ArrowRight") return inRow[at + 1];
  if (key === "ArrowLeft") return inRow[at - 1];
  if (key === "Home") return inRow[0];
  if (key === "End") return inRow[inRow.length - 1];
  if (key !== "ArrowDown" && key !== "ArrowUp") return null;
  const rows = [...grids.querySelectorAll("tbody tr")], column = here.parentElement.cellIndex, by = key === "ArrowDown" ? 1 : -1;
  for (let place = rows.indexOf(row) + by; place >= 0 && place < rows.length; place += by) {
    const there = [...rows[place].querySelectorAll(".place")];
    if (there.length) return there.find((one) => one.parentElement.cellIndex >= column) || there[there.length - 1];
  }
  return null;
}
