// What the page was given: unpacked, with texts in place of their numbers. The order of fields is that of packing.py.

async function unpack(id) {
  const packed = atob($(id).textContent), bytes = new Uint8Array(packed.length);
  for (let place = 0; place < packed.length; place += 1) bytes[place] = packed.charCodeAt(place);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

function cellOf(row, number, all) {
  const t = all.texts, axes = {};
  all.axes.forEach((axis, place) => { axes[axis] = t[row[1 + place]]; });
  const [host, state, because, link_, verdict, expected, met, at, bench, codes, recorded, digest, composed] = row.slice(1 + all.axes.length);
  const judged = verdict !== undefined;
  const cell = {
    number, id: t[row[0]], axes, host: t[host], state: all.states[state], because: t[because], link: t[link_], judged,
    verdict: judged ? all.verdicts[verdict] : "", status: judged ? all.statuses[verdict] : "",
    expected: judged ? all.verdicts[expected] : "", met: met === 1, at: judged ? at : null,
    speedup: bench && bench[0] !== null ? bench.slice(0, 3) : null,
    cpu: bench && bench[3] !== null ? bench.slice(3, 6) : null, gpu: bench && bench[6] !== null ? bench.slice(6, 9) : null,
    codes: judged ? codes.map((one) => t[one]) : [], recorded: judged ? t[recorded] : "", digest: digest || "",
    composed: judged ? t[composed] : "",
  };
  const own = STATE_ICON[cell.state];
  cell.word = own ? cell.state : cell.verdict;
  cell.icon = own || ICON_OF[cell.status];
  cell.look = cell.state === "impossible" ? "fail" : own ? "skip-state" : CLASS_OF[cell.status];
  if (cell.composed && cell.status === "PASS") [cell.icon, cell.look] = ["unknown", "unknown"]; // seen by nobody
  cell.group = cell.state === "stale" ? "stale" : cell.word;
  cell.line = `${axes.mediapipe}\n${axes.python}\n${axes.opencv}`;
  cell.column = `${axes.cuda}\n${axes.driver}`;
  cell.grid = `${axes.backend}\n${cell.host}`;
  cell.search = `${cell.id} ${cell.host} ${cell.word} ${cell.verdict} ${cell.codes.join(" ")}`.toLowerCase();
  return cell;
}

let details = null;
const detailed = () => (details ||= unpack("details"));

const findingOf = ([code, status, because, remedy_, url], summary) => ({ code, status, summary, because, remedy: remedy_, url });
const pairs = (flat) => Array.from({ length: flat.length / 2 }, (_, place) => flat.slice(2 * place, 2 * place + 2));

async function factsOf(cell) {
  const d = await detailed(), set = d.fact[cell.number];
  if (!set) return {};
  return Object.fromEntries(d.keys.map((key, place) => [d.texts[key], d.texts[d.facts[set - 1][place]]]).filter(([, value]) => value !== ""));
}

async function dossierOf(cell) {
  const d = await detailed(), found = d.dossiers[cell.number];
  if (!found) {
    const causes = new Map(d.causes.map((row) => [row[0], findingOf(row, row[5])]));
    const bare = (code) => ({ code, status: "FAIL", summary: "", because: "", remedy: "", url: "" });
    return { findings: cell.codes.map((code) => causes.get(code) || bare(code)), witnesses: null, spread: null, whole: false };
  }
  const [findings, witnesses, spread] = found;
  return {
    findings: pairs(findings).map(([role, summary]) => findingOf(d.roles[role], d.texts[summary])),
    witnesses: pairs(witnesses).map(([role, saw]) => { const [name, says, needs] = d.roles[role]; return [name, says, d.texts[saw], needs]; }),
    spread: spread && { low: spread[0], high: spread[1], cpu: spread[2], gpu: spread[3] }, whole: true,
  };
}

const FIELDS = 5; // of an entry of history: minutes, verdict, and in thousandths speed-up, below, above

async function historyOf(cell, all) {
  const d = await detailed(), [total, ...rows] = d.history[cell.number], entries = [];
  for (let place = 0; place < rows.length; place += FIELDS) {
    const [minutes, verdict, middle, below, above] = rows.slice(place, place + FIELDS);
    const speedup = middle < 0 ? null : [middle / 1000, (middle - below) / 1000, (middle + above) / 1000];
    entries.push({ minutes, at: minutes < 0 ? null : minutes * 60, verdict: all.verdicts[verdict], status: all.statuses[verdict], speedup, change: null });
  }
  const changes = (await changesOf()).filter((one) => one.cell === cell.id && one.host === cell.host);
  for (const one of changes) {
    const entry = entries.find((other) => other.minutes === one.minutes);
    if (entry) entry.change = one;
  }
  return { total, entries, changes };
}

async function changesOf() {
  const d = await detailed();
  return d.changes.map(([cell, host, kind, what, why, before, after, moved], number) => ({
    number, cell: d.texts[cell], host: d.texts[host], kind: d.texts[kind], what: d.texts[what], why: d.texts[why], minutes: after, after: after < 0 ? null : after * 60,
    moved: moved.map((row) => row.map((one) => d.texts[one])),
  }));
}
