// Which page is shown, by the hash: #/ (with filters), #/cell/ID @ HOST, #/compare?a=…&b=…, #/changes.

const keyOf = (cell) => whole(`${cell.id} @ ${cell.host}`);
const hrefOf = (cell) => `#/cell/${encodeURIComponent(keyOf(cell))}`;
const state = { remember: () => {}, print: null, escape: null, back: "#/", last: null };

function replaceHash(view, query) {
  const text = query.toString(), to = `#/${view}${text ? `?${text}` : ""}`;
  try { history.replaceState(null, "", to); } catch { /* some browsers do not allow it for files: filters then work without a link */ }
  if (!view) state.back = to;
}

function routeOf(hash) {
  const [place, ...rest] = hash.replace(/^#\/?/, "").split("?"), query = new URLSearchParams(rest.join("?"));
  const [view, ...name] = place.split("/");
  let key = name.join("/");
  try { key = decodeURIComponent(key); } catch { /* as it stands */ }
  return { view, key, query };
}

async function viewOf(all, { view, key, query }) {
  if (view === "cell") {
    const cell = all.byKey.get(key) || all.cells.find((one) => whole(one.id) === key);
    if (cell) return [cell.id, await cellView(all, cell)];
    return ["No such cell", el("article", {}, el("h2", { tabindex: "-1" }, "No such cell"), el("p", {}, `There is no cell ${key} in this report. `, el("a", { href: "#/" }, "Show the matrix")))];
  }
  if (view === "compare") return ["Compare", await compareView(all, query)];
  if (view === "changes") return ["Changes", await changesView(all)];
  return ["", matrixView(all, query, state)];
}

async function show(all, focus) {
  const route = routeOf(location.hash), turn = (state.turn = Symbol("turn"));
  state.print = state.escape = null;
  const [title, node] = await viewOf(all, route);
  if (state.turn !== turn) return; // another page was asked for meanwhile
  $("main").replaceChildren(node);
  document.title = title ? `${title} – ${all.title}` : all.title;
  for (const one of document.querySelectorAll(".top nav a")) {
    const here = one.getAttribute("href") === `#/${["compare", "changes"].includes(route.view) ? route.view : ""}` && route.view !== "cell";
    if (here) one.setAttribute("aria-current", "page"); else one.removeAttribute("aria-current");
  }
  for (const one of node.querySelectorAll("[data-back]")) one.setAttribute("href", state.back);
  const before = !route.view && state.last !== null ? node.querySelector(`[data-cell="${state.last}"]`) : null;
  if (focus) { (before || node.querySelector("h2"))?.focus({ preventScroll: !before }); if (!before) scrollTo(0, 0); }
  if (route.view === "cell") state.last = all.byKey.get(route.key)?.number ?? state.last;
  document.body.dataset.view = route.view || "matrix";
}

function listen(all) {
  addEventListener("hashchange", () => show(all, true));
  addEventListener("beforeprint", () => { state.print?.(true); for (const one of document.querySelectorAll("details")) one.open = true; });
  addEventListener("afterprint", () => state.print?.(false));
  addEventListener("keydown", (event) => {
    const typing = event.target.matches("input, select, textarea");
    if (event.key === "/" && !typing && $("search")) { event.preventDefault(); $("search").focus(); }
    if (event.key === "Escape" && event.target.id === "search") state.escape?.();
    else if (event.key === "Escape" && !typing && document.body.dataset.view !== "matrix") location.hash = state.back;
  });
  document.querySelector("[data-skip]").addEventListener("click", (event) => { event.preventDefault(); $("main").focus(); });
}

async function start() {
  const all = await unpack("overview");
  all.title = document.title;
  all.cells = all.cells.map((row, number) => cellOf(row, number, all));
  for (const cell of all.cells) cell.now = all.at;
  all.byKey = new Map(all.cells.map((cell) => [keyOf(cell), cell]));
  all.remember = replaceHash;
  state.remember = (query) => replaceHash("", query);
  if (all.changes) document.querySelector('.top nav a[href="#/changes"]').append(` (${all.changes})`);
  listen(all);
  await show(all, false);
  performance.mark("drawn");
  document.body.dataset.ready = "true";
  setTimeout(detailed, 300); // the pages of cells are unpacked before they are asked for
}

start().catch((error) => {
  $("main").append(el("p", { role: "alert" }, `This page could not be drawn: ${error.message}. A current browser is needed (DecompressionStream).`));
  throw error;
});
