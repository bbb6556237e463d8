import { count, duration, timeOfDay } from './format.js';
import { displayState, isDown } from './order.js';
import type { Upstream } from './upstream.js';
import type { BackupInfo, ClosedInfo } from './wire.js';

/**
 * Why an upstream is degraded; what one that reconnects or waits does so for, and when it tries next; else what the
 * server last said, and whether it is a backup.
 */
export function newsOf(info: Upstream['info']): string {
  const { state, degraded, lastError, lastStatus, nextAttempt, backup } = info;
  if (degraded !== null) return degraded;
  const said = shortCode(lastStatus?.code ?? '');
  if (!isDown(state)) return backup === null ? said : [backupName(backup), said].filter(Boolean).join(': ');
  const next = nextAttempt === null ? '' : `next attempt at ${timeOfDay(Date.parse(nextAttempt))}`;
  return [next, lastError ?? said].filter(Boolean).join(': ');
}

/** A state for people: `input lost`. */
export function stateName(state: string): string {
  return state.replaceAll('_', ' ');
}

/** What the pill of a row says. */
export function pillOf(upstream: Upstream): string {
  const { failure, info } = upstream;
  if (failure !== undefined && displayState(upstream) === 'failed') {
    return /_rejected$/.test(failure.reason) ? 'refused' : failure.failed ? 'failed' : 'ended';
  }
  return stateName(info.state);
}

/** The second line of the state of a row that is in trouble. */
export function troubleOf({ failure, info }: Upstream): string {
  if (failure === undefined) return '';
  const times = failure.count > 1 ? `${count(failure.count)} times` : '';
  const present = info.state === 'ended' ? '' : `now ${stateName(info.state)}`;
  return [times, present].filter(Boolean).join(', ');
}

/** Why a row is in trouble, since when, and what to do. @param now ms since 1970 */
export function whyOf(upstream: Upstream, now: number): string {
  const { failure, info } = upstream;
  if (failure !== undefined && displayState(upstream) === 'failed') {
    return `Since ${clockTime(failure.since, now)}: ${explained(failure)}`;
  }
  if ((info.trouble ?? '') !== '') return troubleText(upstream);
  const advice = isDown(info.state) ? (info.advice ?? '') : '';
  return sentences(newsOf(info), advice);
}

/** What is wrong with an upstream that is published, and for how long. */
export function troubleText({ info, troubledFor }: Upstream): string {
  return (info.trouble ?? '') === '' ? '' : `For ${duration(troubledFor)}: ${info.trouble}`;
}

/** A failure with its layer, its words and what to do. */
export function explained({ layer, reason, message, advice }: Failure): string {
  return sentences(`${layer === null ? '' : `${layer.toUpperCase()}: `}${reason}: ${message}`, advice);
}

type Failure = Pick<ClosedInfo, 'layer' | 'reason' | 'message' | 'advice'>;

function sentences(first: string, second: string): string {
  return second === '' ? first : `${first.replace(/\.$/, '')}. ${second}`;
}

/** `02:13:01`, with its day if that is not today. */
export function clockTime(iso: string, now: number): string {
  const at = new Date(iso);
  const today = new Date(now).toDateString() === at.toDateString();
  const day = today ? '' : `${at.toLocaleDateString('en', { month: 'short', day: 'numeric' })}, `;
  return day + timeOfDay(at.getTime());
}

/** `5 min 03 s ago`. */
export function ago(iso: string, now: number): string {
  return `${duration(Math.max(0, (now - Date.parse(iso)) / 1000))} ago`;
}

export function backupName({ number, count }: BackupInfo): string {
  return `backup ${number} of ${count}`;
}

/** `NetStream.Publish.BadName` is known by its end. */
function shortCode(code: string): string {
  return code.replace(/^Net(Stream|Connection)\./, '');
}
