import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import express from 'express';
import { accessCheck, accessControl, type AccessRule } from '../../lib/api/access.js';
import { parseCidr } from '../../lib/config/access/access.js';
import { assertHas } from '../support/values/assert-has.js';
import { serve } from '../support/network/http.js';

/** Rules as nginx writes them: `allow 10.0.0.0/8`. */
function rules(...lines: string[]): AccessRule[] {
  return lines.map((line) => {
    const [action = '', value = ''] = line.split(' ');
    assert.ok(action === 'allow' || action === 'deny');
    const who = value === 'all' ? value : parseCidr(value);
    assert.ok(who !== undefined, line);
    return { action, who };
  });
}

const office = rules(
  'deny 192.168.1.1',
  'allow 192.168.1.0/24',
  'allow 10.1.1.0/16',
  'allow 2001:0db8::/32',
  'deny all',
);

/** Rules, an address, and whether nginx's documentation lets it in ("the first match is found"). */
const rows: readonly (readonly [string, readonly AccessRule[], string, boolean])[] = [
  ['no rules let everyone in', [], '203.0.113.9', true],
  ['the sample of the documentation', office, '192.168.1.1', false],
  ['the sample of the documentation', office, '192.168.1.2', true],
  ['the sample of the documentation', office, '192.168.2.2', false],
  ['host bits of a network are meaningless', office, '10.1.200.7', true],
  ['the sample of the documentation', office, '10.2.0.1', false],
  ['the sample of the documentation', office, '2001:db8:ffff::1', true],
  ['the sample of the documentation', office, '2001:db9::1', false],
  ['what no rule matches is allowed', rules('deny 10.0.0.0/8'), '11.0.0.1', true],
  ['what no rule matches is allowed', rules('allow 10.0.0.0/8'), '11.0.0.1', true],
  ['the first match decides', rules('allow 10.0.0.1', 'deny 10.0.0.0/8', 'allow 10.0.0.2'), '10.0.0.2', false],
  ['the first match decides', rules('allow all', 'deny 10.0.0.1'), '10.0.0.1', true],
  ['IPv4 rules hold for mapped addresses', office, '::ffff:192.168.1.2', true],
  ['IPv4 rules hold for mapped addresses', office, '::FFFF:192.168.1.1', false],
  ['/0 is everything of its family', rules('deny 0.0.0.0/0'), '8.8.8.8', false],
  ['/0 is everything of its family', rules('deny 0.0.0.0/0'), '2001:db8::1', true],
  ['/0 is everything of its family', rules('deny ::/0'), '2001:db8::1', false],
  ['a prefix does not have to end at a byte', rules('allow 10.0.0.0/9', 'deny all'), '10.127.0.1', true],
  ['a prefix does not have to end at a byte', rules('allow 10.0.0.0/9', 'deny all'), '10.128.0.1', false],
  ['a prefix does not have to end at a byte', rules('allow 2001:db8::/33', 'deny all'), '2001:db8:7fff::1', true],
  ['a prefix does not have to end at a byte', rules('allow 2001:db8::/33', 'deny all'), '2001:db8:8000::1', false],
  ['the zone of an address is left aside', rules('allow fe80::/10', 'deny all'), 'fe80::1%eth0', true],
  ['IPv6 in another spelling', rules('deny ::1'), '0:0:0:0:0:0:0:1', false],
];

describe('allow and deny', () => {
  for (const [name, list, address, expected] of rows) {
    it(`${name}: ${address} ${expected ? 'is allowed' : 'is denied'}`, () => {
      assert.equal(accessCheck(list)(address), expected);
    });
  }

  it('allows a peer without an address only if there are no rules', () => {
    assert.equal(accessCheck([])(undefined), true);
    assert.equal(accessCheck(rules('allow all'))(undefined), false);
    assert.equal(accessCheck(rules('deny 10.0.0.1'))('no address'), false);
  });

  it('answers 403 over HTTP and ignores X-Forwarded-For', async () => {
    for (const [list, status] of [
      [rules('deny 127.0.0.1'), 403],
      [rules('allow 10.0.0.0/8', 'deny all'), 403],
      [rules('allow 127.0.0.0/8', 'deny all'), 200],
    ] as const) {
      const app = express();
      app.use(accessControl(list), (_req, res) => void res.json('in'));
      const server = await serve(app);
      try {
        const reply = await server.get('/', { 'X-Forwarded-For': '10.0.0.1' });
        assert.equal(reply.status, status);
        if (status === 403) assertHas(reply.json, { error: 'forbidden' });
      } finally {
        await server.close();
      }
    }
  });
});
