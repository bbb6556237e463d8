import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { hasBrowser } from '../support/programs/browser.js';
import { Fleet } from '../support/management/fleet.js';
import { sampleClosed, sampleOrder, sampleUpstream } from '../support/management/memory-management.js';
import { withStatusPage } from '../support/programs/status-browser.js';

const REFUSED = 'the server says: NetStream.Publish.Unauthorized: the key is not known';

/** A service with some upstreams that publish, and these that have ended, the last one last. */
function fleetWith(count: number, ...ended: Parameters<typeof sampleClosed>[0][]): Fleet {
  const fleet = new Fleet(count);
  ended.forEach((changes, n) => fleet.ended.unshift(sampleClosed({ id: n + 1, ...changes })));
  return fleet;
}

const rows = (page: Page): Promise<string[]> => page.locator('tbody .name').allTextContents();
const row = (page: Page, id: string) => page.locator('tbody tr', { has: page.locator(`.name:text-is("${id}")`) });

describe('failures on the status page', { skip: hasBrowser ? false : 'no /usr/bin/chromium; or give CHROMIUM' }, () => {
  it('stay in sight as red rows on top, with reason, words and what to do, until dismissed', async () => {
    const fleet = fleetWith(
      3,
      { upstream_id: 'over', reason: 'done', failed: false },
      { upstream_id: 'gone', message: REFUSED },
    );
    await withStatusPage(fleet, {}, async (page) => {
      assert.deepEqual(await rows(page), ['gone', 'ch1-twitch', 'ch2-youtube', 'ch3-facebook']);
      const text = await row(page, 'gone').innerText();
      assert.match(text, /refused/);
      assert.match(text, /12 times/);
      assert.match(text, /RTMP: publish_rejected: the server says: .*the key is not known/);
      assert.match(text, /The server refused the key: check it at the platform\./);
      assert.match(await page.locator('#totals').innerText(), /1\sfailed/);
      await page.reload();
      await row(page, 'gone').waitFor();
      await row(page, 'gone').getByRole('button', { name: 'Dismiss the failure of gone' }).click();
      await row(page, 'gone').waitFor({ state: 'detached' });
      await page.reload();
      await row(page, 'ch1-twitch').waitFor();
      assert.equal(await row(page, 'gone').count(), 0, 'the browser remembers it');
      // It fails once more.
      fleet.ended.splice(0, 1, sampleClosed({ id: 7, upstream_id: 'gone', closed_at: '2026-11-28T03:00:00.000Z' }));
      await row(page, 'gone').waitFor();
      fleet.ended.splice(0, 1, sampleClosed({ id: 7, upstream_id: 'gone', live_again_at: '2026-11-28T03:01:00.000Z' }));
      await row(page, 'gone').waitFor({ state: 'detached' });
    });
  });

  it('an upstream that fails again and again is one row with its count, not one that connects', async () => {
    const fleet = fleetWith(3, { upstream_id: 'ch2-youtube', count: 23 });
    const live = fleet.upstreams.get('ch2-youtube') ?? sampleUpstream();
    fleet.upstreams.set('ch2-youtube', { ...live, state: 'connecting', uptime: 0 });
    await withStatusPage(fleet, {}, async (page) => {
      assert.equal((await rows(page)).filter((id) => id === 'ch2-youtube').length, 1);
      assert.equal((await rows(page))[0], 'ch2-youtube');
      assert.match(await row(page, 'ch2-youtube').innerText(), /refused\s+23 times, now connecting/);
      assert.equal(await row(page, 'ch2-youtube').locator('.pill').getAttribute('data-state'), 'failed');
      await page.check('#groups input[value=failed]', { force: true });
      assert.deepEqual(await rows(page), ['ch2-youtube']);
    });
  });

  it('an upstream that reconnects says since when, after how many attempts, and at which layer it fails', async () => {
    const fleet = fleetWith(3);
    const live = fleet.upstreams.get('ch2-youtube') ?? sampleUpstream();
    fleet.upstreams.set('ch2-youtube', {
      ...live,
      state: 'reconnecting',
      outage: { since: '2026-11-28T02:13:01.000Z', attempts: 5 },
      last_error: { reason: 'handshake_failed', message: 'could not connect', age: 3 },
      last_error_at: '2026-11-28T02:14:00.000Z',
      last_error_layer: 'tls',
      next_attempt_at: '2026-11-28T02:14:20.000Z',
    });
    await withStatusPage(fleet, {}, async (page) => {
      await row(page, 'ch2-youtube').locator('.pill[data-state=reconnecting]').waitFor();
      assert.match(
        await row(page, 'ch2-youtube').innerText(),
        /Since .*\d\d:13:01 \(5 attempts\), next attempt at \d\d:14:20: TLS: handshake_failed: could not connect/,
      );
      await page.click('tbody .name:text-is("ch2-youtube")');
      await page.locator('#detail', { hasText: 'TLS: handshake_failed: could not connect' }).waitFor();
    });
  });

  it('a failed upstream that is disabled is not red, and has no button to dismiss its failure', async () => {
    const fleet = fleetWith(3, { upstream_id: 'ch2-youtube', count: 23 });
    const live = fleet.upstreams.get('ch2-youtube') ?? sampleUpstream();
    fleet.upstreams.set('ch2-youtube', { ...live, state: 'disabled' });
    await withStatusPage(fleet, {}, async (page) => {
      await row(page, 'ch2-youtube').locator('.pill[data-state=disabled]').waitFor();
      assert.equal(await page.locator('tbody .dismiss:visible').count(), 0);
    });
  });

  it('a link to an upstream that has ended shows how, and never the panel of another one', async () => {
    const fleet = fleetWith(2, { upstream_id: 'gone' }, { upstream_id: 'over', reason: 'done', failed: false });
    await withStatusPage(fleet, { hash: '#upstream=over' }, async (page) => {
      await page.locator('#detail-title', { hasText: 'over' }).waitFor();
      assert.match(await page.locator('#detail').innerText(), /ended[\s\S]*done/);
      await page.click('tbody .name:text-is("ch1-twitch")');
      await page.locator('#detail button:text-is("Drop upstream")').waitFor();
      await page.evaluate(`location.hash = '#upstream=gone'`);
      await page.locator('#detail-title', { hasText: 'gone' }).waitFor();
      const text = await page.locator('#detail').innerText();
      for (const part of [/Attempts to connect\s+12/, /12 times/, /Frames not confirmed\s+48/, /the key is not known/])
        assert.match(text, part);
      assert.equal(await page.locator('#detail button:text-is("Drop upstream"):visible').count(), 0);
      await page.click('tbody .name:text-is("ch1-twitch")');
      await page.evaluate(`location.hash = '#upstream=unknown'`);
      await page.locator('#notice', { hasText: 'There is currently no upstream unknown.' }).waitFor();
      assert.equal(await page.locator('#detail').isVisible(), false);
    });
  });

  it('an upstream that ends while its panel is open leaves the record of its end there', async () => {
    const fleet = fleetWith(2);
    await withStatusPage(fleet, {}, async (page) => {
      await page.click('tbody .name:text-is("ch2-youtube")');
      fleet.upstreams.delete('ch2-youtube');
      fleet.ended.unshift(sampleClosed({ upstream_id: 'ch2-youtube' }));
      await page.locator('#detail .ended-record', { hasText: 'the key is not known' }).waitFor();
      assert.equal(await page.locator('#detail button.danger:visible').count(), 0);
      await page.locator('#detail').getByRole('button', { name: 'Dismiss' }).click();
      await page.locator('#detail').waitFor({ state: 'hidden' });
    });
  });

  it('the activity names the upstream, the reason and the words, also of what was before the page', async () => {
    const fleet = fleetWith(1, { upstream_id: 'before' });
    await withStatusPage(fleet, {}, async (page) => {
      fleet.ended.unshift(sampleClosed({ id: 2, upstream_id: 'new', count: 1 }));
      await page.locator('#activity-count', { hasText: '1' }).waitFor();
      await page.click('#show-activity');
      const text = await page.locator('.activity-list').innerText();
      assert.match(text, /new failed: publish_rejected: the server says: NetStream\.Publish\.Unauthorized: the key/);
      assert.match(text, /before failed: publish_rejected: .*\(12 times in a row\)/);
    });
  });

  it('an operator disables an upstream after a question, enables it, and has a failed one try now', async () => {
    const fleet = fleetWith(12);
    await withStatusPage(fleet, {}, async (page) => {
      await page.click('tbody .name:text-is("ch2-youtube")');
      await page.click('#detail button:text-is("Disable")');
      await page.locator('#confirm', { hasText: 'Its senders stay connected' }).waitFor();
      assert.equal(await page.locator('#confirm-yes').textContent(), 'Disable');
      await page.click('#confirm-yes');
      await row(page, 'ch2-youtube').locator('.pill[data-state=disabled]').waitFor();
      await page.click('#detail button:text-is("Enable")');
      await row(page, 'ch2-youtube').locator('.pill[data-state=connecting]').waitFor();
      assert.equal(await page.locator('#detail button:text-is("Try now")').isVisible(), false);
      await page.click('tbody .name:text-is("ch10-youtube")');
      await page.click('#detail button:text-is("Try now")');
      await page.locator('#announcer', { hasText: 'Done: retry upstream ch10-youtube' }).waitFor({ state: 'attached' });
      assert.deepEqual(fleet.given, ['disable ch2-youtube', 'enable ch2-youtube', 'retry ch10-youtube']);
    });
  });

  it('an operator sends an upstream elsewhere and back; a refusal keeps the form, and no key is shown', async () => {
    const fleet = fleetWith(12);
    await withStatusPage(fleet, {}, async (page) => {
      await page.click('tbody .name:text-is("ch2-youtube")');
      assert.equal(await page.locator('#detail button:text-is("Send back")').isVisible(), false);
      await page.click('#detail button:text-is("Send elsewhere")');
      const form = page.locator('#elsewhere');
      await form.waitFor();
      assert.match(
        await form.innerText(),
        /ch2-youtube publishes to rtmps:\/\/a\.rtmps\.youtube\.com\/live2\/f3k\*\*\*/,
      );
      fleet.refusal = { error: 'destination_refused', message: 'url: 192.0.2.7 port 1935 may not be connected to' };
      await page.fill('#elsewhere-url', 'rtmp://192.0.2.7/app/my-secret-key');
      await page.keyboard.press('Enter');
      await page.locator('#elsewhere-problem', { hasText: 'Nothing was changed: url: 192.0.2.7 port 1935' }).waitFor();
      fleet.refusal = undefined;
      await page.fill('#elsewhere-url', 'rtmp://192.0.2.8/app/my-secret-key');
      await page.fill('#elsewhere-backups', 'rtmp://192.0.2.9/app/one\n\nrtmp://192.0.2.10/app/two\n');
      await page.click('#elsewhere-send');
      await form.waitFor({ state: 'hidden' });
      const shown = fleet.upstreams.get('ch2-youtube')?.elsewhere;
      assert.deepEqual(shown?.backup_urls, ['rtmp://192.0.2.9/app/one', 'rtmp://192.0.2.10/app/two']);
      await page
        .locator('#detail', { hasText: 'rtmp://192.0.2.8/app/my-*** (an operator has sent it there' })
        .waitFor();
      assert.match(await row(page, 'ch2-youtube').innerText(), /rtmp:\/\/192\.0\.2\.8\/app\/my-\*\*\*/);
      await page.click('#detail button:text-is("Send elsewhere")');
      assert.equal(await page.inputValue('#elsewhere-url'), '', 'a key does not stay in the page');
      await page.keyboard.press('Escape');
      await page.click('#detail button:text-is("Send back")');
      await page.locator('#detail button:text-is("Send back")').waitFor({ state: 'hidden' });
      assert.equal(fleet.upstreams.get('ch2-youtube')?.elsewhere, null);
      assert.doesNotMatch(await page.content(), /my-secret-key/);
    });
  });

  it('standing orders for absent upstreams and for routes are in sight, with who gave them, and can be undone', async () => {
    const fleet = fleetWith(3);
    fleet.standing.push(
      sampleOrder({ order: 4, upstream_id: 'ch1-twitch' }),
      sampleOrder({ order: 3, upstream_id: 'absent' }),
      sampleOrder({
        order: 2,
        kind: 'elsewhere',
        upstream_id: null,
        route: 'rtmp://192.0.2.7/live',
        url: 'rtmp://192.0.2.8/other',
        by: null,
      }),
    );
    await withStatusPage(fleet, {}, async (page) => {
      const orders = page.locator('#orders li');
      await orders.nth(1).waitFor();
      assert.equal(await orders.count(), 2, 'the order for an upstream that is present is in its panel');
      assert.match(await orders.nth(0).innerText(), /absent is disabled since .* by night/);
      assert.match(
        await orders.nth(1).innerText(),
        /All upstreams to rtmp:\/\/192\.0\.2\.7\/live are sent to rtmp:\/\/192\.0\.2\.8\/other since /,
      );
      assert.doesNotMatch(await orders.nth(1).innerText(), / by /);
      await orders.nth(0).getByRole('button', { name: 'Undo' }).click();
      await page.locator('#announcer', { hasText: 'Done: absent is enabled' }).waitFor({ state: 'attached' });
      await orders.nth(1).waitFor({ state: 'detached' });
      assert.deepEqual(
        fleet.standing.map(({ order }) => order),
        [4, 2],
      );
      // Another operator has taken the other one back.
      fleet.standing.splice(1, 1);
      await page.locator('#orders').waitFor({ state: 'hidden' });
      fleet.upstreams.delete('ch1-twitch');
      await page.locator('#orders li', { hasText: 'ch1-twitch is disabled' }).waitFor();
    });
  });

  it('on a phone, the list is below one line of totals, and the panel leaves its row in sight', async () => {
    const fleet = fleetWith(300, { upstream_id: 'gone' });
    for (const dark of [false, true]) {
      await withStatusPage(fleet, { width: 390, height: 844, dark }, async (page) => {
        const first = await row(page, 'gone').boundingBox();
        assert.ok(first !== null && first.y < 150, `the first row begins at ${first?.y}`);
        assert.equal(await page.locator('#totals > :visible').count(), 1);
        assert.equal(await page.locator('#filter').isVisible(), true);
        const over = `document.documentElement.scrollWidth - document.documentElement.clientWidth`;
        assert.equal(Math.max(0, await page.evaluate<number>(over)), 0);
        await page.click('tbody .name >> nth=4');
        const [detail, name] = await Promise.all([
          page.locator('#detail').boundingBox(),
          page.locator('tbody tr.selected .name').boundingBox(),
        ]);
        assert.ok(detail !== null && name !== null);
        assert.ok(name.y >= 0 && name.y + name.height <= detail.y, `${JSON.stringify({ detail, name })}`);
      });
    }
  });

  it('at 800 px, the panel is beside the table, and the reason has the room that it needs', async () => {
    const fleet = fleetWith(5, { upstream_id: 'gone' });
    await withStatusPage(fleet, { width: 800 }, async (page) => {
      await page.click('tbody .name:text-is("gone")');
      const [detail, table] = await Promise.all([
        page.locator('#detail').boundingBox(),
        page.locator('#table').boundingBox(),
      ]);
      assert.ok(detail && table && table.x + table.width <= detail.x, 'nothing is covered');
      const cut = await page
        .locator('tbody .why:visible')
        .first()
        .evaluate((why: { scrollHeight: number; clientHeight: number }) => why.scrollHeight - why.clientHeight);
      assert.ok(cut <= 1, `${cut} px of the reason are cut`);
    });
  });
});
