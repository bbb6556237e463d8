import https from 'node:https';
import express from 'express';
import { createApp } from '../../../lib/api/app.js';
import type { AccessRule } from '../../../lib/config/access/access.js';
import { parseConfig } from '../../../lib/config/load.js';
import type { NodeRecord } from '../../../lib/fleet/node-record.js';
import { peerRouter } from '../../../lib/fleet/peers/peer-router.js';
import { PEER_PATH } from '../../../lib/fleet/peers/protocol.js';
import { FleetView } from '../../../lib/fleet/view/fleet-view.js';
import { statusRouter } from '../../../lib/api/status/router.js';
import { LocalMediaService } from '../../../lib/media-service/local-media-service.js';
import { systemClock, type Clock } from '../../../lib/time/clock.js';
import type { GlobalStatus, UpstreamStatus } from '../../../lib/upstream/report/status.js';
import { serve, type Reply, type TestServer } from '../network/http.js';
import { KmpSender, videoMinf } from '../kmp/kmp-sender.js';
import { LogLines } from '../service/log-lines.js';
import { AT_ONCE_DIRECTIVES } from '../service/running-service.js';
import { until } from '../time/until.js';

export const PEER_TOKEN = 'the-peer-token-of-the-specs';

/** The nodes of a fleet, as a spec says that they are. */
export class StaticFleet {
  readonly nodes: NodeRecord[] = [];
  readonly running: FleetNode[] = [];

  /** A node that the spec itself is, or that does not exist. */
  add(name: string, port: number, more: Partial<NodeRecord> = {}): void {
    const address = { host: '127.0.0.1', port };
    this.nodes.push({
      name,
      kmp: address,
      http: address,
      draining: false,
      load: 0,
      started: 0,
      version: '0.0.0',
      seenAt: 0,
      ...more,
    });
  }

  async start(name: string, setup: NodeSetup = {}): Promise<FleetNode> {
    const node = await FleetNode.start(name, this, setup);
    const http = { host: '127.0.0.1', port: node.http.port, ...(setup.tls && { tls: true }) };
    this.add(name, node.http.port, { http });
    this.running.push(node);
    return node;
  }

  async close(): Promise<void> {
    for (const node of this.running.splice(0)) await node.close();
  }
}

export interface NodeSetup {
  readonly token?: string;
  /** Rules for other nodes. */
  readonly access?: readonly AccessRule[];
  /** What the API requires. */
  readonly apiToken?: string;
  /** Certificates of authorities for other nodes. */
  readonly ca?: string;
  /** Certificate and key of its server. */
  readonly tls?: https.ServerOptions;
  /** ms; default: more than any spec waits. */
  readonly peerTimeout?: number;
  readonly clock?: Clock;
}

const NO_COUNTS = {
  engineUp: false,
  nodes: { alive: 1, draining: 0, dead: 0 },
  placements: 0,
  fallbacks: 0,
  takeovers: 0,
  fenced: 0,
};

/** A node of a fleet without an engine: media side, view, and HTTP server on loopback. */
export class FleetNode {
  private readonly senders: KmpSender[] = [];

  private constructor(
    readonly name: string,
    readonly media: LocalMediaService,
    readonly view: FleetView,
    readonly http: TestServer,
    readonly log: LogLines,
  ) {}

  static async start(name: string, fleet: StaticFleet, setup: NodeSetup): Promise<FleetNode> {
    const { token = PEER_TOKEN, access = [], apiToken, ca, tls, peerTimeout = 60_000, clock = systemClock } = setup;
    const log = new LogLines();
    const config = parseConfig(`stream { server { listen 127.0.0.1:0; kmp_rtmp; ${AT_ONCE_DIRECTIVES}
      kmp_rtmp_in_read_interval 0; kmp_rtmp_out_answer_timeout 0; } }`);
    const media = new LocalMediaService(config, { log });
    await media.start();
    const view = new FleetView({
      directory: { self: name, nodes: fleet.nodes },
      config: () => ({ peerTimeout, peerTokens: [token], peerCa: ca }),
      media,
      clock,
      log,
    });
    const app = createApp({
      locations: [
        { path: '/api', api: { write: true }, access: [], token: apiToken },
        { path: '/metrics', metrics: { upstreams: true }, access: [] },
        { path: '/', status: true, access: [] },
      ],
      management: view.management,
      node: { management: media.management, counts: () => ({ ...NO_COUNTS, peers: view.peersUp }) },
      counters: { totals: () => media.totals(), processes: () => media.processes() },
      health: { ready: () => true },
      status: () => statusRouter(view.management, { api: '/api', counters: media, log }),
      peers: { path: PEER_PATH, access, handler: peerRouter(view.answers) },
      log,
    });
    const listener = express().use(app);
    const http = await serve(tls === undefined ? listener : https.createServer(tls, listener));
    return new FleetNode(name, media, view, http, log);
  }

  /** A sender of an upstream, whose media info and key frame have arrived. */
  async publish(id: string, url: string, bytes: readonly Buffer[] = []): Promise<KmpSender> {
    const port = this.media.kmpAddresses[0]?.port ?? 0;
    const sender = await KmpSender.open(port, { upstream_id: id, url });
    this.senders.push(sender);
    sender.send(videoMinf(), ...bytes);
    await until(
      `upstream ${id}`,
      () => this.media.management.upstream(id),
      (one) => Object.keys(one?.streams ?? {}).length > 0,
    );
    return sender;
  }

  async status(): Promise<GlobalStatus> {
    return (await this.http.get('/api/')).json as GlobalStatus;
  }

  async upstream(id: string): Promise<UpstreamStatus> {
    return (await this.http.get(`/api/upstreams/${id}`)).json as UpstreamStatus;
  }

  post(path: string, body?: object): Promise<Reply> {
    const json = { 'content-type': 'application/json' };
    return this.http.request('POST', path, body && json, body && JSON.stringify(body));
  }

  async close(): Promise<void> {
    this.view.stop();
    for (const sender of this.senders.splice(0)) sender.destroy();
    await this.http.close();
    await this.media.stop();
  }
}
