import { machineMs, sleep } from '../../time.js';
import type { Owners, Period } from './arrivals.js';
import type { Stage } from './stage.js';

/** What the demo does, and how long it looks at it. */
export interface Plan {
  /** Encoders at the beginning. */
  readonly encoders: number;
  /** ms for which the engine is away. */
  readonly outage: number;
  /** ms that all goes on after each event. */
  readonly pause: number;
  /** Whether all nodes are replaced, one after the other, and a node is cut off from the engine. */
  readonly long: boolean;
}

/** One line of the table. */
export interface Scene {
  readonly title: string;
  readonly totals: Period;
  /** Upstreams that were at another node afterwards. */
  readonly moved: number;
  /** Upstreams whose tracks were at different nodes afterwards. */
  readonly split: number;
}

/** ms until the nodes know each other. */
const WARM_UP = 4000;
/** ms in which all tracks have to arrive again after an event. */
const RECOVERY = 60_000;

const moved = (before: Owners, now: Owners): number =>
  [...before].filter(([name, { video }]) => now.get(name)?.video !== video).length;
const split = (now: Owners): number => [...now.values()].filter(({ video, audio }) => video !== audio).length;

/** Plays the events of the demo, and looks at each. */
export class Scenes {
  readonly played: Scene[] = [];

  constructor(
    private readonly stage: Stage,
    private readonly plan: Plan,
    private readonly say: (line: string) => void,
  ) {}

  /** @throws Error if a sender fails, or tracks do not recover */
  async play(): Promise<void> {
    const { stage, plan } = this;
    const { outage, long } = plan;
    await this.scene('3 nodes, nothing happens', async () => {
      await Promise.all(['n1', 'n2', 'n3'].map((name) => stage.addNode(name, long && name === 'n3')));
      // The engine is empty. Nodes give each other time to claim what they have before they place anything.
      await sleep(WARM_UP);
      await stage.addEncoders(plan.encoders);
    });
    await this.scene('node n1 is killed', () => this.kill('n1'));
    await this.scene('node n4 joins, each audio connection breaks', async () => {
      await stage.addNode('n4');
      for (const encoder of stage.encoders) encoder.cutAudio();
    });
    await this.scene('8 more upstreams', () => stage.addEncoders(8));
    await this.scene('node n2 is drained, then stopped', () => this.retire('n2'));
    await this.scene(`engine is away for ${outage / 1000} s`, async () => {
      await stage.engine.stop();
      await sleep(outage / 2);
      await stage.addEncoders(4);
      for (const encoder of stage.encoders) encoder.cutAudio();
      await sleep(outage / 2);
      await stage.engine.restart();
    });
    if (!long) return;
    await this.scene('node n3 is cut off from the engine for 15 s', async () => {
      const node = this.node('n3');
      await node.line?.shut();
      await sleep(7500);
      for (const encoder of stage.encoders) encoder.cutAudio();
      await sleep(7500);
      await node.line?.reopen();
    });
    await this.scene('node n1 returns', async () => void (await stage.addNode('n1')));
    for (const name of ['n1', 'n3', 'n4']) {
      await this.scene(`rolling upgrade: ${name} is stopped and started`, async () => {
        await this.node(name).stop();
        await this.node(name).start();
      });
    }
  }

  private async scene(title: string, act: () => Promise<void>): Promise<void> {
    const { arrivals } = this.stage;
    const before = arrivals.owners();
    const began = machineMs();
    const totals = arrivals.begin();
    this.say(title);
    await act();
    const stuck = await this.recovered(machineMs());
    await sleep(this.plan.pause);
    const now = arrivals.owners();
    this.played.push({ title, totals, moved: moved(before, now), split: split(now) });
    this.say(`  ${((machineMs() - began) / 1000).toFixed(1)} s`);
    if (stuck.length > 0) throw new Error(`${stuck.length} tracks did not recover: ${stuck.slice(0, 6).join(', ')}`);
  }

  /** Waits until each track has brought a frame that was sent after this time; the tracks that have not. */
  private async recovered(since: number): Promise<string[]> {
    const { stage } = this;
    for (const giveUp = machineMs() + RECOVERY; ; await sleep(50)) {
      const waiting = stage.arrivals.waitingFor(since);
      if (stage.failure !== undefined) throw stage.failure;
      if (waiting.length === 0 || machineMs() > giveUp) return waiting;
    }
  }

  private async kill(name: string): Promise<void> {
    const node = this.node(name);
    await node.kill();
    this.stage.takeOut(node);
  }

  private async retire(name: string): Promise<void> {
    const node = this.node(name);
    await node.drain();
    await node.stop();
    this.stage.takeOut(node);
  }

  private node(name: string): Stage['nodes'][number] {
    const node = this.stage.nodes.find((one) => one.name === name);
    if (node === undefined) throw new Error(`there is no node ${name}`);
    return node;
  }
}
