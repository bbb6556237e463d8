/**
 * Many at a time: idle tracks, and upstreams that connect and leave all the time, beside two that are live and checked.
 * Short form: 200 idle tracks, 10 upstreams a second for 8 s. Long form: `IDLE=2000 CHURN=200 CHURN_SECONDS=120`. Load in
 * Mbit/s is the bench's matter (docs/performance.md). Linux only: /proc.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Fleet } from './faults/fleet.js';
import { LiveSender } from './faults/live-sender.js';

const idle = Number(process.env['IDLE'] ?? 200);
const perSecond = Number(process.env['CHURN'] ?? 10);
const seconds = Number(process.env['CHURN_SECONDS'] ?? 8);
const MB = 2 ** 20;
/** What garbage that waits to be collected may come to. */
const ROOM = 100 * MB;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('many at a time', { skip: process.platform !== 'linux' }, () => {
  let fleet: Fleet;
  let descriptors = 0;

  before(async () => {
    fleet = await Fleet.start({ upstreams: 2, media: 'kmp_rtmp_in_read_timeout 600s;', dumps: false });
    descriptors = await fleet.settled();
  });
  after(async () => {
    assert.equal(await fleet.close(), 0, 'the exit code of the service');
  });

  it(`${idle} tracks that send nothing cost memory, and no frame of others`, async () => {
    const before = fleet.service.rss;
    const quiet = [];
    for (let i = 0; i < idle; i++) {
      const data = { upstream_id: `idle${i}`, url: `rtmp://127.0.0.1:${fleet.live[0]?.ingest.port}/app/idle${i}` };
      const sender = await LiveSender.open(fleet.service.kmpPort, 1_000_000 + i, 'audio', data);
      sender.frozen = true;
      quiet.push(sender);
    }
    await fleet.service.until('all upstreams', async () => {
      const { upstreams } = await fleet.service.status();
      return Object.keys(upstreams).length === idle + 2;
    });
    await fleet.flowing(fleet.live);
    const each = Math.round((fleet.service.rss - before) / idle / 1024);
    console.log(`# ${idle} idle tracks: ${each} KB each`);
    for (const sender of quiet) sender.end();
    await fleet.assertNothingLeaked(descriptors);
    fleet.assertUntouched(fleet.live);
  });

  it(`${perSecond} upstreams a second come, send and go, for ${seconds} s: nothing is lost, and nothing stays`, async () => {
    const before = fleet.service.rss;
    const began = performance.now();
    const visits: Promise<{ sent: number; missing: number }>[] = [];
    for (let n = 0; n < perSecond * seconds; n++) {
      await sleep(Math.max(0, began + (n * 1000) / perSecond - performance.now()));
      const one = visit();
      // Looked at below, when all are there.
      one.catch(() => {});
      visits.push(one);
    }
    const rate = visits.length / ((performance.now() - began) / 1000);
    const done = await Promise.all(visits);
    const sent = done.reduce((sum, one) => sum + one.sent, 0);
    const missing = done.reduce((sum, one) => sum + one.missing, 0);
    await fleet.assertNothingLeaked(descriptors);
    fleet.assertUntouched(fleet.live);
    const grown = fleet.service.rss - before;
    console.log(
      `# ${visits.length} upstreams, ${rate.toFixed(0)} a second: ${sent} frames sent, ${missing} missing, ` +
        `${Math.round(grown / MB)} MB more in the end`,
    );
    assert.equal(missing, 0);
    assert.ok(grown < ROOM, `${Math.round(grown / MB)} MB more`);
  });

  async function visit(): Promise<{ sent: number; missing: number }> {
    const publication = await fleet.open();
    await sleep(500);
    const result = await fleet.finish([publication]);
    await publication.ingest.kill();
    return result;
  }
});
