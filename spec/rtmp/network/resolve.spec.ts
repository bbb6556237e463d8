import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { dnsResolve, systemResolve, type DnsServers } from '../../../lib/rtmp/network/resolve.js';
import { DnsServer } from '../../support/network/dns-server.js';

describe('a resolver from the configuration', { timeout: 90_000 }, () => {
  let server: DnsServer;

  const resolve = (host: string, more: Partial<DnsServers> = {}): Promise<string[]> =>
    dnsResolve({ servers: [server.address], timeout: 2000, ipv4: true, ipv6: true, ...more })(host);
  const failed = (host: string, message: RegExp) => ({
    name: 'PublishError',
    stage: 'resolve',
    code: 'rtmp_resolve',
    message: new RegExp(`^${host.replaceAll('.', '\\.')} could not be resolved by 127.0.0.1:\\d+.*: ${message.source}`),
  });

  beforeEach(async () => {
    server = await DnsServer.start({
      'both.example': ['2001:db8::1', '192.0.2.1', '192.0.2.2', '2001:db8::2'],
      'v4.example': ['192.0.2.1'],
      'v6.example': ['2001:db8::1'],
      'empty.example': [],
      'silent.example': 'silent',
      'refused.example': 'refused',
      'half.example': ['192.0.2.1'],
      'half.example AAAA': 'silent',
      'odd.example': ['192.0.2.1'],
      'odd.example AAAA': 'refused',
    });
  });
  afterEach(() => server.close());

  it('gives all addresses of both kinds, IPv4 first', async () => {
    assert.deepEqual(await resolve('both.example'), ['192.0.2.1', '192.0.2.2', '2001:db8::1', '2001:db8::2']);
    assert.deepEqual(server.questions.sort(), ['both.example A', 'both.example AAAA']);
  });

  it('accepts a time limit that is longer than a timer of Node', async () => {
    assert.deepEqual(await resolve('v4.example', { timeout: 30 * 86_400_000 }), ['192.0.2.1']);
    assert.deepEqual(await resolve('v6.example', { timeout: 52 * 7 * 86_400_000 * 20 }), ['2001:db8::1']);
  });

  it('gives what there is of either kind', async () => {
    assert.deepEqual(await resolve('v4.example'), ['192.0.2.1']);
    assert.deepEqual(await resolve('v6.example'), ['2001:db8::1']);
    assert.deepEqual(await resolve('odd.example'), ['192.0.2.1']);
  });

  it('does not ask for a kind that is switched off', async () => {
    assert.deepEqual(await resolve('both.example', { ipv6: false }), ['192.0.2.1', '192.0.2.2']);
    assert.deepEqual(server.questions, ['both.example A']);
    await assert.rejects(resolve('v6.example', { ipv6: false }), failed('v6.example', /.*ENODATA/));
  });

  it('asks for no address', async () => {
    for (const address of ['192.0.2.9', '::1', '2001:db8::9']) assert.deepEqual(await resolve(address), [address]);
    assert.deepEqual(server.questions, []);
  });

  it('says that a name does not exist, or has no address', async () => {
    await assert.rejects(resolve('no.example'), failed('no.example', /.*ENOTFOUND/));
    await assert.rejects(resolve('empty.example'), failed('empty.example', /.*ENODATA/));
  });

  it('says that the server refuses, or is not there', async () => {
    await assert.rejects(resolve('refused.example'), failed('refused.example', /.*EREFUSED/));
    // The port of the discard protocol, which the kernel gives to nobody.
    await assert.rejects(resolve('v4.example', { servers: ['127.0.0.1:9'] }), failed('v4.example', /.*ECONNREFUSED/));
  });

  it('gives up a server that does not answer when its time is over, having asked more than once', async () => {
    const began = performance.now();
    await assert.rejects(resolve('silent.example', { timeout: 300, ipv6: false }), failed('silent.example', /.*/));
    assert.ok(performance.now() - began < 5000);
    assert.ok(server.questions.length >= 2);
  });

  it('does with what it has when one kind is not answered in time', async () => {
    assert.deepEqual(await resolve('half.example', { timeout: 300 }), ['192.0.2.1']);
  });

  it('waits a moment for the other kind, not as long as for the first', async () => {
    const patient = dnsResolve({ servers: [server.address], timeout: 900_000, ipv4: true, ipv6: true, valid: 60_000 });
    assert.deepEqual(await patient('half.example'), ['192.0.2.1']);
    // What is half an answer is asked for again.
    server.records.set('half.example AAAA', ['2001:db8::1']);
    assert.deepEqual(await patient('half.example'), ['192.0.2.1', '2001:db8::1']);
    server.questions.length = 0;
    await patient('half.example');
    assert.deepEqual(server.questions, []);
  });

  it('asks the next server when one does not help', async () => {
    for (const kind of ['refused', 'silent'] as const) {
      const bad = await DnsServer.start({ 'v4.example': kind });
      const servers = [bad.address, bad.address, server.address];
      const found = await resolve('v4.example', { servers }).finally(() => bad.close());
      assert.deepEqual(found, ['192.0.2.1']);
      assert.ok(bad.questions.length > 0);
    }
  });

  it('does not ask the next server when one says that the name does not exist', async () => {
    const other = await DnsServer.start({ 'no.example': ['192.0.2.1'] });
    const servers = [server.address, other.address];
    await assert
      .rejects(resolve('no.example', { servers }), failed('no.example', /.*ENOTFOUND/))
      .finally(() => other.close());
    assert.deepEqual(other.questions, []);
  });

  it('refuses what cannot be a host name, without a question to a server', async () => {
    const names = ['', '.', 'a..b', '-a.example', 'a-.example', 'a b', 'a/b', 'x'.repeat(64), 'ü.example', 'a.b:80'];
    for (const name of [...names, `${'a.'.repeat(130)}b`]) {
      await assert.rejects(resolve(name), { stage: 'start_resolve', message: /is not a host name/ }, name);
      await assert.rejects(systemResolve(name), { stage: 'start_resolve' }, name);
    }
    assert.deepEqual(server.questions, []);
  });

  it('takes names with underscores, digits, and a dot at their end', async () => {
    for (const name of ['_rtmp.example', '0.example', 'v4.example.', 'V4.EXAMPLE']) {
      await assert.rejects(resolve(name, { servers: [server.address] }), { stage: 'resolve' }).catch(() => {});
    }
    assert.deepEqual(
      server.questions.filter((question) => question.endsWith(' A')),
      ['_rtmp.example A', '0.example A', 'v4.example A', 'v4.example A'],
    );
  });

  it('asks each time, unless an answer is valid for a while, by its TTL or by the setting', async () => {
    const options = { servers: [server.address], timeout: 2000, ipv4: true, ipv6: false };
    const always = dnsResolve(options);
    for (let i = 0; i < 3; i++) await always('v4.example');
    assert.equal(server.questions.length, 3);
    server.ttl = 60;
    const believes = dnsResolve(options);
    for (let i = 0; i < 3; i++) assert.deepEqual(await believes('v4.example'), ['192.0.2.1']);
    assert.equal(server.questions.length, 4);
    server.questions.length = 3;
    server.ttl = 0;
    const remembers = dnsResolve({ ...options, valid: 60_000 });
    for (let i = 0; i < 3; i++) assert.deepEqual(await remembers('v4.example'), ['192.0.2.1']);
    assert.equal(server.questions.length, 4);
    await assert.rejects(remembers('no.example'));
    await assert.rejects(remembers('no.example'));
    assert.equal(server.questions.length, 6);
    server.ttl = 60;
    const forgets = dnsResolve({ ...options, valid: 1 });
    await forgets('v4.example');
    await new Promise((done) => setTimeout(done, 20));
    await forgets('v4.example');
    assert.equal(server.questions.length, 8);
  });
});

describe('the system’s resolver', () => {
  it('knows this machine, and addresses', async () => {
    const [first] = await systemResolve('localhost');
    assert.ok(first === '127.0.0.1' || first === '::1', first);
    assert.deepEqual(await systemResolve('192.0.2.9'), ['192.0.2.9']);
    assert.deepEqual(await systemResolve('::1'), ['::1']);
  });
});
