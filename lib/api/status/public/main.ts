import { Access } from './access.js';
import { ActivityView } from './sections/activity.js';
import { Announcer } from './announcer.js';
import { DetailView } from './panel/detail.js';
import { byId, el, setAttribute, setText } from './dom.js';
import { Dropper } from './orders/drop.js';
import { ElsewhereForm } from './orders/elsewhere.js';
import { StandingOrders } from './orders/standing.js';
import { FeedClient, type FeedState } from './data/feed.js';
import { Filter } from './table/filter.js';
import { duration, nameOf } from './data/format.js';
import { Heading } from './table/heading.js';
import { idInLink, linkTo } from './link.js';
import { Dismissed } from './data/dismissed.js';
import { Model, type ActivityEntry } from './data/model.js';
import { NodesView } from './sections/nodes.js';
import { storage } from './storage.js';
import { TableView } from './table/table.js';
import { setUpTheme } from './theme.js';
import { TotalsView } from './sections/totals.js';
import type { Upstream } from './data/upstream.js';

const STATES: Readonly<Record<FeedState, readonly [text: string, kind: string]>> = {
  connecting: ['Connecting', 'plain'],
  live: ['Live', 'good'],
  late: ['Out of date', 'warn'],
  lost: ['Connection lost', 'bad'],
  paused: ['Paused', 'plain'],
  locked: ['Token required', 'warn'],
};

/** The details are below the table, not beside it (panel.css). */
const NARROW = matchMedia('(max-width: 720px)');

setUpTheme();
// The host distinguishes several services in several tabs.
document.title = `${location.host} - ${document.title}`;
const model = new Model(new Dismissed(storage()));
const announcer = new Announcer();
const totals = new TotalsView();
const access = new Access();
const elsewhere = new ElsewhereForm(model, access, announcer, report);
const standing = new StandingOrders(model, access, announcer, report);
const dropper = new Dropper(model, access, announcer, report, elsewhere);
const detail = new DetailView(
  dropper,
  (upstream) => {
    table.selected = undefined;
    table.refresh();
    table.focus(upstream?.key);
    if (idInLink(location.hash) !== undefined) history.replaceState(null, '', location.pathname + location.search);
  },
  dismiss,
);
const activity = new ActivityView(() => detail.close());
const table = new TableView(model, { open, dismiss });
addEventListener('hashchange', () => follow());
const heading = new Heading(table.sorting, (sorting, said) => {
  table.sorting = sorting;
  table.refresh(true);
  announcer.say('sorting', said);
});
const filter = new Filter((text, group) => {
  table.text = text;
  table.group = group;
  table.refresh(true);
  showEmpty();
  announcer.say('filter', `${table.order.length} of ${model.rows.length} upstreams`);
});
const nodes = new NodesView((node, said) => {
  table.node = node;
  table.refresh(true);
  showEmpty();
  announcer.say('filter', `${said}: ${table.order.length} of ${model.rows.length} upstreams`);
});
let built: string | undefined;
function happened(entries: readonly ActivityEntry[]): void {
  activity.add(entries);
  activity.showEnded(model.ended);
  announce(entries.filter(({ kind }) => kind !== 'plain'));
  totals.show(model);
  standing.show();
  nodes.show(model);
  heading.showNodes(model.parts.nodes.length > 0);
  filter.show(model.rows);
  detail.show(model);
  table.selected = detail.key;
  table.refresh();
  showFacts();
  showEmpty();
}

/** Announces up to three changes one by one; more only as a number. */
function announce(entries: readonly ActivityEntry[]): void {
  if (entries.length > 3) announcer.say('many', `${entries.length} changes of state; see Activity`);
  else for (const { id, what } of entries) announcer.say(id, `${nameOf(id)} ${what}`);
}

function open(upstream: Upstream): void {
  activity.close();
  table.selected = upstream.key;
  detail.open(upstream, model);
  table.refresh();
  if (NARROW.matches) table.reveal(upstream.key);
  const link = linkTo(upstream.info.id);
  if (link !== undefined && link !== location.hash) history.pushState(null, '', link);
}

/** Hides a failure. If it was open, its panel is closed. */
function dismiss(upstream: Upstream): void {
  model.dismiss(upstream);
  if (detail.key === upstream.key && upstream.isEnded) detail.close();
  announcer.say('dismiss', `Dismissed the failure of ${nameOf(upstream.info.id)}`);
  happened([]);
}

/** Opens the upstream of the URL. */
function follow(): void {
  const id = idInLink(location.hash);
  if (id === undefined) {
    if (location.hash === '') detail.close();
    return;
  }
  const upstream = model.find(id);
  if (!upstream) {
    // The panel of another upstream must not pass for this one.
    detail.close(false);
    report(`There is currently no upstream ${nameOf(id)}.`);
  } else if (upstream.key !== detail.key) open(upstream);
}

function showFacts(): void {
  const { service } = model;
  if (!service) return;
  const facts = `${service.version} on ${service.runtime}, process ${service.pid}, up ${duration(model.uptime)}`;
  setText(byId('facts', HTMLParagraphElement), facts);
}

function showState(state: FeedState): void {
  const [text, kind] = STATES[state];
  setAttribute(byId('connection', HTMLParagraphElement), 'data-kind', kind);
  const element = byId('connection-text', HTMLSpanElement);
  if (element.textContent === text) return;
  element.textContent = text;
  document.body.classList.toggle('stale', state === 'lost' || state === 'late');
  if (state !== 'connecting') announcer.say('connection', text);
}

function showEmpty(): void {
  const element = byId('empty', HTMLDivElement);
  const empty = table.order.length === 0;
  element.hidden = !empty;
  if (!empty || model.service === undefined) return;
  const kind = model.rows.length === 0 ? 'none' : 'filtered';
  if (element.dataset['kind'] === kind) return;
  element.dataset['kind'] = kind;
  if (kind === 'none') {
    element.replaceChildren(
      el('p', {}, 'No upstreams yet'),
      el('p', {}, 'An upstream appears here when a KMP sender connects.'),
    );
    return;
  }
  const clear = el('button', { type: 'button' }, 'Show all');
  clear.addEventListener('click', () => {
    nodes.clear();
    filter.clear();
  });
  element.replaceChildren(el('p', {}, 'No upstream matches the filter'), clear);
}

/** @param action a button that does something about it */
function report(problem: string, action?: { readonly name: string; readonly run: () => void }): void {
  const notice = byId('notice', HTMLParagraphElement);
  const close = el('button', { type: 'button', class: 'close', 'aria-label': 'Dismiss' }, '×');
  close.addEventListener('click', () => (notice.hidden = true));
  notice.replaceChildren(el('span', {}, problem), close);
  if (action !== undefined) {
    const button = el('button', { type: 'button' }, action.name);
    button.addEventListener('click', () => {
      notice.hidden = true;
      action.run();
    });
    close.before(button);
  }
  notice.hidden = false;
}

const feed = new FeedClient('events', (url, init) => access.request(url, init), {
  hello: (message) => model.hello(message),
  full(message) {
    const first = model.service === undefined;
    happened(model.full(message, Date.now()));
    if (first) activity.begin(model.history);
    if (first && detail.key === undefined) follow();
    const { version, built: now } = message.service;
    built ??= version + now;
    if (built !== version + now) report('The service has been updated. Reload the page.');
  },
  tick: (message) => happened(model.tick(message, Date.now())),
  state(state) {
    showState(state);
    if (state !== 'locked') return;
    report('This page needs a token that may read.', {
      name: 'Enter a token',
      run() {
        access.forget();
        feed.open();
      },
    });
  },
});
