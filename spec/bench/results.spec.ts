import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chooseCases } from '../../bench/cases.js';
import { chart } from '../../bench/chart.js';
import { summary, type ProfileNode } from '../../bench/heap/sample.js';
import { Histogram } from '../../bench/histogram.js';
import { parseProc, parsePsTime } from '../../bench/processes.js';
import { table } from '../../bench/report.js';
import { failed, medianRun, ratioToRelay, type Results, type Row, type Run } from '../../bench/result.js';

const RUN: Run = {
  cpuPercent: 10,
  busiestPercent: 10,
  processes: 1,
  cpuMsPerUpstreamSecond: 1,
  cpuUsPerFrame: 13.5,
  framesPerSecond: 7300,
  wantedFramesPerSecond: 7307,
  sentFramesPerSecond: 7300,
  mbitPerSecond: 400,
  rssMb: 120,
  rssMaxMb: 125,
  startMs: 200,
  delayMs: { p50: 560, p99: 700, max: 900 },
  sent: 1000,
  received: 1000,
  lost: 0,
  bad: 0,
  lostConnections: 0,
  loadCpuPercent: 12,
  ingestCpuPercent: 7,
  loadLateMs: 1.3,
  stalls: 0,
  faults: [],
  samples: [],
};

function row(name: string, target: Row['target'], title: string, run: Partial<Run>): Row {
  const median = { ...RUN, ...run };
  return { case: name, title, target, upstreams: 100, workers: 1, median, runs: [median] };
}

const RESULTS: Results = {
  format: 1,
  date: '2026-01-02T03:04:05.000Z',
  commit: 'abc1234',
  node: '20.0.0',
  cpu: 'A <fast> one',
  cores: 2,
  seconds: 10,
  command: 'node service',
  directives: [],
  rows: [
    row('live', 'relay', 'Live', { cpuPercent: 20 }),
    row('live', 'service', 'Live', { cpuPercent: 10 }),
    row('growth-25', 'service', '25 & more', { cpuMsPerUpstreamSecond: 1.25 }),
  ],
};

describe('the chart of a bench', () => {
  const svg = chart(RESULTS);
  const widths = (kind: string): number[] =>
    [...svg.matchAll(new RegExp(`class="${kind}" x="\\d+" y="\\d+" width="([\\d.]+)"`, 'g'))].map((m) => Number(m[1]));

  it('draws bars in proportion, with the figure at their end', () => {
    const [relay] = widths('relay');
    const [service] = widths('service');
    assert.equal(service, (relay ?? 0) / 2);
    assert.match(svg, />10\.0 % \(0\.50 of relay\)</);
    assert.match(svg, />1\.25 ms</);
  });

  it('is well-formed and says where the figures are from', () => {
    assert.ok(svg.startsWith('<svg xmlns="http://www.w3.org/2000/svg"'));
    assert.match(svg, /2026-01-02, commit abc1234, node 20\.0\.0, 2 x A &lt;fast&gt; one/);
    assert.match(svg, />25 &amp; more</);
    assert.equal(svg.match(/<text/g)?.length, svg.match(/<\/text>/g)?.length);
  });

  it('draws p99 as a paler bar behind the bar of p50', () => {
    const pale = widths('service pale');
    assert.equal(pale.length, 2);
    assert.ok(widths('service').includes(Number((((pale[0] ?? 0) * 560) / 700).toFixed(1))));
    assert.match(svg, />560 \/ 700 ms</);
  });

  it('reads on a dark page too', () => assert.match(svg, /prefers-color-scheme: dark/));
});

describe('the table of a bench', () => {
  it('has a line for each row, and the share of the relay', () => {
    const lines = table(RESULTS).split('\n');
    assert.match(lines[3] ?? '', /^\| Live +\| service \| +10\.0 \| +0\.50 \|/);
    assert.equal(new Set(lines.slice(0, 5).map((line) => line.length)).size, 1);
  });

  it('warns of a load that was late, of lost connections, and of faults', () => {
    const rows = [row('live', 'service', 'Live', { loadLateMs: 80, lostConnections: 3, faults: ['frame 7'] })];
    const text = table({ ...RESULTS, rows });
    assert.match(text, /the load was late/);
    assert.match(text, /3 connections lost/);
    assert.match(text, /frame 7/);
  });
});

describe('the remarks under the table', () => {
  it('compare the end of a soak with its beginning', () => {
    const samples = Array.from({ length: 60 }, (_, second) => ({ second, cpuPercent: 10, rssMb: 100 + second }));
    const text = table({ ...RESULTS, rows: [row('soak', 'service', 'Soak', { samples })] });
    assert.match(text, /Soak \(service\).*RSS 109\.5 and 149\.5 MB, CPU 10\.0 and 10\.0 %/);
  });

  it('name the time to start', () => assert.match(table(RESULTS), /Start-up of the service: 200 to 200 ms/));
});

describe('a load that the machine cannot send', () => {
  const short = row('growth-800', 'service', '800', { wantedFramesPerSecond: 58_456, sentFramesPerSecond: 41_000 });

  it('has no figures in the table, and says what was sent', () => {
    const lines = table({ ...RESULTS, rows: [short] }).split('\n');
    assert.match(lines[2] ?? '', /^\| 800 +\| service \|( +- \|){11} +7300 \|/);
    assert.match(lines.join('\n'), /800 \(service\): not reached: the load sent 41000 of 58456 frames a second/);
  });

  it('has no bar in the chart and no ratio', () => {
    assert.doesNotMatch(chart({ ...RESULTS, rows: [short] }), />800</);
    const relay = row('live', 'relay', 'Live', { sentFramesPerSecond: 5000 });
    assert.equal(ratioToRelay([relay, row('live', 'service', 'Live', {})], 'live'), undefined);
  });

  it('loses nothing by frames that are still under way, but damage counts', () => {
    assert.ok(failed({ ...RUN, lost: 1 }));
    assert.ok(!failed({ ...short.median, lost: 1 }));
    assert.ok(failed({ ...short.median, bad: 1 }));
  });

  it('differs from a target that is too slow', () => {
    const text = table({ ...RESULTS, rows: [row('live', 'service', 'Live', { framesPerSecond: 6000 })] });
    assert.match(text, /Live \(service\): falls behind the load/);
    assert.doesNotMatch(text, /not reached/);
  });
});

describe('the floor', () => {
  const rows = [...RESULTS.rows, row('live', 'floor', 'Live', { cpuPercent: 5 })];

  it('has its own share of the relay', () => {
    assert.equal(ratioToRelay(rows, 'live', 'floor'), 0.25);
    assert.match(table({ ...RESULTS, rows }), /\| Live +\| floor +\| +5\.0 \| +0\.25 \|/);
  });

  it('is drawn beside service and relay', () => {
    assert.match(chart({ ...RESULTS, rows }), />floor<[^]*>5\.0 % \(0\.25 of relay\)</);
  });

  it('is chosen with the service beside it', () => {
    const chosen = chooseCases(['floor']);
    assert.ok(chosen.length > 5);
    for (const { targets } of chosen) assert.ok(targets.includes('service') && targets.includes('floor'));
  });
});

describe('a cold start', () => {
  it('is shown second by second, the connecting apart', () => {
    const samples = [35, 120, 80.4, 40].map((cpuPercent, second) => ({ second, cpuPercent, rssMb: 100 }));
    const text = table({ ...RESULTS, rows: [row('start-400', 'service', '400', { samples, connectSeconds: 0.62 })] });
    assert.match(
      text,
      /400 \(service\), CPU % of each second once all are connected: 120 80 40 \(before that, in 0\.6 s: 35\)/,
    );
    assert.match(text, /largest delay 900 ms/);
  });
});

describe('a heap sample', () => {
  const node = (functionName: string, selfSize: number, children: ProfileNode[] = []): ProfileNode => {
    return { callFrame: { functionName, url: 'file:///a/lib/x.js', lineNumber: 6 }, selfSize, children };
  };

  it('sums up all call sites, the largest first', () => {
    const head = node('root', 0, [node('small', 1e6), node('big', 2e6, [node('small', 3e6)])]);
    const sample = summary(head, 2);
    assert.equal(sample.mbPerSecond, 3);
    assert.deepEqual(sample.most, ['small lib/x.js:7 2.00', 'big lib/x.js:7 1.00']);
    const text = table({ ...RESULTS, rows: [row('live', 'service', 'Live', { heap: sample })] });
    assert.match(text, /Live \(service\): 3\.00 MB a second allocated on the heap; most: small lib\/x\.js:7 2\.00/);
  });
});

describe('what a bench is made of', () => {
  it('takes a median that was seen', () => {
    const runs = [30, 10, 20, 40].map((cpuPercent) => ({ ...RUN, cpuPercent }));
    assert.equal(medianRun(runs).cpuPercent, 20);
  });

  it('finds quantiles in a histogram, and the exact maximum beyond its limit', () => {
    const histogram = new Histogram(100);
    for (let ms = 1; ms <= 99; ms++) histogram.add(ms);
    histogram.add(1234.5);
    assert.deepEqual(histogram.quantiles(), { p50: 51, p99: 100, max: 1234.5 });
  });

  it('reads the CPU time of a process whose name has brackets', () => {
    const stat = '42 (a) (b c)) S 7 42 42 0 -1 4194304 1 0 0 0 250 50 0 0 20 0 11 0 100';
    assert.deepEqual(
      parseProc(42, stat, 100, () => 5),
      { pid: 42, parent: 7, cpuSeconds: 3, rssBytes: 5 },
    );
    assert.equal(parsePsTime('1-02:03:04'), 93_784);
    assert.equal(parsePsTime('0:01.50'), 1.5);
  });

  it('chooses cases by name and by family, and the soak by name only', () => {
    assert.deepEqual(
      chooseCases(['growth']).map((one) => one.plan.upstreams),
      [25, 50, 100, 200, 400, 600, 800],
    );
    assert.ok(!chooseCases([]).some((one) => one.name === 'soak'));
    assert.throws(() => chooseCases(['nope']), /--case nope/);
  });
});
