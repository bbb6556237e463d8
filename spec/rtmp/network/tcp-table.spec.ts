import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import {
  otherEnd,
  readTcpTable,
  tableKey,
  type TcpEnds,
  type TcpQueueSizes,
} from '../../../lib/rtmp/network/tcp-table.js';

// As Linux prints them on a little-endian machine.
const V4 = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F45 00000000:0000 0A 00000000:00000005 00:00000000 00000000     0        0 12345 1 ffff8881 100 0 0 10 0
   1: 0100007F:E8DA 0100007F:78BE 01 0024792B:00000000 01:00000018 00000000     0        0 12346 4 ffff8882 20 4 30 10 -1
  12: 0100007F:78BE 0100007F:E8DA 01 00000000:0001A000 00:00000000 00000000     0        0 12347 1 ffff8883 20 4 30 10 -1
10013: 0A02000A:A3E1 7100CB0A:078F 06 00000000:00000000 03:00000F00 00000000     0        0 0 3 ffff8884
10014: 0A0200C0:0016 7100CBC0:A3E1 08 00000010:00000001 00:00000000 00000000     0        0 12348 1 ffff8885 20 4 30 10 -1
`;
const V6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when
   3: B80D0120000000000000000001000000:C350 B80D0120000000000000000002000000:078F 01 000000FF:00000000 00:00000000
`;

const ends = (local: string, localPort: number, remote: string, remotePort: number): TcpEnds => ({
  localAddress: local,
  localPort,
  remoteAddress: remote,
  remotePort,
});

function find(text: string, one: TcpEnds): { own: TcpQueueSizes | undefined; other: TcpQueueSizes | undefined } {
  const key = tableKey(one, true) ?? '';
  const found = new Map<string, TcpQueueSizes>();
  readTcpTable(text, new Set([key, otherEnd(key)]), found);
  return { own: found.get(key), other: found.get(otherEnd(key)) };
}

describe('the table of TCP connections of Linux', () => {
  it('has the queues of a connection, and of its other end if that is on this machine', () => {
    const { own, other } = find(V4, ends('127.0.0.1', 59610, '127.0.0.1', 30910));
    assert.deepEqual(own, { unsent: 2390315, unread: 0 });
    assert.deepEqual(other, { unsent: 0, unread: 106496 });
  });

  it('is read for IPv6', () => {
    const { own, other } = find(V6, ends('2001:db8::1', 50000, '2001:db8::2', 1935));
    assert.deepEqual(own, { unsent: 255, unread: 0 });
    assert.equal(other, undefined);
  });

  it('has nothing of listeners, of closed connections and of others', () => {
    assert.equal(find(V4, ends('10.0.2.10', 41953, '10.203.0.113', 1935)).own, undefined);
    assert.equal(find(V4, ends('127.0.0.1', 8005, '0.0.0.0', 0)).own, undefined);
    assert.equal(find(V4, ends('127.0.0.1', 59611, '127.0.0.1', 30910)).own, undefined);
    assert.deepEqual(find(V4, ends('192.0.2.10', 22, '192.203.0.113', 41953)).own, { unsent: 16, unread: 1 });
  });

  it('may be cut off or empty', () => {
    const one = ends('127.0.0.1', 59610, '127.0.0.1', 30910);
    for (let length = 0; length < V4.length; length++) assert.doesNotThrow(() => find(V4.slice(0, length), one));
    assert.equal(find('', one).own, undefined);
  });

  it('names an address as the kernel does, in either byte order', () => {
    const one = ends('192.0.2.1', 1935, '198.51.100.7', 80);
    assert.equal(tableKey(one, true), '010200C0:078F 076433C6:0050');
    assert.equal(tableKey(one, false), 'C0000201:078F C6336407:0050');
    const mapped = tableKey(ends('::ffff:192.0.2.1', 1, '::1', 2), true);
    assert.equal(mapped, '0000000000000000FFFF0000010200C0:0001 00000000000000000000000001000000:0002');
    assert.equal(tableKey(ends('fe80::1%eth0', 1, '::', 2), true)?.slice(0, 8), '000080FE');
    assert.equal(tableKey(ends('localhost', 1, '::1', 2), true), undefined);
  });
});
