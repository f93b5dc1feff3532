// Two pictures: how the times of frames are spread, and how a cell fared over its nights. Each has its numbers in a table
// or a caption as well, and tells its series apart by place, form and word, not by colour alone.

const WIDE = 720;
const path = (points) => `M${points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}`;

function ticks(low, high, steps = [[1, 2, 5], [1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 1.2, 1.4, 1.6, 1.8, 2, 2.2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9]]) {
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
    for (const digit of steps[0]) found.push(digit * 10 ** power);
  }
  const within = found.filter((one) => one >= low && one <= high);
  return within.length < 3 && steps.length > 1 ? ticks(low, high, steps.slice(1)) : within;
}

function outline(counts, x, base, height) {
  const most = Math.max(...counts), step = (x(1) - x(0)) / counts.length, points = [[x(0), base]];
  counts.forEach((one, place) => {
    const y = base - (one / most) * height;
    points.push([x(0) + place * step, y], [x(0) + (place + 1) * step, y]);
  });
  return path([...points, [x(1), base]]) + "Z";
}

function marker(kind, x, base, height) {
  return svg("path", { class: kind, d: path([[x, base], [x, base - height]]) });
}

// One row for each delegate on one axis, which is logarithmic: both are seen, however far apart.
function latencyChart(cell, spread) {
  const timed = [["CPU", "cpu", cell.cpu], ["GPU", "gpu", cell.gpu]].filter(([, , times]) => times);
  if (!timed.length) return null;
  let low = Math.min(...timed.map(([, , times]) => times[0])), high = Math.max(...timed.map(([, , times]) => times[1]));
  if (spread) { low = spread.low; high = spread.high; }
  const from = Math.log(low * (spread ? 1 : 0.8)), to = Math.log(high * (spread ? 1 : 1.25)), left = 56, right = WIDE - 20;
  const at = (ms) => left + ((Math.log(ms) - from) / (to - from)) * (right - left);
  const x = (share) => left + share * (right - left), rows = 104, tall = timed.length * rows + 44;
  const drawn = timed.map(([name, look, times], place) => {
    const base = (place + 1) * rows, counts = spread ? spread[look] : [];
    const median = at(times[0]), end = median > WIDE - 240;
    return svg("g", { class: look },
      counts.length ? svg("path", { class: "bars", d: outline(counts, x, base, 62) }) : svg("path", { class: "median", d: path([[median, base - 8], [at(times[1]), base - 8]]) }),
      marker("median", median, base, 66), marker("p95", at(times[1]), base, 66),
      svg("path", { class: "axis", d: path([[left, base], [right, base]]) }),
      svg("text", { class: "said", x: 0, y: base - 22 }, name),
      svg("text", { x: median + (end ? -6 : 4), y: base - 74, "text-anchor": end ? "end" : "start" }, `median ${figure(times[0])} ms, 95th percentile ${figure(times[1])} ms`));
  });
  const marks = ticks(Math.exp(from), Math.exp(to)).map((ms) => svg("g", {}, svg("path", { class: "axis", d: path([[at(ms), tall - 44], [at(ms), tall - 38]]) }),
    svg("text", { x: at(ms), y: tall - 22, "text-anchor": "middle" }, `${figure(ms)}`)));
  const said = timed.map(([name, , times]) => `${name}: median ${figure(times[0])} ms, 95th percentile ${figure(times[1])} ms over ${times[2]} frames`).join("; ");
  return el("figure", {}, svg("svg", { class: "chart latency", viewBox: `0 0 ${WIDE} ${tall}`, role: "img", "aria-label": `Time per frame. ${said}` },
    drawn, marks, svg("text", { x: right, y: tall - 4, "text-anchor": "end" }, "ms per frame, logarithmic")),
  el("figcaption", {}, `${said}. Solid line: median; dashed: 95th percentile.`, spread ? "" : " The single frames are in the evidence."));
}

const SHAPES = {
  pass: (x, y) => svg("circle", { class: "dot pass", cx: x, cy: y, r: 4 }),
  fail: (x, y) => svg("path", { class: "dot fail", d: `M${x - 4} ${y - 4}l8 8m0-8l-8 8` }),
  unknown: (x, y) => svg("path", { class: "dot unknown", d: `M${x} ${y - 5}l5 5l-5 5l-5-5Z` }),
  "skip-state": (x, y) => svg("path", { class: "dot skip-state", d: `M${x - 4} ${y}h8` }),
};

function historyChart(history) {
  const entries = history.entries.filter((one) => one.at !== null);
  if (entries.length < 2) return null;
  const tall = 230, base = 168, left = 46, right = WIDE - 14, lane = 192;
  const first = entries[0].at, last = entries[entries.length - 1].at, most = Math.max(1.2, ...entries.map((one) => (one.speedup ? one.speedup[2] : 0)));
  const x = (at) => left + 8 + ((at - first) / Math.max(1, last - first)) * (right - left - 16), y = (value) => base - (value / most) * (base - 24);
  const steps = [1, 2, 5, 10, 20, 50, 100], step = steps.find((one) => most / one <= 5) || most / 4;
  const lines = [];
  for (let value = 0; value <= most; value += step) lines.push(svg("path", { class: "axis", d: path([[left, y(value)], [right, y(value)]]) }), svg("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, `${value}×`));
  const dots = entries.map((one) => {
    const look = CLASS_OF[one.status], title = svg("title", {}, `${minute(one.at)}: ${one.verdict} ${one.speedup ? `${speed(one.speedup)} (${interval(one.speedup)})` : ""}`);
    if (!one.speedup) return svg("g", {}, title, SHAPES[look](x(one.at), lane));
    return svg("g", {}, title, svg("path", { class: "range", d: path([[x(one.at), y(one.speedup[1])], [x(one.at), y(one.speedup[2])]]) }), SHAPES[look](x(one.at), y(one.speedup[0])));
  });
  const flags = entries.filter((one) => one.change).map((one) => svg("g", {}, svg("path", { class: "change", d: path([[x(one.at), 18], [x(one.at), lane + 8]]) }),
    svg("circle", { class: "flag", cx: x(one.at), cy: 10, r: 9 }), svg("text", { class: "flagged", x: x(one.at), y: 14, "text-anchor": "middle" }, String(history.changes.indexOf(one.change) + 1))));
  return el("figure", {}, svg("svg", { class: "chart history", viewBox: `0 0 ${WIDE} ${tall}`, role: "img", "aria-label": `Speed-up over ${count(entries.length, "run")}, ${count(history.changes.length, "change")} marked; the table below has the figures` },
    lines, svg("path", { class: "one", d: path([[left, y(1)], [right, y(1)]]) }), svg("text", { x: left - 8, y: lane + 4, "text-anchor": "end" }, "none"), flags, dots,
    svg("text", { x: left, y: tall - 8 }, day(first)), svg("text", { x: right, y: tall - 8, "text-anchor": "end" }, day(last))),
  el("figcaption", {}, "Speed-up with its interval. Disc: passed; cross: failed; diamond: not known. “none”: no speed-up was measured. Dashed: as fast as the CPU."));
}
