import type {
  Controller,
  InputFields,
  MovedTarget,
  PublishTargets,
  TrackFields,
  UpstreamTarget,
} from '../../../lib/relay/controller.js';

/** A controller that answers what the spec tells it to, and keeps what it was asked. */
export class ScriptedController implements Controller {
  readonly asked: string[] = [];
  readonly tracks: TrackFields[] = [];
  refuseConnect: Error | undefined;
  /** Replaces the answer to publish. */
  onPublish: (() => Promise<PublishTargets>) | undefined;
  /** Replaces the answer to republish. */
  onRepublish: ((upstreamId: string) => Promise<MovedTarget>) | undefined;

  constructor(
    /** Ports of KMP servers on 127.0.0.1, by upstream id. */
    private readonly ports: Readonly<Record<string, number>>,
    private readonly required = true,
  ) {}

  async connect(input: InputFields): Promise<void> {
    this.asked.push(`connect ${input.app}`);
    if (this.refuseConnect !== undefined) throw this.refuseConnect;
    return Promise.resolve();
  }

  publish(track: TrackFields): Promise<PublishTargets> {
    this.asked.push(`publish ${track.name} ${track.info.mediaType}`);
    this.tracks.push(track);
    return this.onPublish?.() ?? Promise.resolve(this.targets(track));
  }

  republish(track: TrackFields, _ids: Omit<PublishTargets, 'upstreams'>, upstreamId: string): Promise<MovedTarget> {
    this.asked.push(`republish ${track.name} ${track.info.mediaType} ${upstreamId}`);
    const port = this.ports[upstreamId] ?? 0;
    return this.onRepublish?.(upstreamId) ?? Promise.resolve({ host: '127.0.0.1', port });
  }

  unpublish(track: TrackFields, reason: string): Promise<void> {
    this.asked.push(`unpublish ${track.name} ${track.info.mediaType} ${reason}`);
    return Promise.resolve();
  }

  private targets({ info }: TrackFields): PublishTargets {
    const upstreams = Object.entries(this.ports).map(([id, port]): UpstreamTarget => {
      const connectData = JSON.stringify({ upstream_id: id, url: 'rtmp://h/a/s' });
      return { id, host: '127.0.0.1', port, connectData, required: this.required };
    });
    return { channelId: 'ch', trackId: info.mediaType === 'video' ? 'v1' : 'a1', upstreams };
  }
}
