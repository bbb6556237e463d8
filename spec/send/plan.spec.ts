import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { planTracks, type PlanOptions } from '../../lib/send/plan.js';
import type { MediaSource } from '../../lib/source/source.js';
import { audioInfo, madeSource, videoInfo } from '../support/media/made-source.js';

const target = { upstreamId: 'u1', url: 'rtmp://host/app/key?token=1' };
const both = (): MediaSource =>
  madeSource([
    { info: videoInfo, frames: [] },
    { info: audioInfo, frames: [] },
  ]);
const only = (info: typeof videoInfo | typeof audioInfo): MediaSource => madeSource([{ info, frames: [] }]);

function plan(sources: MediaSource[], options: Partial<PlanOptions> = {}): string[] {
  return planTracks(sources, { target, ...options }).map(({ stream, trackId, connectData }) => {
    const data = JSON.parse(connectData.toString()) as { name?: string; upstream_id: string; url: string };
    assert.deepEqual([data.upstream_id, data.url], ['u1', target.url]);
    return `${stream} ${trackId} ${data.name ?? '-'}`;
  });
}

describe('which stream a track goes to', () => {
  it('the tracks of one file make one stream, under the name in the URL', () => {
    assert.deepEqual(plan([both()]), ['0 v1 -', '0 a1 -']);
  });

  it('files that complete one another make one stream', () => {
    assert.deepEqual(plan([only(videoInfo), only(audioInfo)]), ['0 v1 -', '0 a1 -']);
  });

  it('renditions make a stream each, numbered before the query string', () => {
    assert.deepEqual(plan([both(), both(), only(videoInfo)]), [
      ...['0 v1 -', '0 a1 -'],
      ...['1 v2 key_2?token=1', '1 a2 key_2?token=1'],
      '2 v3 key_3?token=1',
    ]);
  });

  it('names: one for each stream, or one for each file', () => {
    assert.deepEqual(plan([both(), both()], { names: ['hi', 'lo'] }), ['0 v1 hi', '0 a1 hi', '1 v2 lo', '1 a2 lo']);
    const files = [only(videoInfo), only(videoInfo), only(audioInfo), only(audioInfo)];
    const names = ['hi', 'lo', 'lo', 'hi'];
    assert.deepEqual(plan(files, { names }), ['0 v1 hi', '0 a1 hi', '1 v2 lo', '1 a2 lo']);
    assert.throws(() => plan([both(), both()], { names: ['hi'] }), { code: 'send_names' });
    assert.throws(() => plan([both(), both()], { names: ['hi', 'hi'] }), { code: 'send_names' });
  });

  it('a second track of a kind is left out, and said so', () => {
    const warnings: string[] = [];
    const source = madeSource([videoInfo, audioInfo, audioInfo].map((info) => ({ info, frames: [] })));
    assert.deepEqual(plan([source], { onWarning: (message) => warnings.push(message) }), ['0 v1 -', '0 a1 -']);
    assert.deepEqual(warnings, [
      'file 1 has more than one audio track; the first one is sent, the others are left out',
    ]);
    const missing: string[] = [];
    const onWarning = (message: string): void => assert.fail(message);
    plan([source], { onWarning, onMissingTrack: (message) => missing.push(message) });
    assert.deepEqual(missing, warnings);
  });

  it('all fields of the target are in the connect data', () => {
    const full = {
      ...target,
      header: 'h',
      opaque: 'o',
      app: 'a',
      flashVer: 'f',
      tcUrl: 't',
      pageUrl: 'p',
      swfUrl: 's',
    };
    const [track] = planTracks([only(videoInfo)], { target: full, names: ['n'] });
    assert.deepEqual(JSON.parse(String(track?.connectData)), {
      upstream_id: 'u1',
      url: target.url,
      ...{ header: 'h', opaque: 'o', app: 'a', name: 'n', flash_ver: 'f', tc_url: 't', page_url: 'p', swf_url: 's' },
    });
  });

  it("a dump's own connect data is used where no target is given", () => {
    const connect = { channelId: 'ch', trackId: 'tr', data: Buffer.from('{"upstream_id":"x"}') };
    const source = madeSource([{ info: videoInfo, frames: [] }], { connect });
    const [track] = planTracks([source], {});
    assert.deepEqual(
      [track?.channelId, track?.trackId, track?.connectData.toString()],
      ['ch', 'tr', '{"upstream_id":"x"}'],
    );
    assert.throws(() => planTracks([both()], {}), { code: 'send_no_target' });
  });

  it('what cannot work is refused before anything is sent', () => {
    assert.throws(() => plan([both()], { target: { upstreamId: 'u1', url: 'rtmp://host/app' } }), {
      code: 'send_no_stream',
    });
    assert.throws(() => plan([both()], { target: { upstreamId: 'u1', url: 'http://host/app/key' } }), {
      code: 'rtmp_bad_url',
    });
  });

  it('a long upstream id is cut to what KMP has room for as channel id, in whole characters', () => {
    const upstreamId = `${'a'.repeat(31)}ü`;
    const [track] = planTracks([both()], { target: { ...target, upstreamId } });
    assert.equal(track?.channelId, 'a'.repeat(31));
    assert.equal((JSON.parse(String(track.connectData)) as { upstream_id: string }).upstream_id, upstreamId);
  });
});
