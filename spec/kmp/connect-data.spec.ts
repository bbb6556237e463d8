import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseConnectData } from '../../lib/kmp/connect-data.js';
import { KmpError } from '../../lib/kmp/error.js';
import { concat, hex } from '../support/values/bytes.js';

const secret = 'live_123456789_abcdefABCDEF12345';
const url = `rtmp://live.twitch.tv:1935/app/${secret}`;
const nothing = {
  header: undefined,
  opaque: undefined,
  app: undefined,
  name: undefined,
  flashVer: undefined,
  swfUrl: undefined,
  tcUrl: undefined,
  pageUrl: undefined,
};

function parse(data: unknown): ReturnType<typeof parseConnectData> {
  return parseConnectData(Buffer.from(typeof data === 'string' ? data : JSON.stringify(data)));
}

function errorOf(data: Buffer): KmpError {
  try {
    parseConnectData(data);
  } catch (error) {
    assert(error instanceof KmpError);
    return error;
  }
  throw new assert.AssertionError({ message: `not refused: ${data.toString()}` });
}

describe('connect data', () => {
  it('reads the least there may be', () => {
    assert.deepEqual(parse({ upstream_id: 'ch1-twitch', url }), { upstreamId: 'ch1-twitch', url, ...nothing });
  });

  it('reads every field', () => {
    const text = `{"upstream_id": "u1", "url": "rtmp://h/a/s", "header": "PROXY TCP4\\r\\n", "opaque": "{\\"a\\":1}",
      "app": "live", "name": "näme", "flash_ver": "FMLE/3.0", "swf_url": "", "tc_url": "rtmp://h/a", "page_url": "p"}`;
    assert.deepEqual(parse(text), {
      upstreamId: 'u1',
      url: 'rtmp://h/a/s',
      header: 'PROXY TCP4\r\n',
      opaque: '{"a":1}',
      app: 'live',
      name: 'näme',
      flashVer: 'FMLE/3.0',
      swfUrl: '',
      tcUrl: 'rtmp://h/a',
      pageUrl: 'p',
    });
  });

  it('reads the placement in a fleet', () => {
    const placed = { upstream_id: 'u', url, fleet_node: 'n1', fleet_epoch: 7 };
    assert.deepEqual(parse(placed), { upstreamId: 'u', url, ...nothing, fleet: { node: 'n1', epoch: 7 } });
    assert.deepEqual(parse({ ...placed, fleet_epoch: 0 }).fleet, { node: 'n1', epoch: 0 });
  });

  for (const [name, fields, found] of [
    ['a node without an epoch', { fleet_node: 'n1' }, ['fleet_epoch (missing)']],
    ['an epoch without a node', { fleet_epoch: 1 }, ['fleet_node (missing)']],
    ['an empty node', { fleet_node: '', fleet_epoch: 1 }, ['fleet_node (empty)']],
    ['an epoch that is text', { fleet_node: 'n1', fleet_epoch: '1' }, ['fleet_epoch (a string)']],
    ['an epoch below 0', { fleet_node: 'n1', fleet_epoch: -1 }, ['fleet_epoch (not a whole number from 0)']],
    ['a fraction', { fleet_node: 'n1', fleet_epoch: 1.5 }, ['fleet_epoch (not a whole number from 0)']],
    ['an epoch of 2^53', { fleet_node: 'n1', fleet_epoch: 2 ** 53 }, ['fleet_epoch (not a whole number from 0)']],
    ['two wrong types', { fleet_node: [], fleet_epoch: {} }, ['fleet_node (an array)', 'fleet_epoch (an object)']],
  ] as const) {
    it(`ignores a placement: ${name}`, () => {
      const ignored: string[] = [];
      const data = Buffer.from(JSON.stringify({ upstream_id: 'u', url, ...fields }));
      const parsed = parseConnectData(data, (field, what) => ignored.push(`${field} (${what})`));
      assert.equal(parsed.fleet, undefined);
      assert.deepEqual(ignored, found);
    });
  }

  it('ignores fields that it does not know, whatever is in them', () => {
    const more = { upstream_id: 'u', url, 'some-more': { deep: [1, 2, { url: 3 }] }, Url: 5, flashVer: 7 };
    assert.deepEqual(parse(more), { upstreamId: 'u', url, ...nothing });
  });

  it('takes ids that are the names of prototypes, and no field from a prototype', () => {
    const text = `{"upstream_id":"__proto__","url":"constructor","__proto__":{"app":"evil"},"constructor":1}`;
    assert.deepEqual(parse(text), { upstreamId: '__proto__', url: 'constructor', ...nothing });
    assert.equal(errorOf(Buffer.from('{"__proto__":{"upstream_id":"u","url":"x"}}')).field, 'upstream_id');
  });

  it('takes white space and a byte order mark round the object', () => {
    const bytes = concat(hex('efbbbf'), Buffer.from(` \r\n{"upstream_id":"u","url":"x"}\n`));
    assert.equal(parseConnectData(bytes).url, 'x');
  });

  const rows: [name: string, data: unknown, field: string, message: RegExp][] = [
    ['no upstream_id', { url }, 'upstream_id', /upstream_id is missing; connect data needs a non-empty string/],
    ['no url', { upstream_id: 'u' }, 'url', /url is missing/],
    ['an empty upstream_id', { upstream_id: '', url }, 'upstream_id', /upstream_id is empty/],
    ['an empty url', { upstream_id: 'u', url: '' }, 'url', /url is empty/],
    ['an upstream_id that is a number', { upstream_id: 5, url }, 'upstream_id', /upstream_id is a number/],
    ['a url that is a list', { upstream_id: 'u', url: [url] }, 'url', /url is an array/],
    ['a list', [{ upstream_id: 'u', url }], 'data', /data is an array; connect data must be a JSON object/],
    ['a string', JSON.stringify(url), 'data', /data is a string/],
    ['null', 'null', 'data', /data is null/],
    ['nothing', '', 'data', /data is empty/],
    ['an object that is cut off', `{"upstream_id":"u","url":"${url}"`, 'data', /not valid JSON/],
    ['an object with a fault behind the url', `{"upstream_id":"u","url":"${url}",}`, 'data', /not valid JSON/],
    ['a url without quotes', `{"upstream_id":"u","url":${secret}}`, 'data', /not valid JSON/],
  ];
  for (const [name, data, field, message] of rows) {
    it(`refuses ${name}, and does not quote the stream key`, () => {
      const error = errorOf(Buffer.from(typeof data === 'string' ? data : JSON.stringify(data)));
      assert.equal(error.code, 'kmp_bad_connect_data');
      assert.deepEqual([error.field, error.packetType], [field, 'cnct']);
      assert.match(error.message, message);
      const said = `${error.message} ${String(error.value)} ${String(error.cause)}`;
      assert(!said.includes('live_') && !said.includes('twitch'), said);
    });
  }

  for (const field of ['header', 'opaque', 'app', 'name', 'flash_ver', 'swf_url', 'tc_url', 'page_url']) {
    it(`ignores ${field} if it is not a string, and reports its type without its value`, () => {
      for (const [value, type] of [
        [{ key: secret }, 'an object'],
        [[secret], 'an array'],
        [true, 'a boolean'],
        [5, 'a number'],
        [null, 'null'],
      ] as const) {
        const ignored: string[] = [];
        const data = Buffer.from(JSON.stringify({ upstream_id: 'u', url, [field]: value }));
        assert.deepEqual(
          parseConnectData(data, (name, found) => ignored.push(`${name}: ${found}`)),
          { upstreamId: 'u', url, ...nothing },
        );
        assert.deepEqual(ignored, [`${field}: ${type}`]);
      }
    });
  }

  describe('backup_urls', () => {
    const backup = (n: number): string => `rtmp://b${n}.example/app/key${n}`;
    const read = (value: unknown): { urls: readonly string[] | undefined; ignored: string[] } => {
      const ignored: string[] = [];
      const bytes = Buffer.from(JSON.stringify({ upstream_id: 'u', url, backup_urls: value }));
      const { backupUrls } = parseConnectData(bytes, (field, found) => ignored.push(`${field}: ${found}`));
      return { urls: backupUrls, ignored };
    };

    it('is an array of URLs, in their order', () => {
      assert.deepEqual(read([backup(1), backup(2)]), { urls: [backup(1), backup(2)], ignored: [] });
      assert.deepEqual(read([]), { urls: undefined, ignored: [] });
    });

    it('is ignored if it is no array, and so are members that are no URL; the values are not quoted', () => {
      for (const [value, found] of [
        [backup(1), 'a string'],
        [{ 0: backup(1) }, 'an object'],
        [null, 'null'],
        [5, 'a number'],
      ] as const) {
        assert.deepEqual(read(value), { urls: undefined, ignored: [`backup_urls: ${found}`] });
      }
      assert.deepEqual(read([null, backup(1), '', [backup(2)]]), {
        urls: [backup(1)],
        ignored: ['backup_urls[0]: null', 'backup_urls[2]: empty', 'backup_urls[3]: an array'],
      });
    });

    it('has at most 8 members', () => {
      const all = Array.from({ length: 10_000 }, (_, n) => backup(n));
      assert.deepEqual(read(all), { urls: all.slice(0, 8), ignored: ['backup_urls: more than 8'] });
      assert.deepEqual(read(all.slice(0, 8)), { urls: all.slice(0, 8), ignored: [] });
      assert.ok(read(Array.from({ length: 10_000 }, () => 1)).ignored.length < 50);
    });
  });

  it('refuses bytes that are not UTF-8, rather than publish under another name', () => {
    const bytes = concat(Buffer.from('{"upstream_id":"u","url":"rtmp://h/a/n'), hex('e4'), Buffer.from('me"}'));
    assert.match(errorOf(bytes).message, /data is 43 bytes that are not valid UTF-8/);
  });

  it('survives nesting as deep as it gets', () => {
    const deep = `{"upstream_id":"u","url":"x","more":${'['.repeat(200_000)}${']'.repeat(200_000)}}`;
    assert.equal(parse(deep).upstreamId, 'u');
    assert.equal(errorOf(Buffer.from('['.repeat(500_000))).field, 'data');
  });

  it('gives data or a KmpError for any bytes and any JSON', () => {
    const field = fc.constantFrom('upstream_id', 'url', 'header', 'name', '__proto__', 'toString');
    const json = fc.dictionary(field, fc.oneof(fc.string(), fc.jsonValue())).map((value) => JSON.stringify(value));
    const bytes = fc.oneof(
      json.map((text) => Buffer.from(text)),
      fc.uint8Array().map((value) => Buffer.from(value)),
    );
    fc.assert(
      fc.property(bytes, (data) => {
        try {
          const { upstreamId, url } = parseConnectData(data);
          assert(upstreamId.length > 0 && url.length > 0);
        } catch (error) {
          assert(error instanceof KmpError, String(error));
        }
      }),
      { numRuns: 500 },
    );
  });
});
