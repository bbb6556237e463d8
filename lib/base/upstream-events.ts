/** The types of all events of upstreams, in the order of the documentation. The first two are those of the module. */
export const UPSTREAM_EVENTS = [
  'rtmp_close',
  'rtmp_reconnect',
  'publish_start',
  'publish_end',
  'publish_failed',
  'input_lost',
  'input_back',
  'degraded',
  'recovered',
  'failover',
] as const;

export type UpstreamEventType = (typeof UPSTREAM_EVENTS)[number];
