import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mediaSettings } from '../../lib/config/settings.js';
import { UPSTREAM_EVENTS } from '../../lib/base/upstream-events.js';
import { notificationOf } from '../../lib/upstream/notify/notification.js';
import { Notifier } from '../../lib/upstream/notify/notifier.js';
import { httpTarget, reply, type HttpTarget } from '../support/network/http-target.js';

const page = readFileSync('docs/notifications.md', 'utf8');

interface Verifier {
  isGenuine(secret: string, headers: Record<string, string>, body: Buffer, now?: number): boolean;
}

describe('docs/notifications.md', () => {
  let web: HttpTarget;
  let headers: Record<string, string>;
  let body: Buffer;

  before(async () => {
    web = await httpTarget((socket) => reply(socket, 204));
    const notifier = new Notifier();
    const event = { type: 'rtmp_close', reason: 'done', message: 'all is sent' } as const;
    const source = {
      id: 'ü1',
      data: { url: 'rtmp://192.0.2.1/a/s', header: undefined, opaque: '{}' },
      serverStatus: null,
    };
    const settings = mediaSettings({ outNotifUrl: web.url, outNotifSecret: 'a secret ☃' });
    notifier.notify(notificationOf(event, source), settings);
    await notifier.drain(20_000);
    const [request] = web.requests;
    assert.ok(request);
    const lines = request.head
      .split('\r\n')
      .slice(1)
      .map((line) => line.split(/: (.*)/s));
    headers = Object.fromEntries(lines.map(([name = '', value = '']) => [name.toLowerCase(), value]));
    body = Buffer.from(request.body);
  });
  after(() => web.close());

  it('names every event', () => {
    const section = page.slice(page.indexOf('## Events'), page.indexOf('### Fields'));
    const named = [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);
    assert.deepEqual(named, [...UPSTREAM_EVENTS]);
  });

  it('names every header of a request', () => {
    const ours = Object.keys(headers).filter((name) => name.startsWith('x-kmp-rtmp-'));
    const named = [...page.matchAll(/^\| `(X-Kmp-Rtmp-\w+)` \|/gm)].map(([, name]) => name?.toLowerCase());
    assert.deepEqual(ours.sort(), named.sort());
  });

  it('has a receiver in JavaScript that takes what is genuine, and nothing else', async () => {
    const code = /```js\n(.*?)```/s.exec(page)?.[1] ?? '';
    const { isGenuine } = (await import(`data:text/javascript,${encodeURIComponent(code)}`)) as Verifier;
    const now = Number(headers['x-kmp-rtmp-timestamp']);
    assert.equal(isGenuine('a secret ☃', headers, body, now + 299), true);
    assert.equal(isGenuine('a secret', headers, body, now), false);
    assert.equal(isGenuine('a secret ☃', headers, Buffer.from(`${body.toString()} `), now), false);
    assert.equal(isGenuine('a secret ☃', { ...headers, 'x-kmp-rtmp-id': 'other' }, body, now), false);
    assert.equal(isGenuine('a secret ☃', headers, body, now + 301), false);
    assert.equal(isGenuine('a secret ☃', headers, body, now - 301), false);
    const later = { ...headers, 'x-kmp-rtmp-timestamp': `${now + 400}` };
    assert.equal(isGenuine('a secret ☃', later, body, now + 400), false);
    assert.equal(isGenuine('a secret ☃', {}, body), false);
  });
});
