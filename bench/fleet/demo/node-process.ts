import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { GlobalStatus } from '../../../lib/upstream/report/status.js';
import { freePort } from '../../../spec/support/network/free-port.js';
import { end, keep, runs, startLogged, tailOf } from '../../children.js';
import { sleep } from '../../time.js';
import type { Door } from './door.js';
import type { Line } from './engine.js';

const PROGRAM = fileURLToPath(new URL('../../../bin/kmp-rtmp.js', import.meta.url));

/** ms that a node may take to start, to be drained, and to stop. */
const START_LIMIT = 60_000;
const DRAIN_LIMIT = 60_000;
const STOP_LIMIT = 60_000;

export interface NodeSetup {
  readonly name: string;
  readonly fleet: string;
  readonly folder: string;
  readonly engine: Line;
  /** Port of the RTMP ingest. */
  readonly rtmp: number;
}

/** A node of the demo: the program, with a configuration of its own. */
export class NodeProcess {
  private child: ChildProcess | undefined;

  private constructor(
    private readonly setup: NodeSetup,
    private readonly kmp: number,
    private readonly http: number,
  ) {}

  static async create(setup: NodeSetup): Promise<NodeProcess> {
    const node = new NodeProcess(setup, await freePort(), await freePort());
    writeFileSync(node.file('conf'), node.config());
    return node;
  }

  get name(): string {
    return this.setup.name;
  }

  /** The line to the engine, if it can be cut. */
  get line(): Door | undefined {
    return this.setup.engine.door;
  }

  get runs(): boolean {
    return this.child !== undefined && runs(this.child);
  }

  get control(): string {
    return `http://127.0.0.1:${this.http}/control`;
  }

  /** Starts it, and waits until it answers. */
  async start(): Promise<void> {
    this.child = startLogged([process.execPath, PROGRAM, '-c', this.file('conf')], this.file('log'));
    for (const giveUp = performance.now() + START_LIMIT; !(await this.isReady()); await sleep(50)) {
      if (!this.runs || performance.now() > giveUp) throw new Error(`${this.name} did not start:\n${this.tail()}`);
    }
  }

  async kill(): Promise<void> {
    if (this.child !== undefined) await end(this.child, 'SIGKILL', STOP_LIMIT);
  }

  /** As a supervisor stops it: it drains, then ends. @throws Error if it does not end in order */
  async stop(): Promise<void> {
    if (this.child === undefined) return;
    const how = await end(this.child, 'SIGTERM', STOP_LIMIT);
    if (how !== 0) throw new Error(`${this.name} ended with ${how}:\n${this.tail()}`);
  }

  /** Moves its upstreams to other nodes, and waits until all have moved. It runs on. */
  async drain(): Promise<void> {
    const args = [PROGRAM, '-s', 'drain', '-c', this.file('conf')];
    const child = keep(spawn(process.execPath, args, { stdio: 'inherit' }));
    const [code] = (await once(child, 'exit')) as [number | null];
    if (code !== 0) throw new Error(`${this.name}: -s drain ended with ${code}:\n${this.tail()}`);
    for (const giveUp = performance.now() + DRAIN_LIMIT; ; await sleep(50)) {
      const answer = await fetch(`http://127.0.0.1:${this.http}/kmp_rtmp_api/fleet/drain`);
      const { draining, left } = (await answer.json()) as { readonly draining: boolean; readonly left: number };
      if (draining && left === 0) return;
      if (performance.now() > giveUp) throw new Error(`${this.name}: ${left} upstreams have not moved`);
    }
  }

  /** The names of the nodes that it knows. */
  async nodes(): Promise<string[]> {
    const answer = await fetch(`http://127.0.0.1:${this.http}/kmp_rtmp_api/`);
    const { nodes = {} } = (await answer.json()) as GlobalStatus;
    return Object.keys(nodes);
  }

  /** The last lines of its log. */
  tail(): string {
    return tailOf(this.file('log'));
  }

  private async isReady(): Promise<boolean> {
    const answer = await fetch(`http://127.0.0.1:${this.http}/readyz`).catch(() => undefined);
    return answer?.ok === true;
  }

  private file(kind: 'conf' | 'log' | 'pid'): string {
    return join(this.setup.folder, `${this.name}.${kind}`);
  }

  private config(): string {
    const { kmp, http, name } = this;
    const { fleet, engine, folder, rtmp } = this.setup;
    const token = join(folder, 'peer-token');
    return `
pid ${this.file('pid')};
worker_shutdown_timeout 30s;
error_log stderr info;

fleet {
    name            ${fleet};
    engine          ${engine.url};
    node            ${name} kmp=127.0.0.1:${kmp} http=127.0.0.1:${http};
    peer_token_file ${token};
    # All of the demo shares one machine: a busy engine is not an absent one.
    engine_timeout  3s;
}

stream {
    server {
        listen 127.0.0.1:${kmp};
        kmp_rtmp;
        kmp_rtmp_out_reconnects  unlimited;
        kmp_rtmp_out_late_tracks accept;
        kmp_rtmp_out_flash_ver   ${name};
    }
}

http {
    server {
        listen 127.0.0.1:${http};
        location / {
            kmp_rtmp_status;
            kmp_rtmp_health;
        }
        location /control {
            kmp_rtmp_control;
            kmp_rtmp_route ^(\\w+)$ rtmp://127.0.0.1:${rtmp}/live/$1;
        }
        location /kmp_rtmp_api/ {
            kmp_rtmp_api write=on;
        }
        location /metrics {
            kmp_rtmp_metrics;
        }
    }
}
`;
  }
}
