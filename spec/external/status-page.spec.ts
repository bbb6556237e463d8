import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { createApp, type LocationSettings } from '../../lib/api/app.js';
import { createHttpServer } from '../../lib/api/server/http-server.js';
import { statusRouter } from '../../lib/api/status/router.js';
import { Browser, hasBrowser } from '../support/programs/browser.js';
import { Fleet } from '../support/management/fleet.js';
import { serve, type TestServer } from '../support/network/http.js';
import {
  sampleInput,
  sampleStream,
  sampleTrack,
  sampleUpstream,
  table,
} from '../support/management/memory-management.js';

/** ms between the page's updates here: a test does not have to wait a second for each. */
const INTERVAL = 50;

interface Opened {
  readonly page: Page;
  readonly fleet: Fleet;
  readonly server: TestServer;
  /** What went wrong in the browser: errors, forbidden scripts and styles, requests to anywhere else. */
  readonly problems: string[];
}

interface OpenOptions {
  readonly fleet?: Fleet;
  readonly write?: boolean;
  readonly token?: string;
}

/** Counted in the page from {@link WATCH} on. */
interface Seen {
  readonly longTasks: number;
  /** Elements added to the document. */
  readonly elements: number;
  /** Changes of texts, attributes and children. */
  readonly changes: number;
}

const WATCH = `{
  const seen = (window.seen = { longTasks: 0, elements: 0, changes: 0 });
  new PerformanceObserver((list) => (seen.longTasks += list.getEntries().length)).observe({ type: 'longtask' });
  new MutationObserver((changes) => {
    seen.changes += changes.length;
    for (const { addedNodes } of changes) for (const { nodeType } of addedNodes) if (nodeType === 1) seen.elements++;
  }).observe(document.body, { childList: true, characterData: true, attributes: true, subtree: true });
}`;

const focusedId = (page: Page): Promise<string> => page.evaluate<string>('document.activeElement.id');

/**
 * Waits until so many charts in `part` are there and drawn, which is in a later task than the one that brings their
 * canvases, and on a busy machine much later.
 */
async function drawn(page: Page, part: string, charts: number): Promise<void> {
  await page.evaluate(`new Promise((resolve, reject) => {
    const isDrawn = (canvas) =>
      canvas.width > 0 && canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value > 0);
    const look = (frames) => {
      const canvases = [...document.querySelectorAll('${part} canvas')];
      const ready = canvases.filter(isDrawn).length;
      if (ready === ${charts} && canvases.length === ready) resolve();
      else if (frames === 0) reject(new Error('of ' + canvases.length + ' canvases in ${part} only ' + ready + ' are drawn'));
      else requestAnimationFrame(() => look(frames - 1));
    };
    look(600);
  })`);
}

const NARROW = { width: 390, height: 800 };
const WIDE = { width: 1440, height: 900 };

async function serveFleet(fleet: Fleet, { write = false, token }: OpenOptions): Promise<TestServer> {
  const secret = token === undefined ? {} : { token };
  const locations: LocationSettings[] = [
    { path: '/status', status: true, access: [], ...secret },
    { path: '/kmp_rtmp_api', api: { write }, access: [], ...secret },
  ];
  const api = write ? '/kmp_rtmp_api' : undefined;
  const status = (): ReturnType<typeof statusRouter> => statusRouter(fleet, { api, interval: INTERVAL });
  const app = createApp({ locations, management: fleet, health: { ready: () => true }, status });
  return serve(createHttpServer(app));
}

describe('status page in a browser', { skip: hasBrowser ? false : 'no /usr/bin/chromium; or give CHROMIUM' }, () => {
  let browser: Browser;

  before(async () => {
    browser = await Browser.open({ viewport: WIDE, colorScheme: 'light' });
  });
  after(() => browser.close());

  async function withPage(options: OpenOptions, run: (opened: Opened) => Promise<void>): Promise<void> {
    const { fleet = new Fleet(12) } = options;
    const server = await serveFleet(fleet, options);
    const page = await browser.context.newPage();
    const problems: string[] = [];
    const origin = `http://127.0.0.1:${server.port}/`;
    page.on('pageerror', (error) => problems.push(String(error)));
    page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
    page.on('dialog', (dialog) => problems.push(`dialog: ${dialog.message()}`));
    page.on('request', (request) => !request.url().startsWith(origin) && problems.push(`asked ${request.url()}`));
    try {
      await page.goto(`${origin}status`);
      await page.locator('#connection-text', { hasText: 'Live' }).waitFor();
      await run({ page, fleet, server, problems });
      assert.deepEqual(problems, []);
    } finally {
      await page.close();
      await server.close();
    }
  }

  const rowIds = (page: Page): Promise<string[]> => page.locator('tbody .name').allTextContents();

  it('shows all upstreams, loads only from this server, and announces changes to screen readers', async () => {
    await withPage({}, async ({ page, server }) => {
      assert.equal(await page.title(), `127.0.0.1:${server.port} - kmp-rtmp status`);
      const rows = page.locator('tbody tr:not(.gap)');
      assert.equal(await rows.count(), 12);
      const row = rows.filter({ hasText: 'ch1-twitch' });
      assert.match(
        await row.innerText(),
        /rtmp:\/\/live\.twitch\.tv:1935\/app\/liv\*\*\*\s+publishing\s+Publish\.Start/,
      );
      const heard = await page.locator('main').ariaSnapshot();
      const broken = rows.filter({ hasText: 'ch10-youtube' });
      assert.match(
        await broken.innerText(),
        /reconnecting\s+next attempt at [\d:]+: connect_rejected: the server said: too many connections/,
      );
      assert.match(heard, /table "Upstreams"/);
      assert.match(heard, /columnheader "State"/);
      assert.match(heard, /rowheader "ch1-twitch rtmp:/);
      assert.match(heard, /searchbox "Filter upstreams"/);
      assert.match(heard, /radio "publishing 11"/i);
      assert.equal(await page.locator('button:not([aria-label]):empty').count(), 0, 'no button without a name');
      assert.equal(await page.locator('#table').getAttribute('aria-rowcount'), '13');
    });
  });

  it('follows the service without being reloaded', async () => {
    await withPage({}, async ({ page, fleet }) => {
      const out = page.locator('tbody tr', { hasText: 'ch1-twitch' }).locator('[data-column=bitrateOut]');
      const move = setInterval(() => fleet.advance(INTERVAL / 1000), INTERVAL);
      await page
        .locator('#totals .card', { hasText: 'Bitrate in' })
        .filter({ hasText: /in[1-9]/ })
        .waitFor();
      await out.filter({ hasText: /[1-9].* [kM]bit\/s/ }).waitFor();
      clearInterval(move);
      await out.filter({ hasText: /^0 bit\/s$/ }).waitFor();

      fleet.upstreams.set('fresh', sampleUpstream({ connection: 5000, state: 'handshaking' }));
      fleet.upstreams.delete('ch2-youtube');
      await page.locator('tbody .name', { hasText: 'fresh' }).waitFor();
      await page.locator('tbody .name', { hasText: 'ch2-youtube' }).waitFor({ state: 'detached' });
      await page.locator('#activity-count', { hasText: '2' }).waitFor();
      await page.click('#show-activity');
      const happened = await page.locator('.activity-list').innerText();
      assert.match(happened, /fresh started/);
      assert.match(happened, /ch2-youtube ended; last message of the server: NetStream\.Publish\.Start/);
    });
  });

  it('marks an upstream that receives nothing from its senders', async () => {
    await withPage({ fleet: new Fleet(3) }, async ({ page, fleet }) => {
      const pill = page.locator('tbody tr', { hasText: 'ch2-youtube' }).locator('.pill');
      const move = setInterval(() => {
        const quiet = fleet.upstreams.get('ch2-youtube');
        fleet.advance(INTERVAL / 1000);
        if (quiet) fleet.upstreams.set('ch2-youtube', quiet);
      }, INTERVAL);
      try {
        await page.locator('tbody tr:first-child .name', { hasText: 'ch2-youtube' }).waitFor();
        assert.equal(await pill.getAttribute('data-state'), 'silent');
        assert.match(await page.locator('tbody tr:first-child').innerText(), /publishing\s+no data arrives/);
        assert.equal(await page.locator('tbody .pill[data-state=silent]').count(), 1);
      } finally {
        clearInterval(move);
      }
      fleet.advance();
      await page.click('#show-activity');
      await page.locator('.activity-list', { hasText: 'ch2-youtube receives nothing from its senders' }).waitFor();
      await page.locator('.activity-list', { hasText: 'ch2-youtube receives media again' }).waitFor();
    });
  });

  it('draws charts', async () => {
    await withPage({}, async ({ page, fleet }) => {
      fleet.advance();
      await drawn(page, 'tbody', 12);
      // With the panel open there may be no room for those.
      await page.click('tbody .name >> nth=0');
      await drawn(page, '#detail', 2);
      await drawn(page, '#totals', 4);
    });
  });

  it('drops an upstream and a track, after asking, where the API is writable', async () => {
    await withPage({ write: true }, async ({ page, fleet }) => {
      await page.click('tbody .name:text-is("ch3-facebook")');
      await page.click('#detail button:text-is("Drop upstream")');
      await page.locator('#confirm').getByText('ch3-facebook').waitFor();
      assert.equal(await focusedId(page), 'confirm-no', 'Enter alone drops nothing');
      await page.click('#confirm-no');
      assert.deepEqual(fleet.dropped, []);

      await page.click('#detail button:text-is("Drop audio")');
      await page.click('#confirm-yes');
      await page.locator('#announcer', { hasText: 'Dropped audio' }).waitFor({ state: 'attached' });
      assert.deepEqual(fleet.dropped, ['ch3-facebook 2005']);

      await page.click('#detail button:text-is("Drop upstream")');
      await page.click('#confirm-yes');
      await page.locator('tbody .name', { hasText: 'ch3-facebook' }).waitFor({ state: 'detached' });
      assert.deepEqual(fleet.dropped, ['ch3-facebook 2005', 'ch3-facebook']);
      await page.locator('#detail.ended').waitFor();
      assert.equal(await page.locator('#detail button.danger:visible').count(), 0, 'nothing is left to drop');
    });
    await withPage({ write: false }, async ({ page }) => {
      await page.click('tbody .name >> nth=0');
      await page.locator('#detail .stream').waitFor();
      assert.equal(await page.locator('#detail button.danger').count(), 0);
    });
  });

  it('asks for the token where there is one, for its events and its drops', async () => {
    const fleet = new Fleet(3);
    const server = await serveFleet(fleet, { write: true, token: 's3cret' });
    const own = await Browser.open({ viewport: WIDE });
    try {
      const page = await own.context.newPage();
      await page.goto(`http://127.0.0.1:${server.port}/status/`);
      await page.locator('#login[open]').waitFor();
      await page.fill('#login-token', 's3cret');
      await page.keyboard.press('Enter');
      await page.click('tbody .name:text-is("ch2-youtube")');
      await page.click('#detail button:text-is("Drop upstream")');
      await page.click('#confirm-yes');
      await page.locator('#detail.ended').waitFor();
      assert.deepEqual(fleet.dropped, ['ch2-youtube']);
    } finally {
      await own.close();
      await server.close();
    }
  });

  it('has only the visible rows of 500 upstreams in the document, and an update changes no others', async (t) => {
    await withPage({ fleet: new Fleet(500) }, async ({ page, fleet }) => {
      const count = (): Promise<number> => page.locator('tbody tr').count();
      assert.ok((await count()) < 40, `${await count()} rows`);
      await page.evaluate(WATCH);
      const updates = 20;
      for (let i = 0; i < updates; i++) {
        fleet.advance();
        await page.waitForTimeout(INTERVAL);
      }
      const seen = await page.evaluate<Seen>('window.seen');
      assert.ok(seen.changes > updates, 'it has been updated');
      assert.equal(seen.elements, 0, 'an update makes no elements');
      // About twenty parts of a row can change, in each of the rows that are there, at each of the updates.
      assert.ok(seen.changes < updates * 2 * 40 * 20, `${seen.changes} changes`);
      t.diagnostic(`${seen.longTasks} tasks of more than 50 ms in ${updates} updates`);

      // To the end, in leaps and bounds: the last row gets there, and the number of rows stays small.
      await page.mouse.move(700, 600);
      for (let i = 0; i < 30; i++) await page.mouse.wheel(0, 1000);
      await page.locator('tbody tr[aria-rowindex="501"]').waitFor();
      assert.ok((await count()) < 40);
      await page.fill('#filter', 'twitch h.264 ch49');
      await page.locator('#announcer', { hasText: '2 of 500 upstreams' }).waitFor({ state: 'attached' });
      assert.deepEqual((await rowIds(page)).sort(), ['ch49-twitch', 'ch497-twitch']);
    });
  });

  it('sorts and filters, and does not move rows under the mouse', async () => {
    await withPage({}, async ({ page, fleet }) => {
      await page.click('thead button:text-is("Upstream")');
      assert.deepEqual((await rowIds(page)).slice(0, 3), ['ch1-twitch', 'ch2-youtube', 'ch3-facebook']);
      assert.equal(await page.locator('thead [data-column=id]').getAttribute('aria-sort'), 'ascending');
      assert.equal(await page.locator('thead [aria-sort=ascending], thead [aria-sort=descending]').count(), 1);
      await page.click('thead button:text-is("Upstream")');
      assert.equal((await rowIds(page))[0], 'ch12-origin');

      await page.click('thead button:text-is("Dropped")');
      const leader = (await rowIds(page))[0];
      assert.equal(leader, 'ch5-twitch');
      await page.hover('tbody .name >> nth=2');
      const before = await rowIds(page);
      const worse = fleet.upstreams.get('ch7-facebook');
      const track = sampleTrack({ dropped_frames: 99 });
      if (worse)
        fleet.upstreams.set('ch7-facebook', {
          ...worse,
          streams: table([['s', sampleStream({ tracks: { video: track } })]]),
        });
      await page
        .locator('tbody tr', { hasText: 'ch7-facebook' })
        .locator('[data-column=dropped]', { hasText: '99' })
        .waitFor();
      assert.deepEqual(await rowIds(page), before);
      await page.mouse.move(700, 20);
      await page.locator('tbody tr:first-child .name', { hasText: 'ch7-facebook' }).waitFor();

      await page.check('#groups input[value=reconnecting]', { force: true });
      assert.deepEqual(await rowIds(page), ['ch10-youtube']);
      await page.fill('#filter', 'nothing like this');
      await page.locator('#empty', { hasText: 'No upstream matches the filter' }).waitFor();
      await page.click('#empty button');
      assert.equal((await rowIds(page)).length, 12);
    });
  });

  it('never runs scripts in texts of senders and servers', async () => {
    const evil = [
      '<img src=x onerror="window.hacked=1">',
      '</script><script>window.hacked=2</script>',
      '"><svg onload=window.hacked=3>',
      "javascript:alert('4')",
      '{{constructor.constructor("window.hacked=5")()}}',
      '__proto__',
      '\u202egnp.exe',
      '   ',
      'two  blanks',
    ];
    /** As the page is to show it. */
    const shown = (text: string): string => (text === '   ' ? '"   "' : text.replace('\u202e', '\\u202e'));
    const fleet = new Fleet(0);
    evil.forEach((text, n) => {
      const input = sampleInput({ connection: 100 + n, channel_id: text, track_id: text, remote_addr: text });
      fleet.upstreams.set(
        text,
        sampleUpstream({
          connection: n,
          url: `rtmp://${text}/${text}/${text}`,
          remote_addr: text,
          last_status: { level: text, code: text, description: text },
          streams: table([[text, sampleStream({ tracks: { video: sampleTrack({ codec: text, input }) } })]]),
        }),
      );
    });
    await withPage({ fleet, write: true }, async ({ page }) => {
      assert.deepEqual((await rowIds(page)).sort(), evil.map(shown).sort());
      for (const text of evil) {
        await page
          .locator('tbody tr:not(.gap)')
          .nth((await rowIds(page)).indexOf(shown(text)))
          .locator('.name')
          .click();
        assert.equal(await page.locator('#detail-title').textContent(), shown(text));
        await page.click('#detail button:text-is("Drop upstream")');
        assert.ok((await page.locator('#confirm-text').textContent())?.startsWith(shown(text)));
        await page.click('#confirm-no');
        await page.fill('#filter', text.slice(0, 9));
        await page.fill('#filter', '');
      }
      assert.match(await page.locator('tbody .name', { hasText: 'two' }).innerText(), /^two {2}blanks$/);
      fleet.upstreams.clear();
      await page.locator('#empty', { hasText: 'No upstreams yet' }).waitFor();
      await page.click('#show-activity');
      const happened = await page.locator('.activity-list').textContent();
      for (const text of evil) assert.ok(happened?.includes(`${shown(text)} ended`), text);
      const found = await page.evaluate(`({
        hacked: window.hacked,
        images: document.querySelectorAll('img').length,
        scripts: document.querySelectorAll('script').length,
        svgs: document.querySelectorAll('svg').length,
      })`);
      assert.deepEqual(found, { hacked: undefined, images: 1, scripts: 1, svgs: 0 });
    });
  });

  it('is dark or light as the system is, or as the user says, and remembers that', async () => {
    await withPage({}, async ({ page }) => {
      const back = (): Promise<string> => page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
      const light = await back();
      await page.emulateMedia({ colorScheme: 'dark' });
      const dark = await back();
      assert.notEqual(light, dark);
      await page.click('#theme');
      assert.equal(await page.locator('#theme').getAttribute('aria-label'), 'Theme: light');
      assert.equal(await back(), light);
      await page.reload();
      await page.locator('#connection-text', { hasText: 'Live' }).waitFor();
      assert.equal(await back(), light);
      await page.click('#theme');
      await page.emulateMedia({ colorScheme: 'light' });
      assert.equal(await back(), dark);
      await page.click('#theme');
      assert.equal(await back(), light);
    });
  });

  it('can be used with the keyboard alone', async () => {
    await withPage({ fleet: new Fleet(100), write: true }, async ({ page, fleet }) => {
      const focused = (): Promise<string> => page.evaluate<string>('document.activeElement.textContent.trim()');
      const press = async (key: string, times = 1): Promise<void> => {
        for (let i = 0; i < times; i++) await page.keyboard.press(key);
      };
      await press('Tab');
      assert.equal(await focused(), 'Skip to the upstreams');
      await press('Enter');
      assert.equal(await focusedId(page), 'filter');
      await page.keyboard.type('publishing');
      await page.locator('#announcer', { hasText: /\d+ of 100 upstreams/ }).waitFor({ state: 'attached' });
      await press('Escape');
      assert.equal(await page.inputValue('#filter'), '');

      await page.focus('thead button:text-is("Upstream")');
      await press('Enter');
      assert.equal(await page.locator('thead [data-column=id]').getAttribute('aria-sort'), 'ascending');
      await page.focus('thead button:text-is("Uptime")');
      await press('Tab');
      assert.equal(await focused(), 'ch1-twitch', 'one stop for all rows');
      await press('ArrowDown', 30);
      assert.equal(await focused(), 'ch31-facebook');
      await page.locator('tbody .name', { hasText: 'ch31-facebook' }).waitFor();
      await press('End');
      assert.equal(await focused(), 'ch100-origin');
      await press('Home');
      assert.equal(await focused(), 'ch1-twitch');
      await press('PageDown', 2);
      const there = await focused();
      // Scrolled far away by the mouse, and updated meanwhile, the row keeps the focus.
      await page.mouse.move(700, 600);
      for (let i = 0; i < 10; i++) await page.mouse.wheel(0, 1000);
      fleet.advance();
      await page.waitForTimeout(4 * INTERVAL);
      assert.equal(await focused(), there);
      await press('ArrowDown');
      await press('ArrowUp');
      assert.equal(await focused(), there);

      await press('Enter');
      assert.equal(await focusedId(page), 'detail-title');
      await press('Tab', 2);
      assert.equal(await focused(), 'Drop upstream');
      await press('Enter');
      await press('Escape');
      assert.equal(await focused(), 'Drop upstream', 'back from the question');
      await press('Escape');
      assert.equal(await focused(), there, 'back from the details');
      assert.equal(await page.locator('#detail').isVisible(), false);
    });
  });

  it('has a link for each upstream, and supports the back button', async () => {
    await withPage({}, async ({ page, fleet }) => {
      const title = page.locator('#detail-title');
      await page.click('tbody .name:text-is("ch4-origin")');
      assert.match(page.url(), /\/status\/#upstream=ch4-origin$/);
      await page.click('tbody .name:text-is("ch5-twitch")');
      await page.goBack();
      await title.filter({ hasText: 'ch4-origin' }).waitFor();
      await page.reload();
      await title.filter({ hasText: 'ch4-origin' }).waitFor();
      // The sender reconnects: another upstream of the same id.
      fleet.upstreams.set('ch4-origin', sampleUpstream({ connection: 7777 }));
      await page.locator('#detail dd', { hasText: '7777' }).waitFor();
      await page.click('#detail .close');
      assert.doesNotMatch(page.url(), /#/);
      await page.goto(`${page.url()}#upstream=none%20such`);
      await page.locator('#notice', { hasText: 'There is currently no upstream none such.' }).waitFor();
    });
  });

  it('shows when the service does not answer, and continues when it answers again', async () => {
    await withPage({}, async ({ page, server, problems }) => {
      await server.close();
      await page.locator('#connection-text', { hasText: 'Connection lost' }).waitFor();
      assert.equal((await rowIds(page)).length, 12, 'the last state stays');
      // The browser itself reports every connection that fails.
      problems.length = 0;
    });
  });

  it('fits a phone', async () => {
    await withPage({}, async ({ page }) => {
      await page.setViewportSize(NARROW);
      const pill = page.locator('tbody .pill', { hasText: 'reconnecting' });
      const [inner, outer] = await Promise.all([pill.boundingBox(), pill.locator('xpath=..').boundingBox()]);
      assert.ok(inner && outer && inner.x + inner.width <= outer.x + outer.width, 'no state is cut');
      const over = (): Promise<number> =>
        page.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth');
      assert.equal(Math.max(0, await over()), 0);
      await page.click('tbody .name >> nth=3');
      await page.locator('#detail-title').waitFor();
      assert.equal(Math.max(0, await over()), 0);
    });
  });
});
