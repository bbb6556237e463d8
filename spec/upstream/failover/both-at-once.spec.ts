import { afterEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { eventually } from '../../support/time/eventually.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { framesOf, mediaOf } from '../../support/ingest/ingest-media.js';
import { frameAt, type KmpSender } from '../../support/kmp/kmp-sender.js';
import { Live } from '../../support/service/live.js';
import { ScriptableIngest, type IngestConnection } from '../../support/ingest/scriptable-ingest.js';

type Senders = Awaited<ReturnType<Live['both']>>;

/** docs/control.md: two URLs with a space between them are two upstreams, each with its own senders. */
describe('two destinations at once', { timeout: 90_000 }, () => {
  const clock = new FakeClock();
  let live: Live;
  let other: ScriptableIngest;

  async function start(): Promise<[Senders, Senders]> {
    live = await Live.start({ clock, random: () => 0, settings: { outReconnects: Infinity } });
    other = await ScriptableIngest.start({ answers: true });
    return [await live.both(), await live.both(second())];
  }

  const second = (): object => ({ upstream_id: 'u2', url: `rtmp://127.0.0.1:${other.port}/app/s` });

  /** Frames of a source whose first pictures have a dts below 0: a frame every 40 ms, groups of 5. */
  function send(senders: readonly Senders[], from: number, to: number, first = -80): void {
    for (let n = from; n < to; n++) {
      for (const { video, audio } of senders) {
        video.send(frameAt(first + n * 40, `v${n}`, { key: n % 5 === 0 }));
        audio.send(frameAt(first + n * 40 + 10, `a${n}`));
      }
    }
  }

  /** The time of each frame, by its name. */
  const times = (...connections: IngestConnection[]): Map<string, number> =>
    new Map(
      connections.flatMap((one) =>
        mediaOf(one).flatMap(({ kind, text, ms }) =>
          kind === 'video' || kind === 'audio' ? [[text, ms] as const] : [],
        ),
      ),
    );

  afterEach(async () => {
    await live.close();
    await other.close();
    clock.advance(60_000);
  });

  for (const first of [-80, 1_000, 2 ** 32 - 200]) {
    it(`have the same timestamps, also after one of them has reconnected (first dts ${first} ms)`, async () => {
      const senders = await start();
      send(senders, 0, 12, first);
      const [one, two] = [await live.ingest.next(), await other.next()];
      for (const connection of [one, two]) await connection.until(() => framesOf(connection).length === 24);
      assert.deepEqual(times(one), times(two));
      await live.killServer();
      await live.state('reconnecting');
      send(senders, 12, 17, first);
      await live.startServer();
      clock.advance(1000);
      const again = await live.ingest.next();
      send(senders, 17, 25, first);
      await again.until(() => framesOf(again).includes('v24') && framesOf(again).includes('a24'));
      await two.until(() => framesOf(two).length === 50);
      const there = times(two);
      // What was sent again has the time that it had before.
      for (const connection of [one, again]) {
        for (const [name, ms] of times(connection)) assert.equal(ms, there.get(name), name);
      }
      assert.equal(times(one, again).size, 50);
    });
  }

  it('have the same timestamps after a reconnect that sends nothing again, if the first dts is below 0', async () => {
    live = await Live.start({ clock, random: () => 0, settings: { outReconnects: Infinity, outResend: 0 } });
    other = await ScriptableIngest.start({ answers: true });
    const senders = [await live.both(), await live.both(second())];
    send(senders, 0, 12);
    const [one, two] = [await live.ingest.next(), await other.next()];
    for (const connection of [one, two]) await connection.until(() => framesOf(connection).length === 24);
    await live.killServer();
    await live.state('reconnecting');
    await live.startServer();
    clock.advance(1000);
    const again = await live.ingest.next();
    await live.confirmed(3);
    send(senders, 15, 25);
    await again.until(() => framesOf(again).includes('v24'));
    await two.until(() => framesOf(two).length === 44);
    for (const [name, ms] of times(again)) assert.equal(ms, times(two).get(name), name);
  });

  it('differ by the shift of the first one if that begins below 0, and the other one later', async () => {
    live = await Live.start({ clock, random: () => 0 });
    other = await ScriptableIngest.start({ answers: true });
    const one = await live.both();
    send([one], 0, 10);
    const first = await live.ingest.next();
    await first.until(() => framesOf(first).length === 20);
    const late: { video: KmpSender; audio: KmpSender } = await live.both(second());
    send([one, late], 10, 20);
    const two = await other.next();
    await two.until(() => framesOf(two).length === 20);
    await first.until(() => framesOf(first).length === 40);
    assert.equal(times(two).size, 20);
    for (const [name, ms] of times(two)) assert.equal(ms + 80, times(first).get(name), name);
  });

  it('have the same timestamps after a sender has returned with others, if its frames carry the clock of the source', async () => {
    live = await Live.start({ clock, random: () => 0, settings: { outLinger: 60_000 } });
    other = await ScriptableIngest.start({ answers: true });
    const frames = (name: string, dts: number, created: number): [Buffer, Buffer] => [
      frameAt(dts, `v${name}`, { key: true, created }),
      frameAt(dts + 10, `a${name}`, { created: created + 10 }),
    ];
    const sendBoth = ({ video, audio }: Senders, [picture, sound]: [Buffer, Buffer]): void => {
      video.send(picture);
      audio.send(sound);
    };
    const senders = [await live.both(), await live.both(second())];
    for (const one of senders) sendBoth(one, frames('0', 320, 5320));
    const connections = [await live.ingest.next(), await other.next()];
    for (const connection of connections) await connection.until(() => framesOf(connection).length === 2);
    for (const { video, audio } of senders) for (const sender of [video, audio]) sender.destroy();
    const lost = (id: string): boolean => live.service.registry.get(id)?.state === 'input_lost';
    await eventually(() => lost('u1') && lost('u2'), 'both to have lost their input');
    // The second one returns later, with the same frames.
    for (const [i, data] of [{}, second()].entries()) {
      clock.advance(700);
      sendBoth(await live.both(data), frames('1', 0, 6220));
      const connection = connections[i];
      await connection?.until(() => framesOf(connection).length === 4);
    }
    const [one, two] = connections.map((connection) => times(connection));
    assert.deepEqual([one?.get('v1'), one?.get('a1')], [1220, 1230]);
    assert.deepEqual(one, two);
  });

  it('have the same timestamps if one of them begins later', async () => {
    live = await Live.start({ clock, random: () => 0 });
    other = await ScriptableIngest.start({ answers: true });
    const one = await live.both();
    send([one], 0, 10, 5000);
    const first = await live.ingest.next();
    await first.until(() => framesOf(first).length === 20);
    const late: { video: KmpSender; audio: KmpSender } = await live.both(second());
    send([one, late], 10, 20, 5000);
    const two = await other.next();
    await two.until(() => framesOf(two).length === 20);
    await first.until(() => framesOf(first).length === 40);
    for (const [name, ms] of times(two)) assert.equal(ms, times(first).get(name), name);
    await eventually(() => live.service.registry.size === 2, 'both upstreams');
  });
});
