/**
 * `npm run bench:memory -- [options]`: what the process really holds against what the ledgers say. Upstreams are filled
 * to half of their memory limit, held up by a server that reads nothing or by the process delay; then the resident
 * memory above that of the idle process is compared with the sum of the ledgers.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../spec/support/network/free-port.js';
import { Service } from './children.js';
import { HoldingLoad } from './holding-load.js';
import { readOptions } from './options.js';
import { processTree } from './processes.js';
import { sleep } from './time.js';

const HELP = `npm run bench:memory -- [options]
  --case NAME        video, audio or mixed, each -paced or -unpaced, by the process delay (-delay) or by a server that reads
                     nothing (-server); or the cases that begin with NAME. May be repeated. Default: all
  --upstreams N      default 50
  --limit SIZE       kmp_rtmp_out_mem_limit; default 4m (audio 1m)
  --speed N          times real time that the senders send; default 2
  --video-bytes N    mean bytes of a video frame; default 16667
  --command WORDS    the service; {conf} is its configuration file. Default: node dist/bin/kmp-rtmp.js -c {conf}
`;

interface MemoryCase {
  readonly name: string;
  readonly videoBytes: number;
  readonly audioBytes: number;
  readonly limit: string;
  readonly paced: boolean;
  /** What holds the frames. */
  readonly by: 'server' | 'delay';
}

/** 4 Mbit/s at 30 frames/s, 128 kbit/s at 43 frames/s. */
const CONTENTS = [
  { content: 'video', videoBytes: 16_667, audioBytes: 0, limit: '4m' },
  { content: 'mixed', videoBytes: 16_667, audioBytes: 372, limit: '4m' },
  { content: 'audio', videoBytes: 0, audioBytes: 372, limit: '1m' },
] as const;

const CASES: MemoryCase[] = CONTENTS.flatMap(({ content, ...bytes }) =>
  [true, false].flatMap((paced) =>
    (['server', 'delay'] as const).map((by) => {
      return { name: `${content}-${paced ? 'paced' : 'unpaced'}-${by}`, ...bytes, paced, by };
    }),
  ),
);

const options = readOptions('bench:memory', {
  options: {
    case: { type: 'string', multiple: true, default: [''] },
    upstreams: { type: 'string', default: '50' },
    limit: { type: 'string' },
    speed: { type: 'string', default: '2' },
    'video-bytes': { type: 'string' },
    command: { type: 'string', default: `${process.execPath} dist/bin/kmp-rtmp.js -c {conf}` },
    help: { type: 'boolean', default: false },
  },
});

/** Takes handshakes, and nothing behind them. */
async function deafServer(): Promise<{ port: number; close: () => void }> {
  const HELLO = 1537;
  const C2 = 1536;
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    let got = 0;
    socket.on('data', (bytes: Buffer) => {
      if (got < HELLO && got + bytes.length >= HELLO) socket.write(Buffer.concat([Buffer.of(3), Buffer.alloc(2 * C2)]));
      got += bytes.length;
      if (got >= HELLO + C2) socket.pause();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  return {
    port,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

const rssOf = (pid: number): number => processTree(pid).reduce((sum, { rssBytes }) => sum + rssBytes, 0);

interface Shown {
  readonly [id: string]: { readonly mem_limit: number; readonly mem_left: number; readonly sent_bytes: number };
}

async function run(one: MemoryCase, folder: string): Promise<string[]> {
  const upstreams = Number(options.upstreams);
  const limit = options.limit ?? one.limit;
  const [kmp, http] = [await freePort(), await freePort()];
  const wanted = options['video-bytes'];
  const video = wanted === undefined || one.videoBytes === 0 ? {} : { videoBytes: Number(wanted) };
  const server = await deafServer();
  const conf = join(folder, 'kmp-rtmp.conf');
  const delay = one.by === 'delay' ? 'kmp_rtmp_out_min_process_delay 1h; kmp_rtmp_out_max_process_delay 1h;' : '';
  writeFileSync(
    conf,
    `error_log stderr error;
    stream { server { listen 127.0.0.1:${kmp}; kmp_rtmp;
      kmp_rtmp_out_mem_limit ${limit}; kmp_rtmp_out_timeout 1h; kmp_rtmp_in_read_timeout 1h; kmp_rtmp_out_write_meta_timeout 0; ${delay}
      ${one.paced ? '' : 'kmp_rtmp_in_read_interval 0;'}
    } }
    http { server { listen 127.0.0.1:${http}; location / { kmp_rtmp_api; } } }`,
  );
  const words = options.command.split(' ').map((word) => word.replace('{conf}', conf));
  const service = new Service(words, join(folder, 'service.log'));
  const ask = async (): Promise<Shown> => (await (await fetch(`http://127.0.0.1:${http}/upstreams`)).json()) as Shown;
  try {
    for (let answers = false; !answers;) {
      await sleep(500);
      service.assertAlive();
      answers = await ask().then(
        () => true,
        () => false,
      );
    }
    // What starting up has left behind is not what it holds.
    await sleep(1000);
    const idle = rssOf(service.pid);
    const load = new HoldingLoad(kmp, server.port, { ...one, ...video, upstreams, speed: Number(options.speed) });
    await load.start();
    const sent = new Map<string, number>();
    for (;;) {
      await sleep(200);
      service.assertAlive();
      const all = Object.entries(await ask());
      for (const [id, { mem_limit, mem_left, sent_bytes }] of all) {
        // While the kernel still takes something, what is held may yet go away.
        if (mem_left < mem_limit / 2 && sent.get(id) === sent_bytes) load.stop(id);
        sent.set(id, sent_bytes);
      }
      if (load.playing === 0) break;
    }
    // What was on its way arrives, and garbage is collected if it ever is.
    await sleep(5000);
    service.assertAlive();
    const held = Object.values(await ask()).reduce((sum, { mem_limit, mem_left }) => sum + mem_limit - mem_left, 0);
    const rss = rssOf(service.pid);
    load.close();
    const mb = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);
    return [one.name, String(upstreams), limit, mb(idle), mb(held), mb(rss - idle), ((rss - idle) / held).toFixed(2)];
  } finally {
    await service.stop();
    server.close();
  }
}

async function main(): Promise<void> {
  const chosen = CASES.filter(({ name }) => options.case.some((wanted) => name.startsWith(wanted)));
  if (chosen.length === 0)
    throw new Error(`no case ${options.case.join()}: ${CASES.map(({ name }) => name).join(' ')}`);
  const rows = [['case', 'upstreams', 'limit', 'idle MB', 'ledgers MB', 'above idle MB', 'ratio']];
  for (const one of chosen) {
    const folder = mkdtempSync(join(tmpdir(), 'kmp-rtmp-memory-'));
    rows.push(await run(one, folder));
    rmSync(folder, { recursive: true, force: true });
    console.error(rows.at(-1)?.join('  '));
  }
  for (const row of rows) console.log(`| ${row.join(' | ')} |`);
}

if (options.help) {
  console.log(HELP);
} else {
  await main().catch((error: unknown) => {
    console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  });
}
process.exit();
