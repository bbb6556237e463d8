import assert from 'node:assert/strict';

/** Asserts that `actual` is an object that has at least the properties of `expected`, with those values. */
export function assertHas(actual: unknown, expected: Readonly<Record<string, unknown>>): void {
  assert.ok(typeof actual === 'object' && actual !== null, `no object: ${JSON.stringify(actual)}`);
  const picked = Object.entries(actual).filter(([key]) => Object.hasOwn(expected, key));
  assert.deepEqual(Object.fromEntries(picked), expected);
}
