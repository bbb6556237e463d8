import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FleetConfig } from '../../lib/config/fleet/fleet.js';
import { parseConfig, type LoadOptions } from '../../lib/config/load.js';

const TOKEN = '0123456789abcdef0123456789abcdef';
const SERVERS = `stream { server { listen 127.0.0.1:0; kmp_rtmp; } }
http { server { listen 127.0.0.1:0; location /kmp_rtmp_api/ { kmp_rtmp_api; } } }`;
const NODE = 'node n1 kmp=192.0.2.11:8005 http=192.0.2.11:8001; peer_token_file token;';

const FILES: Readonly<Record<string, string>> = {
  '/etc/kmp/token': `# all nodes\n${TOKEN}\n\nfedcba9876543210fedcba9876543210\n`,
  '/etc/kmp/short': 'short\n',
  '/etc/kmp/empty': '# nothing\n',
  '/etc/kmp/password': 'pass word\nsecond line\n',
  '/etc/kmp/ca.pem': '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n',
};

function load(block: string, options: Omit<LoadOptions, 'source'> = {}, servers = SERVERS) {
  const source = {
    read(path: string): string {
      const text = FILES[path];
      if (text === undefined) throw new Error('the file does not exist');
      return text;
    },
    exists: (path: string) => path in FILES,
    list: () => [],
  };
  return parseConfig(`${block}\n${servers}`, '/etc/kmp/k.conf', { ...options, source });
}

function fleet(directives: string, options: Omit<LoadOptions, 'source'> = {}): FleetConfig {
  const config = load(`fleet { ${directives} }`, options).fleet;
  assert.ok(config);
  return config;
}

/** Message of the error of a configuration. */
function refused(directives: string, servers?: string): string {
  try {
    load(`fleet { ${directives} }`, {}, servers);
  } catch (error) {
    assert.ok(error instanceof Error);
    return error.message;
  }
  return assert.fail(`accepted: ${directives}`);
}

describe('the block fleet', () => {
  it('is not there without a block', () => {
    const config = load('');
    assert.equal(config.fleet, undefined);
    assert.deepEqual(config.warnings, []);
  });

  it('has documented defaults', () => {
    const config = load(`fleet { engine redis://192.0.2.5; ${NODE} }`);
    assert.deepEqual(config.warnings, []);
    assert.deepEqual(config.fleet, {
      engine: {
        addresses: [{ host: '192.0.2.5', port: 6379 }],
        tls: false,
        user: undefined,
        password: undefined,
        database: 0,
        ca: undefined,
        sentinel: undefined,
      },
      name: 'default',
      node: { name: 'n1', kmp: { host: '192.0.2.11', port: 8005 }, http: { host: '192.0.2.11', port: 8001 } },
      nodeTimeout: 10_000,
      engineTimeout: 500,
      peerTimeout: 1000,
      peerTokens: [TOKEN, 'fedcba9876543210fedcba9876543210'],
      peerCa: undefined,
      misplaced: 'relay',
      drainRate: 10,
    });
  });

  it('takes each directive', () => {
    const config = fleet(`engine redis://192.0.2.5:7000/3 password_file=password; name live;
      node n1.example kmp=[2001:db8::1]:8005 http=https://n1.example.com:8443; node_timeout 4s; engine_timeout 250ms;
      peer_timeout 2s; peer_token_file token; peer_ca_file ca.pem; misplaced refuse; drain_rate 50;`);
    assert.deepEqual(config.engine.addresses, [{ host: '192.0.2.5', port: 7000 }]);
    assert.equal(config.engine.database, 3);
    assert.equal(config.engine.password, 'pass word');
    assert.equal(config.name, 'live');
    assert.equal(config.peerCa, FILES['/etc/kmp/ca.pem']);
    assert.deepEqual(config.node, {
      name: 'n1.example',
      kmp: { host: '2001:db8::1', port: 8005 },
      http: { host: 'n1.example.com', port: 8443, tls: true },
    });
    assert.deepEqual(
      [config.nodeTimeout, config.engineTimeout, config.peerTimeout, config.misplaced, config.drainRate],
      [4000, 250, 2000, 'refuse', 50],
    );
  });

  it('takes Sentinels, TLS, users and passwords of an engine', () => {
    const config = fleet(`engine rediss://kmp@192.0.2.5 rediss://kmp@[2001:db8::5]:7001 sentinel=mymaster ca_file=ca.pem
      password_file=password sentinel_password_file=token; ${NODE}`);
    assert.deepEqual(config.engine, {
      addresses: [
        { host: '192.0.2.5', port: 26379 },
        { host: '2001:db8::5', port: 7001 },
      ],
      tls: true,
      user: 'kmp',
      password: 'pass word',
      database: 0,
      ca: FILES['/etc/kmp/ca.pem'],
      sentinel: { master: 'mymaster', password: '# all nodes' },
    });
  });

  it('warns of acks with which a node that takes over loses frames', () => {
    const block = `fleet { engine redis://192.0.2.5; ${NODE} }`;
    const warningsOf = (ack: string): readonly string[] =>
      load(block, {}, SERVERS.replace('stream {', `stream { kmp_rtmp_in_ack ${ack};`)).warnings;
    for (const ack of ['frame', 'off']) {
      const [warning = '', ...others] = warningsOf(ack);
      assert.match(
        warning,
        new RegExp(`^/etc/kmp/k\\.conf:2: kmp_rtmp_in_ack ${ack}: frames are lost when another node`),
      );
      assert.deepEqual(others, []);
    }
    assert.deepEqual([...warningsOf('on'), ...warningsOf('group')], []);
  });

  it('warns of a password in the URL, without the password', () => {
    const config = load(`fleet { engine redis://kmp:s3cret%2Fpassword@192.0.2.5; ${NODE} }`);
    assert.equal(config.fleet?.engine.password, 's3cret/password');
    assert.deepEqual(config.warnings, [
      '/etc/kmp/k.conf:1: "engine" has a password in its URL; a file (password_file=) is safer',
    ]);
  });

  for (const [what, directives, message] of [
    ['no engine', NODE, /:1: "fleet" has no "engine"; expected as in engine redis:/],
    ['no node', 'engine redis://192.0.2.5;', /"fleet" has no "node"/],
    [
      'no peer token',
      'engine redis://192.0.2.5; node n1 kmp=192.0.2.1:1 http=192.0.2.1:2;',
      /has no "peer_token_file"/,
    ],
    [
      'an unknown directive',
      `engine redis://192.0.2.5; ${NODE} node_timout 3s;`,
      /unknown directive "node_timout"; did you mean "node_timeout"/,
    ],
    ['a repeated directive', `engine redis://192.0.2.5; engine redis://192.0.2.6; ${NODE}`, /"engine" is repeated/],
    [
      'another scheme',
      `engine http://192.0.2.5; ${NODE}`,
      /engine: an argument \(not shown here\) is not a URL such as redis:/,
    ],
    [
      'several servers without Sentinels',
      `engine redis://192.0.2.5 redis://192.0.2.6; ${NODE}`,
      /2 URLs need sentinel=NAME/,
    ],
    ['no server', `engine sentinel=x; ${NODE}`, /there is no URL/],
    [
      'Sentinels that differ',
      `engine redis://192.0.2.5 rediss://192.0.2.6 sentinel=a; ${NODE}`,
      /the URLs of the Sentinels differ/,
    ],
    [
      'two passwords',
      `engine redis://:hunter2@192.0.2.5 password_file=password; ${NODE}`,
      /the password is given twice/,
    ],
    [
      'a CA without TLS',
      `engine redis://192.0.2.5 ca_file=ca.pem; ${NODE}`,
      /"ca_file=" needs a URL that begins with rediss/,
    ],
    [
      'a CA that is none',
      `engine rediss://192.0.2.5 ca_file=token; ${NODE}`,
      /token: there is no certificate in PEM form/,
    ],
    [
      'a password file that is not there',
      `engine redis://192.0.2.5 password_file=no; ${NODE}`,
      /cannot read \/etc\/kmp\/no: the file does not exist/,
    ],
    [
      'a parameter of the engine that is misspelt',
      `engine redis://192.0.2.5 passwd_file=secret; ${NODE}`,
      /engine: an argument \(not shown here\) is not a URL such as .*, nor one of password_file=, ca_file=, sentinel=, sentinel_password_file=$/,
    ],
    ['a database that is no number', `engine redis://192.0.2.5/x; ${NODE}`, /is not a URL such as/],
    ['a name with a space', `engine redis://192.0.2.5; name "a b"; ${NODE}`, /"a b" is not 1 to 64 letters/],
    [
      'a node at all addresses',
      `engine redis://192.0.2.5; ${NODE.replace('kmp=192.0.2.11', 'kmp=0.0.0.0')}`,
      /"kmp=0.0.0.0:8005": others cannot connect to 0.0.0.0/,
    ],
    [
      'a node without a port',
      `engine redis://192.0.2.5; ${NODE.replace('kmp=192.0.2.11:8005', 'kmp=192.0.2.11')}`,
      /"kmp=192.0.2.11" has no host and port/,
    ],
    [
      'a node without an HTTP port',
      `engine redis://192.0.2.5; ${NODE.replace('http=192.0.2.11:8001', 'http=192.0.2.11')}`,
      /"http=192.0.2.11" has no host and port, as in http=192.0.2.11:8001$/,
    ],
    [
      'a node with the same address for KMP and HTTP',
      `engine redis://192.0.2.5; ${NODE.replace('http=192.0.2.11:8001', 'http=192.0.2.11:8005')}`,
      /node: "kmp=" and "http=" are both 192.0.2.11:8005; each server has a port of its own$/,
    ],
    [
      'a node with one address twice',
      `engine redis://192.0.2.5; ${NODE.replace('http=', 'kmp=')}`,
      /"kmp=" is given twice/,
    ],
    [
      'a node with a bad name',
      `engine redis://192.0.2.5; ${NODE.replace('n1', 'n/1')}`,
      /"n\/1" is not a name of a node/,
    ],
    [
      'a short token',
      `engine redis://192.0.2.5; ${NODE.replace('token;', 'short;')}`,
      /\/etc\/kmp\/short:1: a token has at least 16/,
    ],
    [
      'no token in the file',
      `engine redis://192.0.2.5; ${NODE.replace('token;', 'empty;')}`,
      /\/etc\/kmp\/empty:1: there is no token/,
    ],
    [
      'a node timeout below two heartbeats',
      `engine redis://192.0.2.5; ${NODE} node_timeout 1s;`,
      /"node_timeout" is 1000 ms; expected at least 2000 ms/,
    ],
    [
      'an engine timeout above that of nodes',
      `engine redis://192.0.2.5; ${NODE} engine_timeout 10s;`,
      /"engine_timeout" is 10000 ms; expected less than "node_timeout"/,
    ],
    [
      'another word for misplaced',
      `engine redis://192.0.2.5; ${NODE} misplaced drop;`,
      /"drop" is not one of relay, refuse/,
    ],
  ] as const) {
    it(`refuses ${what}`, () => {
      const found = refused(directives);
      assert.match(found, message);
      assert.ok(!/short\n|hunter2|pass word/.test(found), 'the message has no secret');
    });
  }

  it('needs servers of both kinds', () => {
    const directives = `engine redis://192.0.2.5; ${NODE}`;
    const [stream, http] = SERVERS.split('\n');
    assert.match(refused(directives, http), /"fleet" needs a server in stream with kmp_rtmp/);
    assert.match(refused(directives, stream), /"fleet" needs a server in http/);
  });

  it('is allowed once, and its directives only in it', () => {
    const block = `fleet { engine redis://192.0.2.5; ${NODE} }`;
    assert.throws(() => load(`${block}\n${block}`), /k\.conf:2: a second "fleet" block; expected one/);
    assert.throws(() => load('drain_rate 3;'), /"drain_rate" is not allowed in main; expected it in fleet/);
    assert.throws(
      () => load('', {}, `http { ${block} server { listen 1; location / { kmp_rtmp_health; } } }`),
      /"fleet" is not allowed in http; expected it in main/,
    );
  });

  it('has flags and variables that begin with fleet', () => {
    const given = 'n7 kmp=192.0.2.17:8005 http=192.0.2.17:8001';
    const config = fleet(`engine redis://192.0.2.5; ${NODE}`, {
      env: { KMP_RTMP_FLEET_NODE: given, KMP_RTMP_FLEET_NODE_TIMEOUT: '5s' },
      flags: { fleetEngine: 'redis://192.0.2.9 password_file=/etc/kmp/password' },
    });
    assert.equal(config.node.name, 'n7');
    assert.equal(config.nodeTimeout, 5000);
    assert.deepEqual(config.engine.addresses, [{ host: '192.0.2.9', port: 6379 }]);
    assert.equal(config.engine.password, 'pass word');
  });

  it('warns of flags and variables without a block', () => {
    assert.deepEqual(load('', { env: { KMP_RTMP_FLEET_NAME: 'live' } }).warnings, [
      'KMP_RTMP_FLEET_NAME has no effect: the configuration has no "fleet" block',
    ]);
  });

  it('names its secret files for the check of permissions', () => {
    const { files } = load(`fleet { engine redis://192.0.2.5 password_file=password; ${NODE} }`);
    assert.deepEqual(
      files.map(({ directive, path }) => [directive, path]),
      [
        ['engine', '/etc/kmp/password'],
        ['peer_token_file', '/etc/kmp/token'],
      ],
    );
  });
});
