import { el, type Live } from '../dom.js';
import { count } from '../data/format.js';
import { ago, clockTime } from '../data/news.js';
import type { Upstream } from '../data/upstream.js';
import type { ClosedInfo } from '../data/wire.js';

type Fact = readonly [title: string, read: (record: ClosedInfo) => string];

const time = (iso: string): string => `${clockTime(iso, Date.now())} (${ago(iso, Date.now())})`;

const FACTS: readonly Fact[] = [
  ['Failing since', ({ since, failed }) => (failed ? time(since) : '–')],
  ['Ended', ({ closedAt }) => time(closedAt)],
  ['Began', ({ startedAt }) => time(startedAt)],
  ['Attempts to connect', ({ attempts }) => count(attempts)],
  ['Ended in a row', ({ count: times }) => (times === 1 ? 'once' : `${count(times)} times`)],
  ['Live again', ({ liveAgainAt }) => (liveAgainAt === null ? 'not yet' : time(liveAgainAt))],
  ['Frames dropped', ({ dropped }) => count(dropped)],
  ['Frames not confirmed', ({ unacked }) => count(unacked)],
];

/** How an upstream has ended: for the panel of one that is gone, and of one that has failed before. */
export function endedSection(live: Live<Upstream>): HTMLElement {
  const of = (read: (record: ClosedInfo) => string): Text =>
    live.text(({ failure }) => (failure === undefined ? '' : read(failure)));
  const box = el(
    'div',
    { class: 'last' },
    el(
      'p',
      {},
      el(
        'b',
        {},
        of(({ layer, reason }) => (layer === null ? reason : `${layer.toUpperCase()}: ${reason}`)),
      ),
    ),
    el(
      'p',
      {},
      of(({ message }) => message),
    ),
  );
  live.attribute(box, 'data-level', ({ failure }) => (failure?.failed === true ? 'error' : ''));
  const advice = el(
    'p',
    { class: 'advice' },
    of((record) => record.advice),
  );
  live.shown(advice, ({ failure }) => (failure?.advice ?? '') !== '');
  const said = el(
    'p',
    { class: 'said' },
    'Last message of the server: ',
    of(({ lastStatus }) => [lastStatus?.code, lastStatus?.description].filter(Boolean).join(': ')),
  );
  live.shown(said, ({ failure }) => (failure?.lastStatus ?? null) !== null);
  const facts = el('dl', { class: 'facts-list' });
  for (const [title, read] of FACTS) facts.append(el('div', {}, el('dt', {}, title), el('dd', {}, of(read))));
  const section = el('section', { class: 'ended-record' }, box, advice, said, facts);
  return live.shown(section, ({ failure }) => failure !== undefined);
}
