// Elements, icons and words. Texts of environments become text nodes here, and nothing else.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(3)) {
    if (child !== null && child !== undefined && child !== false && child !== "") node.append(child);
  }
  return node;
}

const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
const icon = (name) => svg("svg", { class: "icon", "aria-hidden": "true" }, svg("use", { href: `#i-${name}` }));
const $ = (id) => document.getElementById(id);

const CLASS_OF = { PASS: "pass", FAIL: "fail", UNKNOWN: "unknown", SKIP: "skip-state" };
const ICON_OF = { PASS: "pass", FAIL: "fail", UNKNOWN: "unknown", SKIP: "skip" };
const STATE_ICON = { untested: "untested", unreachable: "skip", impossible: "impossible", excluded: "excluded" };
const MEANING = {
  stale: "tried long ago; the verdict is of that date",
  untested: "can be tried on such a host, and was not yet",
  unreachable: "needs a driver that such a host does not have",
  impossible: "known not to work",
  excluded: "left out of the matrix on purpose",
};

// Half of a surrogate pair cannot stand in an address.
const whole = (text) => text.replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd");

// A link is followed where it is an https address or a path; whatever else stands there is shown as text.
const isLink = (target) => target.startsWith("https://") || (target !== "" && !target.split("/")[0].includes(":"));
const link = (target, text) => (isLink(target) ? el("a", { href: whole(target), rel: "noreferrer" }, text || target) : text || target);

const count = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;
const figure = (number) => (number === null || number === undefined ? "–" : String(+number.toPrecision(3)));
const speed = (of) => (of ? `${figure(of[0])}×` : "");
const interval = (of) => (of ? `${figure(of[1])}–${figure(of[2])}` : "");
const day = (seconds) => (seconds === null ? "undated" : new Date(seconds * 1000).toISOString().slice(0, 10));
const minute = (seconds) => (seconds === null ? "undated" : new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ") + " UTC");

function age(seconds, now) {
  if (seconds === null) return "undated";
  const days = Math.floor((now - seconds) / 86400);
  if (days < 1) return "today";
  if (days < 60) return `${count(days, "day")} ago`;
  return `${count(Math.round(days / 30.4), "month")} ago`;
}

function badge(cell) {
  return el("span", { class: `badge ${cell.look}` }, icon(cell.icon), cell.word);
}

async function copy(text, button) {
  let done = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = el("textarea", { class: "sr" });
    area.value = text;
    document.body.append(area);
    area.select();
    done = document.execCommand("copy");
    area.remove();
  }
  button.textContent = done ? "Copied" : "Copy by hand";
  $("status").textContent = done ? "Copied to the clipboard" : "The browser did not allow it";
  button.focus();
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
}

function remedy(text) {
  return el("div", { class: "remedy" }, el("pre", { tabindex: "0" }, text),
    el("button", { class: "button", type: "button", onclick: (event) => copy(text, event.currentTarget) }, "Copy"));
}

const NAMES = { mediapipe: "MediaPipe", cuda: "CUDA", opencv: "OpenCV" };
const named = (word) => NAMES[word] || word[0].toUpperCase() + word.slice(1);
