/** packaging/haproxy.cfg with a real HAProxy, three services and senders that connect again. */
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { GlobalStatus } from '../../../lib/upstream/report/status.js';
import { Haproxy } from '../../support/programs/haproxy.js';
import { connect } from '../../support/kmp/kmp-bytes.js';
import { audioMinf, KmpSender, videoMinf } from '../../support/kmp/kmp-sender.js';
import { ScriptableIngest } from '../../support/ingest/scriptable-ingest.js';
import { until } from '../../support/time/until.js';
import { PlainNode } from './plain-node.js';
import { PersistentTrack } from './tracks.js';

/** Upstream id: the nodes that have a track of it. */
type Places = ReadonlyMap<string, readonly string[]>;

describe('packaging/haproxy.cfg', { timeout: 100_000 }, () => {
  const nodes: PlainNode[] = [];
  const tracks: PersistentTrack[] = [];
  let haproxy: Haproxy;
  let ingest: ScriptableIngest;

  before(async () => {
    ingest = await ScriptableIngest.start({ answers: true });
    const media = 'kmp_rtmp_in_read_timeout 100s; kmp_rtmp_out_reconnects unlimited;';
    for (const name of ['n1', 'n2', 'n3']) nodes.push(await PlainNode.create(name, media));
    await Promise.all(nodes.map((node) => node.start()));
    haproxy = await Haproxy.start(nodes.map(({ ports }) => ports));
    for (const { name } of nodes) await haproxy.thinks(name, 'UP');
  });
  after(async () => {
    await Promise.all(tracks.map((track) => track.stop()));
    await haproxy.stop();
    await Promise.all(nodes.map((node) => node.remove()));
    await ingest.close();
  });

  const node = (name: string): PlainNode => nodes.find((one) => one.name === name) ?? assert.fail(name);

  function open(from: number, to: number): void {
    for (let n = from; n < to; n++) {
      // A controller may write the fields in any order; UTF-8 in an id is usual.
      const data = { url: `rtmp://127.0.0.1:${ingest.port}/live/s${n}`, upstream_id: `kanal-ü-${n}` };
      tracks.push(new PersistentTrack('video', haproxy.port, data), new PersistentTrack('audio', haproxy.port, data));
    }
  }

  /** Where the newest connection of each track is, once all of them are somewhere. */
  async function settled(): Promise<Places> {
    const ask = async (): Promise<Map<string, string[]>> => {
      const places = new Map<string, string[]>();
      for (const { name, status } of await Promise.all(
        nodes.filter((one) => one.answers).map(async (one) => ({ name: one.name, status: await one.status() })),
      )) {
        for (const track of tracks) {
          const streams = Object.values(status.upstreams[track.upstreamId]?.streams ?? {});
          if (!streams.some((stream) => stream.tracks[track.media]?.input?.track_id === track.trackId)) continue;
          places.set(track.upstreamId, [...(places.get(track.upstreamId) ?? []), name]);
        }
      }
      return places;
    };
    const count = (places: Places): number => [...places.values()].reduce((sum, names) => sum + names.length, 0);
    return until('all tracks to be at a node', ask, (places) => count(places) === tracks.length);
  }

  const split = (places: Places): string[] => [...places].filter(([, at]) => new Set(at).size > 1).map(([id]) => id);
  const moved = (before: Places, now: Places): string[] =>
    [...before].filter(([id, [at]]) => now.get(id)?.[0] !== at).map(([id]) => id);
  const at = (places: Places, name: string): string[] =>
    [...places].filter(([, [first]]) => first === name).map(([id]) => id);

  it('keeps both tracks of each upstream on one node while nodes die, return and hang', async () => {
    open(0, 24);
    const first = await settled();
    assert.deepEqual(split(first), []);
    for (const { name } of nodes) assert.ok(at(first, name).length > 0, `${name} has upstreams`);

    await node('n1').kill();
    const second = await settled();
    assert.deepEqual(split(second), []);
    assert.deepEqual(moved(first, second).sort(), at(first, 'n1').sort());

    // The node returns, and the connection of each audio track breaks once.
    await haproxy.thinks('n1', 'DOWN');
    await node('n1').start();
    await haproxy.thinks('n1', 'UP');
    const audio = tracks.filter(({ media }) => media === 'audio');
    await Promise.all(audio.map((track) => track.cut()));
    const third = await settled();
    assert.deepEqual([split(third), moved(second, third)], [[], []]);

    // It gets new upstreams again.
    open(24, 48);
    const fourth = await settled();
    assert.deepEqual([split(fourth), moved(third, fourth)], [[], []]);
    assert.ok(at(fourth, 'n1').length > 0, 'new upstreams at the node that has returned');

    // A node that hangs keeps its connections, and answers no check.
    node('n2').freeze();
    await haproxy.thinks('n2', 'DOWN');
    const fifth = await settled();
    assert.deepEqual(split(fifth), []);
    assert.deepEqual(moved(fourth, fifth).sort(), at(fourth, 'n2').sort());
  });

  it('finds the id in a connect packet that comes in pieces, and closes what is not KMP', async () => {
    const senders: KmpSender[] = [];
    for (let n = 0; n < 8; n++) {
      const data = {
        padding: 'x'.repeat(20_000),
        url: `rtmp://127.0.0.1:${ingest.port}/live/p${n}`,
        upstream_id: `p${n}`,
      };
      const audio = await KmpSender.open(haproxy.port, data, { track: 'whole' });
      audio.send(audioMinf());
      const video = await KmpSender.openRaw(haproxy.port);
      video.socket.setNoDelay(true);
      const bytes = connect(data, 'ch1', 'pieces');
      for (const [from, to] of pairs([0, 3, 90, 150, 15_000, bytes.length])) {
        video.send(bytes.subarray(from, to));
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      video.send(videoMinf());
      senders.push(audio, video);
    }
    const whole = (status: GlobalStatus): string[] =>
      Object.entries(status.upstreams).flatMap(([id, { streams }]) => {
        const [stream] = Object.values(streams);
        const { video, audio } = stream?.tracks ?? {};
        return video?.input?.track_id === 'pieces' && audio?.input?.track_id === 'whole' ? [id] : [];
      });
    const answering = nodes.filter(({ answers }) => answers);
    await until(
      'both tracks of each upstream at one node',
      async () => (await Promise.all(answering.map((one) => one.status()))).flatMap(whole),
      (ids) => ids.length === 8,
    );
    for (const sender of senders) sender.destroy();

    const web = await KmpSender.openRaw(haproxy.port);
    web.send(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
    await web.closed;
  });
});

/** Each value with the one behind it. */
function pairs(values: readonly number[]): (readonly [number, number])[] {
  return values.slice(1).map((to, index) => [values[index] ?? 0, to] as const);
}
