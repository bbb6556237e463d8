import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { GlobalStatus } from '../../../lib/upstream/report/status.js';
import { startChild, type Child } from '../../support/process/child.js';
import { freePort } from '../../support/network/free-port.js';
import type { NodePorts } from '../../support/programs/haproxy.js';

const program = fileURLToPath(new URL('../../../bin/kmp-rtmp.js', import.meta.url));

/** A service that knows nothing of others, and can be killed, frozen and started again on its ports. */
export class PlainNode {
  private readonly folder = mkdtempSync(join(tmpdir(), 'kmp-rtmp-node-'));
  private child: Child | undefined;
  /** Whether it runs, and is not frozen. */
  answers = false;

  private constructor(
    readonly name: string,
    readonly ports: NodePorts,
  ) {}

  /** @param media directives of the KMP server */
  static async create(name: string, media: string): Promise<PlainNode> {
    const node = new PlainNode(name, { kmp: await freePort(), http: await freePort() });
    const text = `
      stream { server { listen 127.0.0.1:${node.ports.kmp} proxy_protocol; kmp_rtmp; ${media} } }
      http {
        server {
          listen 127.0.0.1:${node.ports.http};
          location / { kmp_rtmp_health; }
          location /api/ { kmp_rtmp_api; }
        }
      }`;
    writeFileSync(node.config, text);
    return node;
  }

  async start(): Promise<void> {
    this.child = startChild([program, '-c', this.config]);
    await this.child.says('answers HTTP on ');
    this.answers = true;
  }

  async kill(): Promise<void> {
    this.answers = false;
    this.child?.kill('SIGKILL');
    await this.child?.exit;
  }

  /** The process stays, and does nothing. */
  freeze(): void {
    this.answers = false;
    this.child?.kill('SIGSTOP');
  }

  async status(): Promise<GlobalStatus> {
    return (await (await fetch(`http://127.0.0.1:${this.ports.http}/api/`)).json()) as GlobalStatus;
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private get config(): string {
    return join(this.folder, 'kmp-rtmp.conf');
  }
}
