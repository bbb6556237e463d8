import { engine, node } from '../fleet/arguments.js';
import { optional, row, type Context } from '../row.js';
import { choice, msecFromOne, num, path, singleArgument } from '../types.js';

const contexts: readonly Context[] = ['fleet'];

/** A name that can be a part of a key, a URL and a label of a metric. */
const fleetName = singleArgument('name', '1 to 64 letters, digits and "_", ".", "-"', (text) =>
  /^[\w.-]{1,64}$/.test(text) ? text : undefined,
);

/** Directives of the block `fleet`: several machines that work as one service. */
export const fleetDirectives = {
  engine: optional(engine, {
    contexts,
    setting: 'fleetEngine',
    doc: `The Valkey or Redis server (version 6 or newer) in which the nodes record which of them owns an upstream.
      rediss:// connects with TLS; ca_file names a file with the certificates that are trusted then, in PEM form
      (default: those of Node). The default port is 6379, for Sentinels 26379. The path of the URL is the number of a
      database. password_file names a file with the password; the user name, and in simple setups the password too, can
      be in the URL. With sentinel=NAME, the URLs are those of Sentinels (up to 16), which are asked for the address of the
      master NAME; sentinel_password_file is for the Sentinels themselves. Files are read at the start and at a reload;
      a relative path begins at the folder of the configuration file.`,
    example: 'engine redis://192.0.2.5:6379 password_file=/run/secrets/redis;',
  }),
  name: row(fleetName, 'default', {
    contexts,
    setting: 'fleetName',
    doc: `Name of the fleet. All nodes of a fleet have the same name. Fleets with different names can share one engine.`,
    example: 'name live;',
  }),
  node: optional(node, {
    contexts,
    setting: 'fleetNode',
    doc: `This node: a name that no other node of the fleet has, and two addresses. Senders and the other nodes reach its
      KMP server at kmp=, and the other nodes reach its HTTP server at http= (https:// for one with ssl). Others must be
      able to connect to these addresses. Behind a port mapping or in a container, they differ from those in listen.`,
    example: 'node n1 kmp=192.0.2.11:8005 http=192.0.2.11:8001;',
  }),
  node_timeout: row(msecFromOne, '10s', {
    contexts,
    setting: 'fleetNodeTimeout',
    doc: `Time without a heartbeat after which a node counts as dead, at least 2s. Each node sends a heartbeat once a
      second. An upstream whose sender asks for another place (republish) does not wait for it: the KMP port of its node
      is probed at once.`,
  }),
  engine_timeout: row(msecFromOne, '500ms', {
    contexts,
    setting: 'fleetEngineTimeout',
    doc: `Maximum time for an answer of the engine; it must be less than node_timeout. After it, the node works without the engine: a sender is
      sent to the owner that the node knows, or else to the one that all nodes compute from the id. Media never waits
      for the engine.`,
  }),
  peer_timeout: row(msecFromOne, '1s', {
    contexts,
    setting: 'fleetPeerTimeout',
    doc: `Maximum time for an answer of another node to a question of the API, the status page or the metrics. A node
      that does not answer in time is named in the answer as missing.`,
  }),
  peer_token_file: optional(path, {
    contexts,
    setting: 'fleetPeerTokenFile',
    doc: `File with the token with which the nodes ask each other: one token for each line, of at least 16 letters,
      digits and -._~+/. Empty lines, and lines that begin with #, are skipped. The first token is sent, and all are
      accepted, so a token can be replaced without an interruption.`,
    example: 'peer_token_file /run/secrets/fleet;',
  }),
  peer_ca_file: optional(path, {
    contexts,
    setting: 'fleetPeerCaFile',
    doc: `File with the certificates, in PEM form, of the authorities that have signed the certificates of the other
      nodes, for nodes with http=https://. Without it, these are the authorities that Node knows. The certificate of a
      node must be valid for the host in its http=.`,
    example: 'peer_ca_file /etc/kmp-rtmp/ca.pem;',
  }),
  misplaced: row(choice('relay', 'refuse'), 'relay', {
    contexts,
    setting: 'fleetMisplaced',
    doc: `What is done with a KMP connection of an upstream that another node owns. relay: its bytes are passed on to the
      owner. refuse: the connection is closed, and its sender asks its controller for another place. Connections whose connect data
      names no node are always refused while another node owns their upstream.`,
  }),
  drain_rate: row(num(1, 10_000), '10', {
    contexts,
    setting: 'fleetDrainRate',
    doc: `Maximum number of upstreams per second that move to other nodes while this node is drained.`,
  }),
} as const;
