'use strict';

// An element of HTML with attributes and children; text is never taken as HTML.
function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children.filter((child) => child !== null));
  return node;
}

function svg(name, attributes = {}, text) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

// A number as the JSON has it, with separators.
const exact = (value) => value.toLocaleString('en-US', {maximumFractionDigits: 6});

// A number to three digits, for people.
function short(value) {
  const size = Math.abs(value);
  if (size > 0 && size < 0.1) return String(Number(value.toPrecision(3)));
  const decimals = size >= 99.95 || size === 0 ? 0 : size >= 9.995 ? 1 : 2;
  return value.toLocaleString('en-US', {maximumFractionDigits: decimals});
}

// About `count` round values from `low` to `high`.
function roundTicks(low, high, count) {
  const raw = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].find((m) => m * power >= raw * 0.999) * power;
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; ++i) {
    ticks.push(Number((i * step).toPrecision(12)));
  }
  return ticks;
}

// The scale of an axis: place() gives 0 to 1. Logarithmic where the values span
// more than a factor of 30.
function scaleOf(values, count) {
  const positive = values.filter((v) => v > 0);
  const high = Math.max(...values, 0) || 1;
  const low = positive.length ? Math.min(...positive) : high;
  if (high / low <= 30) {
    const ticks = roundTicks(0, high, count);
    const top = ticks.length > 1 ? Math.max(high, ticks.at(-1)) * 1.02 : high;
    return {ticks, place: (v) => v / top};
  }
  const from = Math.log10(low) - 0.05;
  const to = Math.log10(high) + 0.05;
  const steps = to - from > 3 ? [1] : to - from > 1.7 ? [1, 3] : [1, 2, 5];
  const ticks = [];
  for (let power = Math.floor(from); power <= to; ++power) {
    for (const step of steps) {
      const v = step * 10 ** power;
      if (Math.log10(v) >= from && Math.log10(v) <= to) ticks.push(Number(v.toPrecision(6)));
    }
  }
  return {ticks, place: (v) => Math.max(0, (Math.log10(Math.max(v, 1e-9)) - from) / (to - from)), log: true};
}

// Gaps in the data are gaps in the line.
function pathOf(points) {
  let path = '';
  let pen = 'M';
  for (const point of points) {
    if (point === null) {
      pen = 'M';
      continue;
    }
    path += `${pen}${point[0].toFixed(1)} ${point[1].toFixed(1)}`;
    pen = 'L';
  }
  return path;
}

// A chart of lines that share x. `series`: {name, color, values, area, dots};
// `x`: {values, ticks: [[value, label]], name(i)}; values null where there is
// none. `marks`: horizontal or vertical lines {y or x, name, color, band}.
function lineChart({title, note, x, series, unit, marks = [], yScale}) {
  const card = el('section', {class: 'card'}, el('h2', {}, title));
  if (note) card.append(el('p', {class: 'soft small'}, note));
  const legend = el('div', {class: 'legend'});
  for (const one of series) {
    legend.append(el('span', {}, el('i', {style: `background:${one.color}`}), one.name));
  }
  const plot = el('div', {class: 'plot'});
  card.append(legend, plot);
  let drawnWidth = 0;
  const draw = () => {
    const width = plot.clientWidth;
    if (!width || width === drawnWidth) return;
    drawnWidth = width;
    plot.replaceChildren(drawLines({title, x, series, unit, marks, yScale, width, plot}));
  };
  // In a frame of its own: drawing inside the observer would make it fire again.
  new ResizeObserver(() => requestAnimationFrame(draw)).observe(plot);
  return card;
}

function drawLines({title, x, series, unit, marks, yScale, width, plot}) {
  const height = width < 420 ? 210 : 260;
  const edge = {left: 48, right: 12, top: 12, bottom: 26};
  const w = width - edge.left - edge.right;
  const h = height - edge.top - edge.bottom;
  const all = series.flatMap((s) => s.values.filter((v) => v !== null));
  const y = yScale || scaleOf([...all, ...marks.filter((m) => m.y).map((m) => m.y)], 5);
  const [x0, x1] = [x.from ?? Math.min(...x.values), x.to ?? Math.max(...x.values)];
  const px = (v) => edge.left + (x1 > x0 ? (v - x0) / (x1 - x0) : 0.5) * w;
  const py = (v) => edge.top + (1 - y.place(v)) * h;
  const root = svg('svg', {viewBox: `0 0 ${width} ${height}`, height, role: 'img', 'aria-label': title});
  for (const tick of y.ticks) {
    root.append(svg('line', {x1: edge.left, x2: width - edge.right, y1: py(tick), y2: py(tick), stroke: 'var(--grid)'}),
      svg('text', {x: edge.left - 8, y: py(tick) + 4, 'text-anchor': 'end'}, short(tick)));
  }
  let free = -Infinity;
  for (const [value, label] of x.ticks) {
    if (px(value) - label.length * 4 < free) continue;  // would touch the one before
    free = px(value) + label.length * 4 + 8;
    const last = px(value) > width - edge.right - 20;
    root.append(svg('text', {x: px(value), y: height - 6, 'text-anchor': last ? 'end' : 'middle'}, label));
  }
  for (const mark of marks) drawMark(mark, {root, px, py, edge, width, height});
  for (const one of series) {
    const points = one.values.map((v, i) => (v === null ? null : [px(x.values[i]), py(v)]));
    if (one.area && points.length > 1) {
      const base = height - edge.bottom;
      const filled = points.map((p) => p ?? null).filter((p) => p);
      root.append(svg('path', {d: `${pathOf(filled)}L${filled.at(-1)[0]} ${base}L${filled[0][0]} ${base}Z`, fill: one.color, opacity: 0.12}));
    }
    if (!one.dots) {
      root.append(svg('path', {d: pathOf(points), fill: 'none', stroke: one.color, 'stroke-width': one.thin ? 1.2 : 2,
        'stroke-linejoin': 'round', opacity: one.thin ? 0.7 : 1}));
    }
    if (one.dots || points.length < 16) {
      for (const point of points) {
        if (point) root.append(svg('circle', {cx: point[0], cy: point[1], r: one.dots ? 5 : 3, fill: one.color}));
      }
    }
  }
  root.append(svg('line', {x1: edge.left, x2: width - edge.right, y1: height - edge.bottom, y2: height - edge.bottom, stroke: 'var(--line)'}));
  addTip({plot, root, x, series, unit, px, edge, height});
  return root;
}

function drawMark(mark, {root, px, py, edge, width, height}) {
  const line = {stroke: mark.color, 'stroke-dasharray': '5 4', 'stroke-width': 1.4};
  if (mark.band) {
    const [a, b] = mark.band.map(px);
    root.append(svg('rect', {x: a, width: Math.max(1, b - a), y: edge.top, height: height - edge.top - edge.bottom, fill: mark.color, opacity: 0.12}));
  }
  if (mark.y !== undefined) {
    root.append(svg('line', {x1: edge.left, x2: width - edge.right, y1: py(mark.y), y2: py(mark.y), ...line}),
      svg('text', {x: width - edge.right, y: py(mark.y) - 5, 'text-anchor': 'end', style: `fill:${mark.color}`}, mark.name));
  } else {
    const right = px(mark.x) > width * 0.7;
    root.append(svg('line', {x1: px(mark.x), x2: px(mark.x), y1: edge.top, y2: height - edge.bottom, ...line}),
      svg('text', {x: px(mark.x) + (right ? -6 : 6), y: edge.top + 10, 'text-anchor': right ? 'end' : 'start', style: `fill:${mark.color}`}, mark.name));
  }
}

// What is under the pointer, in words.
function addTip({plot, root, x, series, unit, px, edge, height}) {
  const rule = svg('line', {y1: edge.top, y2: height - edge.bottom, stroke: 'var(--soft)', 'stroke-width': 1, visibility: 'hidden'});
  root.append(rule);
  const tip = el('div', {class: 'tip', hidden: ''});
  const hide = () => {
    tip.hidden = true;
    rule.setAttribute('visibility', 'hidden');
  };
  root.onpointerleave = hide;
  root.onpointermove = (event) => {
    const at = event.clientX - root.getBoundingClientRect().left;
    let best = 0;
    x.values.forEach((v, i) => {
      if (Math.abs(px(v) - at) < Math.abs(px(x.values[best]) - at)) best = i;
    });
    const lines = [el('div', {class: 'soft'}, x.name(best))];
    for (const one of series) {
      const value = one.values[best];
      if (value === null || value === undefined) continue;
      lines.push(el('div', {}, el('i', {style: `background:${one.color}`}), `${one.name}: ${short(value)} ${unit}`));
    }
    tip.replaceChildren(...lines);
    if (!tip.isConnected) plot.append(tip);
    tip.hidden = false;
    const where = px(x.values[best]);
    rule.setAttribute('x1', where);
    rule.setAttribute('x2', where);
    rule.setAttribute('visibility', 'visible');
    const left = where + 12 + tip.offsetWidth > plot.clientWidth ? where - 12 - tip.offsetWidth : where + 12;
    tip.style.left = `${Math.max(0, left)}px`;
    tip.style.top = '8px';
  };
}

// Bars, one a row: [label, value, color, text].
function barCard(title, note, rows) {
  const high = Math.max(...rows.map((row) => row[1]), 1e-9);
  const table = el('table');
  for (const [label, value, color, text] of rows) {
    const bar = el('div', {style: `height:12px;border-radius:4px;min-width:2px;width:${(100 * value / high).toFixed(2)}%;background:${color}`});
    table.append(el('tr', {}, el('td', {style: 'width:1%;white-space:nowrap'}, label),
      el('td', {style: 'text-align:left;width:99%'}, bar), el('td', {}, text)));
  }
  return el('section', {class: 'card'}, el('h2', {}, title), note ? el('p', {class: 'soft small'}, note) : null, table);
}
