/**
 * Two minutes of one upstream, through all that an event may meet: docs/on-air.md has the picture. The servers are
 * nginx with its RTMP module. What they have recorded is played by ffmpeg.
 */
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startChild, type Child } from '../support/child.js';
import { Folder } from '../support/cli.js';
import { eventually } from '../support/eventually.js';
import { ffmpeg, packetsOf, type Packet } from '../support/ffmpeg.js';
import { freePort } from '../support/free-port.js';
import { startNginx, type Nginx } from '../support/nginx.js';
import { RunningService, type Notified } from '../support/running-service.js';
import { SlowLine } from '../support/slow-line.js';

const SENDER = fileURLToPath(new URL('../support/paced-sender.js', import.meta.url));

/** Bytes a second of the film. */
const BYTE_RATE = 60_000;
/** s */
const LENGTH = 130;

const MEDIA = `
  kmp_rtmp_out_answer_timeout 5s;
  kmp_rtmp_out_reconnects unlimited;
  kmp_rtmp_out_reconnect_interval 500ms;
  kmp_rtmp_out_reconnect_max_interval 4s;
  kmp_rtmp_out_overload drop_frames;
  kmp_rtmp_out_max_lag 4s;
  kmp_rtmp_out_linger 30s;
  kmp_rtmp_out_slate freeze;
  kmp_rtmp_out_slate_after 2s;
  kmp_rtmp_out_failback 4s;
  kmp_rtmp_out_notif_events rtmp_close rtmp_reconnect publish_start publish_end publish_failed input_lost input_back
                            degraded recovered failover;
`;

/** One event of the upstream, with the s since the beginning at which it came in. */
interface Seen {
  readonly at: number;
  readonly event: Notified;
}

describe('a timeline of failures', { timeout: 240_000 }, () => {
  const folder = new Folder();
  const film = join(folder.path, 'film.flv');
  const records = join(folder.path, 'records');
  const servers: Nginx[] = [];
  const senders: Child[] = [];
  const events: Seen[] = [];
  let service: RunningService;
  let line: SlowLine;

  before(async () => {
    mkdirSync(records);
    const video = [
      '-c:v',
      'libx264',
      '-preset',
      'ultrafast',
      '-pix_fmt',
      'yuv420p',
      '-g',
      '50',
      '-bf',
      '2',
      '-b:v',
      '420k',
    ];
    await ffmpeg(
      ...['-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=25', '-f', 'lavfi', '-i', 'anoisesrc=amplitude=0.1'],
      ...['-t', String(LENGTH), ...video, '-maxrate', '420k', '-bufsize', '420k', '-c:a', 'aac', '-b:a', '64k', film],
    );
  });
  after(async () => {
    for (const sender of senders) sender.kill('SIGKILL');
    await service.close();
    await line.close();
    for (const server of servers) await server.stop();
    folder.remove();
  });

  async function server(port: number): Promise<Nginx> {
    const started = await startNginx({ port, records });
    servers.push(started);
    return started;
  }

  it('stays on air, and what the servers recorded plays without an error', async () => {
    const ports = { primary: await freePort(), backup: await freePort() };
    let primary = await server(ports.primary);
    line = await SlowLine.to(ports.primary);
    service = await RunningService.start({ media: MEDIA });
    const data = JSON.stringify({
      upstream_id: 'show',
      url: `rtmp://127.0.0.1:${line.port}/live/s`,
      backup_urls: [`rtmp://127.0.0.1:${ports.backup}/live/s`],
    });
    const began = performance.now();
    const until = (at: number): Promise<void> => sleep(Math.max(0, at * 1000 - (performance.now() - began)));
    void (async () => {
      for (;;) events.push({ event: await service.notified(), at: (performance.now() - began) / 1000 });
    })().catch(() => {});
    const send = (start: number): Child => {
      const sender = startChild([SENDER, film, String(start), String(service.kmpPort), data]);
      senders.push(sender);
      return sender;
    };

    let sender = send(0);
    await until(10);
    sender.kill('SIGKILL');
    await until(18);
    // A live encoder that starts again continues at its own clock.
    sender = send(18_000);
    await until(28);
    sender.kill('SIGSTOP');
    await until(36);
    sender.kill('SIGCONT');
    await until(46);
    await primary.kill();
    await until(66);
    primary = await server(ports.primary);
    await until(78);
    line.rate = BYTE_RATE / 2;
    await until(94);
    line.rate = Infinity;
    await until(102);
    await server(ports.backup);
    await primary.kill();
    await until(110);
    await server(ports.primary);
    await until(122);
    sender.kill('SIGKILL');
    await service.request('DELETE', '/api/upstreams/show');
    await eventually(() => events.some(({ event }) => event.event_type === 'rtmp_close'), 'the end');
    for (const one of servers.splice(0)) await one.stop();

    assertAccountedFor(events);
    const files = readdirSync(records).map((name) => join(records, name));
    const source = await packetsOf(film);
    for (const file of files) {
      cutIncompleteTag(file);
      await playsWithoutError(file);
      assertInOrder(await packetsOf(file), source);
    }
    // The first part, after the outage, on the backup, and back on the primary server.
    assert.equal(files.length, 4);
  });
});

/** Each phase by its events, in order. Others may be between them: of the other track, of further attempts. */
const PHASES: readonly (readonly [type: string, reason: RegExp])[] = [
  ['publish_start', /^first$/],
  // The sender is killed, and starts again.
  ['input_lost', /^input_closed$/],
  ['input_back', /^input_closed$/],
  // It is frozen, and continues.
  ['input_lost', /^input_stalled$/],
  ['input_back', /^input_stalled$/],
  // The only server is killed, and starts again.
  ['publish_end', /_failed$/],
  ['rtmp_reconnect', /_failed$/],
  ['publish_failed', /_failed$/],
  ['publish_start', /^again$/],
  // The line is too slow.
  ['degraded', /^lag$/],
  // The server is killed while the backup runs, and starts again.
  ['failover', /_failed$/],
  ['publish_start', /^again$/],
  ['failover', /^failback$/],
  ['publish_end', /^api_delete$/],
  ['rtmp_close', /^api_delete$/],
];

function assertAccountedFor(events: readonly Seen[]): void {
  const lines = events.map(({ at, event }) => `${at.toFixed(1)} s  ${event.event_type} ${event.reason}`).join('\n');
  let at = 0;
  for (const [type, reason] of PHASES) {
    while (
      at < events.length &&
      !(events[at]?.event.event_type === type && reason.test(events[at]?.event.reason ?? ''))
    )
      at++;
    assert.ok(at < events.length, `no ${type} ${String(reason)} where it should be:\n${lines}`);
    at++;
  }
  const ofLag = events.filter(({ event }) => event.reason === 'lag').map(({ event }) => event.event_type);
  assert.ok(ofLag.includes('degraded') && ofLag.includes('recovered'), `the lag begins and ends:\n${lines}`);
  assert.equal(events.filter(({ event }) => event.event_type === 'publish_start').length, 3, lines);
}

/** A server that was killed may have written half of its last tag. */
function cutIncompleteTag(file: string): void {
  const bytes = readFileSync(file);
  let end = 13;
  for (;;) {
    const next = end + 11 + (end + 4 <= bytes.length ? bytes.readUIntBE(end + 1, 3) : Infinity) + 4;
    if (next > bytes.length) break;
    end = next;
  }
  writeFileSync(file, bytes.subarray(0, end));
}

async function playsWithoutError(file: string): Promise<void> {
  const args = ['-v', 'error', '-nostdin', '-err_detect', 'explode', '-i', file, '-f', 'null', '-'];
  const { stderr } = await promisify(execFile)('ffmpeg', args);
  assert.equal(stderr, '', file);
}

/** Timestamps never go back, and frames of the film have the same distance from sound to picture as in the film. */
function assertInOrder(packets: readonly Packet[], film: readonly Packet[]): void {
  const times = new Map(film.map(({ md5, dts }) => [md5, dts]));
  const last = { video: -Infinity, audio: -Infinity };
  const offset = { video: NaN, audio: NaN };
  const seen = new Set<string>();
  /** Where one of the two changed last: at a joint, one of them is first. */
  let joint = -Infinity;
  for (const { type, dts, md5 } of packets) {
    const media = type === 'video' ? 'video' : 'audio';
    assert.ok(dts >= last[media], `${media} goes back from ${last[media]} to ${dts}`);
    last[media] = dts;
    const there = times.get(md5);
    // A slate repeats the last key frame, which is in the film, too.
    if (there === undefined || seen.has(md5)) continue;
    seen.add(md5);
    if (offset[media] !== dts - there) joint = dts;
    offset[media] = dts - there;
    const apart = Math.abs(offset.video - offset.audio);
    assert.ok(!(apart > 50) || dts < joint + 1000, `sound and picture are ${apart} ms apart at ${dts}`);
  }
}
