import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { destinationCheck } from '../../../lib/config/access/destination-check.js';
import { parseConfig } from '../../../lib/config/load.js';

/** Rules as they stand in a file. */
function check(rules: string) {
  const text = rules.replace(/(allow|deny)/g, 'kmp_rtmp_out_$1');
  const [server] = parseConfig(`stream { server { listen 1; kmp_rtmp; ${text} } }`).kmpServers;
  const own = [
    { host: '127.0.0.1', port: 8001 },
    { host: '0.0.0.0', port: 8005 },
    { host: 'localhost', port: 8006 },
  ];
  return destinationCheck(server?.media.outAccess ?? [], () => own);
}

describe('rules for the destinations of upstreams', () => {
  const inner = 'deny 10.0.0.0/8; deny 127.0.0.0/8; deny ::1; deny fc00::/7;';
  const rows: readonly [rules: string, host: string, address: string, port: number, allowed: boolean][] = [
    ['', 'anything', '10.0.0.1', 1935, true],
    ['allow 10.0.0.0/8;', 'a.example', '192.0.2.1', 1935, true],
    ['allow 10.0.0.0/8; deny all;', 'a.example', '192.0.2.1', 1935, false],
    ['allow 10.0.0.0/8; deny all;', 'a.example', '10.9.9.9', 1935, true],
    ['allow *.example.com; deny all;', 'live.example.com', '192.0.2.1', 1935, true],
    ['allow *.example.com; deny all;', 'LIVE.Example.COM.', '192.0.2.1', 1935, true],
    ['allow *.example.com; deny all;', 'example.com', '192.0.2.1', 1935, false],
    ['allow *.example.com; deny all;', 'example.com.evil.test', '192.0.2.1', 1935, false],
    ['allow all:1935; deny all;', 'a.example', '192.0.2.1', 1935, true],
    ['allow all:1935; deny all;', 'a.example', '192.0.2.1', 22, false],
    ['allow a.example:443; deny all;', 'a.example', '192.0.2.1', 1935, false],
    // A name that points inside, first with the rule about addresses before that about names, as advised.
    [`${inner} allow *.example.com; deny all;`, 'live.example.com', '10.0.0.1', 1935, false],
    [`${inner} allow *.example.com; deny all;`, 'live.example.com', '::ffff:10.0.0.1', 1935, false],
    [`${inner} allow *.example.com; deny all;`, 'live.example.com', '::ffff:7f00:1', 1935, false],
    [`${inner} allow *.example.com; deny all;`, 'live.example.com', '::1', 1935, false],
    [`${inner} allow *.example.com; deny all;`, 'live.example.com', 'fd00::1', 1935, false],
    [`${inner} allow *.example.com; deny all;`, 'live.example.com', '192.0.2.1', 1935, true],
    [inner, 'a.example', 'no address', 1935, false],
    // What the kernel takes for the machine itself.
    [inner, '0.0.0.0', '0.0.0.0', 1935, false],
    [inner, '::', '::', 1935, false],
    [inner, '0:0::0', '0:0::0', 1935, false],
    [inner, '::ffff:0.0.0.0', '::ffff:0.0.0.0', 1935, false],
    [inner, '0:0:0:0:0:ffff:0:0', '0:0:0:0:0:ffff:0:0', 1935, false],
    ['deny 0.0.0.0;', '0.0.0.0', '0.0.0.0', 1935, false],
    ['allow 127.0.0.1:1935; deny all:22;', '0.0.0.0', '0.0.0.0', 1935, true],
  ];
  for (const [rules, host, address, port, allowed] of rows) {
    it(`${rules} ${allowed ? 'allow' : 'deny'} ${host} at ${address} port ${port}`, () => {
      assert.equal(check(rules)({ host, address, port, senderIsLocal: true }) === undefined, allowed);
    });
  }

  // Addresses that only a rule can open, for senders on other machines.
  const remote: readonly [rules: string, host: string, address: string, port: number, allowed: boolean][] = [
    ['', 'a.example', '127.0.0.1', 1936, false],
    ['', 'a.example', '::1', 1936, false],
    ['', 'a.example', '::ffff:7f00:1', 1936, false],
    ['', 'a.example', '64:ff9b::7f00:1', 1936, false],
    ['', 'metadata', '169.254.169.254', 80, false],
    ['', 'metadata', '::ffff:a9fe:a9fe', 80, false],
    ['', 'metadata', '64:ff9b::a9fe:a9fe', 80, false],
    ['', 'metadata', 'fd00:ec2::254', 80, false],
    ['', 'a.example', 'fe80::1%eth0', 1935, false],
    ['', 'a.example', '0.0.0.0', 1936, false],
    ['', 'a.example', '::', 1936, false],
    ['', 'a.example', '10.0.0.1', 1935, true],
    ['allow all;', 'a.example', '127.0.0.1', 1936, false],
    ['allow *.example.com;', 'x.example.com', '169.254.169.254', 80, false],
    ['allow 127.0.0.1:1936;', 'localhost', '127.0.0.1', 1936, true],
    ['allow 127.0.0.1:1936;', 'localhost', '127.0.0.1', 1937, false],
    ['allow localhost;', 'localhost', '127.0.0.1', 1936, true],
    ['allow 169.254.0.0/16;', 'a.example', '169.254.3.4', 1935, true],
    // Nothing opens the listeners of the service itself.
    ['allow 127.0.0.1;', 'localhost', '127.0.0.1', 8001, false],
    ['allow 127.0.0.1;', 'localhost', '0.0.0.0', 8001, false],
    ['allow 127.0.0.1;', 'localhost', '127.0.0.9', 8005, false],
    ['allow 127.0.0.1;', 'localhost', '127.0.0.1', 8006, false],
    ['allow 127.0.0.0/8;', 'localhost', '127.0.0.2', 8001, true],
    ['', 'a.example', '192.0.2.1', 8001, true],
  ];
  for (const [rules, host, address, port, allowed] of remote) {
    it(`${rules} ${allowed ? 'allow' : 'deny'} a sender elsewhere ${host} at ${address} port ${port}`, () => {
      assert.equal(check(rules)({ host, address, port, senderIsLocal: false }) === undefined, allowed);
    });
  }

  it('never reach a listener of the service from the same machine', () => {
    for (const [address, port] of [
      ['127.0.0.1', 8001],
      ['::ffff:127.0.0.1', 8001],
      ['0.0.0.0', 8005],
    ] as const) {
      const why = check('')({ host: 'localhost', address, port, senderIsLocal: true });
      assert.equal(why, 'the service itself listens there');
    }
    assert.equal(check('')({ host: 'localhost', address: '127.0.0.1', port: 1936, senderIsLocal: true }), undefined);
  });

  it('take a mistyped network for an error, not for a host name', () => {
    for (const wrong of ['10.*', '10.*.*.*', '192.168.*', '10.0.0.?'])
      assert.throws(() => check(`deny ${wrong};`), /is not "all", a host name/, wrong);
  });
});
