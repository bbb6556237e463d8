import { afterEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { ascii, hex } from '../../support/values/bytes.js';
import { Live } from '../../support/service/live.js';

describe('the name of the metadata', { timeout: 90_000 }, () => {
  let live: Live;
  afterEach(() => live.close());

  for (const [outMetadataName, length] of [
    ['@onMetaData', '0b'],
    ['onMetaData', '0a'],
  ] as const) {
    it(`is ${outMetadataName}${length === '0b' ? ', as documented, by default' : ' where that is configured'}`, async () => {
      live = await Live.start({ settings: length === '0b' ? {} : { outMetadataName } });
      await live.both();
      const connection = await live.ingest.next();
      const { payload } = await connection.message(({ type }) => type === 18);
      const head = Buffer.concat([
        hex('02 000d'),
        ascii('@setDataFrame'),
        hex(`02 00${length}`),
        ascii(outMetadataName),
        hex('08'),
      ]);
      assert.equal(payload.toString('hex', 0, head.length), head.toString('hex'));
    });
  }
});
