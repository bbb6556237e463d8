import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EventStreamParser } from '../../../lib/api/status/public/data/event-stream.js';

describe('event stream of the status page', () => {
  const TEXT = ': heartbeat\n\nevent: hello\ndata: {"a":"b: c"}\n\nevent: tick\ndata: 1\ndata:2\r\n\r\nevent: none\n\n';
  const EVENTS = [
    { name: 'hello', data: '{"a":"b: c"}' },
    { name: 'tick', data: '1\n2' },
  ];

  it('has the same events whole, in single characters, and cut anywhere', () => {
    for (let size = 1; size <= TEXT.length; size++) {
      const parser = new EventStreamParser();
      const pieces = TEXT.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? [];
      assert.deepEqual(
        pieces.flatMap((piece) => parser.push(piece)),
        EVENTS,
        `pieces of ${size}`,
      );
    }
  });
});
