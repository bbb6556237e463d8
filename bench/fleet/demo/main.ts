/**
 * `npm run demo:fleet`: several nodes as one service, on this machine. Nodes die, join and are drained, and the engine
 * is away, while encoders send. Each frame is checked. Exit status 0 only if every frame arrived, and no upstream was
 * split.
 */
import { openSync, writeFileSync } from 'node:fs';
import { messageOf } from '../../../lib/base/errors.js';
import { table } from '../../../lib/cli/table.js';
import { giveUp, readOptions } from '../../options.js';
import { Scenes, type Plan, type Scene } from './scenes.js';
import { Stage } from './stage.js';

const HELP = `npm run demo:fleet -- [options]
  --short          a form of half a minute: the engine is away for 5 s, and no rolling upgrade
  --encoders N     encoders at the beginning. Default 24
  --outage SECONDS how long the engine is away. Default 30
  --json FILE      writes the table as JSON, too
The engine is a redis-server that the demo starts, or the server of the variable REDIS_URL (redis://host:port).
`;

const options = readOptions('demo:fleet', {
  options: {
    short: { type: 'boolean', default: false },
    encoders: { type: 'string', default: '24' },
    outage: { type: 'string' },
    json: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

function seconds(text: string, name: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new Error(`--${name} ${text}: a number above 0 is expected`);
}

const say = (line: string): void => void process.stdout.write(`${line}\n`);

function print(scenes: readonly Scene[]): void {
  const head = ['what', 'frames', 'lost', 'repeated', 'longest gap', 'ids moved', 'ids split'];
  const rows = scenes.map(({ title, totals, moved, split }) => [
    ...[title, String(totals.frames), String(totals.lost), String(totals.repeated)],
    ...[`${(totals.gap / 1000).toFixed(2)} s`, String(moved), String(split)],
  ]);
  say(`\n${table([head, ...rows], [1, 2, 3, 4, 5, 6])}\n`);
}

/** What is wrong with the result. */
function faults({ arrivals, failure }: Stage, scenes: readonly Scene[]): string[] {
  const lost = scenes.reduce((sum, { totals }) => sum + totals.lost, 0);
  return [
    ...(failure === undefined ? [] : [`a sender has failed: ${failure.message}`]),
    ...(lost === 0 ? [] : [`${lost} frames are missing`]),
    ...(arrivals.damaged === 0 ? [] : [`${arrivals.damaged} frames arrived damaged or at a wrong time`]),
    ...scenes.filter(({ split }) => split > 0).map(({ title, split }) => `${title}: ${split} upstreams were split`),
  ];
}

async function run(plan: Plan, json: number | undefined): Promise<boolean> {
  const stage = await Stage.build(process.env['REDIS_URL']);
  const scenes = new Scenes(stage, plan, say);
  say(`engine: ${stage.engine.name}; ${plan.encoders} encoders of a video and an audio track each`);
  let wrong: string[];
  try {
    wrong = await scenes.play().then(
      () => [],
      (error: unknown) => [messageOf(error)],
    );
    say('the encoders end');
    await stage.finish(wrong.length === 0 ? 20_000 : 1000);
    stage.arrivals.countLost();
    print(scenes.played);
    wrong = [...wrong, ...faults(stage, scenes.played)];
    if (stage.arrivals.refused > 0) {
      say(`publishes of a name that another node still published: ${stage.arrivals.refused}`);
    }
    say(wrong.length === 0 ? 'Every frame arrived.' : wrong.join('\n'));
    if (json !== undefined) writeFileSync(json, JSON.stringify(scenes.played, undefined, 2));
    if (wrong.length > 0) for (const node of stage.nodes) say(`\n${node.name}, the end of its log:\n${node.tail()}`);
  } finally {
    await stage.close();
  }
  return wrong.length === 0;
}

async function main(): Promise<void> {
  const { short, json } = options;
  const outage = seconds(options.outage ?? (short ? '5' : '30'), 'outage') * 1000;
  const encoders = Math.ceil(seconds(options.encoders, 'encoders'));
  const plan = { encoders, outage, pause: short ? 2000 : 5000, long: !short };
  // Opened first: a wrong path must not cost a whole run.
  const good = await run(plan, json === undefined ? undefined : openSync(json, 'w'));
  // Timers of senders that have failed must not keep the process.
  process.exit(good ? 0 : 1);
}

if (options.help) say(HELP);
else await main().catch((error: unknown) => giveUp('demo:fleet', error));
