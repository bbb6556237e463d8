import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { eventually } from '../../support/time/eventually.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { audioMinf, frameAt, KmpSender } from '../../support/kmp/kmp-sender.js';
import { startKmp, type KmpService } from '../../support/service/kmp-service.js';
import { amf } from '../../support/ingest/script-bytes.js';
import { ScriptableIngest, type IngestConnection } from '../../support/ingest/scriptable-ingest.js';

/** One message with a whole header, then so many with a header of one byte, which repeat it. */
function repeated(chunkStream: number, type: number, payload: Buffer, times: number): Buffer {
  const head = Buffer.of(chunkStream, 0, 0, 0, 0, 0, payload.length, type, 0, 0, 0, 0);
  const again = Buffer.concat([Buffer.of(0xc0 | chunkStream), payload]);
  return Buffer.concat([head, payload, ...Array<Buffer>(times - 1).fill(again)]);
}

function status(info: object): Buffer {
  return Buffer.concat([amf('onStatus'), amf(0), amf(null), amf({ ...info })]);
}

describe('faulty and hostile RTMP servers', { timeout: 90_000 }, () => {
  const clock = new FakeClock();
  let ingest: ScriptableIngest;
  let service: KmpService;
  let sender: KmpSender;
  let connection: IngestConnection;

  beforeEach(async () => {
    ingest = await ScriptableIngest.start({ answers: true });
    service = await startKmp({ outMinProcessDelay: 0, outFlushTimeout: 0, outWriteMetaTimeout: 0 }, { clock });
    const url = `rtmp://127.0.0.1:${ingest.port}/app/s`;
    sender = await KmpSender.open(service.port, { upstream_id: 'u1', url });
    sender.send(audioMinf(), frameAt(0, 'first'));
    connection = await ingest.next();
    await connection.command('publish');
  });
  afterEach(async () => {
    sender.destroy();
    await service.close();
    await ingest.close();
  });

  for (const [what, bytes] of [
    ['commands of a byte each', repeated(3, 20, Buffer.alloc(0), 50_000)],
    ['unknown messages of a byte each', repeated(3, 99, Buffer.alloc(0), 50_000)],
    ['pings', repeated(2, 4, Buffer.from('000600000000', 'hex'), 10_000)],
    ['acknowledgements', repeated(2, 3, Buffer.alloc(4), 10_000)],
    ['statuses', repeated(3, 20, status({ code: 'a' }), 5000)],
  ] as const) {
    it(`a flood of ${what} ends the upstream, and does not fill the log`, async () => {
      connection.write(bytes);
      const { reason } = await service.ended();
      assert.equal(reason, 'recv_failed');
      assert.match(service.log.text, /more than 2000 messages at once, or more than 500 per second/);
      assert.ok(service.log.lines.length < 100, `${service.log.lines.length} lines`);
    });
  }

  it('a server that sends messages all the time, within the limit, does not fill the log either', async () => {
    for (let i = 0; i < 20; i++) {
      connection.write(repeated(3, 20, status({ code: `part ${i}` }), 100));
      await eventually(() => service.registry.get('u1')?.serverStatus?.code === `part ${i}`, 'the status');
      clock.advance(1000);
    }
    const lines = service.log.lines.filter((line) => /server: part/.test(String(line.message)));
    assert.ok(lines.length >= 50 && lines.length <= 80, `${lines.length} lines`);
    assert.match(service.log.text, /lines before this one were not logged/);
  });

  it('a server that asks to reconnect again and again makes a few connections, no more', async () => {
    const victim = await ScriptableIngest.start({ stallAt: 'nothing' });
    const ask = (): void =>
      connection.sendStatus(0, 'status', 'NetConnection.Connect.ReconnectRequest', '', {
        tcUrl: `rtmp://127.0.0.1:${victim.port}/app`,
      });
    for (let i = 1; i <= 5; i++) {
      ask();
      await eventually(() => victim.connections.length === i, `connection ${i}`);
      victim.connections[i - 1]?.reset();
      await eventually(() => service.log.text.split('the replacement connection failed').length === i + 1, 'its end');
    }
    for (let i = 0; i < 20; i++) ask();
    await eventually(() => service.log.text.includes('asks to reconnect too often'), 'a line in the log');
    connection.ping(7);
    await connection.message(({ type }) => type === 4);
    assert.equal(victim.connections.length, 5);
    assert.equal(service.log.text.split('too often').length, 2, 'said once');
    clock.advance(10_000);
    ask();
    await eventually(() => victim.connections.length === 6, 'one more, later');
    await victim.close();
  });
});
