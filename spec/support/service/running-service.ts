import type { Clock } from '../../../lib/time/clock.js';
import type { Config } from '../../../lib/config/config.js';
import { parseConfig } from '../../../lib/config/load.js';
import { Service } from '../../../lib/service.js';
import type { GlobalStatus, UpstreamStatus } from '../../../lib/upstream/report/status.js';
import { eventually } from '../time/eventually.js';
import { send, type Reply } from '../network/http.js';
import { httpTarget, reply, type HttpTarget } from '../network/http-target.js';
import { LogLines } from './log-lines.js';

/** Directives with which metadata and frames go out as they come. */
export const AT_ONCE_DIRECTIVES =
  'kmp_rtmp_out_write_meta_timeout 0; kmp_rtmp_out_flush_timeout 0; kmp_rtmp_out_min_process_delay 0;';

export interface ServiceSetup {
  /** Directives of the main context, in nginx syntax. */
  readonly main?: string;
  /** Directives of the KMP server. */
  readonly media?: string;
  /** Directives of the HTTP server beside its locations. */
  readonly http?: string;
  readonly clock?: Clock;
  /** What the target of notifications answers; default 204 at once. */
  readonly answer?: Parameters<typeof httpTarget>[0];
}

/** What a notification says. */
export interface Notified {
  readonly event_type: string;
  readonly reason: string;
  readonly upstream_id: string;
  readonly url: string;
  readonly header: string;
  readonly opaque: string;
}

/**
 * A whole service, from a configuration in nginx syntax, with a target for its notifications. Nothing is waited for
 * from RTMP servers, since most specs have one that never answers.
 */
export class RunningService {
  private seen = 0;

  private constructor(
    readonly service: Service,
    readonly config: Config,
    readonly log: LogLines,
    readonly target: HttpTarget,
  ) {}

  static async start(setup: ServiceSetup = {}): Promise<RunningService> {
    const { main = '', media = '', http = '', clock, answer = (socket) => reply(socket, 204) } = setup;
    const target = await httpTarget(answer);
    const text = `${main}
      stream {
        kmp_rtmp_out_answer_timeout 0;
        server { listen 127.0.0.1:0; kmp_rtmp; kmp_rtmp_out_notif_url ${target.url}; ${media} }
      }
      http {
        server {
          listen 127.0.0.1:0; ${http}
          location /api/ { kmp_rtmp_api write=on; }
          location /read/ { kmp_rtmp_api; }
          location /metrics { kmp_rtmp_metrics; }
          location /health/ { kmp_rtmp_health; }
        }
      }`;
    const log = new LogLines();
    const config = parseConfig(text);
    const service = new Service(config, { log, ...(clock === undefined ? {} : { clock }) });
    await service.start();
    return new RunningService(service, config, log, target);
  }

  get kmpPort(): number {
    return this.service.kmpAddresses[0]?.port ?? 0;
  }

  /** A request to the service's HTTP server. */
  request(method: string, path: string, headers?: Record<string, string>): Promise<Reply> {
    return send(this.service.httpAddresses[0]?.port ?? 0, method, path, headers);
  }

  /** A POST with a body of JSON. */
  postJson(path: string, body: unknown): Promise<Reply> {
    const headers = { 'content-type': 'application/json' };
    return send(this.service.httpAddresses[0]?.port ?? 0, 'POST', path, headers, '127.0.0.1', JSON.stringify(body));
  }

  async status(): Promise<GlobalStatus> {
    return (await this.request('GET', '/api/')).json as GlobalStatus;
  }

  /** The upstream as the API shows it; undefined: there is none. */
  async upstream(id: string): Promise<UpstreamStatus | undefined> {
    return (await this.status()).upstreams[id];
  }

  /** Asks the API until `fits` says yes; it gives up after thirty seconds, as `eventually` does. */
  async shows(id: string, fits: (upstream: UpstreamStatus) => boolean, what: string): Promise<UpstreamStatus> {
    const giveUp = performance.now() + 30_000;
    for (;;) {
      const upstream = await this.upstream(id);
      if (upstream !== undefined && fits(upstream)) return upstream;
      if (performance.now() > giveUp) throw new Error(`waited in vain for ${what}: ${JSON.stringify(upstream)}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** The notifications in order, each handed out once. */
  async notified(): Promise<Notified> {
    const n = this.seen++;
    await eventually(() => this.target.requests.length > n, 'a notification');
    return JSON.parse(this.target.requests[n]?.body ?? '') as Notified;
  }

  /** How many notifications have come in that were not handed out. */
  get unseen(): number {
    return this.target.requests.length - this.seen;
  }

  async close(): Promise<void> {
    this.service.kill();
    await this.target.close();
  }
}
