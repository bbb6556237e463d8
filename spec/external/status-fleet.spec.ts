import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import type { GlobalStatus, NodeStatus } from '../../lib/upstream/report/status.js';
import { hasBrowser } from '../support/programs/browser.js';
import { Fleet } from '../support/management/fleet.js';
import { withStatusPage } from '../support/programs/status-browser.js';

/** Three nodes that have the upstreams in turn. */
class Nodes extends Fleet {
  /** Why a node does not answer, by its name. */
  readonly missing = new Map<string, string>();
  readonly draining = new Set<string>();

  override async status(): Promise<GlobalStatus> {
    const status = await super.status();
    const nodes: Record<string, NodeStatus> = {};
    const upstreams: Record<string, GlobalStatus['upstreams'][string]> = {};
    for (const [n, [id, one]] of Object.entries(status.upstreams).entries()) {
      const node = `n${(n % 3) + 1}`;
      if (!this.missing.has(node)) upstreams[id] = { ...one, node, ...(n === 0 ? { also_on: ['n3'] } : {}) };
    }
    for (const name of ['n1', 'n2', 'n3']) {
      const missing = this.missing.get(name) ?? null;
      nodes[name] = {
        version: '1.0.0',
        kmp: '192.0.2.1:8005',
        http: '192.0.2.1:8001',
        draining: this.draining.has(name),
        missing,
        upstreams: missing === null ? Object.values(upstreams).filter(({ node }) => node === name).length : null,
        uptime: missing === null ? 60 : null,
        missing_workers: name === 'n1' ? [2] : [],
      };
    }
    return { ...status, upstreams, node: 'n1', nodes, missing_nodes: [...this.missing.keys()] };
  }
}

const rows = (page: Page): Promise<string[]> => page.locator('tbody .name').allTextContents();
const node = (page: Page, name: string) => page.locator('#nodes button', { hasText: name });

describe('the status page of a fleet', { skip: hasBrowser ? false : 'no /usr/bin/chromium; or give CHROMIUM' }, () => {
  it('shows the nodes, and the node of each upstream; a node limits the list', async () => {
    const fleet = new Nodes(7);
    fleet.draining.add('n2');
    await withStatusPage(fleet, {}, async (page) => {
      assert.match(await node(page, 'n1').innerText(), /n1 3 upstreams, this page/);
      assert.match(await node(page, 'n2').innerText(), /2 upstreams, draining/);
      const cells = await page.locator('tbody td[data-column=node]').allInnerTexts();
      assert.deepEqual(cells.map((text) => text.slice(0, 2)).sort(), ['n1', 'n1', 'n1', 'n2', 'n2', 'n3', 'n3']);
      assert.ok(
        cells.some((text) => /n1\s+and n3/.test(text)),
        cells.join(),
      );
      await node(page, 'n2').click();
      assert.deepEqual((await rows(page)).length, 2);
      assert.equal(await node(page, 'n2').getAttribute('aria-pressed'), 'true');
      await node(page, 'n2').click();
      assert.deepEqual((await rows(page)).length, 7);
      await page.fill('#filter', 'n3');
      await page.locator('tbody .name').nth(2).waitFor({ state: 'detached' });
      assert.deepEqual(
        (await page.locator('tbody td[data-column=node]').allInnerTexts()).filter((text) => !/n3/.test(text)),
        [],
      );
      await page.fill('#filter', '');
      await page.locator('tbody .name').nth(6).waitFor();
      await page.locator('thead th[data-column=node] button').click();
      assert.match((await page.locator('tbody td[data-column=node]').first().innerText()).trim(), /^n1/);
      await page.locator('tbody .name').first().click();
      assert.match(await page.locator('#detail').innerText(), /Node\s+n1/);
    });
  });

  it('names a node that is missing, and says what the list lacks, until it answers', async () => {
    const fleet = new Nodes(7);
    fleet.missing.set('n3', 'it has not answered in 1000 ms');
    await withStatusPage(fleet, {}, async (page) => {
      const lacks = await page.locator('#lacks').innerText();
      assert.match(lacks, /Node n3 is missing: it has not answered in 1000 ms\./);
      assert.match(lacks, /Worker 2 of node n1 does not answer\. Their upstreams are not shown\./);
      assert.equal(await node(page, 'n3').getAttribute('data-state'), 'missing');
      assert.equal((await rows(page)).length, 5);
      fleet.missing.clear();
      await page.locator('tbody .name').nth(6).waitFor();
      assert.doesNotMatch(await page.locator('#lacks').innerText(), /n3/);
    });
  });

  for (const width of [360, 720, 1024, 1440]) {
    it(`fits in a width of ${width} px, in dark and in light`, async () => {
      for (const dark of [false, true]) {
        const fleet = new Nodes(7);
        fleet.missing.set('n3', 'nothing listens at its HTTP address');
        await withStatusPage(fleet, { width, dark }, async (page) => {
          await node(page, 'n3').waitFor();
          if (process.env['SHOTS']) await page.screenshot({ path: `${process.env['SHOTS']}/${width}-${dark}.png` });
          const wide = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
          assert.ok(wide <= 0, `${wide} px too wide`);
          // On a narrow screen, the node stands in the row of the upstream.
          const first = page.locator('tbody tr', { has: page.locator('.name') }).first();
          assert.match(await first.innerText(), /\bn[12]\b/);
        });
      }
    });
  }

  it('without a fleet, there is no column and no list of nodes', async () => {
    await withStatusPage(new Fleet(3), {}, async (page) => {
      assert.equal(await page.locator('thead th[data-column=node]').isVisible(), false);
      assert.equal(await page.locator('#parts').isVisible(), false);
      assert.equal(
        await page.locator('#sorting option[value=node]').evaluate((one) => Reflect.get(one, 'hidden') as unknown),
        true,
      );
    });
  });
});
