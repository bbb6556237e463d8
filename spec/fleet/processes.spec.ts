import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import type { NodeProcess } from '../../bench/fleet/demo/node-process.js';
import { Stage } from '../../bench/fleet/demo/stage.js';
import { machineMs } from '../../bench/time.js';
import { noRedis } from '../support/programs/redis.js';
import { until } from '../support/time/until.js';

const UPSTREAMS = 4;

/** Nodes are processes of the program here, and senders ask whichever node they reach. Every frame is checked. */
describe('a fleet of processes', { timeout: 118_000, skip: noRedis }, () => {
  let stage: Stage | undefined;

  afterEach(async () => {
    await stage?.close();
    stage = undefined;
  });

  /** Three nodes that know each other, and encoders that all nodes together have. */
  async function start(): Promise<Stage> {
    const started = (stage = await Stage.build(undefined));
    await Promise.all(['n1', 'n2', 'n3'].map((name) => started.addNode(name)));
    for (const node of started.nodes) {
      await until(
        `${node.name} knows all nodes`,
        () => node.nodes(),
        (names) => names.length === 3,
      );
    }
    await started.addEncoders(UPSTREAMS);
    await recovered(started, machineMs());
    return started;
  }

  /** Waits until each track has brought a frame that was sent after this time. */
  async function recovered({ arrivals, failure }: Stage, since: number): Promise<void> {
    const left = (): Promise<number> => Promise.resolve(arrivals.waitingFor(since).length);
    await until('frames of all tracks', left, (count) => count === 0);
    assert.equal(failure, undefined);
  }

  /** The node that has most upstreams, as the ingest sees it. */
  function busiest({ arrivals, nodes }: Stage): NodeProcess {
    const owners = [...arrivals.owners().values()].map(({ video }) => video);
    const countOf = ({ name }: NodeProcess): number => owners.filter((owner) => owner === name).length;
    const [first] = [...nodes].sort((a, b) => countOf(b) - countOf(a));
    assert.ok(first && countOf(first) > 0);
    return first;
  }

  /** Both tracks of each upstream are at one of these nodes. */
  async function together({ arrivals, nodes }: Stage): Promise<void> {
    const names = nodes.map(({ name }) => name);
    await until(
      'both tracks of each upstream at one node that lives',
      () => Promise.resolve([...arrivals.owners().values()]),
      (owners) => owners.every(({ video, audio }) => video === audio && names.includes(video)),
    );
  }

  async function allArrived(running: Stage): Promise<void> {
    await running.finish(60_000);
    assert.equal(running.failure, undefined);
    assert.equal(running.arrivals.complete, true, 'every frame has arrived');
    assert.equal(running.arrivals.damaged, 0);
  }

  it('loses no frame when a node is killed: its senders continue at the others', async () => {
    const running = await start();
    const victim = busiest(running);
    await victim.kill();
    running.takeOut(victim);
    await recovered(running, machineMs());
    await together(running);
    await allArrived(running);
  });
});
