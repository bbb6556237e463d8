import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { upstreamLabel } from '../../../lib/api/metrics/metric-labels.js';

describe('labels of upstreams', () => {
  it('have no characters that hide something or change the direction of text, and stay different', () => {
    const hidden = ['\u0085', '\u009b', '\u2028', '\u2029', '\u202e', '\u2066', '\u200f', '\u061c', '\u0000', '\ud800'];
    const labels = hidden.map((char) => upstreamLabel(`ch${char}1`));
    for (const label of labels) assert.match(label, /^ch\ufffd1~[\da-f]{12}$/);
    assert.equal(new Set(labels).size, hidden.length);
    assert.equal(upstreamLabel('Kanal ü ☃ 1'), 'Kanal ü ☃ 1');
  });
});
