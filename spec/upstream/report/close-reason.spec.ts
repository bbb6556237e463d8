import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { connectionText } from '../../../lib/upstream/report/close-reason.js';
import { PublishError } from '../../../lib/rtmp/publish-error.js';

describe('the log line of a lost connection', () => {
  it('does not call a connection broken that was never made', () => {
    const rows: [Error, string][] = [
      [
        new PublishError('handshake', 'could not connect: 192.0.2.1 port 1935: connect ECONNREFUSED'),
        'RTMP: cannot connect to 192.0.2.1 port 1935: connect ECONNREFUSED',
      ],
      [
        new PublishError('resolve', 'host.invalid could not be resolved: ENOTFOUND'),
        'RTMP: cannot connect: host.invalid could not be resolved: ENOTFOUND',
      ],
      [new PublishError('recv', '192.0.2.1: closed'), 'RTMP connection broken: 192.0.2.1: closed'],
      [new Error('the server says: no'), 'RTMP connection broken: the server says: no'],
    ];
    for (const [error, text] of rows) assert.equal(connectionText(error), text);
  });
});
