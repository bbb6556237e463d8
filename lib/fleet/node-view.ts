import type { Candidate } from '../placement/choose.js';
import type { NodeList } from './engine/engine.js';
import type { NodeRecord } from './node-record.js';

/**
 * The nodes of the fleet, as the last heartbeat showed them. While the engine is away, they stay as they were: nobody
 * knows more. This node is always among them, and always alive.
 */
export class NodeView {
  /** All nodes, also dead ones that are not forgotten yet; by name. */
  nodes: readonly NodeRecord[] = [];
  /** What an owner is chosen from. */
  candidates: readonly Candidate[] = [];
  names: readonly string[] = [];
  private readonly byName = new Map<string, NodeRecord>();
  private list: NodeList = { nodes: [], now: 0 };

  /** @param timeout `node_timeout`, ms */
  constructor(
    private self: NodeRecord,
    public timeout: number,
  ) {
    this.rebuild();
  }

  get alive(): readonly NodeRecord[] {
    return this.nodes.filter((node) => this.isAlive(node));
  }

  /** undefined: the node has left, or joined after the last heartbeat of this one. */
  get(name: string): NodeRecord | undefined {
    return this.byName.get(name);
  }

  isAlive({ name, seenAt }: Pick<NodeRecord, 'name' | 'seenAt'>): boolean {
    return name === this.self.name || this.list.now - seenAt <= this.timeout;
  }

  update(list: NodeList): void {
    this.list = list;
    this.rebuild();
  }

  setSelf(self: NodeRecord): void {
    this.self = self;
    this.rebuild();
  }

  private rebuild(): void {
    const { self, list } = this;
    const seenAt = list.nodes.find(({ name }) => name === self.name)?.seenAt ?? self.seenAt;
    const others = list.nodes.filter(({ name }) => name !== self.name);
    this.nodes = [{ ...self, seenAt }, ...others].sort((a, b) => (a.name < b.name ? -1 : 1));
    this.names = this.nodes.map(({ name }) => name);
    this.candidates = this.nodes.map((node) => ({ ...node, alive: this.isAlive(node) }));
    this.byName.clear();
    for (const node of this.nodes) this.byName.set(node.name, node);
  }
}
