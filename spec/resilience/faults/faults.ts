import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { HOST, type Fleet, type Publication } from './fleet.js';

/** One way in which things go wrong. */
export interface Fault {
  readonly name: string;
  /** Does it to `victim`, and checks what came of it; true if `victim` lives on. */
  readonly happen: (fleet: Fleet, victim: Publication) => Promise<boolean>;
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The victim has ended, for one of these reasons, and took its senders along. */
async function ends(fleet: Fleet, victim: Publication, ...reasons: string[]): Promise<boolean> {
  const reason = await fleet.ended(victim);
  assert.ok(reasons.includes(reason), `${victim.id} ended with ${reason}, not ${reasons.join(' or ')}`);
  await fleet.service.until('the end of its senders', () => victim.senders.every(({ closed }) => closed));
  for (const check of victim.checks) assert.deepEqual(check.wrong, []);
  return false;
}

/** Without end, or much later, an upstream that was opened for the fault. */
async function aside(fleet: Fleet, options: Parameters<Fleet['open']>[0]): Promise<Publication> {
  const publication = await fleet.open(options);
  fleet.live.push(publication);
  return publication;
}

async function leaves(fleet: Fleet, publication: Publication, ...reasons: string[]): Promise<void> {
  await ends(fleet, publication, ...reasons);
  fleet.live.splice(fleet.live.indexOf(publication), 1);
}

/** Unsent bytes in the service: well below its memory limit. */
const BACKLOG = 4_000_000;

/** More than the kernel's buffers take, which depends on the system, and on what went through the connection before. */
async function flood({ service }: Fleet, { id, senders: [video] }: Publication): Promise<void> {
  const upstream = async () => (await service.status()).upstreams[id];
  const backlog = async (): Promise<number> => {
    const { mem_limit: limit, mem_left: left } = (await upstream()) ?? { mem_limit: Infinity, mem_left: 0 };
    return limit - left;
  };
  do {
    while ((await backlog()) < BACKLOG) {
      for (let i = 0; i < 10; i++) video.frame(100_000);
      const { sent } = video;
      await service.until('what it was sent to be received', async () => {
        const { video: track } = (await upstream())?.streams[id]?.tracks ?? {};
        return track === undefined || (track.input?.received_frames ?? sent) >= sent;
      });
    }
    // Some of it only waits for its time.
    await sleep(1500);
  } while ((await backlog()) < BACKLOG);
}

const HOUR = 3_600_000;

/** What a connection that broke with bytes on the way gives. */
const BROKEN = ['recv_failed', 'send_failed'];

export const faults: readonly Fault[] = [
  {
    name: 'senders killed',
    async happen(fleet, victim) {
      victim.senders.forEach((sender) => sender.kill());
      return ends(fleet, victim, 'done');
    },
  },
  {
    name: 'senders frozen',
    async happen(fleet, victim) {
      for (const sender of victim.senders) sender.frozen = true;
      return ends(fleet, victim, 'input_timeout');
    },
  },
  {
    name: 'ingest killed',
    async happen(fleet, victim) {
      await victim.ingest.kill();
      return ends(fleet, victim, ...BROKEN);
    },
  },
  {
    name: 'ingest resets the connection',
    async happen(fleet, victim) {
      victim.ingest.reset();
      return ends(fleet, victim, ...BROKEN);
    },
  },
  {
    name: 'ingest ends its half of the connection',
    async happen(fleet, victim) {
      for (const socket of victim.ingest.sockets) socket.end();
      return ends(fleet, victim, 'recv_failed');
    },
  },
  {
    name: 'ingest frozen',
    async happen(fleet, victim) {
      for (const socket of victim.ingest.sockets) socket.pause();
      await flood(fleet, victim);
      return ends(fleet, victim, 'send_failed');
    },
  },
  {
    name: 'ingest throttled for a while',
    async happen(fleet, victim) {
      for (let i = 0; i < 40; i++) victim.senders[0].frame(100_000);
      for (let i = 0; i < 20; i++) {
        const paused = i % 4 !== 3;
        for (const socket of victim.ingest.sockets) socket[paused ? 'pause' : 'resume']();
        await sleep(100);
      }
      await fleet.flowing([victim]);
      fleet.assertUntouched([victim]);
      return true;
    },
  },
  {
    name: 'ingest silent in the handshake',
    async happen(fleet) {
      await leaves(fleet, await aside(fleet, { manners: { silent: true } }), 'handshake_failed');
      return true;
    },
  },
  {
    name: 'ingest slow in the handshake',
    async happen(fleet) {
      const slow = await aside(fleet, { manners: { slowHandshake: 100 } });
      await fleet.flowing([slow]);
      slow.senders.forEach((sender) => sender.end());
      await leaves(fleet, slow, 'done');
      return true;
    },
  },
  {
    name: 'DNS without the name, and with it again',
    async happen(fleet) {
      fleet.dns.records.set(HOST, 'nxdomain');
      await leaves(fleet, await aside(fleet, { host: HOST }), 'resolve_failed');
      fleet.dns.records.set(HOST, ['127.0.0.1']);
      const again = await aside(fleet, { host: HOST });
      await fleet.flowing([again]);
      again.senders.forEach((sender) => sender.end());
      await leaves(fleet, again, 'done');
      return true;
    },
  },
  {
    name: 'DNS silent',
    async happen(fleet) {
      fleet.dns.records.set(HOST, 'silent');
      await leaves(fleet, await aside(fleet, { host: HOST }), 'resolve_failed');
      fleet.dns.records.set(HOST, ['127.0.0.1']);
      return true;
    },
  },
  {
    name: 'disk full, for dumps and log',
    async happen(fleet) {
      fleet.service.limit('fsize', 1);
      // One that opens its dump now, beside all those that are open.
      const fresh = await aside(fleet, {});
      await fleet.flowing(fleet.live);
      assert.ok(
        Math.min(...fleet.service.fileSizes(/^ngx_live_kmp_dump/)) <= 1,
        'a dump that nothing could be written to',
      );
      fleet.service.limit('fsize', undefined);
      fresh.senders.forEach((sender) => sender.end());
      await leaves(fleet, fresh, 'done');
      return true;
    },
  },
  {
    name: 'target of notifications hangs',
    async happen(fleet, victim) {
      fleet.hanging = true;
      victim.ingest.reset();
      await ends(fleet, victim, ...BROKEN);
      await fleet.flowing(fleet.live.filter((one) => one !== victim));
      assert.ok(fleet.hung > 0, 'a notification that waits');
      fleet.hanging = false;
      return false;
    },
  },
  {
    name: 'file descriptors used up',
    async happen(fleet) {
      const { service } = fleet;
      const spare = 3;
      let closed = 0;
      service.leaveDescriptors(spare);
      const crowd = Array.from({ length: 40 }, () => connect(service.kmpPort, '127.0.0.1'));
      for (const socket of crowd) {
        socket.on('error', () => {});
        socket.once('close', () => closed++);
      }
      try {
        await service.until('the end of connections without a descriptor', () => closed >= crowd.length - 2 * spare);
        await fleet.flowing(fleet.live);
        assert.ok(closed < crowd.length, 'some were taken');
      } finally {
        service.limit('nofile', service.mostDescriptors);
        for (const socket of crowd) socket.destroy();
      }
      const fresh = await aside(fleet, {});
      await fleet.flowing([fresh]);
      fresh.senders.forEach((sender) => sender.end());
      await leaves(fleet, fresh, 'done');
      return true;
    },
  },
  {
    name: 'the service stands still for 2 s',
    async happen(fleet) {
      fleet.service.signal('SIGSTOP');
      await sleep(2000);
      fleet.service.signal('SIGCONT');
      await fleet.flowing(fleet.live);
      return true;
    },
  },
  {
    name: 'its event loop is held up for 2 s',
    async happen(fleet) {
      await fleet.service.probe.block(2000);
      await fleet.flowing(fleet.live);
      return true;
    },
  },
  ...[
    ['an hour forward', HOUR],
    ['an hour back', -HOUR],
    ['to a time before 1970', -100 * 365 * 24 * HOUR],
    ['from there to the present', 100 * 365 * 24 * HOUR],
  ].map(([how, ms]): Fault => ({
    name: `its wall clock is set ${how}`,
    async happen(fleet) {
      await fleet.service.probe.step(Number(ms));
      // One that begins with such a clock, beside those that go on with it.
      const fresh = await aside(fleet, {});
      await fleet.flowing(fleet.live);
      fresh.senders.forEach((sender) => sender.end());
      await leaves(fleet, fresh, 'done');
      return true;
    },
  })),
];
