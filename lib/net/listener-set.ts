import { addressName, type ListenOn } from './listen.js';

/** What a {@link ListenerSet} holds. */
export interface Listener {
  /** The port, once listening. */
  readonly port: number;
  /** @throws ListenError */
  listen(): Promise<void>;
  /** No new connections; `done` is called when the last one of those that are open has ended. */
  close(done?: () => void): void;
  /** Cuts what is open. */
  destroy(): void;
}

export interface ListeningServer {
  readonly listen: readonly ListenOn[];
}

/** Half a reload: new addresses are listened on, nothing that was there has been touched. */
export interface Prepared {
  /** Takes over the new configuration. */
  commit(): void;
  /** Lets go of the new addresses. */
  rollback(): void;
}

/** The listeners of all servers of one kind, by address; a reload keeps those whose address stays. */
export class ListenerSet<S extends ListeningServer, L extends Listener> {
  private readonly byAddress = new Map<string, L>();
  /** Closed by a reload, with connections that are still open. */
  private readonly retired = new Set<L>();

  /**
   * @param make a listener that does not listen yet
   * @param update lets a listener follow another configuration
   */
  constructor(
    private readonly make: (address: ListenOn, server: S) => L,
    private readonly update: (listener: L, server: S) => void,
  ) {}

  get all(): L[] {
    return [...this.byAddress.values()];
  }

  /** Where `servers` are reached; the ports are the real ones of those that listen. */
  addresses(servers: readonly S[]): { host: string; port: number }[] {
    return servers.flatMap(({ listen }) =>
      listen.map((at) => ({ host: at.host, port: this.byAddress.get(addressName(at))?.port ?? at.port })),
    );
  }

  /** @throws ListenError if one of the new addresses cannot be had; everything is as it was then */
  async prepare(servers: readonly S[]): Promise<Prepared> {
    const wanted = new Map(servers.flatMap((server) => server.listen.map((at) => [addressName(at), { at, server }])));
    const fresh = new Map<string, L>();
    const rollback = (): void => {
      for (const listener of fresh.values()) listener.destroy();
    };
    for (const [name, { at, server }] of wanted) {
      if (this.byAddress.has(name)) continue;
      const listener = this.make(at, server);
      fresh.set(name, listener);
      try {
        await listener.listen();
      } catch (error) {
        rollback();
        throw error;
      }
    }
    const commit = (): void => {
      for (const [name, listener] of this.byAddress) {
        const kept = wanted.get(name);
        if (kept === undefined) this.retire(name, listener);
        else this.update(listener, kept.server);
      }
      for (const [name, listener] of fresh) this.byAddress.set(name, listener);
    };
    return { commit, rollback };
  }

  close(): void {
    for (const listener of this.byAddress.values()) listener.close();
  }

  destroy(): void {
    for (const listener of [...this.byAddress.values(), ...this.retired]) listener.destroy();
    this.byAddress.clear();
    this.retired.clear();
  }

  private retire(name: string, listener: L): void {
    this.byAddress.delete(name);
    this.retired.add(listener);
    listener.close(() => this.retired.delete(listener));
  }
}
