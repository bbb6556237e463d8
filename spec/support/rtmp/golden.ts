import { readFileSync } from 'node:fs';
import net from 'node:net';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../time/eventually.js';
import type { ScriptableIngest } from '../ingest/scriptable-ingest.js';

/** One recording of a real server (spec/golden/data/README.md says how it is played). */
export interface Scenario {
  readonly name: string;
  readonly description: string;
  readonly directives: Readonly<Record<string, string>>;
  readonly header: boolean;
  readonly connections: Readonly<
    Record<string, { data: Record<string, string>; track: string; channel?: string; frame_id?: number }>
  >;
  readonly steps: readonly {
    readonly after_ms: number;
    readonly connection: string;
    readonly send?: readonly [number, number];
    readonly close?: boolean;
  }[];
}

const root = new URL('../../../../spec/golden/data/', import.meta.url);

export function loadScenario(name: string): Scenario {
  const parsed = JSON.parse(readFileSync(new URL(`${name}/scenario.json`, root), 'utf8')) as Omit<Scenario, 'name'>;
  return { ...parsed, name };
}

export function goldenFile(name: string, file: string): Buffer {
  return readFileSync(new URL(`${name}/${file}`, root));
}

/** Bytes of an RTMP message ahead of the name of its command: chunk header of type 1, marker and length of the name. */
const AHEAD_OF_NAME = 8 + 3;

/**
 * Resolves when the server has all media of a recording with several streams. The module had sent it before the first
 * stream ended, so that is when the ends are sent: how long the media takes depends on the machine.
 */
export async function allMedia({ name, connections }: Scenario, ingest: ScriptableIngest): Promise<void> {
  if (Object.keys(connections).length <= 2) return;
  const media = goldenFile(name, 'expected.1.rtmp').indexOf('FCUnpublish') - AHEAD_OF_NAME;
  await eventually(() => (ingest.connections[0]?.raw().length ?? 0) >= media, 'all media');
}

/** A connect packet by hand (docs/protocol/kmp.md, Packet): not by the project's own writer. */
export function connectPacket(
  data: unknown,
  track: string,
  { channel = 'ch1', frameId = 0n }: { channel?: string; frameId?: bigint } = {},
): Buffer {
  const json = Buffer.from(JSON.stringify(data), 'utf8');
  const packet = Buffer.alloc(104);
  packet.write('cnct', 0, 'latin1');
  packet.writeUInt32LE(104, 4);
  packet.writeUInt32LE(json.length, 8);
  packet.write(channel, 16, 'utf8');
  packet.write(track, 48, 'utf8');
  packet.writeBigUInt64LE(frameId, 80);
  return Buffer.concat([packet, json]);
}

/**
 * Plays a scenario's steps into a KMP port; the ingest's port is put into the connect data. `arrived` is waited for
 * ahead of each further connection: where a process of its own takes them, their order is not that of the calls.
 * `beforeEnd` is waited for ahead of each end of a track.
 */
export async function playScenario(
  scenario: Scenario,
  kmpPort: number,
  ingestPort: number,
  arrived?: (connections: number) => Promise<unknown>,
  beforeEnd?: () => Promise<unknown>,
): Promise<net.Socket[]> {
  const sockets = new Map<string, net.Socket>();
  for (const step of scenario.steps) {
    await sleep(step.after_ms);
    const about = scenario.connections[step.connection];
    if (about === undefined) throw new Error(`no connection ${step.connection}`);
    let socket = sockets.get(step.connection);
    if (socket === undefined) {
      if (sockets.size > 0) await arrived?.(sockets.size);
      socket = net.connect(kmpPort, '127.0.0.1');
      socket.on('error', () => {});
      socket.resume();
      sockets.set(step.connection, socket);
      await once(socket, 'connect');
      const data = Object.fromEntries(
        Object.entries(about.data).map(([key, value]) => [key, value.replace('{port}', String(ingestPort))]),
      );
      socket.write(
        connectPacket(data, about.track, {
          ...(about.channel === undefined ? {} : { channel: about.channel }),
          frameId: BigInt(about.frame_id ?? 0),
        }),
      );
    }
    if (step.send !== undefined) {
      const bytes = goldenFile(scenario.name, `${step.connection}.kmp`).subarray(step.send[0], step.send[1]);
      if (bytes.toString('latin1', 0, 4) === 'eost') await beforeEnd?.();
      socket.write(bytes);
    }
    if (step.close === true) socket.destroy();
  }
  return [...sockets.values()];
}
