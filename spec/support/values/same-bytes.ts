import assert from 'node:assert/strict';

/** Says where the first difference is: two dumps of 50 KB help nobody. */
export function assertSameBytes(actual: Buffer, expected: Buffer): void {
  if (actual.equals(expected)) return;
  let at = 0;
  while (at < actual.length && actual[at] === expected[at]) at++;
  const window = (bytes: Buffer) => bytes.subarray(Math.max(0, at - 16), at + 32).toString('hex');
  assert.fail(
    `byte ${at} of ${expected.length} (${actual.length} came)\n expected ${window(expected)}\n actual   ${window(actual)}`,
  );
}
