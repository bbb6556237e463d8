// The layers of lib/: which folder may import which (docs/architecture.md, Layers). `npm run lint` checks it, type imports
// included. Everything that is not listed is forbidden, so a new folder has to state its place here first.
//
// A folder's key is its path below lib/. Files that lie directly in `upstream/` are the layer `upstream`; its sub-folders are
// layers of their own.

/** Layers that every other one may use. */
export const BASE = ['base', 'time', 'net'];

/** What one upstream is made of. */
const UPSTREAM_PARTS = ['upstream/report', 'upstream/destination', 'upstream/tracks'];
/** What the parts of an upstream work with. */
const PROTOCOLS = ['media', 'kmp', 'rtmp', 'merge', 'config'];

/** Folder: the folders that it may import. */
export const LAYERS = {
  // Every layer may use these three.
  base: [],
  time: ['base'],
  net: ['base'],

  process: [],
  // Who owns what: one rule for the workers of a machine and the nodes of a fleet.
  placement: [],
  config: [],
  media: [],
  dump: [],
  kmp: ['media'],
  rtmp: ['media', 'node-internals'],
  merge: ['media'],
  'node-internals': ['media'],
  logging: ['config'],
  'upstream/report': ['media', 'rtmp'],
  'upstream/ownership': ['media', 'kmp', 'rtmp', 'merge', 'upstream/report', 'upstream/tracks'],
  'upstream/tracks': ['media', 'kmp', 'rtmp', 'merge', 'upstream/report'],
  'upstream/destination': ['upstream/report'],
  'upstream/connection': [...PROTOCOLS, 'dump', ...UPSTREAM_PARTS],
  'upstream/orders': ['media', 'kmp', 'rtmp', 'config', 'upstream/report', 'upstream/tracks', 'upstream/connection'],
  'upstream/slate': ['media', 'rtmp', 'source', 'upstream/tracks'],
  'upstream/notify': ['config', 'kmp', 'upstream/report'],
  upstream: [
    ...PROTOCOLS,
    'dump',
    ...UPSTREAM_PARTS,
    'upstream/connection',
    'upstream/notify',
    'upstream/orders',
    'upstream/ownership',
    'upstream/slate',
  ],
  'upstream/intake': [
    'media',
    'kmp',
    'rtmp',
    'config',
    'dump',
    'node-internals',
    'upstream',
    'upstream/ownership',
    'upstream/report',
    'upstream/tracks',
  ],
  // Of process/, only the type of what it measures; of upstream/orders, the types of orders and the check of their form.
  management: ['process', 'upstream/report', 'upstream/orders'],
  'media-service': [
    'config',
    'kmp',
    'management',
    'process',
    'node-internals',
    'rtmp',
    'dump',
    'upstream',
    'upstream/report',
    'upstream/orders',
    'upstream/ownership',
    'upstream/tracks',
    'upstream/slate',
    'upstream/intake',
    'upstream/notify',
  ],
  // Of process/, only the type of what it measures.
  api: ['config', 'process', 'upstream/report'],
  control: ['config', 'kmp'],
  http: ['config', 'api', 'control', 'fleet', 'management', 'upstream/report'],
  // The engine, the view of the nodes, and the decisions about owners. It runs in the primary process only. Of
  // upstream/orders, the book of orders.
  fleet: ['config', 'placement', 'management', 'api', 'upstream/report', 'upstream/orders', 'upstream/ownership'],
  cluster: [
    'config',
    'management',
    'placement',
    'process',
    'node-internals',
    'media-service',
    'upstream/report',
    'upstream/orders',
    'upstream/ownership',
    'upstream/intake',
  ],
  source: ['media', 'kmp', 'rtmp'],
  send: ['media', 'kmp', 'rtmp', 'source'],
  ingest: ['media', 'rtmp'],
  relay: ['media', 'rtmp', 'send', 'source', 'ingest'],
  inspect: ['media', 'kmp', 'rtmp'],
  compose: [...PROTOCOLS, 'send', 'source', 'upstream', ...UPSTREAM_PARTS, 'upstream/connection', 'upstream/intake'],
};
