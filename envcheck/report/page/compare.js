// What differs between the environments of any two cells; and the page of all changes.

const MOST_OFFERED = 60;

async function compareView(all, query) {
  const root = el("article", { class: "compare" }), table = el("div", {});
  const chosen = { a: all.byKey.get(query.get("a") || "") || null, b: all.byKey.get(query.get("b") || "") || null };
  let every = false;

  function field(side, label) {
    const list = el("datalist", { id: `cells-${side}` });
    const offer = (text) => {
      const words = text.toLowerCase().split(/\s+/).filter(Boolean);
      const found = [];
      for (const cell of all.cells) {
        if (cell.judged && words.every((word) => keyOf(cell).toLowerCase().includes(word)) && found.push(cell) >= MOST_OFFERED) break;
      }
      list.replaceChildren(...found.map((cell) => el("option", { value: keyOf(cell) })));
    };
    const input = el("input", { list: `cells-${side}`, id: `cell-${side}`, value: chosen[side] ? keyOf(chosen[side]) : "", autocomplete: "off", spellcheck: "false", placeholder: "type a part of its id",
      oninput: (event) => { offer(event.target.value); choose(side, event.target.value); } });
    offer("");
    return el("label", {}, label, input, list);
  }

  function choose(side, key) {
    chosen[side] = all.byKey.get(key) || null;
    if (chosen[side]) query.set(side, key); else query.delete(side);
    all.remember("compare", query);
    draw();
  }

  async function draw() {
    if (!chosen.a || !chosen.b) {
      table.replaceChildren(el("p", { class: "quiet" }, "Name two cells that were run; the list offers what fits what you type."));
      return;
    }
    const [one, other] = await Promise.all([factsOf(chosen.a), factsOf(chosen.b)]);
    table.replaceChildren(difference(chosen, one, other, every, (to) => { every = to; draw(); }));
  }

  root.append(el("h2", { tabindex: "-1" }, "Compare two environments"), el("div", { class: "pair" }, field("a", "First cell"), field("b", "Second cell")), table);
  await draw();
  return root;
}

function difference({ a, b }, one, other, every, toggle) {
  const rows = [["verdict", a.verdict, b.verdict], ["speed-up", a.speedup ? `${speed(a.speedup)} (${interval(a.speedup)})` : "", b.speedup ? `${speed(b.speedup)} (${interval(b.speedup)})` : ""],
    ["CPU ms per frame", a.cpu ? figure(a.cpu[0]) : "", b.cpu ? figure(b.cpu[0]) : ""], ["GPU ms per frame", a.gpu ? figure(a.gpu[0]) : "", b.gpu ? figure(b.gpu[0]) : ""], ["host", a.host, b.host]];
  const names = [...new Set([...Object.keys(one), ...Object.keys(other)])].sort();
  const facts = names.map((name) => [name, one[name] || "", other[name] || ""]), differing = facts.filter(([, x, y]) => x !== y);
  const shown = every ? facts : differing;
  $("status").textContent = `${count(differing.length, "fact")} differ`;
  const body = (lines) => lines.map(([name, x, y]) => el("tr", { class: every && x !== y ? "marked" : null }, el("th", { scope: "row" }, name), el("td", {}, x || "–"), el("td", { class: "sign" }, x === y ? "=" : "≠"), el("td", {}, y || "–")));
  return el("div", {}, el("p", { class: "row" }, el("strong", {}, `${differing.length} of ${count(facts.length, "fact")} of the environments ${differing.length === 1 ? "differs" : "differ"}.`),
    el("label", { class: "grow" }, el("input", { type: "checkbox", id: "every", checked: every, onchange: (event) => toggle(event.target.checked) }), " Show those that are the same")),
  el("div", { class: "scroll" }, el("table", { class: "two" },
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Fact"), el("th", { scope: "col" }, el("a", { href: hrefOf(a) }, a.id)), el("th", { scope: "col" }, el("span", { class: "sr" }, "same?")), el("th", { scope: "col" }, el("a", { href: hrefOf(b) }, b.id)))),
    el("tbody", {}, body(rows)), el("tbody", {}, body(shown)))));
}

async function changesView(all) {
  const changes = await changesOf();
  return el("article", {}, el("h2", { tabindex: "-1" }, "Changes"),
    changes.length ? changes.map((one) => {
      const cell = all.byKey.get(keyOf({ id: one.cell, host: one.host })), bad = one.kind === "regression";
      return el("div", { class: `card ${bad ? "fail" : one.kind === "verdict" ? "unknown" : "pass"}` },
        el("h4", {}, icon(bad ? "fail" : "pass"), " ", cell ? el("a", { href: hrefOf(cell) }, one.cell) : one.cell, " ", el("small", { class: "quiet" }, one.host)), el("p", {}, changeText(one)));
    }) : el("p", { class: "quiet" }, "Nothing has changed in the nights that this report covers."));
}
