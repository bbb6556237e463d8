import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseConfig } from '../../lib/config/load.js';
import { Service } from '../../lib/service.js';
import { eventually } from '../support/time/eventually.js';
import { audioMinf, frameAt, KmpSender, videoMinf } from '../support/kmp/kmp-sender.js';
import { ScriptableIngest } from '../support/ingest/scriptable-ingest.js';

interface Answer {
  readonly channel_id: string;
  readonly track_id: string;
  readonly upstreams: { readonly id: string; readonly url: string; readonly connect_data: string }[];
}

describe('restreaming by routes', () => {
  it('publishes both tracks of an input to two destinations, according to the answers to the callbacks', async () => {
    const [first, second] = [
      await ScriptableIngest.start({ answers: true }),
      await ScriptableIngest.start({ answers: true }),
    ];
    const urls = [first, second].map(({ port }, n) => `rtmp://127.0.0.1:${port}/live${n}/$1`).join(' ');
    const service = new Service(
      parseConfig(`
        stream { server { listen 127.0.0.1:0; kmp_rtmp; } }
        http { server { listen 127.0.0.1:0; location /control { kmp_rtmp_control; kmp_rtmp_route ^in-(\\w+)$ ${urls}; } } }`),
    );
    await service.start();
    const senders: KmpSender[] = [];
    try {
      const url = `http://127.0.0.1:${service.httpAddresses[0]?.port}/control`;
      for (const [media_type, minf] of [
        ['video', videoMinf()],
        ['audio', audioMinf()],
      ] as const) {
        const body = JSON.stringify({ event_type: 'publish', rtmp: { name: 'in-cam' }, media_info: { media_type } });
        const { upstreams, channel_id, track_id } = (await (
          await fetch(url, { method: 'POST', body })
        ).json()) as Answer;
        for (const upstream of upstreams) {
          const data = JSON.parse(Buffer.from(upstream.connect_data, 'base64').toString()) as object;
          const sender = await KmpSender.open(Number(new URL(upstream.url.replace('kmp:', 'http:')).port), data, {
            channel: channel_id,
            track: track_id,
          });
          sender.send(minf, frameAt(0, `${media_type} frame`, { key: true }));
          senders.push(sender);
        }
      }
      for (const [n, ingest] of [first, second].entries()) {
        const connection = await ingest.next();
        await eventually(() => connection.messages.some(({ type }) => type === 9), 'video');
        await eventually(() => connection.messages.some(({ type }) => type === 8), 'audio');
        const [, , parameters] = connection.commands('connect')[0] ?? [];
        assert.equal((parameters as { app?: unknown }).app, `live${n}`);
        assert.ok(connection.commands('publish')[0]?.includes('cam'));
      }
    } finally {
      for (const sender of senders) sender.destroy();
      service.kill();
      await Promise.all([first.close(), second.close()]);
    }
  });
});
