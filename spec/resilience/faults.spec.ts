/**
 * Faults under live upstreams, each at a random moment. Short form: each once, under 10 upstreams. Long form:
 * `FAULT_ROUNDS=20 FAULT_UPSTREAMS=50`. FAULT_SEED says which moments and which upstreams. Linux only: /proc, prlimit.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { faults } from './faults/faults.js';
import { Fleet } from './faults/fleet.js';
import { Random } from './random.js';

const rounds = Number(process.env['FAULT_ROUNDS'] ?? 1);
const upstreams = Number(process.env['FAULT_UPSTREAMS'] ?? 10);
const seed = Number(process.env['FAULT_SEED'] ?? Math.floor(Date.now() / 86_400_000));

describe(`faults under ${upstreams} live upstreams, seed ${seed}`, { skip: process.platform !== 'linux' }, () => {
  const random = new Random(seed);
  let fleet: Fleet;
  let descriptors = 0;

  before(async () => {
    fleet = await Fleet.start({ upstreams });
    descriptors = await fleet.settled();
  });
  after(async () => {
    assert.equal(await fleet.close(), 0, 'the exit code of the service');
  });

  for (let round = 1; round <= rounds; round++) {
    for (const fault of faults) {
      it(`${fault.name}${rounds > 1 ? `, round ${round}` : ''}`, async () => {
        const victim = random.pick(fleet.live);
        const others = fleet.live.filter((one) => one !== victim);
        await new Promise((resolve) => setTimeout(resolve, random.below(500)));
        const livesOn = await fault.happen(fleet, victim).catch(async (error: unknown) => {
          // What failed here is no reason for the faults behind it to fail.
          await fleet.restore(upstreams);
          throw error;
        });
        await fleet.flowing(others);
        fleet.assertUntouched(livesOn ? fleet.live : others);
        if (!livesOn) {
          fleet.live.splice(fleet.live.indexOf(victim), 1);
          fleet.live.push(await fleet.open());
          await fleet.flowing(fleet.live);
        }
        await fleet.assertNothingLeaked(descriptors);
      });
    }
  }

  it('in the end every frame of those that were left alone has come, once', async () => {
    fleet.assertUntouched(fleet.live);
    const { sent, missing } = await fleet.finish(fleet.live.splice(0));
    assert.equal(missing, 0);
    const { accepted, lost } = { accepted: sent, lost: missing };
    console.log(
      `# ${rounds * faults.length} faults, seed ${seed}: ${accepted} frames of the upstreams left, ${lost} lost`,
    );
    await fleet.assertNothingLeaked(descriptors);
  });
});
