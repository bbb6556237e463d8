import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { ConfigError } from '../../lib/config/errors.js';
import { defaultConfig, parseConfig } from '../../lib/config/load.js';
import { defaultMediaSettings } from '../../lib/config/settings.js';

const address = (host: string, port: number) => ({ host, port, ipv6Only: false, backlog: 511 });

/** A configuration with these directives in its KMP server, and these in the stream around it. */
function kmp(inServer: string, inStream = '', inMain = '') {
  const config = parseConfig(`${inMain} stream { ${inStream} server { listen 1; kmp_rtmp; ${inServer} } }`, 'a.conf');
  const [server] = config.kmpServers;
  assert.ok(server);
  return { ...config, ...server };
}

/** The one location that the text makes in an HTTP server. */
function location(text: string, inServer = '', inHttp = '') {
  const config = parseConfig(`http { ${inHttp} server { listen 1; ${inServer} ${text} } }`, 'a.conf');
  const [only, more] = config.httpServers[0]?.locations ?? [];
  assert.equal(more, undefined);
  assert.ok(only);
  return only;
}

function failure(text: string): string {
  try {
    parseConfig(text, 'a.conf');
  } catch (error) {
    if (error instanceof ConfigError) return `${error.code} ${error.message}`;
    throw error;
  }
  return 'no error';
}

describe('configuration', () => {
  it('loads the sample configuration of the module unchanged', () => {
    // The sample configuration of the module.
    const config = parseConfig(
      `stream {
    server {
        listen 8005;
        resolver 8.8.8.8;

        kmp_rtmp;
    }
}

http {
    server {
        listen 8001;

        location /kmp_rtmp_api/ {
            kmp_rtmp_api write=on;
        }
    }
}
`,
      'sample.conf',
    );
    assert.deepEqual(config, {
      file: 'sample.conf',
      warnings: [
        'sample.conf:11: "kmp_rtmp_api write=on" in "location /kmp_rtmp_api/" can be used by everyone who reaches this server; ' +
          'add kmp_rtmp_api_token_file, or allow and "deny all", or listen on 127.0.0.1',
      ],
      workerProcesses: 1,
      nodeInternals: true,
      memLimit: 'auto',
      workerShutdownTimeout: 10_000,
      pid: undefined,
      errorLogs: [{ target: 'stderr', level: 'info', format: 'text' }],
      kmpServers: [
        {
          listen: [address('0.0.0.0', 8005)],
          resolver: { servers: ['8.8.8.8:53'], ipv4: true, ipv6: true },
          resolverTimeout: 30_000,
          access: [],
          secrets: [],
          media: defaultMediaSettings(),
        },
      ],
      httpServers: [
        {
          listen: [address('0.0.0.0', 8001)],
          names: [],
          certificates: [],
          limits: { maxConnections: 1024, maxPerAddress: 512 },
          access: [],
          locations: [
            {
              path: '/kmp_rtmp_api/',
              exact: false,
              api: { write: true },
              status: false,
              metrics: undefined,
              control: undefined,
              health: false,
              access: [],
              token: undefined,
              tokens: [],
            },
          ],
        },
      ],
      files: [],
    });
  });

  it('lists the files that directives name, each with its file and line', () => {
    const text = `pid /run/a.pid; error_log a.log;
error_log stderr;
error_log b.log info;
stream { kmp_rtmp_out_notif_secret_file secret;
  server { listen 1; kmp_rtmp; kmp_rtmp_out_slate s.mp4; } server { listen 2; kmp_rtmp; } }
http { server { listen 3 ssl; ssl_certificate a.pem; ssl_certificate_key a.key; location / { kmp_rtmp_health; } } }`;
    const flags = { 'kmp-rtmp-in-dump-folder': 'dumps' };
    const { files } = parseConfig(text, '/etc/kmp.conf', { flags });
    assert.deepEqual(
      files.map(({ directive, path, origin: { file, line } }) => `${file}:${line} ${directive} ${path}`),
      [
        '/etc/kmp.conf:1 pid /run/a.pid',
        '/etc/kmp.conf:1 error_log a.log',
        '/etc/kmp.conf:3 error_log b.log',
        '--kmp-rtmp-in-dump-folder:0 kmp_rtmp_in_dump_folder dumps',
        '/etc/kmp.conf:5 kmp_rtmp_out_slate s.mp4',
        '/etc/kmp.conf:4 kmp_rtmp_out_notif_secret_file secret',
        '/etc/kmp.conf:6 ssl_certificate /etc/a.pem',
        '/etc/kmp.conf:6 ssl_certificate_key /etc/a.key',
      ],
    );
  });

  it('has a built-in configuration for the loopback interface', () => {
    const { kmpServers, httpServers, warnings } = defaultConfig();
    assert.deepEqual(warnings, []);
    assert.deepEqual(
      kmpServers.map(({ listen }) => listen),
      [[address('127.0.0.1', 8005)]],
    );
    assert.deepEqual(
      httpServers.map(({ listen }) => listen),
      [[address('127.0.0.1', 8001)]],
    );
    const locations = httpServers[0]?.locations.map(({ path, api, status, metrics, health }) => ({
      path,
      api,
      status,
      metrics,
      health,
    }));
    assert.deepEqual(locations, [
      { path: '/kmp_rtmp_api/', api: { write: true }, status: false, metrics: undefined, health: false },
      { path: '/metrics', api: undefined, status: false, metrics: { upstreams: true }, health: false },
      { path: '/', api: undefined, status: true, metrics: undefined, health: true },
    ]);
  });

  it('reads the directives of the process', () => {
    const config = kmp(
      '',
      '',
      'worker_processes auto; worker_shutdown_timeout 30s; pid /run/x.pid; error_log x.log debug format=json; error_log stderr;',
    );
    assert.equal(config.workerProcesses, 'auto');
    assert.equal(config.workerShutdownTimeout, 30_000);
    assert.equal(config.pid, '/run/x.pid');
    assert.deepEqual(config.errorLogs, [
      { target: { file: 'x.log' }, level: 'debug', format: 'json' },
      { target: 'stderr', level: 'error', format: 'text' },
    ]);
  });

  it('accepts several addresses and several servers', () => {
    const text = `stream {
      server { listen 1; listen [::1]:1; kmp_rtmp; kmp_rtmp_in_ack off; }
      server { listen 2; kmp_rtmp; }
    }`;
    const [first, second] = parseConfig(text).kmpServers;
    assert.deepEqual(first?.listen, [address('0.0.0.0', 1), { ...address('::1', 1), ipv6Only: true }]);
    assert.equal(first?.media.inAck, 'off');
    assert.deepEqual(second?.listen, [address('0.0.0.0', 2)]);
    assert.equal(second?.media.inAck, 'on');
  });

  it('treats two addresses with port 0 as different', () => {
    const text = 'stream { server { listen 127.0.0.1:0; kmp_rtmp; } server { listen 127.0.0.1:0; kmp_rtmp; } }';
    assert.equal(parseConfig(text).kmpServers.length, 2);
  });
});

describe('inheritance', () => {
  it('uses the setting of the innermost block', () => {
    const { media } = kmp('kmp_rtmp_out_chunk_size 4k;', 'kmp_rtmp_out_chunk_size 8k; kmp_rtmp_out_timeout 7s;');
    assert.deepEqual([media.outChunkSize, media.outTimeout, media.outFlushTimeout], [4096, 7000, 500]);
  });

  it('does so independent of the position in the block', () => {
    const text = 'stream { server { listen 1; kmp_rtmp; } kmp_rtmp_out_timeout 7s; }';
    assert.equal(parseConfig(text).kmpServers[0]?.media.outTimeout, 7000);
  });

  const outer = 'kmp_rtmp_out_notif_add_header A 1; kmp_rtmp_out_notif_add_header B 2;';
  it('inherits added headers if the inner block has none', () => {
    assert.deepEqual(kmp('', outer).media.outNotifAddHeader, [
      { name: 'A', value: '1' },
      { name: 'B', value: '2' },
    ]);
  });
  it('does not inherit added headers if the inner block has its own', () => {
    const { media } = kmp('kmp_rtmp_out_notif_add_header C "3 4";', outer);
    assert.deepEqual(media.outNotifAddHeader, [{ name: 'C', value: '3 4' }]);
  });

  it('keeps the common order of allow and deny, and inherits them as one list', () => {
    const actions = (text: string, around: string) =>
      kmp(text, around).access.map(({ action, who }) => [action, typeof who === 'string' ? who : who.address]);
    const around = 'deny 10.0.0.1; allow 10.0.0.0/8; deny all;';
    assert.deepEqual(actions('', around), [
      ['deny', '10.0.0.1'],
      ['allow', '10.0.0.0'],
      ['deny', 'all'],
    ]);
    assert.deepEqual(actions('allow all;', around), [['allow', 'all']]);
  });

  it('does the same for the destinations of upstreams', () => {
    const { media } = kmp(
      'kmp_rtmp_out_deny 10.0.0.0/8; kmp_rtmp_out_allow *.example.com:443; kmp_rtmp_out_deny all;',
      'kmp_rtmp_out_allow all;',
    );
    assert.deepEqual(media.outAccess, [
      { action: 'deny', where: { address: '10.0.0.0', prefix: 8, family: 'ipv4' }, port: undefined },
      { action: 'allow', where: { host: '*.example.com' }, port: 443 },
      { action: 'deny', where: 'all', port: undefined },
    ]);
  });

  it('inherits resolver and resolver_timeout from the stream block', () => {
    const config = kmp('', 'resolver 127.0.0.1:5353 valid=1m; resolver_timeout 5s;');
    assert.deepEqual(config.resolver, { servers: ['127.0.0.1:5353'], valid: 60_000, ipv4: true, ipv6: true });
    assert.equal(config.resolverTimeout, 5000);
    assert.equal(kmp('').resolver, undefined);
  });

  it('allows addresses that do not overlap', () => {
    for (const [a, b] of [
      ['1', '[::]:1'],
      ['127.0.0.1:1', '127.0.0.2:1'],
      ['[::1]:1', '1'],
      ['1', '127.0.0.1:2'],
      ['0', '127.0.0.1:0'],
    ]) {
      const text = `stream { server { listen ${a}; kmp_rtmp; } } http { server { listen ${b}; location / { kmp_rtmp_health; } } }`;
      assert.deepEqual(parseConfig(text).warnings, [], `${a} and ${b}`);
    }
  });

  it('warns of a writable API that anyone can reach', () => {
    const warnings = (server: string, api = 'kmp_rtmp_api write=on;'): number =>
      parseConfig(`stream { server { listen 8005; kmp_rtmp; } } http { server { ${server} location / { ${api} } } }`)
        .warnings.length;
    const open = ['listen 1;', 'listen [::]:1;', 'listen 192.0.2.1:1;', 'listen 127.example.invalid:1;'];
    for (const server of [...open, 'listen 1; allow 10.0.0.0/8;']) {
      assert.equal(warnings(server), 1, server);
    }
    const local = ['listen 127.0.0.1:1;', 'listen [::1]:1;', 'listen localhost:1;', 'listen unix:/run/x;'];
    const same = ['listen 127.9.9.9:1;', 'listen [0:0:0:0:0:0:0:1]:1;', 'listen LocalHost:1;'];
    for (const server of [
      ...local,
      ...same,
      'listen 1; allow 10.0.0.0/8; deny all;',
      'listen 1; kmp_rtmp_api_token t0123456;',
    ]) {
      assert.equal(warnings(server), 0, server);
    }
    assert.equal(warnings('listen 1;', 'kmp_rtmp_api;'), 0);
  });

  it('reads the certificates of HTTP servers with ssl, relative to the file', () => {
    const text = `http { ssl_certificate a.pem; ssl_certificate_key /k/a.key; ssl_certificate b.pem; ssl_certificate_key b.key;
      server { listen 1 ssl; location / { kmp_rtmp_health; } } server { listen 2; location / { kmp_rtmp_health; } } }`;
    const [secure, plain] = parseConfig(text, '/etc/kmp/kmp.conf').httpServers;
    assert.deepEqual(secure?.certificates, [
      { certificate: '/etc/kmp/a.pem', key: '/k/a.key' },
      { certificate: '/etc/kmp/b.pem', key: '/etc/kmp/b.key' },
    ]);
    assert.deepEqual(plain?.certificates, []);
    const own = 'http { server { listen 1; ssl_certificate a; ssl_certificate_key b; location / { kmp_rtmp_api; } } }';
    const { warnings } = parseConfig(own, 'a.conf');
    assert.match(warnings.join(), /a\.conf:1: "ssl_certificate" has no effect without "listen \.\.\. ssl"/);
  });

  it('an API is open if the first rule for all allows it', () => {
    for (const [rules, open] of [
      ['allow all; deny all;', true],
      ['deny 10.0.0.1; allow all; deny all;', true],
      ['allow 10.0.0.0/8; deny all; allow all;', false],
      ['allow 10.0.0.0/8; deny all;', false],
    ] as const) {
      const text = `http { server { listen 1; location / { kmp_rtmp_api write=on; ${rules} } } }`;
      assert.equal(/can be used by everyone/.test(parseConfig(text).warnings.join()), open, rules);
    }
  });

  it('passes tokens and access rules to inner locations, but not their content', () => {
    const text =
      'location /a/ { kmp_rtmp_status; location /a/b/ { kmp_rtmp_metrics upstreams=off; kmp_rtmp_api_token t2; } }';
    const config = parseConfig(`http { kmp_rtmp_api_token t1; server { listen 1; deny all; ${text} } }`);
    const [inner, outer] = config.httpServers[0]?.locations ?? [];
    const deny = [{ action: 'deny', who: 'all' }];
    assert.deepEqual(
      [inner?.path, inner?.status, inner?.metrics, inner?.token, inner?.access],
      ['/a/b/', false, { upstreams: false }, 't2', deny],
    );
    assert.deepEqual(
      [outer?.path, outer?.status, outer?.metrics, outer?.token, outer?.access],
      ['/a/', true, undefined, 't1', deny],
    );
  });
});

describe('locations', () => {
  it('are in the order of matching: exact paths first, then the longest', () => {
    const text = ['/', '/long/', '= /x', '^~ /longer/']
      .map((path) => `location ${path} { kmp_rtmp_health; }`)
      .join(' ');
    const { httpServers } = parseConfig(`http { server { listen 1; ${text} } }`);
    assert.deepEqual(
      httpServers[0]?.locations.map(({ path, exact }) => [path, exact]),
      [
        ['/x', true],
        ['/longer/', false],
        ['/long/', false],
        ['/', false],
      ],
    );
  });

  it('reject the status page in an exact location, because its files are below it', () => {
    assert.throws(
      () => parseConfig('http { server { listen 1;\nlocation = / { kmp_rtmp_status; } } }', 'a.conf'),
      /a\.conf:2: .*"kmp_rtmp_status" in "location = \/".*remove the "="/,
    );
  });

  it('are read-only by default', () => {
    assert.deepEqual(location('location / { kmp_rtmp_api; }').api, { write: false });
    assert.deepEqual(location('location / { kmp_rtmp_api write=off; }').api, { write: false });
  });

  it('contain control with its routes, in order', () => {
    const { control } = location(
      'location /c { kmp_rtmp_control kmp=kmp.example:8005; kmp_rtmp_route ^a_(.*)$ rtmp://x/app/$1 rtmps://y/app/$1; kmp_rtmp_route . rtmp://z/a/b; }',
    );
    assert.deepEqual(control?.kmp, { host: 'kmp.example', port: 8005 });
    assert.deepEqual(
      control?.routes.map(({ pattern, urls }) => [pattern.source, urls]),
      [
        ['^a_(.*)$', ['rtmp://x/app/$1', 'rtmps://y/app/$1']],
        ['.', ['rtmp://z/a/b']],
      ],
    );
  });

  it('contain routes whose destinations have backups', () => {
    const routes = (text: string): unknown =>
      location(`location /c { kmp_rtmp_control; kmp_rtmp_route ${text}; }`).control?.routes[0];
    assert.deepEqual(routes('a rtmp://p/app/x|rtmp://b/app/y|rtmps://c/app/z required rtmp://d/app/x|y'), {
      pattern: /a/u,
      // A "|" that no URL follows belongs to the stream name.
      urls: ['rtmp://p/app/x', 'rtmp://d/app/x|y'],
      backups: [['rtmp://b/app/y', 'rtmps://c/app/z'], []],
      required: [true, undefined],
    });
    const many = (backups: number): string =>
      Array.from({ length: backups + 1 }, (_, n) => `rtmp://h${n}/a/b`).join('|');
    assert.doesNotThrow(() => routes(`a ${many(8)}`));
    for (const [text, message] of [
      [`a ${many(9)}`, /"rtmp:\/\/h0\/a\/\*\*\*" has 9 backups; the maximum is 8/],
      ['a rtmp://p/app/x|rtmp://b', /"rtmp:\/\/b" is not a URL/],
      ['a rtmp://p/app/x|rtpm://b/app/y', /is not a URL/],
      ['a rtmp://p/app/x|http://b/app/y', /is not a URL/],
      ['a rtmp://p/app/x|rtmp://b/app/$1', /"\$1" in "rtmp:\/\/b\/app\/\*\*\*": the pattern "a" has 0 groups/],
    ] as const) {
      assert.throws(() => routes(text), message);
    }
  });
});

describe('directives of other modules', () => {
  it('cause one warning for each name, at the first occurrence', () => {
    const config = kmp(
      'proxy_timeout 1s;',
      'proxy_timeout 2s;',
      'user nobody;\nevents { worker_connections 1024; }\ndaemon off;',
    );
    assert.deepEqual(config.warnings, [
      'a.conf:1: "user" has no effect here',
      'a.conf:2: "events" has no effect here',
      'a.conf:3: "daemon" has no effect here',
      'a.conf:3: "proxy_timeout" has no effect here',
    ]);
  });

  it('may contain anything, including directives that are errors elsewhere', () => {
    const text =
      'stream { upstream x { server y:1; } server { listen 1; kmp_rtmp; } } http { types { text/html html; } server { listen 80 ssl; return 301 /; } }';
    const { warnings } = parseConfig(text, 'a.conf');
    assert.deepEqual(warnings, [
      'a.conf:1: "upstream" has no effect here',
      'a.conf:1: "http" is ignored, because it does not contain "kmp_rtmp_api" or a similar directive',
    ]);
  });

  it('are ignored together with a server or a location that contains nothing else', () => {
    const text = `
      stream { server { listen 53 udp; proxy_pass x; } server { listen 1; kmp_rtmp; } }
      http {
        server { listen 80; server_name x; }
        server { listen 81; location / { root html; } location /api/ { kmp_rtmp_api; } }
      }`;
    const config = parseConfig(text, 'a.conf');
    assert.deepEqual(config.warnings, [
      'a.conf:2: "server" is ignored, because it does not contain "kmp_rtmp"',
      'a.conf:4: "server" is ignored, because it does not contain "kmp_rtmp_api" or a similar directive',
      'a.conf:5: "location /" is ignored, because it does not contain "kmp_rtmp_api" or a similar directive',
    ]);
    assert.equal(config.kmpServers.length, 1);
    assert.deepEqual(
      config.httpServers.map(({ listen, locations }) => [listen[0]?.port, locations.length]),
      [[81, 1]],
    );
  });

  it('warns about directives in a block where they have no effect', () => {
    const text =
      'http { resolver 1.1.1.1; error_log x; server { listen 1; error_log y; location / { kmp_rtmp_api; } } }';
    assert.deepEqual(parseConfig(text, 'a.conf').warnings, [
      'a.conf:1: "resolver" has no effect in http',
      'a.conf:1: "error_log" has no effect in http',
      'a.conf:1: "error_log" has no effect in server (of http)',
      'a.conf: no server accepts KMP; expected a server in stream with kmp_rtmp',
    ]);
  });

  it('warns about a maximum delay below the minimum delay', () => {
    const [warning] = kmp('kmp_rtmp_out_min_process_delay 2s;').warnings;
    assert.match(
      warning ?? '',
      /^a\.conf:1: kmp_rtmp_out_max_process_delay is less than kmp_rtmp_out_min_process_delay/,
    );
  });
});

describe('values as lenient as those of the module', () => {
  it('has the default flash_ver if it is empty', () => {
    const { outFlashVer } = parseConfig('stream { server { listen 1; kmp_rtmp; kmp_rtmp_out_flash_ver ""; } }')
      .kmpServers[0]?.media ?? { outFlashVer: undefined };
    assert.match(outFlashVer ?? '', /^FMLE\/3\.0 \(compatible; KalturaLive\/\d/);
  });

  it('accepts sizes below 1k', () => {
    const sizes = 'kmp_rtmp_in_mem_limit 512; kmp_rtmp_in_buffer_size 100; kmp_rtmp_out_mem_limit 1;';
    const media = parseConfig(`stream { server { listen 1; kmp_rtmp; ${sizes} } }`).kmpServers[0]?.media;
    assert.deepEqual([media?.inMemLimit, media?.inBufferSize, media?.outMemLimit], [512, 100, 1]);
  });
});

describe('errors name file, line and what was expected', () => {
  const S = 'stream { server { listen 1; kmp_rtmp;\n';
  const L = 'http { server { listen 1;\nlocation / {\n';
  const rows: readonly [text: string, error: string][] = [
    [
      'http { server { listen 1 proxy_protocol;\nlocation / { kmp_rtmp_api; } } }',
      'config_value a.conf:1: "proxy_protocol" is supported for KMP servers only (in stream)',
    ],
    [
      'stream { server { listen unix:/a; kmp_rtmp; }\nserver { listen unix:/a; kmp_rtmp; } }',
      'config_duplicate a.conf:2: the server at a.conf:1 already listens on unix:/a',
    ],
    [
      'stream { server { listen 1; kmp_rtmp;\nKMP_RTMP_IN_ACK off; } }',
      'config_unknown a.conf:2: unknown directive "KMP_RTMP_IN_ACK"; did you mean "kmp_rtmp_in_ack"?',
    ],
    [
      `${S}kmp_rtmp_out_chunk_sise 1k; } }`,
      'config_unknown a.conf:2: unknown directive "kmp_rtmp_out_chunk_sise"; did you mean "kmp_rtmp_out_chunk_size"?',
    ],
    [`${S}kmp_zzzzzzzzzzzz on; } }`, 'config_unknown a.conf:2: unknown directive "kmp_zzzzzzzzzzzz"'],
    ['events {\nkmp_foo; }', 'config_unknown a.conf:2: unknown directive "kmp_foo"'],
    [
      `${S}kmp_rtmp_out_chunk_size 100; } }`,
      'config_value a.conf:2: kmp_rtmp_out_chunk_size: "100" is not a size such as 4096, 64k or 16m in the range 128 .. 16777215',
    ],
    [
      `${S}kmp_rtmp_in_ack yes; } }`,
      'config_value a.conf:2: kmp_rtmp_in_ack: "yes" is not one of on, group, frame, off',
    ],
    [
      `${S}kmp_rtmp_in_log_frames some; } }`,
      'config_value a.conf:2: kmp_rtmp_in_log_frames: "some" is not one of off, on, all, key',
    ],
    [
      `${S}kmp_rtmp_in_ack; } }`,
      'config_value a.conf:2: "kmp_rtmp_in_ack" has no argument; expected kmp_rtmp_in_ack on | group | frame | off;',
    ],
    [
      `${S}kmp_rtmp_in_ack on off; } }`,
      'config_value a.conf:2: "kmp_rtmp_in_ack" has 2 arguments; expected kmp_rtmp_in_ack on | group | frame | off;',
    ],
    [
      `${S}kmp_rtmp_in_ack on\nkmp_rtmp_out_timeout 1s; } }`,
      'config_value a.conf:2: "kmp_rtmp_in_ack" has 3 arguments (is a ";" missing after "on"?); expected kmp_rtmp_in_ack on | group | frame | off;',
    ],
    [
      'stream { server { listen 1;\nkmp_rtmp on; } }',
      'config_value a.conf:2: "kmp_rtmp" has 1 argument; expected kmp_rtmp;',
    ],
    [
      `${S}kmp_rtmp; } }`,
      'config_duplicate a.conf:2: "kmp_rtmp" is repeated in this block; the first one is at a.conf:1',
    ],
    [
      `${S}kmp_rtmp_in_ack on; kmp_rtmp_in_ack on; } }`,
      'config_duplicate a.conf:2: "kmp_rtmp_in_ack" is repeated in this block; the first one is at a.conf:2',
    ],
    [
      `${S}kmp_rtmp_api; } }`,
      'config_context a.conf:2: "kmp_rtmp_api" is not allowed in server (of stream); expected it in location',
    ],
    [
      `${L}kmp_rtmp_api; kmp_rtmp_in_ack on; } } }`,
      'config_context a.conf:3: "kmp_rtmp_in_ack" is not allowed in location; expected it in stream, server (of stream)',
    ],
    [
      'listen 80;',
      'config_context a.conf:1: "listen" is not allowed in main; expected it in server (of stream), server (of http)',
    ],
    ['server { }', 'config_context a.conf:1: "server" is not allowed in main; expected it in stream, http'],
    [
      'events { kmp_rtmp_api; }',
      'config_context a.conf:1: "kmp_rtmp_api" is not allowed in "events"; expected it in location',
    ],
    [
      `http { server { location / { root x;\nkmp_rtmp_in_ack on; } } }`,
      'config_context a.conf:2: "kmp_rtmp_in_ack" is not allowed in location; expected it in stream, server (of stream)',
    ],
    ['stream;', 'config_syntax a.conf:1: "stream" has no block; expected stream { ... }'],
    [
      `${S}kmp_rtmp_in_ack on { } } }`,
      'config_syntax a.conf:2: "kmp_rtmp_in_ack" must not have a block; expected kmp_rtmp_in_ack on | group | frame | off;',
    ],
    ['stream x { }', 'config_value a.conf:1: "stream" has 1 argument; expected stream { ... }'],
    [`${S}} }\nstream { server { kmp_rtmp; } }`, 'config_duplicate a.conf:3: a second "stream" block; expected one'],
    [
      'stream {\nserver { kmp_rtmp; } }',
      'config_missing a.conf:2: this server has no address; expected "listen", as in listen 8005;',
    ],
    [
      'http {\nserver { location / { kmp_rtmp_api; } } }',
      'config_missing a.conf:2: this server has no address; expected "listen", as in listen 127.0.0.1:8001;',
    ],
    [
      `${S}} }\nhttp {\nserver { listen 1; location / { kmp_rtmp_api; } } }`,
      'config_duplicate a.conf:4: the server at a.conf:1 already listens on 0.0.0.0:1',
    ],
    ...[
      ['listen 127.0.0.1:1;', '127.0.0.1:1'],
      ['listen localhost:1;', 'localhost:1'],
      ['listen [::]:1 ipv6only=off;', '[::]:1'],
      ['listen [0::0]:1 ipv6only=off;', '[0::0]:1'],
    ].map(([listen = '', name = '']): [string, string] => [
      `stream { server { kmp_rtmp; listen 1; } } http { server {\n${listen} location / { kmp_rtmp_health; } } }`,
      `config_duplicate a.conf:1: ${name} and 0.0.0.0:1 (a.conf:1) cannot both be listened on: they overlap`,
    ]),
    [
      `stream { server { kmp_rtmp; listen 1; kmp_rtmp_out_timeout 0; } }`,
      'config_value a.conf:1: kmp_rtmp_out_timeout: "0" is not a time of at least 1ms, such as 500ms, 10s or 1m (without a unit: seconds)',
    ],
    [`${S}listen 1; } }`, 'config_duplicate a.conf:1: this server already listens on 0.0.0.0:1'],
    ['', 'config_missing a.conf: nothing to serve; expected stream { server { listen 8005; kmp_rtmp; } }'],
    [
      `${L}kmp_rtmp_api; kmp_rtmp_status; } } }`,
      'config_duplicate a.conf:2: kmp_rtmp_api and kmp_rtmp_status in one location; expected a location for each',
    ],
    [
      `${L}kmp_rtmp_api; }\nlocation / { kmp_rtmp_status; } } }`,
      'config_duplicate a.conf:4: a second location "/"; the first is at a.conf:2',
    ],
    [
      `${L}kmp_rtmp_health; kmp_rtmp_route a rtmp://b/c/d; } } }`,
      'config_missing a.conf:2: "kmp_rtmp_route" without "kmp_rtmp_control"; expected both or neither',
    ],
    [
      'http { server { listen 1; location ~ x { kmp_rtmp_api; } } }',
      'config_value a.conf:1: "location ~ x" is not supported; expected "location /path" or "location = /path"',
    ],
    [
      'http { server { listen 1; location @x { kmp_rtmp_api; } } }',
      'config_value a.conf:1: "location @x" is not supported; expected "location /path" or "location = /path"',
    ],
    [
      `${L}kmp_rtmp_api;\nauth_basic "x"; } } }`,
      'config_value a.conf:4: "auth_basic" requires a password in nginx and is not supported; use allow and deny, kmp_rtmp_api_token, or a reverse proxy',
    ],
    [
      `${L}kmp_rtmp_api;\nlimit_except GET { deny all; } } } }`,
      'config_value a.conf:4: "limit_except" limits methods in nginx and is not supported; use allow and deny, kmp_rtmp_api_token, or a reverse proxy',
    ],
    [
      'http { server {\nlisten 1 ssl; location / { kmp_rtmp_api; } } }',
      'config_missing a.conf:1: "listen ... ssl" needs ssl_certificate and ssl_certificate_key, one key each; there is no certificate',
    ],
    [
      'http { ssl_certificate c; ssl_certificate d; ssl_certificate_key e; server {\nlisten 1 ssl; location / { kmp_rtmp_api; } } }',
      'config_missing a.conf:1: "listen ... ssl" needs ssl_certificate and ssl_certificate_key, one key each; there are 2 and 1',
    ],
    [
      `stream { server {\nlisten 1 ssl; kmp_rtmp; } }`,
      'config_value a.conf:1: "ssl" is supported for HTTP servers only: TLS is not available for KMP; use a TLS proxy',
    ],
  ];
  for (const [text, error] of rows) {
    it(error, () => assert.equal(failure(text), error));
  }

  it('accepts access directives that are switched off', () => {
    assert.ok(location('location / { auth_basic off; satisfy all; kmp_rtmp_api; }').api);
  });
});
