/**
 * Faults under live upstreams, each at a random moment. Short form: each once, under 10 upstreams. Long form:
 * `FAULT_ROUNDS=20 FAULT_UPSTREAMS=50`. FAULT_SEED says which moments and which upstreams. Linux only: /proc, prlimit.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { faults } from './faults/faults.js';
import { Fleet, type Quiet } from './faults/fleet.js';
import { Random } from './random.js';

const notHere = process.platform === 'linux' ? false : 'Linux only';

const rounds = Number(process.env['FAULT_ROUNDS'] ?? 1);
const upstreams = Number(process.env['FAULT_UPSTREAMS'] ?? 10);
const seed = Number(process.env['FAULT_SEED'] ?? Math.floor(Date.now() / 86_400_000));

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe(`faults under ${upstreams} live upstreams, seed ${seed}`, { skip: notHere }, () => {
  const random = new Random(seed);
  let fleet: Fleet;
  let quiet: Quiet;

  before(async () => {
    fleet = await Fleet.start({ upstreams });
    quiet = await fleet.settled();
    // The look into the service sees what is there.
    const { upstreams: seen, tracks, ledgers, inputs, publishers } = quiet.look.alive;
    const twice = 2 * upstreams;
    assert.deepEqual([seen, tracks, ledgers, inputs, publishers], [upstreams, twice, upstreams, twice, upstreams]);
  });
  after(async () => {
    assert.equal(await fleet.close(), 0, 'the exit code of the service');
  });

  for (let round = 1; round <= rounds; round++) {
    for (const fault of faults) {
      it(`${fault.name}${rounds > 1 ? `, round ${round}` : ''}`, async () => {
        const victim = random.pick(fleet.live);
        const others = fleet.live.filter((one) => one !== victim);
        await sleep(random.below(500));
        const livesOn = await fault.happen(fleet, victim).catch(async (error: unknown) => {
          // What failed here is no reason for the faults behind it to fail; nor is it hidden by what fails then.
          await fleet.restore(upstreams).catch((then: unknown) => console.error(then));
          throw error;
        });
        await fleet.flowing(others);
        fleet.assertUntouched(livesOn ? fleet.live : others);
        if (!livesOn) {
          fleet.live.splice(fleet.live.indexOf(victim), 1);
          fleet.live.push(await fleet.open());
          await fleet.flowing(fleet.live);
        }
        await fleet.assertNothingLeaked(quiet);
      });
    }
  }

  it('every frame of the upstreams without a fault has arrived once', async () => {
    fleet.assertUntouched(fleet.live);
    const { heap } = await fleet.service.probe.look();
    const { sent, missing } = await fleet.finish(fleet.live.splice(0));
    const mb = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);
    console.log(
      `# ${rounds * faults.length} faults, seed ${seed}: ${sent} frames of the upstreams left, ${missing} lost; ` +
        `heap ${mb(quiet.look.heap)} MB before, ${mb(heap)} after`,
    );
    assert.equal(missing, 0);
    await fleet.assertNothingLeaked(quiet);
  });
});

describe(`workers killed under ${upstreams} live upstreams, seed ${seed}`, { skip: notHere }, () => {
  const random = new Random(seed);
  let fleet: Fleet;
  let quiet: Quiet;

  before(async () => {
    fleet = await Fleet.start({ upstreams, workers: 2 });
    quiet = await fleet.settled();
  });
  after(async () => {
    assert.equal(await fleet.close(), 0, 'the exit code of the service');
  });

  for (let round = 1; round <= rounds; round++) {
    it(`worker killed${rounds > 1 ? `, round ${round}` : ''}: its own upstreams end, no others, and another takes its place`, async () => {
      const { service } = fleet;
      const worker = random.pick(service.workers);
      await sleep(random.below(500));
      service.signal('SIGKILL', worker);
      await service.until('another worker', () => service.workers.length === 2 && !service.workers.includes(worker));
      const cut = fleet.live.filter(({ senders }) => senders.some(({ closed }) => closed));
      const others = fleet.live.filter((one) => !cut.includes(one));
      assert.ok(cut.length > 0 && others.length > 0, `${cut.length} upstreams were cut, ${others.length} were not`);
      for (const { id, senders, checks } of cut) {
        await service.until(`the end of both senders of ${id}`, () => senders.every(({ closed }) => closed));
        for (const check of checks) assert.deepEqual(check.wrong, []);
        fleet.live.splice(
          fleet.live.findIndex((one) => one.id === id),
          1,
        );
      }
      await fleet.flowing(others);
      fleet.assertUntouched(others);
      while (fleet.live.length < upstreams) fleet.live.push(await fleet.open());
      await fleet.flowing(fleet.live);
      await fleet.assertNothingLeaked(quiet);
      assert.match(service.output, /worker \d died \(SIGKILL\); another takes its place/);
      // What dies within 5 s of its start is taken for broken, and replaced later each time.
      if (round < rounds) await sleep(5500);
    });
  }

  it('every frame of the upstreams without a fault has arrived once', async () => {
    fleet.assertUntouched(fleet.live);
    const { sent, missing } = await fleet.finish(fleet.live.splice(0));
    console.log(`# ${rounds} workers killed, seed ${seed}: ${sent} frames of the upstreams left, ${missing} lost`);
    assert.equal(missing, 0);
  });
});
