import { Command, InvalidArgumentError, Option } from 'commander';
import { systemClock, type Clock } from '../time/clock.js';
import { parseTime } from '../config/types.js';
import { headLine, lackLine, tableLines } from './top/render.js';
import { ORDERS, rowsOf, type Order } from './top/rows.js';
import { Screen } from './top/screen.js';
import type { ServiceSample } from './top/status.js';
import { print } from './output.js';

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
Upstreams that need attention come first: those that reconnect, those that connect, those that are published but receive
nothing. The others are sorted by bit rate. IN is received from KMP senders, OUT is sent to the RTMP server. If the API needs
a token, give it by --token or KMP_RTMP_API_TOKEN.

Keys: s changes the order; up and down (k and j), Page Up and Page Down (space) scroll; q quits.

Examples:
  kmp-rtmp top
  kmp-rtmp top --api http://10.0.0.5:8001/kmp_rtmp_api/ --interval 5s
  kmp-rtmp top --sort rate
  kmp-rtmp top --once | grep reconnecting`;

function time(text: string): number {
  const ms = parseTime(text);
  if (ms === undefined) throw new InvalidArgumentError('It must be a time, for example 500ms, 2s or 1m.');
  if (ms < LEAST_INTERVAL) throw new InvalidArgumentError(`It must be at least ${LEAST_INTERVAL}ms.`);
  return ms;
}

function httpUrl(text: string): string {
  const url = /^[a-z]+:\/\//i.test(text) ? text : `http://${text}`;
  if (!/^https?:/i.test(url) || !URL.canParse(url))
    throw new InvalidArgumentError('It must be http://HOST:PORT/PATH/.');
  return url;
}

/** `kmp-rtmp top`: shows a running service, live. */
export function topCommand(): Command {
  return new Command('top')
    .description('Watch a running service: its upstreams with state, bit rates, delay, memory, drops and reconnects.')
    .option('--api <url>', 'address of its kmp_rtmp_api', httpUrl, DEFAULT_API)
    .addOption(new Option('-i, --interval <time>', 'how often to ask').argParser(time).default(1000, '1s'))
    .addOption(new Option('--sort <order>', 'what comes first').choices(ORDERS).default('state'))
    .option('--token <token>', 'token of the API')
    .option('-1, --once', 'print one table after one interval, and exit; the default if stdout is not a terminal')
    .addHelpText('after', details)
    .action((options: TopOptions) => top(options, systemClock));
}

async function top({ api, interval, token, once, sort }: TopOptions, clock: Clock): Promise<void> {
  const fromEnvironment = process.env['KMP_RTMP_API_TOKEN'];
  const secret = token ?? (fromEnvironment === '' ? undefined : fromEnvironment);
  // Imported only when needed, so that other commands start faster.
  const { fetchStatus } = await import('./top/api.js');
  const sample = (): Promise<ServiceSample> => fetchStatus(api, secret, () => clock.now());
  if (once === true || !process.stdout.isTTY) return printOnce(sample, interval, sort, clock);

  // The first request fails: print a line that stays, not a screen that disappears.
  await sample();
  const colors = (process.env['NO_COLOR'] ?? '') === '';
  const { stdin: input, stdout: output } = process;
  const screen = new Screen({ output, input, clock, interval, sample, colors, order: sort });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, screen.quit);
  await screen.run();
  // A request to the API may still be open; its answer is not needed.
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
  const lack = lackLine(last);
  const lines = [
    headLine(last, rows),
    ...(lack === undefined ? [] : [lack]),
    ...(rows.length === 0 ? [] : tableLines(rows)),
  ];
  print(`${lines.join('\n')}\n`);
}
