import { timeOfDay } from './format.js';
import { isDown } from './order.js';
import type { Upstream } from './upstream.js';

/** What an upstream that reconnects or waits does so for, and when it tries next; else what the server last said. */
export function newsOf({ state, lastError, lastStatus, nextAttempt }: Upstream['info']): string {
  const said = shortCode(lastStatus?.code ?? '');
  if (!isDown(state)) return said;
  const next = nextAttempt === null ? '' : `next attempt at ${timeOfDay(Date.parse(nextAttempt))}`;
  return [next, lastError ?? said].filter(Boolean).join(': ');
}

/** `NetStream.Publish.BadName` is known by its end. */
function shortCode(code: string): string {
  return code.replace(/^Net(Stream|Connection)\./, '');
}
