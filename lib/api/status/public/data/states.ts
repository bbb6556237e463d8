// What states mean to a person. The page and `kmp-rtmp top` share these rules, so this file knows nothing of a browser.

/** Groups of states, the most urgent first. */
export const GROUPS = [
  'failed',
  'input_lost',
  'reconnecting',
  'waiting',
  'input_stalled',
  'degraded',
  'connecting',
  'disabled',
  'closing',
  'publishing',
] as const;

export type Group = (typeof GROUPS)[number];

/** States by urgency. `silent`: published, but the viewer of the rates sees that no data arrives. */
const RANKS: readonly string[] = GROUPS.flatMap((group) => (group === 'connecting' ? [group, 'silent'] : group));

/** The group of a state. A state that is not known here belongs to those on their way to the server. */
export function groupOf(state: string): Group {
  if (state === 'ended' || state === 'refused') return 'failed';
  return GROUPS.find((group) => group === state) ?? 'connecting';
}

/** 0 is the most urgent. An empty state is the least urgent: nginx-kmp-rtmp-module shows none. */
export function urgencyOf(state: string): number {
  return state === '' ? RANKS.length : RANKS.indexOf(state === 'silent' ? state : groupOf(state));
}

/** The state, or `silent` if that is more urgent. */
export function shownState(state: string, silent: boolean): string {
  return silent && urgencyOf('silent') < urgencyOf(state) ? 'silent' : state;
}

/** True for states in which viewers get no stream, a bad one, or soon none. */
export function isUrgent(state: string): boolean {
  return urgencyOf(state) < urgencyOf('connecting');
}

/** True if it has no connection to its server, and waits for the next attempt. */
export function isDown(state: string): boolean {
  return state === 'reconnecting' || state === 'waiting';
}

/** True if an earlier failure says more than the state. A disabled upstream is in the state that its operator wants. */
export function isFailureShown(state: string): boolean {
  return state !== 'disabled';
}

/** A failure in one word. @param reason a close reason @param failed false if the upstream ended in order */
export function failureWord(reason: string, failed: boolean): 'refused' | 'failed' | 'ended' {
  return /_rejected$/.test(reason) ? 'refused' : failed ? 'failed' : 'ended';
}

/** `backup 1 of 2`. @param number from 1 */
export function backupName(number: number, count: number): string {
  return `backup ${number} of ${count}`;
}

/** Texts about an upstream; empty ones do not apply. */
export interface NewsParts {
  readonly state: string;
  /** Why it is degraded. */
  readonly degraded: string;
  /** Which backup is in use. */
  readonly backup: string;
  /** What the server last said. */
  readonly said: string;
  /** Why the last connection broke or could not be made. */
  readonly lastError: string;
  /** When it tries next. */
  readonly nextAttempt: string;
}

/**
 * Why an upstream is degraded; if it reconnects or waits, when it tries next, and why; else what the server last said,
 * and which backup it is.
 */
export function newsFrom({ state, degraded, backup, said, lastError, nextAttempt }: NewsParts): string {
  if (degraded !== '') return degraded;
  const parts = isDown(state) ? [nextAttempt, lastError || said] : [backup, said];
  return parts.filter((part) => part !== '').join(': ');
}
