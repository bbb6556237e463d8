import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { defaultConfig, parseConfig } from '../../lib/config/load.js';
import type { OverrideTexts } from '../../lib/config/overrides.js';

const text = `
error_log from-file.log;
stream {
  kmp_rtmp_out_timeout 1s;
  server {
    listen 1;
    kmp_rtmp;
    kmp_rtmp_out_timeout 2s;
    kmp_rtmp_out_notif_add_header From file;
    kmp_rtmp_out_allow 10.0.0.0/8;
  }
}
http { server { listen 2;
  location /api { kmp_rtmp_api write=on; }
  location /status { kmp_rtmp_status; kmp_rtmp_api_token from-file; }
  location /control { kmp_rtmp_control; kmp_rtmp_route a rtmp://file/a/b; }
} }`;

const parse = (texts: OverrideTexts) => parseConfig(text, 'a.conf', texts);
const media = (texts: OverrideTexts) => {
  const server = parse(texts).kmpServers[0];
  assert.ok(server);
  return server.media;
};

describe('flags and variables', () => {
  it('override the file: flag, variable, innermost block, default', () => {
    const flags = { 'kmp-rtmp-out-timeout': '4s' };
    const env = { KMP_RTMP_OUT_TIMEOUT: '3s' };
    assert.equal(media({}).outTimeout, 2000);
    assert.equal(media({ env }).outTimeout, 3000);
    assert.equal(media({ env, flags }).outTimeout, 4000);
  });

  it('apply where the file has no directive', () => {
    assert.equal(media({ flags: { 'kmp-rtmp-in-ack': 'off' } }).inAck, 'off');
    assert.equal(
      defaultConfig({ env: { KMP_RTMP_OUT_RECONNECTS: 'unlimited' } }).kmpServers[0]?.media.outReconnects,
      Infinity,
    );
  });

  it('are accepted in the spelling of a command line, of a file and of JavaScript', () => {
    for (const name of ['kmp-rtmp-out-chunk-size', 'kmp_rtmp_out_chunk_size', 'kmpRtmpOutChunkSize']) {
      assert.equal(media({ flags: { [name]: '4k' } }).outChunkSize, 4096);
    }
  });

  it('are ignored if undefined, and variables also if empty', () => {
    assert.equal(
      media({ flags: { kmpRtmpOutTimeout: undefined }, env: { KMP_RTMP_OUT_TIMEOUT: '' } }).outTimeout,
      2000,
    );
    assert.equal(media({ flags: { 'kmp-rtmp-in-dump-folder': '' } }).inDumpFolder, '');
  });

  it('take a single argument unchanged, including spaces and semicolons', () => {
    const flags = { 'kmp-rtmp-out-flash-ver': 'A/1 (b; c)', 'kmp-rtmp-in-read-timeout': '1m 30s' };
    assert.equal(media({ flags }).outFlashVer, 'A/1 (b; c)');
    assert.equal(media({ flags }).inReadTimeout, 90_000);
  });

  it('take several arguments and lists as in a file', () => {
    const headers = [
      { name: 'A', value: '1 2' },
      { name: 'B', value: '3' },
    ];
    assert.deepEqual(media({ env: { KMP_RTMP_OUT_NOTIF_ADD_HEADER: 'A "1 2"; B 3;' } }).outNotifAddHeader, headers);
    assert.deepEqual(
      media({ flags: { 'kmp-rtmp-out-notif-add-header': ['A "1 2"', 'B 3'] } }).outNotifAddHeader,
      headers,
    );
    const flags = { 'kmp-rtmp-out-notif-events': 'rtmp_close rtmp_reconnect' };
    assert.deepEqual(media({ flags }).outNotifEvents, ['rtmp_close', 'rtmp_reconnect']);
  });

  it('replace a whole list of the file; allow rules come first', () => {
    const access = (texts: OverrideTexts) => media(texts).outAccess.map(({ action, where }) => [action, where]);
    assert.deepEqual(access({ flags: { 'kmp-rtmp-out-deny': 'all', 'kmp-rtmp-out-allow': 'x.example' } }), [
      ['allow', { host: 'x.example' }],
      ['deny', 'all'],
    ]);
    assert.deepEqual(access({ env: { KMP_RTMP_OUT_ALLOW: 'all' }, flags: { 'kmp-rtmp-out-deny': 'all' } }), [
      ['deny', 'all'],
    ]);
  });

  it('change the content of a location, but do not add content', () => {
    const env = { KMP_RTMP_API: 'write=off', KMP_RTMP_ROUTE: 'b rtmp://env/a/b', KMP_RTMP_API_TOKEN: 'from-env' };
    const [control, status, api] = parse({ env }).httpServers[0]?.locations ?? [];
    assert.deepEqual([api?.path, api?.api, api?.token], ['/api', { write: false }, 'from-env']);
    assert.deepEqual([status?.path, status?.api, status?.token], ['/status', undefined, 'from-env']);
    assert.deepEqual(
      control?.control?.routes.map(({ urls }) => urls),
      [['rtmp://env/a/b']],
    );
  });

  it('exist for the directives of nginx and for listen, too', () => {
    const env = { KMP_RTMP_ERROR_LOG: 'stderr debug format=json', KMP_RTMP_HTTP_LISTEN: '0.0.0.0:80' };
    const config = parse({ env, flags: { listen: ['127.0.0.1:5', '[::1]:5'], 'worker-processes': 'auto' } });
    assert.deepEqual(config.errorLogs, [{ target: 'stderr', level: 'debug', format: 'json' }]);
    assert.equal(config.workerProcesses, 'auto');
    assert.deepEqual(
      config.kmpServers[0]?.listen.map(({ host }) => host),
      ['127.0.0.1', '::1'],
    );
    assert.deepEqual(
      config.httpServers[0]?.listen.map(({ host, port }) => [host, port]),
      [['0.0.0.0', 80]],
    );
  });

  it('ignore variables that are not about directives', () => {
    const kubernetes = {
      KMP_RTMP_SERVICE_HOST: '10.0.0.1',
      KMP_RTMP_PORT_8005_TCP: 'tcp://10.0.0.1:8005',
      PATH: '/bin',
    };
    const warnings = (env: Record<string, string>): readonly string[] =>
      parse({ env }).warnings.filter((warning) => !warning.includes('write=on'));
    assert.deepEqual(warnings(kubernetes), []);
    assert.deepEqual(warnings({ KMP_RTMP_OUT_TIMEOT: '1s' }), [
      'KMP_RTMP_OUT_TIMEOT: no directive has this variable; did you mean KMP_RTMP_OUT_TIMEOUT?',
    ]);
  });

  const bad: readonly [OverrideTexts, string][] = [
    [{ env: { KMP_RTMP_Out_Timeout: '1s' } }, 'KMP_RTMP_Out_Timeout: the case is wrong; write KMP_RTMP_OUT_TIMEOUT'],
    [{ env: { kmp_rtmp_in_ack: 'off' } }, 'kmp_rtmp_in_ack: the case is wrong; write KMP_RTMP_IN_ACK'],
    [
      { flags: { 'kmp-rtmp-out-timeot': '1s' } },
      '--kmp-rtmp-out-timeot: there is no such flag; did you mean --kmp-rtmp-out-timeout?',
    ],
    [{ flags: { 'kmp-rtmp-status': '' } }, '--kmp-rtmp-status: there is no such flag'],
    [{ flags: { 'kmp-rtmp-in-ack': 'maybe' } }, '--kmp-rtmp-in-ack: "maybe" is not one of on, group, frame, off'],
    [{ env: { KMP_RTMP_IN_ACK: 'maybe' } }, 'KMP_RTMP_IN_ACK: "maybe" is not one of on, group, frame, off'],
    [
      { flags: { 'kmp-rtmp-in-ack': ['on', 'off'] } },
      '--kmp-rtmp-in-ack: "kmp_rtmp_in_ack" is repeated in this block; the first one is at --kmp-rtmp-in-ack',
    ],
    [
      { env: { KMP_RTMP_OUT_NOTIF_ADD_HEADER: 'A' } },
      'KMP_RTMP_OUT_NOTIF_ADD_HEADER: "kmp_rtmp_out_notif_add_header" has 1 argument; expected kmp_rtmp_out_notif_add_header name value;',
    ],
    [{ env: { KMP_RTMP_RESOLVER: '1.1.1.1 }' } }, 'KMP_RTMP_RESOLVER: "}" is not allowed in a value'],
    [
      { env: { KMP_RTMP_RESOLVER: '"1.1.1.1' } },
      'KMP_RTMP_RESOLVER:1: the quoted text that begins here has no closing "',
    ],
  ];
  for (const [texts, error] of bad) {
    it(error, () =>
      assert.throws(
        () => parse(texts),
        (thrown: Error) => thrown.message.startsWith(error),
      ),
    );
  }

  it('cannot set the addresses of several servers', () => {
    const two = 'stream { server { listen 1; kmp_rtmp; } server { listen 2; kmp_rtmp; } }';
    assert.throws(
      () => parseConfig(two, 'a.conf', { flags: { listen: '3' } }),
      /^ConfigError: --listen: the configuration has 2 servers for KMP; expected one/,
    );
  });
});
