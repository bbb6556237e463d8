import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../network/free-port.js';
import { reap } from '../process/reaper.js';
import { until } from '../time/until.js';

/** Ports of a node on this machine. */
export interface NodePorts {
  readonly kmp: number;
  readonly http: number;
}

/** Debian's HAProxy with packaging/haproxy.cfg: only its addresses and the times of its checks are others. */
export class Haproxy {
  private constructor(
    readonly port: number,
    private readonly admin: string,
    private readonly end: () => Promise<void>,
  ) {}

  /** @throws Error if HAProxy is not installed, or does not accept the file */
  static async start(nodes: readonly NodePorts[]): Promise<Haproxy> {
    const folder = mkdtempSync(join(tmpdir(), 'haproxy-'));
    const [port, peer, admin, file] = [
      await freePort(),
      await freePort(),
      join(folder, 'admin.sock'),
      join(folder, 'haproxy.cfg'),
    ];
    writeFileSync(file, configText({ port, peer, admin }, nodes));
    const child = reap(spawn('haproxy', ['-db', '-f', file], { stdio: ['ignore', 'pipe', 'pipe'] }));
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (said += String(text)));
    child.on('error', (error) => (said += error.message));
    const closed = once(child, 'close').catch(() => {});
    const end = async (): Promise<void> => {
      child.kill('SIGTERM');
      await closed;
      rmSync(folder, { recursive: true, force: true });
    };
    const haproxy = new Haproxy(port, admin, end);
    const gone = closed.then(() => assert.fail(`haproxy does not start (Debian: haproxy): ${said}`));
    gone.catch(() => {});
    await Promise.race([
      until(
        'the socket of haproxy',
        () => haproxy.states(),
        (states) => states.size > 0,
      ),
      gone,
    ]);
    return haproxy;
  }

  /** What it thinks of each node: UP, DOWN and so on. */
  async states(): Promise<Map<string, string>> {
    const [head = '', ...lines] = (await this.ask('show stat')).replace(/^# /, '').split('\n');
    const names = head.split(',');
    const at = (name: string): number => names.indexOf(name);
    const rows = lines.map((line) => line.split(','));
    return new Map(
      rows
        .filter((row) => row[at('pxname')] === 'kmp_nodes' && row[at('svname')] !== 'BACKEND')
        .map((row) => [row[at('svname')] ?? '', row[at('status')] ?? '']),
    );
  }

  /** Settles when it thinks so of the node. */
  async thinks(node: string, state: string): Promise<void> {
    await until(
      `${node} to be ${state}`,
      () => this.states(),
      (states) => states.get(node) === state,
    );
  }

  stop(): Promise<void> {
    return this.end();
  }

  /** What a command of the admin socket answers. */
  private async ask(command: string): Promise<string> {
    const socket = net.connect(this.admin);
    let text = '';
    socket.on('data', (bytes: Buffer) => (text += bytes.toString()));
    await once(socket, 'connect');
    socket.write(`${command}\n`);
    await once(socket, 'close');
    return text;
  }
}

interface Places {
  readonly port: number;
  /** Port of the section `peers`. */
  readonly peer: number;
  /** Path of the socket for commands. */
  readonly admin: string;
}

function configText({ port, peer, admin }: Places, nodes: readonly NodePorts[]): string {
  let text = readFileSync('packaging/haproxy.cfg', 'utf8');
  const replace = (from: string, to: string): void => {
    assert.equal(text.split(from).length, 2, `${from} stands once in packaging/haproxy.cfg`);
    text = text.replace(from, to);
  };
  replace('stats socket /run/haproxy/admin.sock', `stats socket ${admin}`);
  replace('peer this 127.0.0.1:10005', `peer this 127.0.0.1:${peer}`);
  replace('bind :8005', `bind 127.0.0.1:${port}`);
  replace('timeout check 2s', 'timeout check 1s');
  replace('check port 8001 inter 2s fastinter 2s downinter 2s', 'check inter 100ms fastinter 100ms downinter 100ms');
  for (const [index, { kmp, http }] of nodes.entries()) {
    replace(`192.0.2.${11 + index}:8005 weight 100`, `127.0.0.1:${kmp} weight 100 port ${http}`);
  }
  return text;
}
