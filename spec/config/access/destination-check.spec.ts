import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { destinationCheck } from '../../../lib/config/access/destination-check.js';
import { parseConfig } from '../../../lib/config/load.js';

/** Rules as they stand in a file. */
function check(rules: string) {
  const text = rules.replace(/(allow|deny)/g, 'kmp_rtmp_out_$1');
  const [server] = parseConfig(`stream { server { listen 1; kmp_rtmp; ${text} } }`).kmpServers;
  return destinationCheck(server?.media.outAccess ?? []);
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
      assert.equal(check(rules)(host, address, port), allowed);
    });
  }
});
