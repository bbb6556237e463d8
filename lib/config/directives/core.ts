import { accessRule } from '../access/access.js';
import { listen, resolver } from '../access/addresses.js';
import { errorLog } from '../error-log.js';
import { block, optional, repeatable, row, switchRow, type Context } from '../row.js';
import { flag, numOrAuto, path, serverNames, sizeOrAuto, msecFromOne, type ValueType } from '../types.js';

const main: readonly Context[] = ['main'];
const everywhere: readonly Context[] = ['main', 'stream', 'stream server', 'http', 'http server', 'location'];
const inStream: readonly Context[] = ['stream', 'stream server'];
const inHttp: readonly Context[] = ['http', 'http server', 'location'];

const file: ValueType<string> = { ...path, syntax: 'file | pattern', expected: 'a file name or a pattern' };

/** Directives that nginx has too and that configure the process as a whole. */
export const processDirectives = {
  worker_processes: row(numOrAuto(1, 1024), '1', {
    contexts: main,
    doc: `Number of worker processes. auto starts one process for each CPU core. All tracks of one upstream are handled
      by the same process.`,
    example: 'worker_processes auto;',
  }),
  worker_shutdown_timeout: row(msecFromOne, '10s', {
    contexts: main,
    doc: `Maximum duration of a graceful shutdown. During a shutdown, streams are unpublished, buffered bytes are
      written and notifications are sent. What is not finished at the timeout is aborted.`,
  }),
  kmp_rtmp_mem_limit: row(sizeOrAuto(64 * 2 ** 20), 'auto', {
    contexts: main,
    doc: `Memory that the service may use, over all upstreams and workers. auto: three quarters of the memory of the
      machine or the container. While a process uses more than nine tenths of its share, it refuses new upstreams: their
      senders are disconnected, and can be placed elsewhere. If the queues of all upstreams use more than six tenths of
      it, the upstream that uses most ends (mem_limit_exceeded). The same happens if the process would use more than its
      share, unless the queues use less than a quarter of it. Until then, it reads nothing that would need more memory.
      So a few slow servers do not make the kernel kill the process. off: no limit.`,
    example: 'kmp_rtmp_mem_limit 4g;',
  }),
  kmp_rtmp_node_internals: row(flag, 'on', {
    contexts: main,
    doc: `Whether the service uses parts of Node that Node does not document. Each of them is tested at the start, and
      the log says which ones are in use; the service works without them, but needs more CPU and memory, and one process
      does all the work. See docs/running.md. A change takes effect after a restart.`,
  }),
  pid: optional(path, {
    contexts: main,
    doc: `File that the process id is written to. kmp-rtmp -s reads it. Without this directive, no file is written.`,
    example: 'pid /run/kmp-rtmp/kmp-rtmp.pid;',
  }),
  error_log: repeatable(errorLog, {
    contexts: main,
    ignoredIn: [...inStream, ...inHttp],
    setting: 'errorLogs',
    shown: 'stderr info',
    doc: `Destination of log lines, the lowest severity that is written, and the format. The severities are debug, info,
      notice, warn, error, crit, alert and emerg; the default is error. format=json writes one JSON object for each
      line. syslog:server=address sends lines to a syslog server over UDP (default port 514), or with server=unix:path
      to a Unix-domain stream socket, in the format of nginx. Further parameters, separated by commas: facility (default
      local7), tag (default kmp_rtmp), severity (ignored, as in nginx) and nohostname. May be repeated.`,
    example: 'error_log /var/log/kmp-rtmp.log info format=json;',
  }),
} as const;

/** Directives that open a block, and include. */
export const blockDirectives = {
  include: row(file, '', {
    contexts: everywhere,
    doc: `Inserts the directives of another file at this place. A relative name is resolved against the folder of the
      main file, as in nginx; if there is no such file, it is resolved against the folder of the file that includes it.
      A pattern such as conf.d/*.conf inserts all matching files, sorted by name. A pattern without a match is not an
      error.`,
    example: 'include conf.d/*.conf;',
  }),
  stream: block('', [0, 0], { contexts: main, doc: `Contains the servers that accept KMP connections.` }),
  http: block('', [0, 0], {
    contexts: main,
    doc: `Contains the servers for the API, the status page, metrics and control.`,
  }),
  fleet: block('', [0, 0], {
    contexts: main,
    doc: `Makes this process a node of a fleet: several machines that work as one service. Each directive of the block
      also has a flag and a variable, whose names begin with fleet: --fleet-node, KMP_RTMP_FLEET_NODE.`,
  }),
  server: block('', [0, 0], {
    contexts: ['stream', 'http'],
    doc: `Defines a server and its addresses. In stream, the server accepts KMP if it contains kmp_rtmp. In http, the
      server answers requests for its locations. A server without any directive of this service is ignored with a
      warning.`,
  }),
  location: block('[= | ^~] path', [1, 2], {
    contexts: ['http server', 'location'],
    doc: `Contains the directives for all paths that begin with path; with "=", for exactly this path. If several
      locations match, the one with the longest path is used.`,
    example: 'location /kmp_rtmp_api/ { kmp_rtmp_api write=on; }',
  }),
} as const;

/** Directives for servers of both kinds. */
export const serverDirectives = {
  kmp_rtmp: switchRow({
    contexts: ['stream server'],
    doc: `Makes the server accept KMP connections and publish their tracks over RTMP.`,
  }),
  listen: repeatable(listen, {
    contexts: ['stream server', 'http server'],
    doc: `Address to listen on. May be repeated. A port without an address listens on all IPv4 addresses. Port 0 selects
      any free port. Parameters of nginx other than backlog, ipv6only and ssl have no effect; udp and quic are errors.
      ssl, for HTTP servers, serves HTTPS with ssl_certificate and ssl_certificate_key.
      unix:path listens on a Unix-domain socket with permissions 0666, as nginx does. proxy_protocol, for KMP servers,
      expects a header of the PROXY protocol (version 1 or 2) at the beginning of each connection, as load balancers
      send it. The address in it is used for allow, deny, limits, logs and the API. Anyone who can connect can claim any
      address, so only the load balancer should reach such a port.`,
    example: 'listen 127.0.0.1:8005;',
  }),
  ssl_certificate: repeatable(path, {
    contexts: ['http', 'http server'],
    ignoredIn: inStream,
    setting: 'sslCertificates',
    doc: `File with the certificate for "listen ... ssl" and its intermediate certificates, in PEM form. May be repeated
      with certificates of other types (RSA and ECDSA), each with its ssl_certificate_key. A reload reads the files
      again. A relative path begins at the folder of the configuration file. TLS 1.2 and 1.3 are supported.`,
    example: 'ssl_certificate status.pem;',
  }),
  ssl_certificate_key: repeatable(path, {
    contexts: ['http', 'http server'],
    ignoredIn: inStream,
    setting: 'sslCertificateKeys',
    doc: `File with the private key of the certificate, in PEM form and without a password.`,
    example: 'ssl_certificate_key status.key;',
  }),
  server_name: optional(serverNames, {
    contexts: ['http server'],
    ignoredIn: ['stream server'],
    doc: `Host names that requests may use for this server, in addition to localhost, the name of this machine, the
      names in listen and all IP addresses. *.example.com stands for all names below example.com. Requests with other
      names are answered with 421, except for health checks. This prevents a web page from reaching the server through a
      host name of its own (DNS rebinding). May be repeated. The name never selects the server: only the address does.`,
    example: 'server_name status.example.com;',
  }),
  resolver: optional(resolver, {
    contexts: inStream,
    ignoredIn: inHttp,
    doc: `DNS servers that resolve the hosts of upstreams. The default port is 53. Without this directive, the resolver
      of the operating system is used. valid sets how long an answer is used. ipv4=off and ipv6=off exclude addresses of
      that family.`,
    example: 'resolver 192.0.2.53 valid=30s;',
  }),
  resolver_timeout: row(msecFromOne, '30s', {
    contexts: inStream,
    ignoredIn: inHttp,
    doc: `Maximum time for resolving the host of an upstream.`,
  }),
  allow: repeatable(accessRule('allow'), {
    contexts: [...inStream, ...inHttp],
    setting: 'access',
    doc: `Allows access from an address, a network, or Unix-domain sockets (unix:). In stream it applies to KMP senders,
      in http to HTTP clients. The rules of allow and deny are checked in the order of the file; the first match
      decides. A client that matches no rule is allowed. Rules of an outer block are inherited only if the inner block
      has none.`,
    example: 'allow 192.0.2.0/24; deny all;',
  }),
  deny: repeatable(accessRule('deny'), {
    contexts: [...inStream, ...inHttp],
    setting: 'access',
    doc: `Denies access from an address or a network; see allow.`,
    example: 'deny 192.0.2.1;',
  }),
} as const;
