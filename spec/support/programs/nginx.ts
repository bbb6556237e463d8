import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../network/free-port.js';
import { reap } from '../process/reaper.js';

/** Where Debian's package libnginx-mod-rtmp puts it. */
const MODULE = '/usr/lib/nginx/modules/ngx_rtmp_module.so';

/** Debian's nginx with its RTMP module, which records all that is published to `/live/NAME`. */
export interface Nginx {
  readonly port: number;
  /** The .flv file of stream `name`, once nginx has closed it; recordings are handed out once each. */
  recorded(name: string): Promise<string>;
  stop(): Promise<void>;
  /** Ends it at once, without a goodbye to anybody. */
  kill(): Promise<void>;
}

export interface NginxOptions {
  /** Directives for the RTMP server, and further applications. */
  readonly server?: string;
  /** The port that one had that was killed; default: a free one. */
  readonly port?: number;
  /** The folder for its recordings, which stay there when it ends; default: one of its own. */
  readonly records?: string;
}

/** @throws Error if nginx or its module are not there, or do not start */
export async function startNginx(options: NginxOptions = {}): Promise<Nginx> {
  const folder = mkdtempSync(join(tmpdir(), 'nginx-rtmp-'));
  mkdirSync(join(folder, 'logs'));
  const records = new Records();
  const [port, doorbell] = await Promise.all([options.port ?? freePort(), records.listen()]);
  writeFileSync(join(folder, 'nginx.conf'), configText(folder, port, doorbell, options));
  const args = ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', join(folder, 'error.log')];
  const child = reap(spawn('nginx', args, { stdio: ['ignore', 'pipe', 'pipe'] }));
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (said += String(text)));
  child.on('error', (error) => (said += error.message));
  const closed = once(child, 'close').catch(() => {});
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    await closed;
    await records.close();
    rmSync(folder, { recursive: true, force: true });
  };
  const stop = (): Promise<void> => end('SIGTERM');
  for (let tries = 0; !(await answers(port)); tries++) {
    if (child.exitCode !== null || child.pid === undefined || tries > 200) {
      await stop();
      throw new Error(`nginx with its RTMP module does not start (Debian: nginx libnginx-mod-rtmp): ${said}`);
    }
    await sleep(25);
  }
  return { port, recorded: (name) => records.of(name), stop, kill: () => end('SIGKILL') };
}

function configText(folder: string, port: number, doorbell: number, options: NginxOptions): string {
  return `
load_module ${MODULE};
daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log stderr warn;
events { }
rtmp {
  access_log off;
  server {
    listen 127.0.0.1:${port};
    max_message 16m;
    ${options.server ?? ''}
    application live {
      live on;
      record all;
      record_path ${options.records ?? folder};
      record_unique on;
      on_record_done http://127.0.0.1:${doorbell}/;
    }
  }
}
`;
}

async function answers(port: number): Promise<boolean> {
  const socket = net.connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Told by nginx of each recording that it has closed. */
class Records {
  private readonly done: { readonly name: string; readonly path: string }[] = [];
  private readonly server = http.createServer((request, response) => {
    let form = '';
    request.on('data', (bytes: Buffer) => (form += String(bytes)));
    request.on('end', () => {
      const fields = new URLSearchParams(form);
      this.done.push({ name: fields.get('name') ?? '', path: fields.get('path') ?? '' });
      response.end();
      this.server.emit('record');
    });
  });

  async listen(): Promise<number> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return (this.server.address() as net.AddressInfo).port;
  }

  async of(name: string): Promise<string> {
    for (;;) {
      const at = this.done.findIndex((record) => record.name === name);
      const [found] = at < 0 ? [] : this.done.splice(at, 1);
      if (found !== undefined) return found.path;
      await once(this.server, 'record');
    }
  }

  async close(): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, 'close');
  }
}
