import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseProxyHeader, ProxyProtocolError } from '../../lib/net/proxy-protocol.js';

/** Headers by the specification of the PROXY protocol (sections 2.1 and 2.2), written by hand. */
const SIGNATURE = '0d0a0d0a000d0a515549540a';
const v1 = (text: string): Buffer => Buffer.from(text, 'latin1');
const v2 = (rest: string): Buffer => Buffer.from(SIGNATURE + rest.replaceAll(' ', ''), 'hex');

const VALID: readonly (readonly [
  name: string,
  header: Buffer,
  source: { address: string; port: number } | undefined,
])[] = [
  ['v1 TCP4', v1('PROXY TCP4 192.0.2.7 198.51.100.1 56324 8005\r\n'), { address: '192.0.2.7', port: 56324 }],
  ['v1 TCP6', v1('PROXY TCP6 2001:db8::7 2001:db8::1 1 65535\r\n'), { address: '2001:db8::7', port: 1 }],
  ['v1 UNKNOWN', v1('PROXY UNKNOWN\r\n'), undefined],
  ['v1 UNKNOWN with addresses', v1('PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n'), undefined],
  ['v2 TCP4', v2('21 11 000c c0000207 c6336401 dc04 1f45'), { address: '192.0.2.7', port: 56324 }],
  [
    'v2 TCP6',
    v2('21 21 0024 20010db8000000000000000000000007 20010db8000000000000000000000001 0001 1f45'),
    { address: '2001:db8::7', port: 1 },
  ],
  [
    'v2 TCP4 with TLVs',
    v2('21 11 0013 c0000207 c6336401 dc04 1f45 04 0004 00000000'),
    { address: '192.0.2.7', port: 56324 },
  ],
  ['v1 TCP6 of a mapped address', v1('PROXY TCP6 ::FFFF:c000:0207 ::1 9 8\r\n'), { address: '192.0.2.7', port: 9 }],
  [
    'v2 TCP6 of a mapped address',
    v2('21 21 0024 00000000000000000000ffffc0000207 20010db8000000000000000000000001 0001 1f45'),
    { address: '192.0.2.7', port: 1 },
  ],
  ['v2 LOCAL', v2('20 00 0000'), undefined],
  ['v2 LOCAL with an address', v2('20 11 000c c0000207 c6336401 dc04 1f45'), undefined],
  ['v2 UNSPEC', v2('21 00 0002 ffff'), undefined],
  ['v2 AF_UNIX', v2(`21 31 00d8 ${'2f'.repeat(216)}`), undefined],
];

const INVALID: readonly (readonly [name: string, bytes: Buffer])[] = [
  ['a KMP packet', Buffer.from('636e6374', 'hex')],
  ['v1 in lower case', v1('proxy TCP4 192.0.2.7 192.0.2.1 1 2\r\n')],
  ['v1 of an unknown family', v1('PROXY UDP4 192.0.2.7 192.0.2.1 1 2\r\n')],
  ['v1 without ports', v1('PROXY TCP4 192.0.2.7 192.0.2.1\r\n')],
  ['v1 with an address of the other family', v1('PROXY TCP4 2001:db8::7 192.0.2.1 1 2\r\n')],
  ['v1 with a host name', v1('PROXY TCP4 localhost 192.0.2.1 1 2\r\n')],
  ['v1 with a port above 65535', v1('PROXY TCP4 192.0.2.7 192.0.2.1 65536 2\r\n')],
  ['v1 with a zone', v1('PROXY TCP6 fe80::1%eth0 fe80::2 1 2\r\n')],
  ['v1 without an end', v1(`PROXY UNKNOWN ${'x'.repeat(100)}`)],
  ['v1 with a line feed alone', v1('PROXY TCP4 192.0.2.7 192.0.2.1 1 2\n')],
  ['v2 of another version', v2('31 11 000c c0000207 c6336401 dc04 1f45')],
  ['v2 with an unknown command', v2('22 11 000c c0000207 c6336401 dc04 1f45')],
  ['v2 with a short address', v2('21 11 000b c0000207 c6336401 dc04 1f')],
  ['v2 with a header of 64 KB', v2('21 11 ffff c0000207')],
  ['a signature with one wrong byte', Buffer.from('0d0a0d0a000d0a515549540b2111000c', 'hex')],
];

describe('header of the PROXY protocol', () => {
  for (const [name, header, source] of VALID) {
    it(`${name} is read at any cut, and leaves the bytes after it`, () => {
      const bytes = Buffer.concat([header, Buffer.from('cnct')]);
      for (let length = 0; length < header.length; length++) {
        assert.equal(parseProxyHeader(bytes.subarray(0, length)), undefined, `${length} bytes`);
      }
      for (let length = header.length; length <= bytes.length; length++) {
        assert.deepEqual(parseProxyHeader(bytes.subarray(0, length)), { length: header.length, source });
      }
    });
  }

  for (const [name, bytes] of INVALID) {
    it(`${name} is an error, and no cut of it is a header`, () => {
      assert.throws(() => parseProxyHeader(bytes), ProxyProtocolError);
      for (let length = 0; length < bytes.length; length++) {
        try {
          assert.equal(parseProxyHeader(bytes.subarray(0, length)), undefined);
        } catch (error) {
          assert.ok(error instanceof ProxyProtocolError);
        }
      }
    });
  }

  it('gives a header, an error or a request for more for any bytes', () => {
    const start = fc.constantFrom(Buffer.alloc(0), v1('PROXY TCP4 '), v1('PROXY TCP6 '), v2('21'), v2('2111000c'));
    fc.assert(
      fc.property(start, fc.uint8Array({ maxLength: 300 }), (head, tail) => {
        const bytes = Buffer.concat([head, tail]);
        try {
          const header = parseProxyHeader(bytes);
          assert.ok(header === undefined || (header.length > 0 && header.length <= bytes.length));
        } catch (error) {
          assert.ok(error instanceof ProxyProtocolError);
        }
      }),
    );
  });
});
