import { afterEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { eventually } from '../../support/time/eventually.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { framesOf, mediaOf } from '../../support/ingest/ingest-media.js';
import { frameAt, type KmpSender } from '../../support/kmp/kmp-sender.js';
import { Live } from '../../support/service/live.js';
import type { IngestConnection, Script } from '../../support/ingest/scriptable-ingest.js';
import type { MediaSettings } from '../../../lib/config/settings.js';

/** Which stream id the publishes of each name came with, and their chunk streams. */
const publishes = (connection: IngestConnection): [string, number, number][] =>
  connection.messages
    .filter(({ type, payload }) => type === 20 && payload.toString('latin1', 3, 10) === 'publish')
    .map((message, i) => [String(connection.commands('publish')[i]?.[3]), message.streamId, message.chunkStream]);

describe('message stream ids', { timeout: 90_000 }, () => {
  let live: Live;

  async function start(script: Script, settings: Partial<MediaSettings> = {}): Promise<void> {
    live = await Live.start({ script, settings: { outWriteMetaTimeout: 0, outStreamId: 'negotiate', ...settings } });
  }

  /** Audio of a stream of its own, its first frame sent. */
  async function publish(name: string): Promise<KmpSender> {
    const sender = await live.audio({ url: live.url(name) });
    sender.send(frameAt(0, `${name}-0`));
    return sender;
  }

  const arrived = (connection: IngestConnection, text: string): Promise<void> =>
    connection.until(() => framesOf(connection).includes(text));

  const idOf = (connection: IngestConnection, text: string): number | undefined =>
    mediaOf(connection).find((message) => message.text === text)?.streamId;

  afterEach(() => live.close());

  it('are waited for: nothing is published before the server has given one', async () => {
    await start({ unanswered: ['createStream'] });
    await publish('s');
    const connection = await live.ingest.next();
    const [, transaction] = await connection.command('createStream');
    assert.deepEqual(
      connection.commands().map(([name]) => name),
      ['connect', 'releaseStream', 'FCPublish', 'createStream'],
    );
    connection.sendCommand(0, '_result', transaction ?? 0, null, 77);
    await arrived(connection, 's-0');
    assert.deepEqual(publishes(connection), [['s', 77, 4]]);
    assert.equal(idOf(connection, 's-0'), 77);
    assert.equal(live.status().streams['s']?.id, 77);
  });

  for (const [streamIds, ids] of [
    ['count', [1, 2, 3]],
    ['1,3,4', [1, 3, 4]],
    [
      [9, 4, 400_000],
      [9, 4, 400_000],
    ],
  ] as const) {
    it(`are those that the server gives: ${ids.join()}`, async () => {
      await start({ streamIds });
      const senders: KmpSender[] = [];
      for (const name of ['one', 'two', 'three']) {
        senders.push(await publish(name));
        await eventually(() => live.upstream?.streams.has(name) === true, name);
      }
      const connection = await live.ingest.next();
      for (const name of ['one', 'two', 'three']) await arrived(connection, `${name}-0`);
      assert.deepEqual(
        publishes(connection).map(([name, id]) => [name, id]),
        [
          ['one', ids[0]],
          ['two', ids[1]],
          ['three', ids[2]],
        ],
      );
      assert.deepEqual(
        ['one-0', 'two-0', 'three-0'].map((text) => idOf(connection, text)),
        ids,
      );
      assert.equal(live.ingest.connections.length, 1);
      // A stream that ends is deleted by the id that it had.
      senders[1]?.end();
      await connection.command('deleteStream');
      assert.deepEqual(connection.commands('deleteStream')[0]?.[3], ids[1]);
    });
  }

  it('of a server that gives 1 each time: each further stream gets a connection of its own', async () => {
    await start({ streamIds: 'one' });
    const senders: KmpSender[] = [];
    for (const name of ['one', 'two', 'three']) {
      senders.push(await publish(name));
      await eventually(() => live.upstream?.streams.has(name) === true, name);
    }
    const connections = [await live.ingest.next(), await live.ingest.next(), await live.ingest.next()];
    const [first] = connections;
    assert.ok(first !== undefined);
    await arrived(first, 'one-0');
    await eventually(() => connections.slice(1).flatMap((one) => framesOf(one)).length === 2, 'the other two');
    // Each connection publishes one stream, and all three are there.
    assert.deepEqual(
      connections.map((connection) => publishes(connection).length),
      [1, 1, 1],
    );
    assert.deepEqual(connections.flatMap((one) => framesOf(one)).sort(), ['one-0', 'three-0', 'two-0']);
    assert.equal(live.service.registry.size, 1);
    assert.deepEqual(Object.keys(live.status().streams).sort(), ['one', 'three', 'two']);
    // All of them count.
    const received = connections.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0);
    await eventually(() => live.status().sent_bytes === received + 3 * 3073, 'all bytes counted');

    // The one on the first connection ends: the others go on, and the first connection is closed.
    senders[0]?.end();
    await first.closed;
    // What is shown of the upstream is a connection that is left.
    await live.state('publishing');
    assert.equal(live.status().remote_addr, `127.0.0.1:${live.ingest.port}`);
    senders[1]?.send(frameAt(20, 'two-1'));
    await eventually(() => connections.slice(1).flatMap((one) => framesOf(one)).length === 3, 'what came then');
    senders[1]?.end();
    senders[2]?.end();
    const { reason, upstream } = await live.service.ended();
    assert.equal(reason, 'done');
    await Promise.all(connections.map((connection) => connection.closed));
    assert.equal(upstream.status().sent_bytes, connections.reduce((sum, one) => sum + one.receivedBytes, 0) + 3 * 3073);
    assert.equal(upstream.ledger.used, Buffer.byteLength(JSON.stringify(upstream.data)));
  });

  it('of a server that gives 1 each time: only createStream is tried on a connection that publishes, and once', async () => {
    await start({ streamIds: 'one' });
    await publish('one');
    const first = await live.ingest.next();
    await arrived(first, 'one-0');
    for (const name of ['two', 'three']) {
      await publish(name);
      await arrived(await live.ingest.next(), `${name}-0`);
    }
    // SRS takes releaseStream, FCPublish and FCUnpublish for the end of what is published.
    assert.deepEqual(
      first.commands().map(([name, , , stream]) => [name, stream]),
      [
        ['connect', undefined],
        ['releaseStream', 'one'],
        ['FCPublish', 'one'],
        ['createStream', undefined],
        ['publish', 'one'],
        ['createStream', undefined],
      ],
    );
  });

  it('of a server that gives 1 each time: no frame of a further stream goes out on the first connection', async () => {
    const clock = new FakeClock();
    const settings = {
      outWriteMetaTimeout: 0,
      outMinProcessDelay: 100,
      outMaxProcessDelay: 1000,
    };
    live = await Live.start({
      script: { streamIds: 'one' },
      settings: { ...settings, outStreamId: 'negotiate' },
      clock,
    });
    const arriving = async (connection: IngestConnection, text: string): Promise<void> => {
      const turning = setInterval(() => clock.advance(10), 1);
      try {
        await arrived(connection, text);
      } finally {
        clearInterval(turning);
      }
    };
    const one = await publish('one');
    const first = await live.ingest.next();
    await arriving(first, 'one-0');
    const two = await publish('two');
    await eventually(() => live.upstream?.streams.has('two') === true, 'two');
    const second = await live.ingest.next();
    await arriving(second, 'two-0');

    // A frame that is due takes others along that nearly are: those of its own connection.
    one.send(frameAt(20, 'one-1'));
    await live.received('audio', 2, 'one');
    clock.advance(40);
    two.send(frameAt(30, 'two-1'));
    await live.received('audio', 2, 'two');
    clock.advance(60);
    await arrived(first, 'one-1');
    await arriving(second, 'two-1');
    assert.deepEqual(
      [framesOf(first), framesOf(second)],
      [
        ['one-0', 'one-1'],
        ['two-0', 'two-1'],
      ],
    );
  });

  it('of a server that answers createStream once: each further stream gets a connection of its own', async () => {
    const clock = new FakeClock();
    const script = { unanswered: ['createStream'] } as const;
    live = await Live.start({ script, settings: { outStreamId: 'negotiate' }, clock });
    const streams = async (name: string): Promise<IngestConnection> => {
      const sender = await publish(name);
      await eventually(() => live.upstream?.streams.get(name)?.tracks.audio !== undefined, name);
      clock.advance(3000);
      const connection = await live.ingest.next();
      const [, transaction] = await connection.command('createStream');
      connection.sendCommand(0, '_result', transaction ?? 0, null, 1);
      sender.send(frameAt(20, `${name}-1`));
      await arrived(connection, `${name}-1`);
      return connection;
    };
    const first = await streams('one');
    await streams('two');
    await streams('three');
    assert.equal(first.commands('createStream').length, 2);
    assert.equal(live.ingest.connections.length, 3);
  });

  it('that never come end the upstream', async () => {
    const clock = new FakeClock();
    const script = { unanswered: ['createStream'] } as const;
    live = await Live.start({ script, settings: { outStreamId: 'negotiate' }, clock });
    await publish('s');
    const connection = await live.ingest.next();
    await connection.command('createStream');
    clock.advance(10_000);
    const { reason } = await live.service.ended();
    assert.equal(reason, 'recv_failed');
    assert.match(live.service.log.text, /no answer to createStream/);
  });

  it('of a server that gives 1 each time: a refused stream ends alone', async () => {
    const refusal = { code: 'NetStream.Publish.Denied', description: 'no' };
    await start({ streamIds: 'one', rejectPublish: (_attempt, name) => (name === 'two' ? refusal : undefined) });
    const one = await publish('one');
    const first = await live.ingest.next();
    await arrived(first, 'one-0');
    const two = await publish('two');
    await two.closed;
    one.send(frameAt(20, 'one-1'));
    await arrived(first, 'one-1');
    assert.deepEqual(Object.keys(live.status().streams), ['one']);
  });

  it('of a server that gives 1 each time: only the broken connection is opened again', async () => {
    await start({ streamIds: 'one' }, { outReconnects: 3, outReconnectInterval: 0 });
    const one = await publish('one');
    const first = await live.ingest.next();
    await arrived(first, 'one-0');
    const two = await publish('two');
    const second = await live.ingest.next();
    await arrived(second, 'two-0');
    second.reset();
    const third = await live.ingest.next();
    two.send(frameAt(20, 'two-1'));
    one.send(frameAt(20, 'one-1'));
    await arrived(third, 'two-1');
    await arrived(first, 'one-1');
    assert.equal(live.status().reconnects, 1);
    assert.equal(live.ingest.connections.length, 3);
  });

  for (const [what, id] of [
    ['no number', 'one'],
    ['a fraction', 1.5],
    ['a number that does not fit', 2 ** 32],
  ] as const) {
    it(`that are ${what} end the upstream`, async () => {
      await start({ unanswered: ['createStream'] });
      await publish('s');
      const connection = await live.ingest.next();
      const [, transaction] = await connection.command('createStream');
      connection.sendCommand(0, '_result', transaction ?? 0, null, id);
      const { reason } = await live.service.ended();
      assert.equal(reason, 'stream_id_mismatch');
    });
  }

  it('may be assumed: everything is sent at once, and other ids of the server are an error', async () => {
    await start({ streamIds: [5] }, { outStreamId: 'assume' });
    const sender = await publish('s');
    const connection = await live.ingest.next();
    const { reason } = await live.service.ended();
    assert.equal(reason, 'stream_id_mismatch');
    assert.match(live.service.log.text, /gave stream id 5 where 1 was assumed; set "kmp_rtmp_out_stream_id negotiate"/);
    assert.deepEqual(publishes(connection), [['s', 1, 4]]);
    await sender.closed;
  });

  it('that are assumed correctly stay in use', async () => {
    await start({ streamIds: 'count' }, { outStreamId: 'assume' });
    const one = await publish('one');
    const connection = await live.ingest.next();
    await arrived(connection, 'one-0');
    await publish('two');
    await arrived(connection, 'two-0');
    connection.ping(1);
    await connection.message(({ type }) => type === 4);
    one.send(frameAt(20, 'one-1'));
    await arrived(connection, 'one-1');
    assert.equal(live.status().state, 'publishing');
  });

  it('and chunk streams: those of ended streams are used again, the lowest first', async () => {
    await start({}, { outStreamId: 'assume' });
    const senders = new Map<string, KmpSender>();
    const open = async (name: string): Promise<void> => {
      senders.set(name, await publish(name));
      await arrived(connection, `${name}-0`);
    };
    senders.set('a', await publish('a'));
    const connection = await live.ingest.next();
    await arrived(connection, 'a-0');
    for (const name of ['b', 'c', 'd']) await open(name);
    for (const name of ['c', 'b']) {
      const before = connection.commands('deleteStream').length;
      senders.get(name)?.end();
      await connection.until(() => connection.commands('deleteStream').length > before);
    }
    for (const name of ['e', 'f', 'g']) await open(name);
    assert.deepEqual(publishes(connection), [
      ['a', 1, 4],
      ['b', 2, 5],
      ['c', 3, 6],
      ['d', 4, 7],
      ['e', 5, 5],
      ['f', 6, 6],
      ['g', 7, 8],
    ]);
    assert.equal(idOf(connection, 'e-0'), 5);
  });
});
