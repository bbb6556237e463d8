import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Secrets } from '../../lib/base/secrets.js';

function secrets(fill: (secrets: Secrets) => void): Secrets {
  const made = new Secrets();
  fill(made);
  return made;
}

describe('the secrets of an upstream', () => {
  const name = secrets((one) => one.addName('live_key/second_part/x?token=hidden%3Dtoken&vhost=cdn.example&id=7'));

  for (const [what, said, shown] of [
    ['as it was sent', 'live_key/second_part/x?token=hidden%3Dtoken&vhost=cdn.example&id=7', 'liv***'],
    ['without its query', 'no live_key/second_part/x here', 'no liv*** here'],
    ['its first segment', 'app live_key', 'app li***'],
    ['its second segment', 'stream second_part is busy', 'stream se*** is busy'],
    ['a token of its query', 'bad token hidden%3Dtoken', 'bad token hid***'],
    ['the token without percent-encoding', 'bad token hidden=token', 'bad token hid***'],
    ['percent-encoding of the server', 'path live_key%2Fsecond_part%2Fx', 'path liv***'],
    ['the same in lower case', 'path live_key%2fsecond_part%2fx', 'path liv***'],
    ['what is no secret', 'cdn.example id=7 x', 'cdn.example id=7 x'],
  ] as const) {
    it(`a name, ${what}`, () => assert.equal(name.mask(said), shown));
  }

  it('a name with percent-encoding, shown without it', () => {
    const made = secrets((one) => one.addName('l%C3%A4ive%2Bkey'));
    assert.equal(made.mask('läive+key and l%c3%a4ive%2bkey'), 'lä*** and l%c***');
  });

  it('logins, the tokens of other URLs, and credentials of a header', () => {
    const made = secrets((one) => {
      one.addLogin('publisher');
      one.addLogin(undefined);
      one.addTokensOf('app?access=hiddenaccess');
      one.addHeader(
        'GET / HTTP/1.1\r\nHost: example.com\r\nAuthorization: Bearer hidden-bearer\r\nX-Api-Key: hidden_key\r\n',
      );
      one.addHeader('PROXY TCP4 192.0.2.10 192.0.2.20 1 2\r\n');
    });
    assert.equal(
      made.mask('publisher hiddenaccess hidden-bearer hidden_key at example.com 192.0.2.10, app'),
      'pu*** hid*** hid*** hi*** at example.com 192.0.2.10, app',
    );
  });

  it('stay known while they are in use, whatever else was learned', () => {
    const made = new Secrets();
    for (let n = 0; n < 400; n++) {
      made.addLogin('the_password');
      made.addName(`live_key_${n}?token=hidden_token_${n}`);
      assert.doesNotMatch(made.mask(`live_key_${n} the_password`), /live_key|the_password/);
    }
    for (let n = 0; n < 300; n++) made.addName(`many_${n}?token=other_token_${n}`);
    assert.doesNotMatch(made.mask('many_0 many_299'), /many/);
  });

  it('stay known, and are bounded', () => {
    const made = secrets((one) => {
      for (let n = 0; n < 5000; n++) {
        one.addName(`stream_name_${n}`);
        one.mask('');
      }
      one.addName('half \ud800 of a pair');
      one.addName('100%');
    });
    assert.equal(made.mask('stream_name_4999'), 'str***');
    assert.equal(made.mask('stream_name_0'), 'stream_name_0');
  });
});
