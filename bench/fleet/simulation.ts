import { chooseOwner, type Candidate } from '../../lib/placement/choose.js';

interface SimulatedNode extends Candidate {
  alive: boolean;
  draining: boolean;
  load: number;
  readonly ids: Set<string>;
}

/** What happened to the ids in one step. */
export interface Step {
  /** Ids that have another node than before. */
  readonly moved: number;
  /** Load of the fullest node / mean load, over the nodes that are alive. */
  readonly balance: number;
}

/** Nodes and ids without processes and engine, placed by the code that the fleet places with. */
export class Simulation {
  private readonly nodes = new Map<string, SimulatedNode>();
  private placed = 0;

  constructor(nodes: number) {
    for (let n = 0; n < nodes; n++) this.add(`node-${n}`);
  }

  /** Places new ids. */
  place(count: number): Step {
    for (let n = 0; n < count; n++) this.put(`channel-${this.placed++}`);
    return this.step(0);
  }

  /** A node joins; then all senders ask again. Those whose node is alive stay there. */
  join(name: string): Step {
    this.add(name);
    return this.step(0);
  }

  /** A node dies; its senders ask again. */
  kill(name: string): Step {
    const node = this.node(name);
    node.alive = false;
    return this.step(this.moveAll(node, name));
  }

  /** A node is drained, stopped, and starts again, empty. */
  upgrade(name: string): Step {
    const node = this.node(name);
    node.draining = true;
    const moved = this.moveAll(node);
    node.draining = false;
    return this.step(moved);
  }

  get names(): string[] {
    return [...this.nodes.keys()];
  }

  private add(name: string): void {
    this.nodes.set(name, { name, alive: true, draining: false, load: 0, ids: new Set() });
  }

  private moveAll(node: SimulatedNode, exclude?: string): number {
    const ids = [...node.ids];
    for (const id of ids) {
      node.ids.delete(id);
      node.load--;
      this.put(id, exclude);
    }
    return ids.filter((id) => !node.ids.has(id)).length;
  }

  private put(id: string, exclude?: string): void {
    const owner = this.node(chooseOwner(id, [...this.nodes.values()], exclude) ?? '');
    owner.ids.add(id);
    owner.load++;
  }

  private node(name: string): SimulatedNode {
    const node = this.nodes.get(name);
    if (node === undefined) throw new Error(`there is no node "${name}"`);
    return node;
  }

  private step(moved: number): Step {
    const loads = [...this.nodes.values()].filter(({ alive }) => alive).map(({ load }) => load);
    const mean = loads.reduce((sum, load) => sum + load, 0) / loads.length;
    return { moved, balance: Math.max(...loads) / mean };
  }
}
