import { audioMinf, frameAt, KmpSender, videoMinf } from '../../support/kmp/kmp-sender.js';

/** One track of an upstream, whose sender connects again whenever its connection ends. */
export class PersistentTrack {
  /** Number of the connection; a part of its track id, so that the nodes show which connection they have. */
  private generation = 0;
  private sender: KmpSender | undefined;
  private stopped = false;
  private readonly running: Promise<void>;

  constructor(
    readonly media: 'video' | 'audio',
    private readonly port: number,
    private readonly data: { readonly upstream_id: string; readonly url: string },
  ) {
    this.running = this.run();
  }

  get upstreamId(): string {
    return this.data.upstream_id;
  }

  /** Track id of the newest connection. */
  get trackId(): string {
    return `${this.media}-${this.generation}`;
  }

  /** Closes the connection; the sender makes another one. */
  async cut(): Promise<void> {
    const { generation } = this;
    while (!this.stopped && this.generation === generation) {
      this.sender?.destroy();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.sender?.destroy();
    await this.running;
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      const frameId = BigInt(this.generation++);
      try {
        const sender = await KmpSender.open(this.port, this.data, { frameId, track: this.trackId });
        this.sender = sender;
        const minf = this.media === 'video' ? videoMinf() : audioMinf();
        sender.send(minf, frameAt(1000 * Number(frameId), 'frame', { key: true }));
        if (this.stopped) sender.destroy();
        await sender.closed;
      } catch {
        // Refused: it tries again.
      }
      if (!this.stopped) await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
