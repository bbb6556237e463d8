import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { accessRule, destinationRule } from '../../../lib/config/access/access.js';
import { listen, resolver } from '../../../lib/config/access/addresses.js';
import { errorLog } from '../../../lib/config/error-log.js';
import type { ValueType } from '../../../lib/config/types.js';

function read<V>(type: ValueType<V>, text: string, warnings: string[] = []): V {
  return type.parse(text.split(' '), (warning) => warnings.push(warning));
}

describe('listen', () => {
  const base = { ipv6Only: false, backlog: 511 };
  const rows: readonly [string, object][] = [
    ['8005', { ...base, host: '0.0.0.0', port: 8005 }],
    ['*:8005', { ...base, host: '0.0.0.0', port: 8005 }],
    ['127.0.0.1:8005', { ...base, host: '127.0.0.1', port: 8005 }],
    ['127.0.0.1:0', { ...base, host: '127.0.0.1', port: 0 }],
    ['localhost:8005', { ...base, host: 'localhost', port: 8005 }],
    ['[::1]:8005', { ...base, host: '::1', port: 8005, ipv6Only: true }],
    ['[::]:8005 ipv6only=off', { ...base, host: '::', port: 8005 }],
    ['unix:/run/x.sock', { ...base, path: '/run/x.sock', host: '', port: 0 }],
    ['8005 proxy_protocol', { ...base, host: '0.0.0.0', port: 8005, proxyProtocol: true }],
    ['443 ssl', { ...base, host: '0.0.0.0', port: 443, ssl: true }],
    ['8005 backlog=4096', { ...base, host: '0.0.0.0', port: 8005, backlog: 4096 }],
  ];
  for (const [text, expected] of rows) {
    it(`accepts ${text}`, () => assert.deepEqual(read(listen, text), expected));
  }
  const bad: readonly [string, RegExp][] = [
    ['70000', /"70000" is not a port, or address:port/],
    ['127.0.0.1', /has no port; write 127\.0\.0\.1:PORT/],
    ['300.0.0.1:80', /is not a port/],
    ['::1:8005', /is not a port/],
    ['[1.2.3.4]:80', /is not a port/],
    ['unix:', /is not a port/],
    ['8005-8010', /is not a port/],
    ['a b:1', /is not a port|has no port/],
    ['53 udp', /"udp" is not supported/],
    ['8005 proxy_protocol=on', /is not a parameter/],
    ['8005 reusport', /"reusport" is not a parameter of listen/],
    ['8005 backlog=x', /"backlog=x" is not a parameter/],
  ];
  for (const [text, error] of bad) {
    it(`rejects ${text}`, () => assert.throws(() => read(listen, text), error));
  }
  it('warns about parameters of nginx that have no effect', () => {
    const warnings: string[] = [];
    read(listen, '8005 reuseport so_keepalive=30m::10 default_server', warnings);
    assert.deepEqual(warnings, [
      '"reuseport" has no effect',
      '"so_keepalive=30m::10" has no effect',
      '"default_server" has no effect',
    ]);
  });
});

describe('resolver', () => {
  const both = { ipv4: true, ipv6: true };
  const rows: readonly [string, object][] = [
    ['8.8.8.8', { servers: ['8.8.8.8:53'], ...both }],
    ['127.0.0.1:5353 [::1]:54 ::1 [::1]', { servers: ['127.0.0.1:5353', '[::1]:54', '[::1]:53', '[::1]:53'], ...both }],
    ['8.8.8.8 valid=30s ipv6=off', { servers: ['8.8.8.8:53'], valid: 30_000, ipv4: true, ipv6: false }],
    ['8.8.8.8 valid=10 ipv4=off', { servers: ['8.8.8.8:53'], valid: 10_000, ipv4: false, ipv6: true }],
  ];
  for (const [text, expected] of rows) {
    it(`accepts ${text}`, () => assert.deepEqual(read(resolver, text), expected));
  }
  const bad: readonly [string, RegExp][] = [
    ['dns.example', /"dns\.example" is not the IP address of a DNS server/],
    ['valid=30s', /there is no DNS server/],
    ['8.8.8.8 valid=soon', /"valid=soon" is not a time/],
    ['8.8.8.8 ipv6=no', /"ipv6=no" is not/],
    ['8.8.8.8 ipv4=off ipv6=off', /excludes every address/],
    ['8.8.8.8:0', /is not the IP address/],
  ];
  for (const [text, error] of bad) {
    it(`rejects ${text}`, () => assert.throws(() => read(resolver, text), error));
  }
});

describe('allow and deny', () => {
  const rows: readonly [string, unknown][] = [
    ['all', 'all'],
    ['unix:', 'unix:'],
    ['10.1.2.3', { address: '10.1.2.3', prefix: 32, family: 'ipv4' }],
    ['10.0.0.0/8', { address: '10.0.0.0', prefix: 8, family: 'ipv4' }],
    ['::1', { address: '::1', prefix: 128, family: 'ipv6' }],
    ['2001:db8::/32', { address: '2001:db8::', prefix: 32, family: 'ipv6' }],
  ];
  for (const [text, who] of rows) {
    it(`accepts ${text}`, () => assert.deepEqual(read(accessRule('deny'), text), { action: 'deny', who }));
  }
  for (const text of ['10.0.0.0/33', '10.0.0/8', 'example.com', '::/129', 'ALL', '', 'fe80::1%lo', '10.0.0.0/']) {
    it(`rejects ${text}`, () =>
      assert.throws(() => read(accessRule('allow'), text), /is not "all", "unix:", an address or a network/));
  }
});

describe('kmp_rtmp_out_allow and kmp_rtmp_out_deny', () => {
  const ten = { address: '10.0.0.0', prefix: 8, family: 'ipv4' };
  const rows: readonly [string, unknown, number | undefined][] = [
    ['all', 'all', undefined],
    ['all:1935', 'all', 1935],
    ['live.Example.com', { host: 'live.example.com' }, undefined],
    ['*.example.com:443', { host: '*.example.com' }, 443],
    ['10.0.0.0/8', ten, undefined],
    ['10.0.0.0/8:1935', ten, 1935],
    ['[2001:db8::]/32:1935', { address: '2001:db8::', prefix: 32, family: 'ipv6' }, 1935],
    ['2001:db8::/32', { address: '2001:db8::', prefix: 32, family: 'ipv6' }, undefined],
    ['[::1]:1935', { address: '::1', prefix: 128, family: 'ipv6' }, 1935],
    ['[::1]', { address: '::1', prefix: 128, family: 'ipv6' }, undefined],
  ];
  for (const [text, where, port] of rows) {
    it(`accept ${text}`, () => {
      assert.deepEqual(read(destinationRule('allow'), text), { action: 'allow', where, port });
    });
  }
  for (const text of [
    '10.0.0/8',
    '10.0.0.0/40',
    '10.0.0.300',
    'a:0',
    'a:70000',
    'a:b',
    'a/b',
    '',
    ':1935',
    'a_b!',
    '::1:x]',
  ]) {
    it(`reject ${text}`, () => assert.throws(() => read(destinationRule('deny'), text), /is not "all", a host name/));
  }
});

describe('error_log', () => {
  const rows: readonly [string, object][] = [
    ['stderr', { target: 'stderr', level: 'error', format: 'text' }],
    ['/var/log/x.log notice', { target: { file: '/var/log/x.log' }, level: 'info', format: 'text' }],
    ['stderr debug format=json', { target: 'stderr', level: 'debug', format: 'json' }],
    ['stderr format=json crit', { target: 'stderr', level: 'error', format: 'json' }],
  ];
  for (const [text, expected] of rows) {
    it(`accepts ${text}`, () => assert.deepEqual(read(errorLog, text), expected));
  }
  const bad: readonly [string, RegExp][] = [
    ['stderr loud', /"loud" is neither a level \(debug, info, notice, warn, error, crit, alert, emerg\)/],
    ['stderr info warn', /"warn" is neither a level/],
    ['stderr format=xml', /"format=xml" is neither/],
    ['memory:32k', /not supported; expected a file, stderr or syslog/],
  ];
  for (const [text, error] of bad) {
    it(`rejects ${text}`, () => assert.throws(() => read(errorLog, text), error));
  }
});
