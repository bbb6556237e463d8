import { count, duration, timeOfDay } from './format.js';
import { displayState } from './order.js';
import { backupName, failureWord, isDown, newsFrom } from './states.js';
import type { Upstream } from './upstream.js';
import type { ClosedInfo } from './wire.js';

/** What is new about an upstream: `newsFrom`. The next attempt is a time of day. */
export function newsOf({ state, degraded, lastError, lastStatus, nextAttempt, backup }: Upstream['info']): string {
  return newsFrom({
    state,
    degraded: degraded ?? '',
    backup: backup === null ? '' : backupName(backup.number, backup.count),
    said: shortCode(lastStatus?.code ?? ''),
    lastError: lastError ?? '',
    nextAttempt: nextAttempt === null ? '' : `next attempt at ${timeOfDay(Date.parse(nextAttempt))}`,
  });
}

/** A state for people: `input lost`. */
export function stateName(state: string): string {
  return state.replaceAll('_', ' ');
}

/** What the pill of a row says. */
export function pillOf(upstream: Upstream): string {
  const { failure, info } = upstream;
  if (failure !== undefined && displayState(upstream) === 'failed') {
    return failureWord(failure.reason, failure.failed);
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
  if (!isDown(info.state)) return newsOf(info);
  return sentences([outageText(info.outage, now), newsOf(info)].filter(Boolean).join(', '), info.advice ?? '');
}

/** Since when an upstream has no server. */
function outageText(outage: Upstream['info']['outage'], now: number): string {
  if (outage === null || outage === undefined) return '';
  const { since, attempts } = outage;
  return `Since ${clockTime(since, now)} (${count(attempts)} ${attempts === 1 ? 'attempt' : 'attempts'})`;
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

/** `NetStream.Publish.BadName` is known by its end. */
function shortCode(code: string): string {
  return code.replace(/^Net(Stream|Connection)\./, '');
}
