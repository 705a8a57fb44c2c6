'use strict';

const report = JSON.parse(document.getElementById('data').textContent);
const color = (i) => `var(--s${i})`;

// The value at a path of the report, "latency_ms.p99", marked with that path, so
// that a test can hold the page against the JSON.
function figure(path, format = exact, root = report) {
  const value = path.split(/\.(?!9)/).reduce((at, key) => (at === undefined ? at : at[key]), root);
  if (value === undefined || value === null) return null;
  return el('span', {'data-path': path, 'data-value': value}, format(value));
}

function tile(name, path, unit) {
  const value = figure(path, short);
  if (!value) return null;
  value.title = exact(Number(value.dataset.value));
  return el('div', {class: 'tile'}, el('span', {class: 'soft small'}, `${name}, ${unit}`), el('b', {}, value));
}

function loadName(plan) {
  if (plan.loop === 'closed') return `${plan.concurrency} caller${plan.concurrency === 1 ? '' : 's'}`;
  if (plan.arrivals === 'trace') return 'recorded trace';
  return short(plan.rate_per_s) + (plan.ramp_to_per_s ? ` to ${short(plan.ramp_to_per_s)}` : '') + ' calls/s';
}

function verdict(good, head, text) {
  return el('div', {class: `verdict ${good ? 'good' : 'bad'}`}, el('b', {}, head), el('span', {}, text));
}

function verdicts(run) {
  const list = [];
  if (run.objective) {
    const parts = run.objective.goals.map((goal) => (goal.name === 'errors'
      ? `errors ${short(100 * goal.ratio)} % of at most ${short(100 * goal.limit_ratio)} %`
      : `${goal.name} ${short(goal.ms)} ms of at most ${short(goal.limit_ms)} ms`));
    list.push(verdict(run.objective.met, run.objective.met ? 'Objective met' : 'Objective missed', parts.join(', ')));
  }
  for (const reason of run.invalid_because || []) list.push(verdict(false, 'Invalid run', `${reason}.`));
  return list;
}

function tiles(run) {
  const errors = run.failed + run.dropped;
  return el('div', {class: 'tiles'},
    ...[tile('offered', 'offered_per_s', 'calls/s'), tile('achieved', 'achieved_per_s', 'OK/s'),
      tile('goodput', 'goodput_per_s', 'OK/s'), tile('p50', 'latency_ms.p50', 'ms'), tile('p99', 'latency_ms.p99', 'ms'),
      tile('p99.9', 'latency_ms.p99.9', 'ms'),
      el('div', {class: 'tile'}, el('span', {class: 'soft small'}, `lost of ${exact(run.planned)}`), el('b', {}, exact(errors)))].filter((t) => t));
}

// Percentiles on an axis that gives each nine the same width.
function percentileCard(run) {
  const {latency, service} = run.spectrum_ms;
  if (!latency.length) return null;
  const place = (q) => -Math.log10(1 - Math.min(q, 1 - 1e-7));
  const points = latency.filter(([q]) => q < 1);
  const end = place(points.at(-1)[0]);
  const ticks = [[0, '0'], [place(0.5), '50'], [place(0.9), '90'], [place(0.99), '99'], [place(0.999), '99.9'],
    [place(0.9999), '99.99'], [place(0.99999), '99.999']].filter(([v]) => v <= end + 1e-9);
  const open = run.latency_from === 'due';
  const series = [{name: open ? 'from when it was due' : 'from when it was sent (uncorrected)', color: color(1), values: points.map((p) => p[1]), area: true}];
  if (open) {
    const of = new Map(service.map(([q, ms]) => [q, ms]));
    series.push({name: 'from when it was sent', color: color(2), values: points.map(([q]) => of.get(q) ?? null)});
  }
  const limits = (run.objective ? run.objective.goals : []).filter((g) => g.limit_ms);
  return lineChart({title: 'Latency by percentile', note: 'Of OK answers, in ms; each step to the right is ten times rarer.',
    unit: 'ms', series, marks: limits.map((g) => ({y: g.limit_ms, name: `${g.name} limit`, color: 'var(--bad)'})),
    x: {values: points.map(([q]) => place(q)), ticks, name: (i) => `${exact(100 * points[i][0])} % of the calls`}});
}

function timeAxis(series) {
  const values = series.due.map((_, i) => (i + 0.5) * series.interval_s);
  const end = series.due.length * series.interval_s;
  return {values, from: 0, to: end, ticks: roundTicks(0, end, 6).map((t) => [t, `${exact(t)} s`]),
    name: (i) => `${exact(Number((i * series.interval_s).toFixed(3)))} to ${exact(Number(((i + 1) * series.interval_s).toFixed(3)))} s`};
}

function timeCards(run) {
  const s = run.series;
  if (!s.due.length) return [];
  const rate = (values) => values.map((v) => v / s.interval_s);
  const lost = s.failed.map((v, i) => v + s.dropped[i]);
  const throughput = [
    {name: run.plan.loop === 'open' ? 'due' : 'sent', color: color(6), values: rate(s.due), thin: true},
    {name: 'answered OK', color: color(3), values: rate(s.answered), area: true}];
  if (lost.some((v) => v > 0)) throughput.push({name: 'failed or dropped', color: 'var(--bad)', values: rate(lost)});
  return [
    lineChart({title: 'Latency over time', note: 'Of OK answers, in ms, by when the call was due.', unit: 'ms', x: timeAxis(s),
      series: [{name: 'max', color: color(6), values: s.max_ms, thin: true}, {name: 'p99', color: color(2), values: s.p99_ms},
        {name: 'p50', color: color(1), values: s.p50_ms}]}),
    lineChart({title: 'Throughput over time', note: 'Calls a second.', unit: 'calls/s', x: timeAxis(s), series: throughput,
      yScale: linear(throughput)})];
}

function linear(series) {
  const high = Math.max(...series.flatMap((s) => s.values), 1e-9);
  const ticks = roundTicks(0, high, 5);
  return {ticks, place: (v) => v / (Math.max(high, ticks.at(-1)) * 1.02)};
}

function timeCard(run) {
  if (!run.time) return null;
  const stages = run.time.filter((row) => row.depth === 0 && row.name !== 'service time');
  const tint = new Map(stages.map((row, i) => [row.name, color(i + 1)]));
  const stack = el('div', {class: 'stack', role: 'img', 'aria-label': 'the stages of a call, by time'},
    ...stages.map((row) => el('div', {style: `flex:${Math.max(0, row.mean_ms)} 0 0;background:${tint.get(row.name)}`, title: `${row.name}: ${row.mean_ms} ms`})));
  const paged = run.time.some((row) => row.page_mean_ms !== undefined);
  const table = el('table', {}, el('tr', {}, el('th', {}, 'stage'), el('th', {}, 'mean ms'), el('th', {}, 'share'),
    paged ? el('th', {}, 'by its metrics') : null));
  for (const row of run.time) {
    const name = el('td', row.depth ? {class: 'part'} : {});
    if (tint.has(row.name)) name.append(el('i', {style: `background:${tint.get(row.name)}`}));
    name.append(row.name);
    table.append(el('tr', row.name === 'service time' ? {class: 'total'} : {}, name, el('td', {}, exact(row.mean_ms)),
      el('td', {}, `${(100 * row.share).toFixed(1)} %`),
      paged ? el('td', {}, row.page_mean_ms === undefined ? '' : exact(row.page_mean_ms)) : null));
  }
  return el('section', {class: 'card'}, el('h2', {}, 'Where the time went'),
    el('p', {class: 'soft small'}, 'Means over OK answers: the server\'s receipts, and what is left of the service time.'), stack, el('div', {class: 'scroll'}, table));
}

function codesCard(run) {
  const rows = Object.entries(run.codes).map(([code, count]) => [code, count, code === 'OK' ? 'var(--good)' : 'var(--bad)',
    figure(`codes.${code}`, exact, run)]);
  if (run.dropped) rows.push(['dropped, not sent', run.dropped, color(6), exact(run.dropped)]);
  if (run.server) {
    for (const [reason, count] of Object.entries(run.server.refused)) {
      if (count) rows.push([`refused by the server: ${reason}`, count, color(2), exact(count)]);
    }
  }
  return rows.length ? barCard('How calls ended', null, rows) : null;
}

function batchCard(run) {
  if (!run.server || !run.server.batches) return null;
  let from = 1;
  const rows = [];
  for (const [bound, count] of run.server.batch_sizes) {
    const label = bound === null ? `over ${from - 1}` : bound === from ? exact(bound) : `${exact(from)} to ${exact(bound)}`;
    if (count) rows.push([label, count, color(4), exact(count)]);
    if (bound !== null) from = bound + 1;
  }
  const why = Object.entries(run.server.dispatch).filter(([, n]) => n).map(([reason, n]) => `${reason} ${exact(n)}`).join(', ');
  return barCard('Batches by size', `${exact(run.server.batches)} batches of ${short(run.server.images / run.server.batches)} on average; started because: ${why}`, rows);
}

function latencyCard(run) {
  const names = ['p50', 'p90', 'p95', 'p99', 'p99.9', 'p99.99', 'max', 'mean', 'count'].filter((n) => run.latency_ms[n] !== undefined);
  const kinds = [['latency_ms', run.latency_from === 'due' ? 'OK, from due' : 'OK (uncorrected)'], ['service_ms', 'OK, from sent'],
    ['failed_latency_ms', 'failed'], ['send_lag_ms', 'send lag']].filter(([key]) => run[key] && run[key].count);
  const table = el('table', {}, el('tr', {}, el('th', {}, 'ms'), ...names.map((n) => el('th', {}, n))));
  for (const [key, name] of kinds) {
    table.append(el('tr', {}, el('td', {}, name), ...names.map((n) => el('td', {}, figure(`${key}.${n}`, exact, run) ?? '–'))));
  }
  return el('section', {class: 'card wide'}, el('h2', {}, 'Percentiles'),
    el('p', {class: 'soft small'}, 'Told only where at least ten calls lie beyond, from p99.9 on.'), el('div', {class: 'scroll fixed'}, table));
}

function baselineCard() {
  if (!report.baseline) return null;
  const table = el('table', {}, el('tr', {}, ...['', 'before', 'now', 'change', ''].map((h) => el('th', {}, h))));
  for (const row of report.baseline.figures) {
    table.append(el('tr', {}, el('td', {}, row.name), el('td', {}, short(row.before)), el('td', {}, short(row.now)),
      el('td', {}, row.before ? `${row.now >= row.before ? '+' : '−'}${Math.abs(100 * (row.now / row.before - 1)).toFixed(1)} %` : ''),
      el('td', {class: row.verdict === 'better' ? 'up' : row.verdict === 'worse' ? 'down' : 'soft'}, row.verdict)));
  }
  return el('section', {class: 'card wide'}, el('h2', {}, 'Against the baseline'),
    el('p', {class: 'soft small'}, `Run ${report.baseline.started}. Better or worse only where the 95 % ranges of both do not overlap.`), el('div', {class: 'scroll'}, table));
}

function searchCards() {
  const s = report.search;
  const trials = [...s.trials].sort((a, b) => a.rate_per_s - b.rate_per_s);
  const share = (t) => 100 * t.windows_met / Math.max(1, t.windows);
  const rates = trials.map((t) => t.rate_per_s);
  const marks = s.rate_per_s ? [{x: s.rate_per_s, name: `${short(s.rate_per_s)} calls/s`, color: 'var(--good)', band: s.high_per_s ? [s.low_per_s, s.high_per_s] : undefined}] : [];
  const dots = (name, tint, keep) => ({name, color: tint, dots: true, values: trials.map((t) => (keep(t) ? share(t) : null))});
  const top = Math.max(...rates) * 1.05;
  const chart = lineChart({title: 'The search', note: 'Windows of a trial that met the objective, in %, by rate.', unit: '%', marks,
    yScale: {ticks: [0, 20, 40, 60, 80, 100], place: (v) => v / 105},
    series: [dots('met', 'var(--good)', (t) => t.met && !t.client_limited), dots('missed', 'var(--bad)', (t) => !t.met && !t.client_limited),
      dots('this machine\'s limit', color(6), (t) => t.client_limited)].filter((d) => d.values.some((v) => v !== null)),
    x: {values: rates, from: 0, to: top, ticks: roundTicks(0, top, 6).map((t) => [t, short(t)]), name: (i) => `${short(rates[i])} calls/s`}});
  chart.classList.add('wide');
  return [chart];
}

function sweepCards() {
  const runs = report.runs;
  const by = [...runs].sort((a, b) => a.achieved_per_s - b.achieved_per_s);
  const rates = by.map((r) => r.achieved_per_s);
  const top = Math.max(...rates) * 1.05;
  const line = (name, i, key) => ({name, color: color(i), values: by.map((r) => r.latency_ms[key] ?? null)});
  const chart = lineChart({title: 'Latency by throughput', note: 'In ms, by OK answers a second.', unit: 'ms',
    series: [line('p99', 2, 'p99'), line('p50', 1, 'p50')],
    x: {values: rates, from: 0, to: top, ticks: roundTicks(0, top, 6).map((t) => [t, short(t)]), name: (i) => `${loadName(by[i].plan)}: ${short(rates[i])} OK/s`}});
  chart.classList.add('wide');
  const table = el('table', {}, el('tr', {}, ...['load', 'offered/s', 'achieved/s', 'p50 ms', 'p99 ms', 'max ms', 'lost', 'batch'].map((h) => el('th', {}, h))));
  for (const run of runs) {
    table.append(el('tr', {}, el('td', {}, loadName(run.plan) + (run.valid ? '' : ' (invalid)')),
      ...[run.offered_per_s, run.achieved_per_s, run.latency_ms.p50, run.latency_ms.p99, run.latency_ms.max].map((v) => el('td', {}, exact(v))),
      el('td', {}, exact(run.failed + run.dropped)), el('td', {}, run.server_mean ? exact(run.server_mean.batch_size) : '–')));
  }
  return [chart, el('section', {class: 'card wide'}, el('h2', {}, 'Runs'), el('div', {class: 'scroll'}, table))];
}

function aboutCard(plan) {
  const rows = [['command', el('code', {}, ...report.command.split(' ').flatMap((word) => [el('span', {class: 'word'}, word), ' ']))], ['started', report.started], ['machine', report.machine],
    ['client', report.client_version], ['server', report.server ? report.server.version : null],
    ['server used', report.server ? `${exact(report.server.cpu_cores)} cores, ${exact(report.server.resident_mb)} MB` : null],
    ['seed', String(plan.seed)], ['warm-up and duration', `${exact(plan.warmup_s)} s and ${exact(plan.duration_s)} s`],
    ['deadline', `${exact(plan.deadline_ms)} ms`], ['connections', exact(plan.connections)], ['retries', plan.retries ? 'on' : 'off']];
  const list = el('dl');
  for (const [name, value] of rows) if (value) list.append(el('dt', {}, name), el('dd', {}, value));
  return el('section', {class: 'card wide'}, el('h2', {}, 'About this run'), list);
}

function page() {
  const plan = report.plan ?? (report.runs ? report.runs[0].plan : null);
  const heads = {run: plan && `${loadName(plan)}, ${plan.loop} loop`, search: 'Highest rate within the objective', sweep: 'Sweep'};
  const main = document.getElementById('report');
  main.append(el('h1', {}, `${heads[report.kind]}`),
    el('p', {class: 'soft'}, `${report.model}${report.model_version ? ` version ${report.model_version}` : ''} at ${report.target}${plan ? `, ${plan.payload}` : ''}`));
  const cards = [];
  if (report.kind === 'search') {
    const s = report.search;
    main.append(verdict(s.rate_per_s > 0, s.rate_per_s > 0 ? `${short(s.rate_per_s)} calls/s` : 'No rate',
      `${s.rate_per_s > 0 ? 'meet' : 'meets'} ${s.objective}${s.high_per_s ? ` (95 %: ${short(s.low_per_s)} to ${short(s.high_per_s)})` : ''}${s.client_limited ? '; the end is this client\'s, not the server\'s' : ''}`));
    cards.push(...searchCards());
  }
  if (report.runs) {
    cards.push(...sweepCards());
  } else if (report.plan) {
    main.append(...verdicts(report), tiles(report));
    cards.push(baselineCard(), percentileCard(report), ...timeCards(report), timeCard(report), codesCard(report), batchCard(report), latencyCard(report));
  }
  if (plan) cards.push(aboutCard(plan));
  main.append(el('div', {class: 'grid'}, ...cards.filter((card) => card)));
}

page();
