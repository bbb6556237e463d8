import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { createApp, type LocationSettings } from '../../lib/api/app.js';
import { createHttpServer } from '../../lib/api/server/http-server.js';
import { statusRouter } from '../../lib/api/status/router.js';
import { parseTokens, type AccessToken } from '../../lib/config/access/tokens.js';
import { Browser, hasBrowser } from '../support/programs/browser.js';
import { Fleet } from '../support/management/fleet.js';
import { serve, type TestServer } from '../support/network/http.js';

const TOKENS = parseTokens('viewer read r-token\nops write w-token\nencoder control c-token', 'tokens');

describe('status page with a token', { skip: hasBrowser ? false : 'no /usr/bin/chromium; or give CHROMIUM' }, () => {
  let browser: Browser;
  let server: TestServer;
  let fleet: Fleet;
  let page: Page;

  before(async () => {
    browser = await Browser.open({ viewport: { width: 1440, height: 900 } });
  });
  after(() => browser.close());
  beforeEach(async () => {
    fleet = new Fleet(3);
    page = await browser.context.newPage();
  });
  afterEach(async () => {
    await page.close();
    await server.close();
  });

  /** Serves page and API with these tokens; opens the page. */
  async function open(status: readonly AccessToken[], api = status): Promise<void> {
    const locations: LocationSettings[] = [
      { path: '/status', status: true, access: [], tokens: status },
      { path: '/api', api: { write: true }, access: [], tokens: api },
    ];
    const router = (): ReturnType<typeof statusRouter> => statusRouter(fleet, { api: '/api', interval: 50 });
    const app = createApp({ locations, management: fleet, health: { ready: () => true }, status: router });
    server = await serve(createHttpServer(app));
    await page.goto(`http://127.0.0.1:${server.port}/status/`);
  }
  const state = (text: string): Promise<void> => page.locator('#connection-text', { hasText: text }).waitFor();
  const enter = async (token: string): Promise<void> => {
    await page.locator('#login[open]').waitFor();
    await page.fill('#login-token', token);
    await page.keyboard.press('Enter');
  };
  const drop = async (id: string): Promise<void> => {
    await page.click(`tbody .name:text-is("${id}")`);
    await page.click('#detail button:text-is("Drop upstream")');
    await page.click('#confirm-yes');
  };

  it('asks for the token, and again if it is wrong', async () => {
    await open(TOKENS);
    assert.match(await page.locator('#login').innerText(), /The service requires a token/);
    await enter('nonsense');
    await page.locator('#login-text', { hasText: 'does not accept this token' }).waitFor();
    await enter('w-token');
    await state('Live');
    assert.equal(await page.locator('tbody tr:not(.gap)').count(), 3);
    await drop('ch2-youtube');
    await page.locator('#detail.ended').waitFor();
    assert.deepEqual(fleet.dropped, ['ch2-youtube']);
  });

  it('keeps it for this tab only: it outlives a reload, and no other tab has it', async () => {
    await open(TOKENS);
    await enter('r-token');
    await state('Live');
    await page.reload();
    await state('Live');
    assert.equal(await page.evaluate('localStorage.length + document.cookie.length'), 0);
    const other = await browser.context.newPage();
    await other.goto(page.url());
    await other.locator('#login[open]').waitFor();
    await other.close();
  });

  it('has no buttons to drop anything if the token may only read', async () => {
    await open(TOKENS);
    await enter('r-token');
    await state('Live');
    await page.click('tbody .name:text-is("ch2-youtube")');
    await page.locator('#detail h2').first().waitFor();
    assert.equal(await page.locator('#detail button:text-is("Drop upstream")').count(), 0);
  });

  it('stays usable without a token, and asks when the user clicks', async () => {
    await open(TOKENS);
    await page.locator('#login[open]').waitFor();
    await page.keyboard.press('Escape');
    await state('Token required');
    await page.click('#notice button:text-is("Enter a token")');
    // A token that may not read.
    await enter('c-token');
    await page.locator('#notice', { hasText: 'needs a token that may read' }).waitFor();
    await page.click('#notice button:text-is("Enter a token")');
    await enter('r-token');
    await state('Live');
  });

  it('asks when only the API needs a token', async () => {
    await open([], TOKENS);
    await state('Live');
    await drop('ch2-youtube');
    await enter('w-token');
    await page.locator('#detail.ended').waitFor();
    assert.deepEqual(fleet.dropped, ['ch2-youtube']);
  });
});
