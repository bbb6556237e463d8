import { addressName, type ListenOn } from './listen.js';

/** A listener for one address. */
export interface Listener {
  /** The actual port while listening. */
  readonly port: number;
  /** @throws ListenError */
  listen(): Promise<void>;
  /** Stops accepting connections; calls `done` when all open connections have ended. */
  close(done?: () => void): void;
  /** Closes all connections. */
  destroy(): void;
}

export interface ListeningServer {
  readonly listen: readonly ListenOn[];
}

/** First half of a reload: the new addresses are open, the existing listeners are unchanged. */
export interface PreparedListeners {
  /** Activates the new configuration. */
  commit(): void;
  /** Closes the new addresses. */
  rollback(): void;
}

/** The listeners of all servers of one kind, by address. A reload keeps listeners whose address does not change. */
export class ListenerSet<S extends ListeningServer, L extends Listener> {
  private readonly byAddress = new Map<string, L>();
  /** Listeners that a reload closed and that still have open connections. */
  private readonly retired = new Set<L>();

  /**
   * @param make creates a listener that does not listen yet
   * @param update applies another configuration to a listener
   */
  constructor(
    private readonly make: (address: ListenOn, server: S) => L,
    private readonly update: (listener: L, server: S) => void,
  ) {}

  get all(): L[] {
    return [...this.byAddress.values()];
  }

  /**
   * The addresses of `servers`, with the actual ports of active listeners. `unix:PATH` and port 0 for Unix-domain
   * sockets.
   */
  addresses(servers: readonly S[]): { host: string; port: number }[] {
    return servers.flatMap(({ listen }) =>
      listen.map((at) => ({
        host: at.path === undefined ? at.host : addressName(at),
        port: this.byAddress.get(addressName(at))?.port ?? at.port,
      })),
    );
  }

  /** @throws ListenError if a new address cannot be opened; nothing has changed then */
  async prepare(servers: readonly S[]): Promise<PreparedListeners> {
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
