// Every visible text whose contrast with what is behind it is below 4.5, the least of WCAG's level AA.
() => {
  const parse = (text) => { const found = text.match(/[\d.]+/g).map(Number); return found.length > 3 ? found : [...found, 1]; };
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
  const ground = (one) => {
    const own = parse(getComputedStyle(one).backgroundColor);
    if (own[3] === 1) return own;
    return one.parentElement ? over(own, ground(one.parentElement)) : over(own, parse(getComputedStyle(document.body).backgroundColor));
  };
  const channel = (value) => (value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const low = [];
  for (const one of document.querySelectorAll("body *")) {
    const speaks = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!speaks || one.closest("svg, script, style, .sr, .skip, option") || !one.getClientRects().length || one.disabled) continue;
    let alpha = 1;
    for (let up = one; up; up = up.parentElement) alpha *= Number(getComputedStyle(up).opacity);
    const back = ground(one), text = parse(getComputedStyle(one).color), front = over([...text.slice(0, 3), text[3] * alpha], back);
    const [bright, dark] = [light(front), light(back)].sort((a, b) => b - a), ratio = (bright + 0.05) / (dark + 0.05);
    if (ratio < 4.5) low.push(`${one.tagName}.${one.className} ${ratio.toFixed(2)} ${one.textContent.slice(0, 30)}`);
  }
  return low;
}
