import type { Express } from 'express';
import { createApp } from '../api/app.js';
import type { Health } from '../api/health.js';
import type { FleetCounts } from '../api/metrics/fleet-metrics.js';
import type { ServiceCounters } from '../api/metrics/service-counters.js';
import { statusRouter } from '../api/status/router.js';
import { peerRouter, type PeerRouterOptions } from '../fleet/peers/peer-router.js';
import type { Clock } from '../time/clock.js';
import type { HttpServerConfig } from '../config/config.js';
import type { KmpAddress } from '../control/kmp-url.js';
import { controlRouter, type PlaceUpstream } from '../control/router.js';
import type { Logger } from '../base/logger.js';
import type { Management } from '../upstream/report/status.js';

export interface HttpParts {
  readonly management: Management;
  readonly health: Health;
  readonly counters: ServiceCounters;
  /** The KMP server of this service, for the answers of control. */
  readonly kmp: () => KmpAddress | undefined;
  /** What that server, or the one at an address, wants connect data to be signed with. */
  readonly secretFor: (at: KmpAddress | undefined) => string | undefined;
  /** In a fleet: the node of an upstream, for the answers of control. */
  readonly place?: PlaceUpstream | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  /** Of a node of a fleet: `management` is that of all nodes; these are its own upstreams, and what it counts. */
  readonly node?: { readonly management: Management; readonly counts: () => FleetCounts } | undefined;
  /** What other nodes of the fleet ask, and where; absent without a fleet, and on servers that they do not use. */
  readonly peers?: { readonly path: string; readonly answers: PeerRouterOptions } | undefined;
}

/** Creates the app of an HTTP server of the configuration with all its locations. */
export function httpApp(
  server: HttpServerConfig,
  { management, health, counters, kmp, secretFor, place, clock, log, node, peers }: HttpParts,
): Express {
  const { locations, names, access } = server;
  // The status page uses a writable API of the same server for its drop buttons.
  const api = locations.find((location) => location.api?.write === true)?.path;
  return createApp({
    locations,
    serverNames: names,
    management,
    health,
    counters,
    log,
    ...(node === undefined ? {} : { node }),
    ...(peers === undefined ? {} : { peers: { path: peers.path, access, handler: peerRouter(peers.answers) } }),
    status: () => statusRouter(management, { api, counters, clock, log }),
    control: ({ control }) =>
      controlRouter(control?.routes ?? [], {
        kmp: () => control?.kmp ?? kmp(),
        ...(place === undefined ? {} : { place }),
        secret: () => control?.secret ?? secretFor(control?.kmp),
        clock,
        log,
      }),
  });
}
