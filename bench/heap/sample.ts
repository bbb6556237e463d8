import { once } from 'node:events';
import net from 'node:net';
import { join } from 'node:path';
import type { HeapSample } from '../result.js';
import { machineMs, sleep } from '../time.js';

/** Environment variable with the path of the socket of bench/heap/probe.ts. */
export const HEAP_SOCKET = 'KMP_RTMP_BENCH_HEAP';
const SHOWN = 8;

/** A call site in a sampling heap profile, as the inspector returns it. */
export interface ProfileNode {
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  /** Bytes that the function itself allocated. */
  readonly selfSize: number;
  readonly children: readonly ProfileNode[];
}

/** Asks a process that runs with bench/heap/probe.ts what it allocates. */
export class HeapProbe {
  private readonly path: string;

  /** @param folder for the socket */
  constructor(folder: string) {
    this.path = join(folder, 'heap.sock');
  }

  /** The environment of the process that is measured. */
  get env(): NodeJS.ProcessEnv {
    const probe = new URL('./probe.js', import.meta.url).href;
    return { ...process.env, NODE_OPTIONS: `--import=${probe}`, [HEAP_SOCKET]: this.path };
  }

  async sample(seconds: number): Promise<HeapSample> {
    const socket = net.connect({ path: this.path, allowHalfOpen: true });
    await once(socket, 'connect');
    const began = machineMs();
    await sleep(seconds * 1000);
    const parts: Buffer[] = [];
    socket.on('data', (bytes: Buffer) => parts.push(bytes)).end();
    const elapsed = (machineMs() - began) / 1000;
    await once(socket, 'end');
    const head = JSON.parse(Buffer.concat(parts).toString()) as ProfileNode | null;
    if (head === null) throw new Error('the process gave no heap sample');
    return summary(head, elapsed);
  }
}

/** Sums up a profile: bytes a second, and the functions that allocate most. */
export function summary(head: ProfileNode, seconds: number): HeapSample {
  const sizes = new Map<string, number>();
  let total = 0;
  const nodes = [head];
  for (let node = nodes.pop(); node !== undefined; node = nodes.pop()) {
    const { functionName, url, lineNumber } = node.callFrame;
    const file = url.split('/').slice(-2).join('/');
    const name = `${functionName || '(anonymous)'} ${file === '' ? '' : `${file}:${lineNumber + 1}`}`.trim();
    sizes.set(name, (sizes.get(name) ?? 0) + node.selfSize);
    total += node.selfSize;
    nodes.push(...node.children);
  }
  const mb = (bytes: number): number => bytes / 1e6 / seconds;
  const most = [...sizes].sort(([, a], [, b]) => b - a).slice(0, SHOWN);
  const worth = most.filter(([, size]) => size > 0);
  return { mbPerSecond: mb(total), most: worth.map(([name, size]) => `${name} ${mb(size).toFixed(2)}`) };
}
