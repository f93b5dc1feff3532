// The page of one cell: verdict, findings with the way out, times, witnesses, history, environment.

const SAYS = { hardware: "pass", software: "fail", "other-gpu": "fail", cpu: "fail", contradicts: "fail", gl: "unknown", nothing: "skip-state", "cannot-know": "skip-state" };
const SAYS_ICON = { pass: "pass", fail: "fail", unknown: "unknown", "skip-state": "skip" };

async function cellView(all, cell) {
  const [dossier, history, facts] = await Promise.all([dossierOf(cell), historyOf(cell, all), factsOf(cell)]);
  return el("article", { class: "cell" },
    el("p", { class: "row" }, el("a", { href: "#/", "data-back": true }, "‹ Matrix"), el("a", { class: "button grow", href: `#/compare?a=${encodeURIComponent(keyOf(cell))}` }, "Compare with another cell")),
    el("h2", { tabindex: "-1", class: "mono-title" }, cell.id),
    el("p", { class: "row" }, badge(cell), cell.state === "stale" ? el("span", { class: "badge skip-state" }, icon("stale"), "stale") : "",
      cell.judged ? el("span", {}, `expected ${cell.expected}: `, el("strong", {}, cell.met ? "met" : "not met")) : el("span", {}, MEANING[cell.state])),
    cell.because && el("p", {}, cell.because),
    cell.composed && el("p", { class: "card unknown" }, `Composed, not seen: ${cell.composed}`),
    aboutOf(all, cell),
    timesOf(cell, dossier), findingsOf(cell, dossier), witnessesOf(cell, dossier), historySection(history, all), factsSection(facts));
}

function aboutOf(all, cell) {
  const evidence = cell.link ? link(cell.link, cell.link) : cell.digest ? remedy(`envcheck history --evidence ${cell.digest}`) : "";
  const rows = [["Host", cell.host || "none yet"], ...all.axes.filter((axis) => cell.axes[axis]).map((axis) => [named(axis), cell.axes[axis]]),
    ["Seen", cell.judged ? (cell.at === null ? cell.recorded : `${minute(cell.at)} (${age(cell.at, cell.now)})`) : ""], ["Evidence", evidence]];
  return el("dl", { class: "facts" }, rows.filter(([, value]) => value !== "").map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

function timesOf(cell, dossier) {
  const chart = latencyChart(cell, dossier.spread);
  if (!chart) return null;
  return el("section", {}, el("h3", {}, "Time per frame, CPU against GPU"),
    cell.speedup && el("p", {}, "Speed-up ", el("strong", {}, speed(cell.speedup)), `, 95% interval ${figure(cell.speedup[1])} to ${figure(cell.speedup[2])}.`), chart);
}

function findingsOf(cell, dossier) {
  if (!dossier.findings.length) return null;
  return el("section", {}, el("h3", {}, "Findings and what to do"), dossier.findings.map((one) => el("div", { class: `card ${CLASS_OF[one.status] || ""}` },
    el("h4", {}, el("code", {}, one.code), " ", one.summary), one.because && el("p", {}, one.because), one.remedy && remedy(one.remedy),
    one.url && el("p", { class: "quiet" }, "Source: ", link(one.url)))),
  !dossier.whole && el("p", { class: "quiet" }, "What was seen in this cell stands in its evidence; this is what the codes mean."));
}

function witnessesOf(cell, dossier) {
  if (!cell.judged || cell.state === "unreachable") return null;
  if (!dossier.witnesses) return el("section", {}, el("h3", {}, "Witnesses"), el("p", { class: "quiet" }, "They were not packed into this page; they stand in the evidence."));
  if (!dossier.witnesses.length) return el("section", {}, el("h3", {}, "Witnesses"), el("p", { class: "quiet" }, "There were none: the run did not get that far."));
  const head = ["Witness", "Says", "Saw", "Speaks for hardware if"];
  return el("section", {}, el("h3", {}, "Witnesses"), el("div", { class: "scroll" }, el("table", { class: "plain" },
    el("thead", {}, el("tr", {}, head.map((one) => el("th", { scope: "col" }, one)))),
    el("tbody", {}, dossier.witnesses.map(([name, says, saw, needs]) => {
      const look = SAYS[says] || "skip-state";
      return el("tr", {}, el("td", {}, name), el("td", {}, el("span", { class: `badge ${look}` }, icon(SAYS_ICON[look]), says)), el("td", {}, saw), el("td", { class: "quiet" }, needs));
    })))));
}

function historySection(history, all) {
  if (!history.entries.length) return null;
  const chart = historyChart(history), earlier = history.total - history.entries.length;
  return el("section", {}, el("h3", {}, "History"), chart || el("p", { class: "quiet" }, history.total > 1 ? "" : "One run only; there is nothing to compare it with yet."),
    history.changes.length > 0 && el("ol", { class: "changes" }, history.changes.map((one) => el("li", {}, changeText(one)))),
    el("details", { open: history.entries.length <= 12 && history.entries.length > 1 }, el("summary", {}, `${count(history.entries.length, "run")}${earlier ? `, ${earlier} earlier ones are in the archive` : ""}`),
      el("div", { class: "scroll" }, el("table", { class: "plain" },
        el("thead", {}, el("tr", {}, ["Run", "Verdict", "Speed-up", "95% interval", "Change"].map((one) => el("th", { scope: "col" }, one)))),
        el("tbody", {}, [...history.entries].reverse().map((one) => el("tr", { class: one.change ? "marked" : null }, el("td", {}, minute(one.at)),
          el("td", {}, el("span", { class: `word ${CLASS_OF[one.status]}` }, icon(ICON_OF[one.status]), ` ${one.verdict}`)), el("td", {}, speed(one.speedup) || "–"), el("td", {}, interval(one.speedup) || "–"), el("td", {}, one.change ? one.change.kind : ""))))))));
}

function changeText(one) {
  return [el("strong", {}, `${one.kind}, ${day(one.after)}: `), one.what, one.why && ` ${one.why}`,
    one.moved.length > 0 && el("ul", {}, one.moved.map(([fact, before, after]) => el("li", {}, el("code", {}, fact), `: ${before || "not seen"} → ${after || "not seen"}`)))];
}

function factsSection(facts) {
  const names = Object.keys(facts);
  if (!names.length) return null;
  return el("section", {}, el("h3", {}, "Environment"), el("details", {}, el("summary", {}, count(names.length, "fact")),
    el("dl", { class: "facts" }, names.sort().map((name) => [el("dt", {}, name), el("dd", {}, el("code", {}, facts[name]))]))));
}
