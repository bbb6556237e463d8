import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Ingest } from '../../../lib/ingest/ingest.js';
import { hex } from '../../support/values/bytes.js';
import { kmpRtmp, Run } from '../../support/process/cli.js';
import { eventually } from '../../support/time/eventually.js';
import { send } from '../../support/network/http.js';
import { framesOf } from '../../support/ingest/ingest-media.js';
import { RawPublisher } from '../../support/rtmp/raw-publisher.js';
import { ScriptableIngest, type IngestConnection } from '../../support/ingest/scriptable-ingest.js';

describe('kmp-rtmp restream', () => {
  let good: ScriptableIngest[];
  let refusing: Ingest;
  let run: Run | undefined;
  beforeEach(async () => {
    good = [await ScriptableIngest.start({ answers: true }), await ScriptableIngest.start({ answers: true })];
    refusing = new Ingest({ refuse: () => ({ code: 'NetStream.Publish.BadName', description: 'unknown key' }) });
    await refusing.listen(0);
  });
  afterEach(async () => {
    run?.kill('SIGKILL');
    await run?.ended;
    for (const ingest of good) await ingest.close();
    await refusing.close();
  });

  async function start(...args: string[]): Promise<{ started: Run; port: number; http: number }> {
    const [one, two] = good.map(({ port }) => port);
    const urls = [`${one}/live/first-key`, `${refusing.port}/live/second-key`, `${two}/live/third-key`];
    const addresses = ['--listen', '127.0.0.1:0', '--http', '127.0.0.1:0'];
    const quick = ['--kmp-rtmp-out-min-process-delay', '20ms'];
    const targets = urls.map((url) => `rtmp://127.0.0.1:${url}`);
    const started = (run = new Run(['restream', ...addresses, ...quick, ...args, ...targets]));
    const [, port] = await started.says(/Server +rtmp:\/\/127\.0\.0\.1:(\d+)\/live\n/);
    const [, http] = await started.says(/Status page +http:\/\/127\.0\.0\.1:(\d+)\/\n/);
    return { started, port: Number(port), http: Number(http) };
  }

  function play(publisher: RawPublisher, from: number, to: number): void {
    if (from === 0) {
      publisher.send({ type: 9, streamId: 1, payload: hex('17 00 000000 0164001e ffe0 00') });
      publisher.send({ type: 8, streamId: 1, payload: hex('af 00 1210') });
    }
    for (let n = from; n < to; n++) {
      const video = Buffer.concat([Buffer.of(n % 5 === 0 ? 0x17 : 0x27), hex('01 000000'), Buffer.from(`v${n}`)]);
      publisher.send({ type: 9, streamId: 1, timestamp: n * 40, payload: video });
      publisher.send({
        type: 8,
        streamId: 1,
        timestamp: n * 40,
        payload: Buffer.concat([hex('af01'), Buffer.from(`a${n}`)]),
      });
    }
  }

  const numbered = (letter: string, to: number): string[] => Array.from({ length: to }, (_, n) => `${letter}${n}`);
  const of = (connection: IngestConnection, letter: string): string[] =>
    framesOf(connection).filter((text) => text.startsWith(letter));

  it('publishes to all good destinations, whatever another one says, and shows its page', async () => {
    const { started, port, http } = await start('--key', 'obs-stream-key');
    assert.match(started.stdout, /Stream key +obs\*\*\*\n/);
    assert.match(started.stdout, /^ {2}rtmp:\/\/127\.0\.0\.1:\d+\/live\/fi\*\*\*$/m);
    const publisher = await RawPublisher.publish(port, 'live', 'obs-stream-key');
    play(publisher, 0, 25);
    const connections = await Promise.all(good.map((ingest) => ingest.next()));
    for (const connection of connections)
      await eventually(() => of(connection, 'v').length === 25 && of(connection, 'a').length === 25, 'all frames');
    assert.deepEqual(
      connections.map((connection) => connection.commands('publish')[0]?.[3]),
      ['first-key', 'third-key'],
    );
    await started.says(/\/live\/se\*\*\* {2}RTMP connection broken: the server says: NetStream\.Publish\.BadName/);
    await started.says(/\/live\/fi\*\*\* {2}the server publishes the stream/);

    const page = await send(http, 'GET', '/');
    assert.equal(page.status, 200);
    const api = (await send(http, 'GET', '/kmp_rtmp_api/upstreams?list=1')).json as string[];
    assert.equal(api.length, 3);

    play(publisher, 25, 50);
    started.kill('SIGINT');
    const { code, stdout, stderr } = await started.ended;
    assert.deepEqual([code, stderr], [0, '']);
    for (const connection of connections) {
      await connection.closed;
      assert.deepEqual(of(connection, 'v').slice(0, 25), numbered('v', 25));
      assert.deepEqual(of(connection, 'a').slice(0, 25), numbered('a', 25));
      assert.equal(connection.commands('deleteStream').length, 1);
    }
    assert.doesNotMatch(stdout, /first-key|second-key|third-key|obs-stream-key/);
  });

  it('goes on without the reader of its lines', async () => {
    const { started, port } = await start();
    started.closeStdout();
    for (let n = 0; n < 2; n++) {
      const publisher = await RawPublisher.publish(port, 'live', `name-${n}`);
      play(publisher, 0, 5);
      const connections = await Promise.all(good.map((ingest) => ingest.next()));
      publisher.command(0, 'deleteStream', 9, null, 1);
      for (const connection of connections) {
        await connection.closed;
        assert.deepEqual(of(connection, 'v'), numbered('v', 5));
      }
    }
    started.kill('SIGINT');
    assert.equal((await started.ended).code, 0);
  });

  it('prints what an operator changes: another destination, and back; disabled, and enabled', async () => {
    const { started, port, http } = await start();
    const publisher = await RawPublisher.publish(port, 'live', 'any');
    play(publisher, 0, 5);
    await started.says(/\/live\/fi\*\*\* {2}the server publishes the stream\n/);
    const present = (await send(http, 'GET', '/kmp_rtmp_api/upstreams')).json as Record<string, { url: string }>;
    const [id = ''] = Object.entries(present).find(([, { url }]) => url.includes(`:${good[0]?.port}/`)) ?? [];
    const upstream = `/kmp_rtmp_api/upstreams/${encodeURIComponent(id)}`;
    const body = { url: `rtmp://127.0.0.1:${good[1]?.port}/other/fourth-key` };
    const headers = { 'Content-Type': 'application/json' };
    assert.equal(
      (await send(http, 'POST', `${upstream}/elsewhere`, headers, undefined, JSON.stringify(body))).status,
      204,
    );
    await started.says(
      /\/live\/fi\*\*\* {2}an operator has sent it elsewhere, rtmp:\/\/127\.0\.0\.1:\d+\/other\/fo\*\*\*\n/,
    );
    assert.equal((await send(http, 'DELETE', `${upstream}/elsewhere`)).status, 204);
    await started.says(/\/live\/fi\*\*\* {2}an operator has sent it back, rtmp:\/\/127\.0\.0\.1:\d+\/live\/fi\*\*\*\n/);
    assert.equal((await send(http, 'POST', `${upstream}/disable`)).status, 204);
    await started.says(/\/live\/fi\*\*\* {2}an operator has disabled it\n/);
    assert.equal((await send(http, 'POST', `${upstream}/enable`)).status, 204);
    await started.says(/\/live\/fi\*\*\* {2}an operator has enabled it\n/);
    assert.doesNotMatch(started.stdout, /first-key|fourth-key/);
  });

  it('goes on with the next encoder when one has left', async () => {
    const { port } = await start();
    for (let n = 0; n < 2; n++) {
      const publisher = await RawPublisher.publish(port, 'live', `name-${n}`);
      play(publisher, 0, 10);
      const connections = await Promise.all(good.map((ingest) => ingest.next()));
      publisher.command(0, 'deleteStream', 9, null, 1);
      for (const connection of connections) {
        await connection.closed;
        assert.deepEqual(of(connection, 'v'), numbered('v', 10));
      }
    }
  });

  it('says what is wrong with what it was given', async () => {
    const url = 'rtmp://192.0.2.1/live/some-long-key';
    const busy = `127.0.0.1:${refusing.port}`;
    const rows: [string[], RegExp][] = [
      [[], /missing required argument 'url'/],
      [['rtmp://host/app'], /rtmp:\/\/host\/app has no stream key behind the app; expected rtmp:\/\/HOST\/APP\/KEY/],
      [['http://host/app/key'], /has the scheme "http", not rtmp or rtmps/],
      [[url, url], /rtmp:\/\/192\.0\.2\.1\/live\/som\*\*\* is given twice/],
      [[''], /destination 1 is empty .*; expected rtmp:\/\/HOST\/APP\/KEY/],
      [[url, ` ${url}`], /destination 2 begins or ends with a space/],
      [[`${url}|${url}2`], /destination 1 contains several URLs with "\|" between them; quote each URL on its own/],
      [[`${url},${url}2`], /destination 1 contains several URLs with "," between them/],
      [[`${url}, ${url}2`], /destination 1 contains several URLs with "," between them/],
      [[`${url}|`], /destination 1 contains a "," ";" or "\|" after the URL/],
      [['rtmp://127.0.0.1:1935/live/some-long-key'], /live\/som\*\*\* is the address of this command itself/],
      [['rtmp://LOCALHOST/live/some-long-key'], /live\/som\*\*\* is the address of this command itself/],
      [['--listen', '0.0.0.0:1935', url], /everyone who reaches 0\.0\.0\.0 could publish/],
      [['--listen', busy, '--http', '127.0.0.1:0', url], /cannot listen on 127\.0\.0\.1:\d+: another process/],
      [['--listen', '127.0.0.1:0', '--http', busy, url], /cannot listen on 127\.0\.0\.1:\d+: another process/],
      [['--kmp-rtmp-out-overload', 'x', url], /--kmp-rtmp-out-overload/],
      [
        ['--http', '192.0.2.1:8001', url],
        /everyone who reaches 192\.0\.2\.1:8001 could end .*KMP_RTMP_API_TOKEN_FILE.* --http 127\.0\.0\.1:8001/,
      ],
      [['--http', '127.example.invalid:1', url], /everyone who reaches 127\.example\.invalid:1 could end/],
    ];
    for (const [args, expected] of rows) {
      const { code, stderr } = await kmpRtmp(['restream', ...args]);
      assert.equal(code, 1, args.join(' '));
      assert.match(stderr, expected, args.join(' '));
      assert.doesNotMatch(stderr, /some-long-key/);
    }
  });

  it('answers HTTP on any address if a token guards the API', async () => {
    for (const env of [{ KMP_RTMP_API_TOKEN: 't0ken' }, { KMP_RTMP_DENY: 'all' }]) {
      // No machine has this address: the attempt to listen shows that it is allowed.
      const { code, stderr } = await kmpRtmp(
        ['restream', '--http', '192.0.2.1:8001', 'rtmp://192.0.2.1/live/key'],
        env,
      );
      assert.equal(code, 1);
      assert.match(stderr, /cannot listen on 192\.0\.2\.1:8001: this machine does not have this address/);
    }
  });
});
