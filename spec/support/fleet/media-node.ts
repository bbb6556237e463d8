import { parseConfig } from '../../../lib/config/load.js';
import { LocalMediaService } from '../../../lib/media-service/local-media-service.js';
import type { FleetTable } from '../../../lib/upstream/ownership/ownership.js';
import type { UpstreamStatus } from '../../../lib/upstream/report/status.js';
import { LogLines } from '../service/log-lines.js';
import { AT_ONCE_DIRECTIVES } from '../service/running-service.js';

/** The media side of one node of a fleet, without the part that talks to the engine. */
export class MediaNode {
  readonly log = new LogLines();
  /** What it reports to its fleet, in order. */
  readonly reports: string[] = [];
  readonly media: LocalMediaService;

  private constructor(
    readonly name: string,
    directives: string,
  ) {
    const { log, reports } = this;
    const config = parseConfig(`stream {
      kmp_rtmp_out_answer_timeout 0; ${AT_ONCE_DIRECTIVES}
      server { listen 127.0.0.1:0; kmp_rtmp; ${directives} }
    }`);
    const ownership = {
      began: (id: string, epoch: number | undefined) => reports.push(`${id} began ${epoch}`),
      ended: (id: string, epoch: number | undefined, reason: string) => reports.push(`${id} ended ${epoch} ${reason}`),
    };
    this.media = new LocalMediaService(config, { log, ownership });
  }

  static async start(name: string, directives = ''): Promise<MediaNode> {
    const node = new MediaNode(name, directives);
    await node.media.start();
    return node;
  }

  /** Several nodes that know each other. */
  static async fleet(
    names: readonly string[],
    misplaced: FleetTable['misplaced'],
    directives = '',
  ): Promise<MediaNode[]> {
    const nodes = await Promise.all(names.map((name) => MediaNode.start(name, directives)));
    for (const node of nodes) node.knows(nodes, misplaced);
    return nodes;
  }

  knows(nodes: readonly MediaNode[], misplaced: FleetTable['misplaced'] = 'relay'): void {
    const members = nodes.map(({ name, port }) => ({ name, host: '127.0.0.1', port }));
    this.media.fleet.setTable({ self: this.name, misplaced, nodes: members });
  }

  get port(): number {
    return this.media.kmpAddresses[0]?.port ?? 0;
  }

  async upstream(id: string): Promise<UpstreamStatus | undefined> {
    return this.media.management.upstream(id);
  }

  kill(): void {
    this.media.kill();
  }
}
