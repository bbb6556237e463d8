import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { authAnswer, withQuery } from '../../lib/rtmp/auth.js';
import { hex } from '../support/values/bytes.js';
import { authRefusal } from '../support/ingest/script-auth.js';

const alice = { user: 'alice', password: 's3cret' };
const head = '[ AccessManager.Reject ] : [ authmod=';
const random = (digits: string) => (size: number) => {
  assert.equal(size, 4);
  return hex(digits);
};

// The challenges and responses of rounds 2 are FFmpeg 5.1's, to a server that asked just that.
const rows: { name: string; description: string; app?: string; random?: string; query: string; round: number }[] = [
  {
    name: 'Adobe, round 1',
    description: '[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : ',
    query: 'authmod=adobe&user=alice',
    round: 1,
  },
  {
    name: 'Adobe, round 2',
    description: `${head}adobe ] : ?reason=needauth&user=alice&salt=Zs0=&challenge=a3f4b6ee&opaque=a3f4b6ee`,
    random: 'ba73459f',
    query: 'authmod=adobe&user=alice&challenge=ba73459f&response=GqAhOHzDuQzX7mEmU77mWg==&opaque=a3f4b6ee',
    round: 2,
  },
  {
    name: 'Adobe, round 2, with a challenge only',
    description: `${head}adobe ] : ?reason=needauth&user=alice&salt=Zs0=&challenge=a3f4b6ee`,
    random: 'ba73459f',
    query: 'authmod=adobe&user=alice&challenge=ba73459f&response=GqAhOHzDuQzX7mEmU77mWg==',
    round: 2,
  },
  {
    name: 'Limelight, round 1',
    description: '[ AccessManager.Reject ] : [ code=403 need auth; authmod=llnw ] : ',
    query: 'authmod=llnw&user=alice',
    round: 1,
  },
  {
    name: 'Limelight, round 2',
    description: `${head}llnw ] : ?reason=needauth&user=alice&nonce=6b0d8c41`,
    random: 'f827c257',
    query:
      'authmod=llnw&user=alice&nonce=6b0d8c41&cnonce=f827c257&nc=00000001&response=22f08ae9da00c77958addfc0dde41b78',
    round: 2,
  },
  {
    name: 'Limelight, round 2, the app with a query of its own',
    description: `${head}llnw ] : ?reason=needauth&user=alice&nonce=6b0d8c41`,
    app: 'live?x=1/2',
    random: 'f827c257',
    query:
      'authmod=llnw&user=alice&nonce=6b0d8c41&cnonce=f827c257&nc=00000001&response=22f08ae9da00c77958addfc0dde41b78',
    round: 2,
  },
  {
    name: 'Limelight, round 2, the app with its instance named',
    description: `${head}llnw ] : ?reason=needauth&user=alice&nonce=6b0d8c41`,
    app: 'live/_definst_',
    random: 'f827c257',
    query:
      'authmod=llnw&user=alice&nonce=6b0d8c41&cnonce=f827c257&nc=00000001&response=22f08ae9da00c77958addfc0dde41b78',
    round: 2,
  },
];

const refused: { name: string; description: string; credentials?: typeof alice; lastRound?: 1 | 2; reason: RegExp }[] =
  [
    {
      name: 'a wrong password',
      description: `${head}adobe ] : ?reason=authfailed&opaque=x`,
      reason: /refuses the user/,
    },
    { name: 'an unknown user', description: `${head}llnw ] : ?reason=nosuchuser`, reason: /does not know the user/ },
    {
      name: 'another reason',
      description: `${head}adobe ] : ?reason=expired`,
      reason: /refuses the login \(expired\)/,
    },
    {
      name: 'another method',
      description: '[ code=403 need auth; authmod=kerberos ]',
      reason: /not known \(kerberos\)/,
    },
    {
      name: 'round 1 asked for twice',
      description: '[ code=403 need auth; authmod=adobe ]',
      lastRound: 1,
      reason: /again and again/,
    },
    {
      name: 'round 2 asked for twice',
      description: `${head}adobe ] : ?reason=needauth&user=alice&salt=a&challenge=b`,
      lastRound: 2,
      reason: /again and again/,
    },
    {
      name: 'no credentials',
      description: '[ code=403 need auth; authmod=adobe ]',
      credentials: { user: '', password: '' },
      reason: /put them into the URL/,
    },
  ];

describe('authAnswer', () => {
  for (const { name, description, app = 'live', random: bytes = '00000000', query, round } of rows) {
    it(name, () => {
      const answer = authAnswer(description, alice, app, { random: random(bytes) });
      assert.deepEqual(answer, { kind: 'retry', query, round });
    });
  }

  for (const { name, description, credentials = alice, lastRound, reason } of refused) {
    it(`gives up: ${name}`, () => {
      const answer = authAnswer(description, credentials, 'live', lastRound === undefined ? {} : { lastRound });
      assert.ok(answer?.kind === 'rejected');
      assert.match(answer.reason, reason);
      assert.ok(!answer.reason.includes('s3cret') && !answer.reason.includes('alice'));
    });
  }

  it('gives up without credentials', () => {
    assert.equal(authAnswer('[ code=403 need auth; authmod=llnw ]', undefined, 'live')?.kind, 'rejected');
  });

  it('leaves other refusals alone', () => {
    for (const description of ['', 'no such application', '?reason=needauth']) {
      assert.equal(authAnswer(description, alice, 'live'), undefined);
    }
  });

  it('puts the query behind an app or tcUrl, with or without one', () => {
    assert.equal(withQuery('live', 'a=b'), 'live?a=b');
    assert.equal(withQuery('rtmp://h/live?x=y', 'a=b'), 'rtmp://h/live?x=y&a=b');
  });

  it('escapes only what would end the name', () => {
    const answer = authAnswer('authmod=adobe', { user: 'a&b=c d@e.example', password: '' }, 'live');
    assert.deepEqual(answer, { kind: 'retry', round: 1, query: 'authmod=adobe&user=a%26b%3Dc%20d@e.example' });
  });

  it('uses a challenge of its own each time', () => {
    const description = `${head}adobe ] : ?reason=needauth&user=alice&salt=a&challenge=b`;
    assert.notDeepEqual(authAnswer(description, alice, 'live'), authAnswer(description, alice, 'live'));
  });

  for (const method of ['adobe', 'llnw'] as const) {
    it(`gets past a server (${method}), with any user name and password, and not with another password`, () => {
      const name = fc.string({ minLength: 1, maxLength: 20 });
      fc.assert(
        fc.property(name, name, name, fc.constantFrom('live', 'live/inst'), (user, password, wrong, app) => {
          const play = (given: string) => {
            let sent: string = app;
            let lastRound: 0 | 1 | 2 = 0;
            for (;;) {
              const refusal = authRefusal({ method, user, password }, sent);
              if (refusal === undefined) return 'in';
              const answer = authAnswer(refusal.description, { user, password: given }, app, { lastRound });
              if (answer?.kind !== 'retry') return 'out';
              lastRound = answer.round;
              sent = withQuery(app, answer.query);
            }
          };
          assert.equal(play(password), 'in');
          assert.equal(play(wrong), wrong === password ? 'in' : 'out');
        }),
        { numRuns: 200 },
      );
    });
  }
});
