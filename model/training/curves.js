'use strict';

const page = JSON.parse(document.getElementById('data').textContent);
const tint = (i) => `var(--s${i % 6 + 1})`;

// An axis over just the values, for curves that do not begin at zero.
function rangeScale(values) {
  if (!values.length) return undefined;
  const low = Math.min(...values);
  const high = Math.max(...values);
  const ticks = roundTicks(low, high, 5);
  const [from, to] = [Math.min(low, ticks[0] ?? low), Math.max(high, ticks.at(-1) ?? high)];
  const span = (to - from) * 1.04 || 1;
  return {ticks, place: (v) => (v - from) / span};
}

// One curve a run; a second key draws thinner ones beside them.
function curveCard(title, note, keys, {unit = '', factor = 1, scale} = {}) {
  const series = page.runs.flatMap((run, i) => keys.map(([key, suffix], k) => ({
    name: (page.runs.length > 1 || !suffix ? run.name : '') + (suffix ? ` ${suffix}` : ''),
    color: tint(page.runs.length > 1 ? i : k), thin: k > 0,
    values: run.curves[key].map((v) => (v === null ? null : v * factor))})))
    .filter((one) => one.values.some((v) => v !== null));
  if (!series.length) return null;
  const end = page.epochs.at(-1);
  return lineChart({title, note, series, unit,
    yScale: scale && scale(series.flatMap((one) => one.values.filter((v) => v !== null))),
    x: {values: page.epochs, from: 0, to: end, ticks: roundTicks(0, end, 6).map((t) => [t, short(t)]),
      name: (i) => `epoch ${page.epochs[i].toFixed(2)}`}});
}

const percent = (v) => (typeof v === 'number' ? (100 * v).toFixed(2) : '–');
const figure = (v) => (typeof v === 'number' ? short(v) : '–');

function runsCard() {
  const settings = Object.keys(page.runs[0].settings);
  const heads = ['run', ...settings.map((key) => key.replaceAll('_', ' ')), 'parameters', 'steps', 'loss', 'largest gradient',
    'top-1 %', 'minutes'];
  const table = el('table', {}, el('tr', {}, ...heads.map((head) => el('th', {}, head))));
  page.runs.forEach((run, i) => {
    const name = el('td', {}, el('i', {style: `background:${tint(i)}`}), run.name);
    table.append(el('tr', {}, name,
      ...settings.map((key) => el('td', {}, [run.settings[key]].flat().join(', '))),
      ...[run.parameters, run.step, run.loss, run.gradient_norm_peak].map((v) => el('td', {}, figure(v))),
      el('td', {}, percent(run.top1)), el('td', {}, run.seconds === undefined ? '–' : (run.seconds / 60).toFixed(1))));
  });
  return el('section', {class: 'card wide'}, el('h2', {}, 'Runs'),
    el('p', {class: 'soft small'}, 'Settings in which they differ; the loss is smoothed, top-1 that of the averaged weights.'),
    el('div', {class: 'scroll fixed'}, table));
}

function draw() {
  const cards = [
    curveCard('Loss', 'Of training, smoothed over some 50 steps.', [['loss']], {scale: rangeScale}),
    curveCard('Gradient norm', 'Before clipping; the largest of each part of the axis.', [['gradient_norm']]),
    curveCard('Top-1 on the test pictures', 'In %; of the averaged weights, and thinner of the weights as they are.',
      [['top1', 'averaged'], ['student_top1', 'as trained']], {unit: '%', factor: 100, scale: rangeScale}),
    curveCard('Top-1 on training pictures', 'In %, without augmentation, of the averaged weights.', [['train_top1']],
      {unit: '%', factor: 100, scale: rangeScale}),
    curveCard('Learning rate', null, [['learning_rate']], {scale: rangeScale}),
    curveCard('Pictures a second', null, [['images_per_s']]),
    runsCard()];
  document.getElementById('report').append(el('h1', {}, 'Training curves'),
    el('p', {class: 'soft'}, page.runs.length > 1 ? `${page.runs.length} runs, by epoch` : `${page.runs[0].name}, by epoch`),
    el('div', {class: 'grid'}, ...cards.filter((card) => card)));
}

draw();
