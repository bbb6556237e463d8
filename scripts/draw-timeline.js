// Draws docs/on-air.svg from what spec/external/timeline.spec.ts prints:
// npm run --silent test:external -- external/timeline --test-reporter=spec |
//   node scripts/draw-timeline.js > docs/on-air.svg
import { readFileSync } from 'node:fs';

/** Steps of the spec and events of the upstream: the s at which they happened, and what they say. */
const lines = [...readFileSync(0, 'utf8').matchAll(/(\d+\.\d) s {2}(.+)$/gm)].map(([, at, text]) => ({
  at: Number(at),
  text,
}));
const events = lines.flatMap(({ at, text }) => (text.startsWith('event ') ? [{ at, text: text.slice(6) }] : []));
const end = events.at(-1)?.at;
if (end === undefined) throw new Error('standard input has no timeline: run the spec with --test-reporter=spec');

const GOOD = ['#d8efdd', '#2c7a43'];
const BAD = ['#f7d6d3', '#a3261b'];
const SLOW = ['#fbe8c4', '#8a5a00'];
const SLATE = ['#dcd9f5', '#4a3fa8'];
const BACKUP = ['#cfe6f7', '#1f5f96'];
const OFF = ['#e6e9ed', '#667'];

/** What begins a bar: the text of a step, or the beginning of an event behind `event `. */
const ROWS = {
  sender: { '': ['sends', GOOD], 'the sender is killed': ['killed', BAD], 'the sender starts again': ['sends', GOOD] },
  line: {
    '': ['fast', GOOD],
    'the line runs at half speed': ['half speed', SLOW],
    'the line is fast again': ['fast', GOOD],
  },
  'primary server': {
    '': ['runs', GOOD],
    'the only server is killed': ['killed', BAD],
    'the server starts again': ['runs', GOOD],
    'the primary server is killed, and the backup runs': ['', BAD],
    'the primary server starts again': ['runs', GOOD],
  },
  'backup server': {
    '': ['not started', OFF],
    'the primary server is killed, and the backup runs': ['runs', GOOD],
  },
  output: {
    '': ['live', GOOD],
    'event input_lost': ['slate', SLATE],
    'event input_back': ['live', GOOD],
    'event publish_end': ['none', BAD],
    'event publish_start again': ['live', GOOD],
    'event degraded lag': ['degraded', SLOW],
    'event recovered lag': ['live', GOOD],
    'event failover': ['backup', BACKUP],
    'event failover failback': ['live', GOOD],
  },
};
Object.assign(ROWS.sender, { 'the sender is frozen': ['frozen', BAD], 'the sender continues': ['sends', GOOD] });

const x = (at) => (150 + (at / end) * 740).toFixed(1);

/** The bars of a row: a new one begins where the text changes. The most exact beginning counts. */
function barsOf(starts) {
  const bars = [{ at: 0, bar: starts[''] }];
  for (const { at, text } of lines.toSorted((a, b) => a.at - b.at)) {
    const keys = Object.keys(starts).filter((key) => key !== '' && text.startsWith(key));
    const key = keys.sort((a, b) => b.length - a.length)[0];
    const last = bars.at(-1);
    if (key === undefined || text.endsWith(' api_delete') || last.bar[0] === starts[key][0]) continue;
    // At the same moment, the last one is what lasts. The backup is in use until the return.
    if (last.bar === starts['event failover'] && key !== 'event failover failback') continue;
    if (at - last.at < 0.3 && last.bar[0] !== '') bars.pop();
    if (bars.at(-1)?.bar[0] !== starts[key][0]) bars.push({ at, bar: starts[key] });
  }
  return bars;
}

function row([name, starts], n) {
  const y = 22 + n * 40;
  const bars = barsOf(starts);
  const drawn = bars.map(({ at, bar: [text, [fill, stroke]] }, i) => {
    const [from, to] = [Number(x(at)), Number(x(bars[i + 1]?.at ?? end)) - 2];
    const label = to - from > 6 * text.length ? text : '';
    return `  <rect x="${from}" y="${y}" width="${Math.max(1, to - from).toFixed(1)}" height="28" rx="5" fill="${fill}" stroke="${stroke}"/>
  <text x="${((from + to) / 2).toFixed(1)}" y="${y + 19}" text-anchor="middle" fill="${stroke}" font-size="11">${label}</text>`;
  });
  return [
    `  <text x="138" y="${y + 19}" text-anchor="end" font-weight="600" fill="#1c2b39">${name}</text>`,
    ...drawn,
  ].join('\n');
}

const ticks = Array.from({ length: Math.floor(end / 10) + 1 }, (_, n) => n * 10).map(
  (at) =>
    `  <path d="M${x(at)} 224V232" stroke="#4a6785"/><text x="${x(at)}" y="246" text-anchor="middle" fill="#3a5068" font-size="11">${at} s</text>`,
);
// Names would cover each other, so each has room of its own.
const shown = events.filter(
  ({ at, text }, i) =>
    /^(publish_start|input_|publish_end .*_failed|degraded lag|recovered lag|failover|rtmp_close)/.test(text) &&
    !events.slice(0, i).some((one) => one.text.split(' ')[0] === text.split(' ')[0] && at - one.at < 3),
);
let free = 0;
const marks = shown.map(({ at, text }) => {
  const label = Math.max(Number(x(at)), free);
  free = label + 13;
  return `  <circle cx="${x(at)}" cy="258" r="3" fill="#2f6fae"/><text transform="translate(${(label + 3).toFixed(1)} 268) rotate(45)" fill="#1c2b39" font-size="11">${text.split(' ')[0]}</text>`;
});

process.stdout
  .write(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 980 360" role="img" aria-labelledby="t d" font-family="system-ui, sans-serif" font-size="12">
  <title id="t">One upstream through six failures</title>
  <desc id="d">Rows over time: the sender is killed and frozen, the only server is killed, the line runs at half speed, and the primary server is killed again while the backup server runs. The output is live except for two slates, the outage of the only server, a degraded time, and the time at the backup.</desc>
  <rect width="980" height="360" rx="12" fill="#f6f8fa"/>
${Object.entries(ROWS).map(row).join('\n')}
  <path d="M150 228H890" stroke="#4a6785"/>
${ticks.join('\n')}
${marks.join('\n')}
</svg>
`);
