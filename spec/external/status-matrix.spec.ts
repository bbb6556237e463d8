// The status page at the widths of a phone, a tablet and a screen, light and dark, with 0, 5 and 300 upstreams and with
// each kind of failure. With PICTURES=FOLDER, a picture of each is saved there.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { Browser, hasBrowser } from '../support/programs/browser.js';
import { Fleet } from '../support/management/fleet.js';
import { sampleClosed } from '../support/management/memory-management.js';
import { withStatusPage } from '../support/programs/status-browser.js';
import { TroubledService } from '../support/service/troubled-service.js';
import { GROUPS, groupOf, type Group } from '../../lib/api/status/public/data/states.js';

const WIDTHS = [390, 800, 1440] as const;
const HEIGHT = 844;
/** Height at which all rows of the service with failures are in sight. */
const HIGH = { 390: 1600, 800: 1500, 1440: 1360 } as const;
const pictures = process.env['PICTURES'];

interface Look {
  readonly over: number;
  readonly states: readonly string[];
  readonly cut: readonly string[];
  readonly pale: readonly string[];
}

/** Runs in the page. Contrast: WCAG 2, of the text with the colours behind it. */
const LOOK = `(() => {
  const shown = (e) => e.offsetParent !== null && e.getClientRects().length > 0 && getComputedStyle(e).color !== 'rgba(0, 0, 0, 0)';
  const parse = (c) => { const m = c.match(/[\\d.]+/g).map(Number); return { rgb: m.slice(0, 3), a: m[3] ?? 1 }; };
  const back = (e) => {
    const layers = [];
    for (let at = e; at; at = at.parentElement) {
      const { rgb, a } = parse(getComputedStyle(at).backgroundColor);
      layers.unshift({ rgb, a });
      if (a === 1) break;
    }
    return layers.reduce((under, { rgb, a }) => rgb.map((v, n) => v * a + under[n] * (1 - a)), [255, 255, 255]);
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (e) => {
    const [a, b] = [light(parse(getComputedStyle(e).color).rgb), light(back(e))].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  };
  const all = (s) => [...document.querySelectorAll(s)].filter(shown);
  const texts = all('tbody .why, .pill, .name, tbody small, tbody td[data-number], #totals *, h1, h2, dt, dd, .dismiss, thead button')
    .filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim() !== ''));
  return {
    over: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    states: all('tbody .pill').map((e) => e.dataset.state),
    cut: [
      ...all('tbody .why').filter((e) => e.getBoundingClientRect().bottom > e.closest('tr').getBoundingClientRect().bottom),
      ...all('tbody .why').filter((e) => e.scrollHeight - e.clientHeight > 1),
      ...all('.pill, tbody td[data-column=state] small').filter((e) => e.scrollWidth - e.clientWidth > 1),
      ...all('tbody .pill').filter((e) => e.getBoundingClientRect().right > e.closest('td').getBoundingClientRect().right),
    ].map((e) => e.textContent),
    pale: texts.filter((e) => contrast(e) < 4.5).map((e) => contrast(e).toFixed(2) + ' ' + e.className + ' ' + e.textContent),
  };
})()`;

const rank = (state: string): number => GROUPS.indexOf(groupOf(state === 'silent' ? 'connecting' : state));

/** What holds at every width, in every theme, with any upstreams. */
async function check(page: Page, width: number, name: string): Promise<void> {
  if (pictures !== undefined) await page.screenshot({ path: join(pictures, `${name}.png`) });
  const look = await page.evaluate<Look>(LOOK);
  assert.ok(look.over <= 0, `${look.over} px wider than the screen`);
  assert.deepEqual(look.cut, [], 'texts that are cut');
  assert.deepEqual(look.pale, [], 'texts of too little contrast');
  const ranks = look.states.map(rank);
  assert.deepEqual(
    ranks,
    ranks.toSorted((a, b) => a - b),
    `the worst first: ${look.states.join(' ')}`,
  );
  const first = page.locator('tbody tr:not(.gap) .name').first();
  if ((await first.count()) === 0) return;
  if (width === 390) {
    const box = await first.boundingBox();
    assert.ok(box !== null && box.y < 150, `the list begins at ${box?.y}`);
  }
  await first.click();
  await page.locator('#detail-title').waitFor();
  if (pictures !== undefined) await page.screenshot({ path: join(pictures, `${name}-panel.png`) });
  const open = await page.evaluate<Look>(LOOK);
  assert.ok(open.over <= 0, `${open.over} px wider than the screen with the panel`);
  assert.deepEqual(open.pale, [], 'texts of too little contrast in the panel');
  const [panel, row] = await Promise.all([
    page.locator('#detail').boundingBox(),
    page.locator('tbody tr.selected').boundingBox(),
  ]);
  assert.ok(panel !== null && row !== null);
  const beside = row.x + row.width <= panel.x;
  const above = row.y >= 0 && row.y + row.height <= panel.y + 1;
  assert.ok(width === 390 ? above : beside, `the panel covers its row: ${JSON.stringify({ panel, row })}`);
  await page.keyboard.press('Escape');
  await page.locator('#detail').waitFor({ state: 'hidden' });
}

/** As many upstreams, with one in each state and some that have ended. */
function fleetOf(count: number): Fleet {
  const fleet = new Fleet(count);
  if (count === 0) return fleet;
  fleet.ended.push(
    sampleClosed({ id: 3, upstream_id: 'ch90-kick', reason: 'handshake_failed', layer: 'tls', count: 4 }),
    sampleClosed({ id: 2, upstream_id: 'ch2-youtube', count: 23 }),
    sampleClosed({ id: 1, upstream_id: `a-very-long-name-of-an-upstream-${'x'.repeat(80)}` }),
  );
  return fleet;
}

describe(
  'status page, every width and theme',
  { skip: hasBrowser ? false : 'no /usr/bin/chromium; or give CHROMIUM' },
  () => {
    for (const count of [0, 5, 300]) {
      for (const width of WIDTHS) {
        for (const dark of [false, true]) {
          it(`${count} upstreams at ${width} px, ${dark ? 'dark' : 'light'}`, async () => {
            await withStatusPage(fleetOf(count), { width, height: HEIGHT, dark }, async (page) => {
              await page
                .locator(count === 0 ? '#empty' : 'tbody .name')
                .first()
                .waitFor();
              await check(page, width, `${count}-${width}-${dark ? 'dark' : 'light'}`);
            });
          });
        }
      }
    }

    describe('a service with each kind of failure', () => {
      const troubled = new TroubledService();
      before(() => troubled.start(), { timeout: 100_000 });
      after(() => troubled.close());

      for (const width of WIDTHS) {
        for (const dark of [false, true]) {
          it(`at ${width} px, ${dark ? 'dark' : 'light'}`, async () => {
            const colorScheme = dark ? 'dark' : 'light';
            const browser = await Browser.open({ viewport: { width, height: HEIGHT }, colorScheme });
            try {
              const page = await browser.context.newPage();
              await page.goto(troubled.url);
              await page.locator('#connection-text', { hasText: 'Live' }).waitFor();
              const groups: readonly Group[] = ['failed', 'input_lost', 'input_stalled', 'degraded', 'disabled'];
              // The rows below the screen are not in the document.
              await page.setViewportSize({ width, height: HIGH[width] });
              for (const group of groups) await page.locator(`tbody .pill[data-state=${group}]`).first().waitFor();
              await check(page, width, `faults-${width}-${colorScheme}`);
              const texts = await page.locator('tbody .why').allTextContents();
              const expected = [
                /RTMP: publish_rejected: .*NetStream\.Publish\.BadName.*stream key is not valid.*check the key at the platform/,
                /DNS: resolve_failed: .*ingest\.example\.com/,
                /TLS: handshake_failed: .*certificate/,
                /TCP: handshake_failed: .*ECONNREFUSED/,
                /RTMP: handshake_failed: .*5000 ms/,
              ];
              for (const words of expected)
                assert.ok(
                  texts.some((text) => words.test(text)),
                  `${words}: ${texts.join('\n')}`,
                );
            } finally {
              await browser.close();
            }
          });
        }
      }
    });
  },
);
