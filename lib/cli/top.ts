import { Command, InvalidArgumentError, Option } from 'commander';
import { systemClock, type Clock } from '../time/clock.js';
import { parseTime } from '../config/types.js';
import { headLine, tableLines } from './top/render.js';
import { ORDERS, rowsOf, type Order } from './top/rows.js';
import { Screen } from './top/screen.js';
import type { ServiceSample } from './top/status.js';

interface TopOptions {
  readonly api: string;
  /** ms */
  readonly interval: number;
  readonly token?: string;
  readonly once?: boolean;
  readonly sort: Order;
}

const DEFAULT_API = 'http://127.0.0.1:8001/kmp_rtmp_api/';
const LEAST_INTERVAL = 100;

const details = `
What may want somebody's eye comes first: what reconnects, what connects, what is published with nothing coming in; then
the highest bit rate. IN is what KMP senders bring, OUT what the RTMP server has taken. A token that the API asks for is
taken from --token, or KMP_RTMP_API_TOKEN.

Keys: s for another order, up and down (k and j), Page Up and Page Down (blank) to scroll, q to quit.

Examples:
  kmp-rtmp top
  kmp-rtmp top --api http://10.0.0.5:8001/kmp_rtmp_api/ --interval 5s
  kmp-rtmp top --sort rate
  kmp-rtmp top --once | grep reconnecting`;

function time(text: string): number {
  const ms = parseTime(text);
  if (ms === undefined) throw new InvalidArgumentError('expected a time such as 500ms, 2s or 1m');
  return Math.max(LEAST_INTERVAL, ms);
}

function httpUrl(text: string): string {
  const url = /^[a-z]+:\/\//i.test(text) ? text : `http://${text}`;
  if (!/^https?:/i.test(url) || !URL.canParse(url)) throw new InvalidArgumentError('expected http://HOST:PORT/PATH/');
  return url;
}

/** `kmp-rtmp top`: what a running service does, live. */
export function topCommand(): Command {
  return new Command('top')
    .description('Watch a running service: its upstreams with state, bit rates, delay, memory, drops and reconnects.')
    .option('--api <url>', 'where its kmp_rtmp_api is', httpUrl, DEFAULT_API)
    .addOption(new Option('-i, --interval <time>', 'how often to ask').argParser(time).default(1000, '1s'))
    .addOption(new Option('--sort <order>', 'what comes first').choices(ORDERS).default('state'))
    .option('--token <token>', 'token of the API')
    .option('-1, --once', 'print a table once, after one interval, and exit; so it is where stdout is no terminal')
    .addHelpText('after', details)
    .action((options: TopOptions) => top(options, systemClock));
}

async function top({ api, interval, token, once, sort }: TopOptions, clock: Clock): Promise<void> {
  const fromEnvironment = process.env['KMP_RTMP_API_TOKEN'];
  const secret = token ?? (fromEnvironment === '' ? undefined : fromEnvironment);
  // Not before it is needed: the other commands start the faster.
  const { fetchStatus } = await import('./top/api.js');
  const sample = (): Promise<ServiceSample> => fetchStatus(api, secret, () => clock.now());
  if (once === true || !process.stdout.isTTY) return printOnce(sample, interval, sort, clock);

  // Wrong from the start: better said by a line that stays than on a screen that goes away.
  await sample();
  const colors = (process.env['NO_COLOR'] ?? '') === '';
  const { stdin: input, stdout: output } = process;
  const screen = new Screen({ output, input, clock, interval, sample, colors, order: sort });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, screen.quit);
  await screen.run();
  // A question to the API may still be open: no one waits for its answer any more.
  process.exit();
}

async function printOnce(
  sample: () => Promise<ServiceSample>,
  interval: number,
  order: Order,
  clock: Clock,
): Promise<void> {
  const earlier = await sample();
  await new Promise<void>((resolve) => clock.after(interval, resolve));
  const last = await sample();
  const rows = rowsOf(last, earlier, order);
  const lines = [headLine(last, rows), ...(rows.length === 0 ? [] : tableLines(rows))];
  process.stdout.write(`${lines.join('\n')}\n`);
}
