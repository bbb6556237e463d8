import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sleep } from '../../time.js';
import { AnyController } from './any-controller.js';
import { Arrivals } from './arrivals.js';
import { Encoder } from './encoder.js';
import { Engine } from './engine.js';
import { NodeProcess } from './node-process.js';

/** ms between two looks for frames that are due. */
const TICK = 20;

/** Everything that the demo runs: engine, nodes, encoders and the ingest. */
export class Stage {
  /** Nodes that have been started, and not been taken out of service. */
  readonly nodes: NodeProcess[] = [];
  readonly encoders: Encoder[] = [];
  /** The first failure of a sender. */
  failure: Error | undefined;
  private readonly controller = new AnyController(() => this.nodes.map(({ control }) => control));
  private readonly timer = setInterval(() => this.tick(), TICK);

  private constructor(
    readonly engine: Engine,
    readonly arrivals: Arrivals,
    private readonly rtmp: number,
    private readonly folder: string,
  ) {}

  /** @param redis URL of a server that runs; undefined: one is started */
  static async build(redis: string | undefined): Promise<Stage> {
    const engine = await Engine.start(redis);
    const folder = mkdtempSync(join(tmpdir(), 'kmp-rtmp-fleet-'));
    writeFileSync(join(folder, 'peer-token'), randomBytes(20).toString('hex'), { mode: 0o600 });
    const arrivals = new Arrivals();
    return new Stage(engine, arrivals, await arrivals.listen(), folder);
  }

  /** @param cuttable its line to the engine can be cut */
  async addNode(name: string, cuttable = false): Promise<NodeProcess> {
    const { folder, rtmp } = this;
    const engine = await this.engine.line(cuttable);
    const setup = { name, folder, rtmp, fleet: `demo-${process.pid}`, engine };
    const node = await NodeProcess.create(setup);
    await node.start();
    this.nodes.push(node);
    return node;
  }

  /** Its controller is not asked any more. */
  takeOut(node: NodeProcess): void {
    this.nodes.splice(this.nodes.indexOf(node), 1);
  }

  async addEncoders(count: number): Promise<void> {
    const added = Array.from({ length: count }, (_, n) => {
      return new Encoder(`cam${this.encoders.length + n + 1}`, this.controller, this.arrivals);
    });
    this.encoders.push(...added);
    await Promise.all(added.map((encoder) => encoder.start()));
  }

  /** The encoders end; waits until all frames have arrived, for at most `limit` ms. */
  async finish(limit: number): Promise<void> {
    clearInterval(this.timer);
    const ended = Promise.all(this.encoders.map((encoder) => encoder.finish())).catch((error: unknown) => {
      this.failure ??= error instanceof Error ? error : new Error(String(error));
    });
    // A timer that is left would keep the process.
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([ended, new Promise((resolve) => (timer = setTimeout(resolve, limit)))]);
    clearTimeout(timer);
    for (const giveUp = performance.now() + limit; !this.arrivals.complete && performance.now() < giveUp;) {
      await sleep(50);
    }
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    await Promise.all(this.nodes.map((node) => node.kill()));
    await this.engine.close();
    await this.arrivals.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private tick(): void {
    try {
      for (const encoder of this.encoders) encoder.tick();
    } catch (error) {
      this.failure ??= error instanceof Error ? error : new Error(String(error));
      clearInterval(this.timer);
    }
  }
}
