import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TRACK_NUMBERS, UPSTREAM_NUMBERS } from '../../../lib/api/status/public/data/wire.js';
import { upstreamInfo, upstreamNumbers } from '../../../lib/api/status/rows.js';
import { assertHas } from '../../support/values/assert-has.js';
import { sampleStream, sampleTrack, sampleUpstream, table } from '../../support/management/memory-management.js';

describe('rows of the status page', () => {
  it('contain no key, password or header', () => {
    const key = 'live_52034_kDwq8sPzYvJ2';
    const info = upstreamInfo(
      'u1',
      sampleUpstream({
        url: `rtmp://user:pa55word@live.example.com:1935/app/${key}?auth=s3cretquery`,
        header: 'PROXY-Auth: s3cretheader\r\n',
        opaque: 's3cretopaque',
        streams: table([[`${key}?auth=s3cretquery`, sampleStream()]]),
        // Masked already: spec/service/masked-status.spec.ts.
        last_status: { level: 'status', code: 'NetStream.Publish.Start', description: 'Publishing liv***.' },
        last_error: { reason: 'publish_rejected', message: 'the server said: liv*** is taken', age: 4 },
      }),
    );
    const text = JSON.stringify(info);
    for (const secret of [key, 'kDwq8', 'pa55', 's3cret']) assert.ok(!text.includes(secret), `${secret} in ${text}`);
    assertHas(info, { id: 'u1', shortened: false, state: 'publishing', reconnects: 2, memLimit: 16777216 });
    assert.match(info.url, /^rtmp:\/\/\*\*\*@live\.example\.com:1935\/app\/liv\*\*\*/);
    assert.equal(info.lastStatus?.description, 'Publishing liv***.');
    assert.equal(info.lastError, 'publish_rejected: the server said: liv*** is taken');
  });

  it('name the backup that is in use, without its key', () => {
    const [key, spare] = ['live_52034_kDwq8sPzYvJ2', 'spare_77_Qx81mmKe'];
    const info = upstreamInfo(
      'u1',
      sampleUpstream({
        url: `rtmp://a.example/app/${key}`,
        destination: 2,
        destinations: 3,
        destination_url: `rtmp://b.example/app/${spare}?t=s3cret`,
        streams: table([[key, sampleStream()]]),
      }),
    );
    const text = JSON.stringify(info);
    for (const secret of [key, spare, 's3cret']) assert.ok(!text.includes(secret), `${secret} in ${text}`);
    assert.deepEqual(info.backup, { number: 2, count: 2, url: 'rtmp://b.example/app/spa***?***' });
    assert.equal(upstreamInfo('u1', sampleUpstream()).backup, null);
  });

  it('shorten long texts, and mark a shortened id', () => {
    const long = 'x'.repeat(70_000);
    const info = upstreamInfo(
      long,
      sampleUpstream({
        url: `rtmp://host/${long}`,
        last_status: { level: 'error', code: long, description: long },
        last_error: { reason: 'recv_failed', message: long, age: 0 },
      }),
    );
    assert.equal(info.shortened, true);
    assert.ok(JSON.stringify(info).length < 3000);
  });

  it('have the counters in the order that the page reads', () => {
    const upstream = sampleUpstream({ streams: table([['name', sampleStream({ tracks: { audio: sampleTrack() } })]]) });
    const numbers = upstreamNumbers(upstream);
    const names = [...UPSTREAM_NUMBERS, ...TRACK_NUMBERS];
    assert.equal(numbers.length, names.length);
    assert.deepEqual(Object.fromEntries(names.map((name, index) => [name, numbers[index]])), {
      memLeft: 16700000,
      writtenBytes: 500000,
      sentBytes: 348463,
      receivedBytes: 404565,
      pendingFrames: 15,
      memUsed: 51000,
      sentFrames: 105,
      droppedFrames: 6,
      delay: 512.5,
      lag: 498,
      receivedFrames: 120,
      receivedKeyFrames: 4,
      duplicate: 1,
      empty: 2,
      emptyDuration: 0,
      noMediaInfo: 3,
      noKey: 4,
    });
  });
});
