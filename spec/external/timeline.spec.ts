/**
 * One upstream, through all that an event may meet: docs/on-air.md has the picture. The servers are nginx with its RTMP
 * module. What they have recorded is played by ffmpeg. Each phase lasts until what it is about has happened.
 */
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Folder } from '../support/process/cli.js';
import type { UpstreamStatus } from '../../lib/upstream/report/status.js';
import { ffmpeg, packetsOf, type Packet } from '../support/programs/ffmpeg.js';
import { FilmSenders, largestGap, playsWithoutComplaint } from '../support/kmp/film.js';
import { freePort } from '../support/network/free-port.js';
import { startNginx, type Nginx } from '../support/programs/nginx.js';
import { RunningService, type Notified } from '../support/service/running-service.js';
import { SlowLine } from '../support/network/slow-line.js';
import { until } from '../support/time/until.js';

/** Bytes a second of the film. */
const BYTE_RATE = 60_000;
/** s; longer than all phases together. */
const LENGTH = 260;

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
  kmp_rtmp_out_failover_lag never;
  kmp_rtmp_out_notif_events rtmp_close rtmp_reconnect publish_start publish_end publish_failed input_lost input_back
                            degraded recovered failover;
`;

/** One event of the upstream, with the s since the beginning at which it came in. */
interface Seen {
  readonly at: number;
  readonly event: Notified;
}

describe('a timeline of failures', { timeout: 280_000 }, () => {
  const folder = new Folder();
  const film = join(folder.path, 'film.flv');
  const records = join(folder.path, 'records');
  const servers: Nginx[] = [];
  const senders = new FilmSenders(film);
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
    senders.kill();
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

  const counted = (upstream: UpstreamStatus | undefined, kind: 'video' | 'audio', counter: Counter): number =>
    upstream?.streams['s']?.tracks[kind]?.[counter] ?? 0;

  async function shows(what: string, good: (upstream: UpstreamStatus) => boolean): Promise<void> {
    await until(
      what,
      () => service.upstream('show'),
      (upstream) => upstream !== undefined && good(upstream),
    );
  }
  /** Waits for further frames of both tracks, so that the time on the clock does not matter. */
  async function more(counter: Counter, video: number, audio = video): Promise<void> {
    const now = await service.upstream('show');
    const wanted = { video: counted(now, 'video', counter) + video, audio: counted(now, 'audio', counter) + audio };
    await shows(
      `${video} and ${audio} more ${counter}`,
      (upstream) =>
        counted(upstream, 'video', counter) >= wanted.video && counted(upstream, 'audio', counter) >= wanted.audio,
    );
  }
  /** Waits for an event behind those that were waited for before. */
  let known = 0;
  async function event(type: string, reason: RegExp): Promise<void> {
    const found = (): number =>
      events.findIndex((seen, i) => i >= known && seen.event.event_type === type && reason.test(seen.event.reason));
    await until(
      `${type} ${String(reason)}, in\n${listed(events)}`,
      () => Promise.resolve(found()),
      (at) => at >= 0,
    );
    known = found() + 1;
  }

  it('stays on air, and what the servers recorded plays without an error', async (t) => {
    const ports = { primary: await freePort(), backup: await freePort() };
    let primary = await server(ports.primary);
    line = await SlowLine.to(ports.primary);
    service = await RunningService.start({ media: MEDIA });
    const data = {
      upstream_id: 'show',
      url: `rtmp://127.0.0.1:${line.port}/live/s`,
      backup_urls: [`rtmp://127.0.0.1:${ports.backup}/live/s`],
    };
    const began = performance.now();
    const seconds = (): number => (performance.now() - began) / 1000;
    void (async () => {
      for (;;) events.push({ event: await service.notified(), at: seconds() });
    })().catch(() => {});
    /** What the spec does itself, beside the events. */
    const says = (text: string): void => t.diagnostic(`${seconds().toFixed(1)} s  ${text}`);

    let sender = senders.send(0, service.kmpPort, data);
    await event('publish_start', /^first$/);
    await more('sent_frames', 200, 300);
    says('the sender is killed');
    sender.kill('SIGKILL');
    await event('input_lost', /^input_closed$/);
    await more('slate_frames', 5, 200);
    says('the sender starts again');
    // A live encoder that starts again continues at its own clock.
    sender = senders.send(Math.round(seconds()) * 1000, service.kmpPort, data);
    await event('input_back', /^input_closed$/);
    await more('sent_frames', 150, 250);
    says('the sender is frozen');
    sender.kill('SIGSTOP');
    await event('input_lost', /^input_stalled$/);
    await more('slate_frames', 5, 200);
    says('the sender continues');
    sender.kill('SIGCONT');
    await event('input_back', /^input_stalled$/);
    await more('sent_frames', 150, 250);
    says('the only server is killed');
    await primary.kill();
    await event('publish_end', /_failed$/);
    // Longer than kmp_rtmp_out_max_lag, so that not all of it is kept.
    await shows('the outage', ({ outage }) => (outage?.attempts ?? 0) >= 8);
    says('the server starts again');
    primary = await server(ports.primary);
    await event('publish_start', /^again$/);
    await more('sent_frames', 100, 200);
    says('the line runs at half speed');
    line.rate = BYTE_RATE / 2;
    await event('degraded', BEHIND);
    await more('dropped_frames', 100, 0);
    says('the line is fast again');
    line.rate = Infinity;
    await event('recovered', BEHIND);
    await server(ports.backup);
    says('the primary server is killed, and the backup runs');
    await primary.kill();
    await event('failover', /_failed$/);
    says('the primary server starts again');
    await server(ports.primary);
    await event('failover', /^failback$/);
    await more('sent_frames', 100, 200);
    says('the end');
    sender.kill('SIGKILL');
    await service.request('DELETE', '/api/upstreams/show');
    await event('rtmp_close', /^api_delete$/);
    for (const one of servers.splice(0)) await one.stop();
    for (const { at, event } of events) t.diagnostic(`${at.toFixed(1)} s  event ${event.event_type} ${event.reason}`);

    assertAccountedFor(events);
    const files = readdirSync(records).map((name) => join(records, name));
    const source = await packetsOf(film);
    const parts: (readonly Packet[])[] = [];
    for (const file of files) {
      cutIncompleteTag(file);
      await playsWithoutComplaint(file, 'error');
      const packets = await packetsOf(file);
      assertInOrder(packets, source);
      parts.push(packets);
    }
    assertParts(parts, source);
  });
});

/** The numbers of the film's frames of one kind that a recording has, each once, in their order there. */
function numbersOf(recorded: readonly Packet[], film: readonly Packet[], type: 'video' | 'audio'): number[] {
  const numbers = new Map(film.filter((packet) => packet.type === type).map(({ md5 }, n) => [md5, n]));
  return [...new Set(recorded.flatMap(({ md5 }) => numbers.get(md5) ?? []))];
}

/** Four parts: the first one, the one after the outage, that of the backup, and the one back on the primary server. */
function assertParts(parts: readonly (readonly Packet[])[], film: readonly Packet[]): void {
  assert.equal(parts.length, 4);
  const numbered = parts.map((part) => ({
    part,
    video: numbersOf(part, film, 'video'),
    audio: numbersOf(part, film, 'audio'),
  }));
  numbered.sort((a, b) => (a.audio[0] ?? 0) - (b.audio[0] ?? 0));
  const [first, second, ...others] = numbered;
  assert.ok(first !== undefined && second !== undefined);
  const sizes = numbered.map(({ video, audio }) => `${video.length} pictures, ${audio.length} of sound`).join('; ');
  // Each time a sender returns, the pictures before a key frame are missing: two seconds at most.
  assert.ok(first.video.length >= 350 && first.audio.length >= 700, sizes);
  assert.ok(second.video.length >= 150 && second.audio.length >= 500, sizes);
  for (const { video, audio } of others) assert.ok(video.length >= 25 && audio.length >= 50, sizes);
  // The slates fill the time in which the sender was away, and frozen.
  const gaps = { video: largestGap(first.part, 'video'), audio: largestGap(first.part, 'audio') };
  assert.ok(gaps.video <= 1100 && gaps.audio <= 50, `gaps of ${gaps.video} and ${gaps.audio} ms`);
  // The slow line has taken all sound, and fewer pictures.
  const missing = (numbers: readonly number[]): number =>
    (numbers.at(-1) ?? 0) - (numbers[0] ?? 0) + 1 - numbers.length;
  assert.equal(missing(second.audio), 0, 'sound that the slow line has lost');
  assert.ok(missing(second.video) >= 100, `${missing(second.video)} pictures were dropped`);
}

type Counter = 'sent_frames' | 'slate_frames' | 'dropped_frames';

/** Video may be dropped before the lag exceeds its limit. */
const BEHIND = /^(lag|frames_dropped)$/;

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
  ['degraded', BEHIND],
  // The server is killed while the backup runs, and starts again.
  ['failover', /_failed$/],
  ['publish_start', /^again$/],
  ['failover', /^failback$/],
  ['publish_end', /^api_delete$/],
  ['rtmp_close', /^api_delete$/],
];

function listed(events: readonly Seen[]): string {
  return events.map(({ at, event }) => `${at.toFixed(1)} s  ${event.event_type} ${event.reason}`).join('\n');
}

function assertAccountedFor(events: readonly Seen[]): void {
  const lines = listed(events);
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
  const ofLag = events.filter(({ event }) => BEHIND.test(event.reason)).map(({ event }) => event.event_type);
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
