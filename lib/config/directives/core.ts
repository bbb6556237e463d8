import { accessRule } from '../access.js';
import { listen, resolver } from '../addresses.js';
import { errorLog } from '../error-log.js';
import { block, listed, optional, presence, row, type Context } from '../row.js';
import { flag, msec, numOrAuto, path, serverNames, type ValueType } from '../types.js';

const main: readonly Context[] = ['main'];
const everywhere: readonly Context[] = ['main', 'stream', 'stream server', 'http', 'http server', 'location'];
const inStream: readonly Context[] = ['stream', 'stream server'];
const inHttp: readonly Context[] = ['http', 'http server', 'location'];

const file: ValueType<string> = { ...path, syntax: 'file | pattern' };

/** What nginx itself has and what holds for the process as a whole. */
export const processDirectives = {
  worker_processes: row(numOrAuto(1, 1024), '1', {
    contexts: main,
    doc: `How many processes share the work; auto: one for each core. The tracks of one upstream always meet in the same
      process.`,
  }),
  worker_shutdown_timeout: row(msec, '10s', {
    contexts: main,
    doc: `How long a graceful end may take: streams are unpublished, bytes flushed and notifications sent; what is left then is
      cut off.`,
  }),
  kmp_rtmp_node_internals: row(flag, 'on', {
    contexts: main,
    doc: `Whether the service uses parts of Node that Node does not document. Each of them is tested at the start, and the log
      says which ones are in use; the service works without them, but needs more CPU and memory, and one process does all
      the work. See docs/running.md. A change takes effect after a restart.`,
  }),
  pid: optional(path, {
    contexts: main,
    doc: `File to write the process id to, which kmp-rtmp -s reads. Not given: none is written.`,
  }),
  error_log: listed(errorLog, {
    contexts: main,
    idleIn: [...inStream, ...inHttp],
    setting: 'errorLogs',
    shown: 'stderr info',
    doc: `Where log lines go, from which severity on (debug, info, notice, warn, error, crit, alert, emerg; error if none is
      named), and as readable lines or JSON. May be repeated.`,
  }),
} as const;

/** The blocks that hold the others. */
export const blockDirectives = {
  include: row(file, '', {
    contexts: everywhere,
    doc: `Puts the directives of another file here. A relative name is taken from the folder of the main file, as in nginx, and if
      it is not there from the folder of the file that includes it. A pattern such as conf.d/*.conf takes all files that fit,
      in order of name, and may fit none.`,
  }),
  stream: block('', [0, 0], { contexts: main, doc: `Holds the servers that take KMP.` }),
  http: block('', [0, 0], { contexts: main, doc: `Holds the servers for API, status page, metrics and control.` }),
  server: block('', [0, 0], {
    contexts: ['stream', 'http'],
    doc: `A server with its addresses: in stream, one that takes KMP if it has kmp_rtmp; in http, one that answers at its
      locations. Servers with nothing of this service in them are left out, with a warning.`,
  }),
  location: block('[= | ^~] path', [1, 2], {
    contexts: ['http server', 'location'],
    doc: `What holds for the paths that begin with path, or with "=" for that path alone. The longest that fits decides.`,
  }),
} as const;

/** What holds for a server of either kind. */
export const serverDirectives = {
  kmp_rtmp: presence({
    contexts: ['stream server'],
    doc: `Makes the server take KMP connections and publish their tracks.`,
  }),
  listen: listed(listen, {
    contexts: ['stream server', 'http server'],
    doc: `Address to listen on. May be repeated. A port alone is that port on all IPv4 addresses; port 0 is any free one.
      Parameters of nginx other than backlog and ipv6only are accepted and do nothing; ssl, udp, quic and proxy_protocol are
      refused.`,
  }),
  server_name: optional(serverNames, {
    contexts: ['http server'],
    idleIn: ['stream server'],
    doc: `Names under which requests over loopback may address this server, beside localhost, this machine's name and all IP
      addresses; others answer 421, so that no web page can get here under a name of its own. May be repeated. Which
      server answers is decided by the address alone.`,
  }),
  resolver: optional(resolver, {
    contexts: inStream,
    idleIn: inHttp,
    doc: `DNS servers that are asked for the hosts of upstreams, port 53 if none is named. Not given: the system resolves them.
      valid overrides how long an answer is used; ipv4=off or ipv6=off leaves out addresses of that family.`,
  }),
  resolver_timeout: row(msec, '30s', {
    contexts: inStream,
    idleIn: inHttp,
    doc: `How long resolving the host of an upstream may take.`,
  }),
  allow: listed(accessRule('allow'), {
    contexts: [...inStream, ...inHttp],
    setting: 'access',
    doc: `Lets clients of an address or network in, KMP senders or users of a location. Rules of allow and deny are asked in the order
      written and the first that fits decides; who fits none is let in. Rules are inherited only if the inner block has
      none.`,
  }),
  deny: listed(accessRule('deny'), {
    contexts: [...inStream, ...inHttp],
    setting: 'access',
    doc: `Keeps clients of an address or network out; see allow.`,
  }),
} as const;
