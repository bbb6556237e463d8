import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { eventually } from '../support/time/eventually.js';
import { eventsUntil } from '../support/network/http.js';
import { frameAt, KmpSender, videoMinf } from '../support/kmp/kmp-sender.js';
import type { IngestConnection } from '../support/ingest/script-connection.js';
import { AT_ONCE_DIRECTIVES, RunningService } from '../support/service/running-service.js';
import { ScriptableIngest } from '../support/ingest/scriptable-ingest.js';

const KEY = 'live_123456789_abcdefABCDEF12345';
const settings = `${AT_ONCE_DIRECTIVES}
  kmp_rtmp_out_answer_timeout 5s;`;

describe('a server that repeats the stream key and the login', { timeout: 90_000 }, () => {
  let ingest: ScriptableIngest;
  let running: RunningService;
  let sender: KmpSender | undefined;

  beforeEach(async () => {
    ingest = await ScriptableIngest.start({ answers: true });
    running = await RunningService.start({ media: settings, http: 'location /page/ { kmp_rtmp_status; }' });
  });
  afterEach(async () => {
    sender?.destroy();
    await running.close();
    await ingest.close();
  });

  async function publish(path = `app/${KEY}?token=hiddentoken`): Promise<void> {
    const url = `rtmp://hiddenuser:hiddenpassword@127.0.0.1:${ingest.port}/${path}`;
    sender = await KmpSender.open(running.kmpPort, { upstream_id: 'u1', url });
    sender.send(videoMinf(), frameAt(0, 'v0', { key: true }));
  }

  function check(text: string): void {
    for (const secret of [KEY, 'hiddenuser', 'hiddenpassword', 'hiddentoken']) {
      assert.ok(!text.includes(secret), `${secret} in ${text}`);
    }
  }

  const words = [
    `level ${KEY}`,
    `Code.${KEY}.hiddenpassword`,
    `hiddenuser publishes ${KEY}?token=hiddentoken`,
  ] as const;

  it('in any field of a status: neither the API, the page nor the log shows them', async () => {
    await publish();
    const connection = await ingest.next();
    await connection.command('publish');
    connection.sendStatus(1, ...words);
    const { last_status: status } = await running.shows(
      'u1',
      (one) => /publishes/.test(one.last_status?.description ?? ''),
      'it',
    );
    assert.deepEqual(status, {
      level: 'level liv***',
      code: 'Code.liv***.hid***',
      description: 'hi*** publishes liv***',
    });
    check(await eventsUntil(running.service.httpAddresses[0]?.port ?? 0, '/page/events', 'publishes'));
    assert.match(running.log.text, /server: Code\.liv/);
    check(running.log.text);
  });

  /** What the log and the API show of a status with this description. */
  async function shown(connection: IngestConnection, description: string): Promise<string | undefined> {
    connection.sendStatus(1, 'status', 'NetStream.Data', description);
    const { last_status: status } = await running.shows(
      'u1',
      (one) => one.last_status?.code === 'NetStream.Data',
      'the status',
    );
    assert.match(running.log.text, /server: NetStream\.Data/);
    return status?.description;
  }

  it('by parts: the token of a query, of the stream or of the app, and a key without its percent-encoding', async () => {
    await publish('app?access=hiddenaccess/live%2Bhidden%2Fkey?token=hidden%3Dtoken&vhost=cdn.example');
    const connection = await ingest.next();
    await connection.command('publish');
    const text = await shown(
      connection,
      'bad hidden%3Dtoken (hidden=token) or hiddenaccess for live+hidden/key at cdn.example',
    );
    assert.match(text ?? '', /^bad hid\*+.* \(hid\*+\) or hid\*+ for liv\*+ at cdn\.example$/);
    assert.doesNotMatch(running.log.text, /hidden[%=]|hiddenaccess|hidden\/key/);
  });

  it('in every form, at every output: API, page, log, metrics, the record of ends, and notifications', async () => {
    await publish('app/first_segment/second_segment?token=hidden%3Dtoken');
    const connection = await ingest.next();
    await connection.command('publish');
    await running.shows('u1', ({ state }) => state === 'publishing', 'the stream');
    const said =
      'first_segment%2Fsecond_segment first_segment%2fsecond_segment second_segment first_segment hidden=token ' +
      'hidden%3dtoken hiddenuser hiddenpassword';
    const secret = /segment|hidden/;
    assert.doesNotMatch((await shown(connection, said)) ?? 'segment', secret);
    const port = running.service.httpAddresses[0]?.port ?? 0;
    const page = await eventsUntil(port, '/page/events', 'NetStream.Data');
    assert.doesNotMatch(page, secret);
    assert.doesNotMatch((await running.request('GET', '/metrics')).text, secret);
    connection.sendStatus(1, 'error', 'NetStream.Publish.BadName', said);
    const notified = (await running.notified()) as unknown as Record<string, unknown>;
    // The URL of a notification is that of the sender.
    assert.doesNotMatch(JSON.stringify({ ...notified, url: '' }), secret);
    const closed = (await running.request('GET', '/api/closed')).json as object;
    assert.match(JSON.stringify(closed), /BadName/);
    assert.doesNotMatch(
      JSON.stringify(closed, (key, value: unknown) => (key === 'url' ? '' : value)),
      secret,
    );
    assert.doesNotMatch(running.log.text, secret);
  });

  it('after the end of the stream', async () => {
    const connect = { upstream_id: 'u1', url: `rtmp://127.0.0.1:${ingest.port}/app` };
    sender = await KmpSender.open(running.kmpPort, { ...connect, name: 'live_first_key' });
    const other = await KmpSender.open(running.kmpPort, { ...connect, name: 'live_second_key' });
    try {
      for (const one of [sender, other]) one.send(videoMinf(), frameAt(0, 'v0', { key: true }));
      const connection = await ingest.next();
      await eventually(() => connection.commands('publish').length === 2, 'both streams');
      other.destroy();
      await running.shows('u1', ({ streams }) => Object.keys(streams).length === 1, 'the end of the second');
      assert.equal(await shown(connection, 'live_second_key is unpublished'), 'liv*** is unpublished');
      assert.doesNotMatch(running.log.text, /live_second_key/);
    } finally {
      other.destroy();
    }
  });

  it('in a request to log in: the log and the record of the end do not show them', async () => {
    const description = '[ AccessManager.Reject ] : [ authmod=hiddenpassword ]';
    ingest.script = { answers: true, rejectConnect: { code: 'NetConnection.Connect.Rejected', description } };
    await publish();
    await sender?.closed;
    const { text } = await running.request('GET', '/api/closed');
    assert.match(text, /a login that is not known/);
    check(text);
    assert.match(running.log.text, /upstream ended: connect_rejected: .* a login that is not known/);
    check(running.log.text);
  });

  it('in a refusal: the record of the end and the page do not show them', async () => {
    const [, code, description] = words;
    ingest.script = { answers: true, rejectPublish: { code: `NetStream.Publish.${code}`, description } };
    await publish();
    await sender?.closed;
    const { text } = await running.request('GET', '/api/closed');
    assert.match(text, /publish_rejected/);
    check(text);
    check(await eventsUntil(running.service.httpAddresses[0]?.port ?? 0, '/page/events', 'publish_rejected'));
    check(running.log.text);
  });
});
