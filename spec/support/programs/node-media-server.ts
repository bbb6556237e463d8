import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FlvParse, type FlvTag } from '../media/flv-parse.js';
import { freePort } from '../network/free-port.js';
import { reap } from '../process/reaper.js';

interface Ports {
  readonly rtmp: number;
  /** 0 without a certificate. */
  readonly rtmps: number;
  readonly http: number;
}

/** A stream as it is played back. */
export interface Playback {
  readonly tags: readonly FlvTag[];
  /** Settles when `holds` does, looking again at all that comes in; rejects if the server hangs up before. */
  until(holds: (tags: readonly FlvTag[]) => boolean): Promise<void>;
  stop(): void;
}

/** node-media-server (npm), an RTMP server that no one here wrote, with HTTP-FLV to read back what it got. */
export interface NodeMediaServer {
  readonly ports: Ports;
  /** Begins to play `/app/name`, published or not yet: then from its first message on. */
  play(app: string, name: string): Promise<Playback>;
  stop(): Promise<void>;
  /** Ends it at once, without a goodbye to anybody. */
  kill(): Promise<void>;
}

/**
 * Starts one on free ports of 127.0.0.1; with `tls`, files of a key and a certificate, for rtmps too. `rtmpPort`: the
 * port that one had that was killed.
 */
export async function startNodeMediaServer(
  tls?: { key: string; cert: string },
  rtmpPort?: number,
): Promise<NodeMediaServer> {
  const folder = mkdtempSync(join(tmpdir(), 'node-media-server-'));
  const program = fileURLToPath(new URL('node-media-server-child.js', import.meta.url));
  const child = reap(
    fork(program, [folder, String(rtmpPort ?? (await freePort())), ...(tls === undefined ? [] : [tls.key, tls.cert])], {
      silent: true,
    }),
  );
  let said = '';
  child.stdout?.on('data', (text: Buffer) => (said += String(text)));
  child.stderr?.on('data', (text: Buffer) => (said += String(text)));
  const closed = once(child, 'close');
  const ended = closed.then(() => {
    throw new Error(`node-media-server ended: ${said}`);
  });
  ended.catch(() => {});
  const [ports] = (await Promise.race([once(child, 'message'), ended])) as [Ports];
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    await closed;
    rmSync(folder, { recursive: true, force: true });
  };
  return {
    ports,
    play: (app, name) => play(ports.http, `/${app}/${name}.flv`),
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  };
}

async function play(port: number, path: string): Promise<Playback> {
  const request = http.get({ host: '127.0.0.1', port, path, agent: false });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  const parse = new FlvParse();
  let over = false;
  let wake = (): void => {};
  response.on('data', (bytes: Buffer) => {
    parse.push(bytes);
    wake();
  });
  response.on('error', () => {});
  response.on('close', () => {
    over = true;
    wake();
  });
  return {
    tags: parse.tags,
    until: async (holds) => {
      while (!holds(parse.tags)) {
        if (over) throw new Error(`${path} ended after ${parse.tags.length} tags, before what the spec waits for`);
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
    stop: () => request.destroy(),
  };
}
