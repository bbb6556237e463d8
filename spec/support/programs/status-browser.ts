import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { createApp, type LocationSettings } from '../../../lib/api/app.js';
import { createHttpServer } from '../../../lib/api/server/http-server.js';
import { statusRouter } from '../../../lib/api/status/router.js';
import { Browser } from './browser.js';
import type { Fleet } from '../management/fleet.js';
import { serve } from '../network/http.js';

export interface PageOptions {
  readonly width?: number;
  readonly height?: number;
  readonly dark?: boolean;
  /** Part of the address behind the path of the page. */
  readonly hash?: string;
}

/** ms between the updates of the page. */
const INTERVAL = 100;

/** Opens the status page of a fleet, with a writable API, and closes all in the end. No script of it may fail. */
export async function withStatusPage(
  fleet: Fleet,
  { width = 1440, height = 900, dark = false, hash = '' }: PageOptions,
  run: (page: Page) => Promise<void>,
): Promise<void> {
  const locations: LocationSettings[] = [
    { path: '/status', status: true, access: [] },
    { path: '/api', api: { write: true }, access: [] },
  ];
  const status = (): ReturnType<typeof statusRouter> => statusRouter(fleet, { api: '/api', interval: INTERVAL });
  const server = await serve(
    createHttpServer(createApp({ locations, management: fleet, health: { ready: () => true }, status })),
  );
  const browser = await Browser.open({ viewport: { width, height }, colorScheme: dark ? 'dark' : 'light' });
  try {
    const page = await browser.context.newPage();
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(String(error)));
    page.on('console', (message) => {
      // The browser reports each request that the API refuses.
      const refused = /status of 422/.test(message.text());
      if (message.type() === 'error' && !refused) problems.push(message.text());
    });
    await page.goto(`http://127.0.0.1:${server.port}/status/${hash}`);
    await page.locator('#connection-text', { hasText: 'Live' }).waitFor();
    await run(page);
    assert.deepEqual(problems, []);
  } finally {
    await browser.close();
    await server.close();
  }
}
