import type { LastStatus } from './last-status.js';

/** Where a failure happened: resolving the name, the TCP connection, TLS, or RTMP. */
export type FailureLayer = 'dns' | 'tcp' | 'tls' | 'rtmp';

/** What a failure means to an operator. */
export interface Advice {
  /** null: not between this service and the server. */
  readonly layer: FailureLayer | null;
  /** What is wrong and what to do, in one or two sentences; empty if nothing needs to be done. */
  readonly advice: string;
}

interface Rule {
  readonly reason: RegExp;
  /** Matched against the message of the failure, and the code and the words of the server. */
  readonly text?: RegExp;
  readonly layer: FailureLayer | null;
  readonly advice: string;
}

const CONNECT = /^(handshake|start_connect)_failed$/;
const REFUSED = /^(connect|publish)_rejected$/;

/** The first rule that matches applies. */
const RULES: readonly Rule[] = [
  {
    reason: /^start_resolve_failed$/,
    layer: 'dns',
    advice: 'The URL of the destination is not valid: correct it.',
  },
  {
    reason: /^resolve_failed$/,
    layer: 'dns',
    advice: 'The name of the server could not be resolved: check the host in the URL, and the DNS of this machine.',
  },
  {
    reason: CONNECT,
    text: /not allowed by|kmp_rtmp_out_(allow|deny)/,
    layer: 'tcp',
    advice: 'The configuration forbids this address: see kmp_rtmp_out_allow and kmp_rtmp_out_deny.',
  },
  {
    reason: CONNECT,
    text: /TLS: .*(wrong version number|packet length too long|unknown protocol)/i,
    layer: 'tls',
    advice: 'The server does not speak TLS at this port: use its port for rtmps, or rtmp:// instead of rtmps://.',
  },
  {
    reason: CONNECT,
    text: /TLS: .*(certificate|altname|self.signed|issuer|expired)/i,
    layer: 'tls',
    advice:
      'The certificate of the server is not accepted: check the host in the URL, and kmp_rtmp_out_ssl_trusted_certificate.',
  },
  {
    reason: CONNECT,
    text: /TLS: /,
    layer: 'tls',
    advice: 'TLS with the server failed: check that the port in the URL is its port for rtmps.',
  },
  {
    reason: CONNECT,
    text: /ECONNREFUSED/,
    layer: 'tcp',
    advice: 'Nothing listens at this address: check host and port of the URL, and that the server runs.',
  },
  {
    reason: CONNECT,
    text: /EMFILE|ENFILE|ENOBUFS|EADDRNOTAVAIL/,
    layer: 'tcp',
    advice: 'This machine has no file descriptors or ports left: raise the limit of open files of the service.',
  },
  {
    reason: CONNECT,
    text: /could not connect/,
    layer: 'tcp',
    advice: 'The server cannot be reached: check host and port of the URL, the network, and firewalls.',
  },
  {
    reason: /^handshake_failed$/,
    layer: 'rtmp',
    advice: 'The server does not answer as an RTMP server: check that the port in the URL is its port for RTMP.',
  },
  {
    reason: /^start_connect_failed$/,
    layer: 'tcp',
    advice: 'The connection could not be made from this machine: check its network.',
  },
  {
    reason: REFUSED,
    text: /AppShutdown|ReconnectRequest/i,
    layer: 'rtmp',
    advice: 'The server restarts or closes the app: wait, or use another server.',
  },
  {
    reason: REFUSED,
    text: /InvalidApp|unknown app|no such app|application .*not/i,
    layer: 'rtmp',
    advice: 'The server does not know the app: check the path of the URL.',
  },
  {
    reason: REFUSED,
    text: /authmod|AccessManager|need auth|user ?name|password/i,
    layer: 'rtmp',
    advice: 'The server wants a user and a password: check those in the URL.',
  },
  {
    reason: REFUSED,
    text: /BadName|already|in use|busy/i,
    layer: 'rtmp',
    advice:
      'The server says that the stream is in use, or refused the key: check that no other encoder uses the key, and check the key at the platform.',
  },
  {
    reason: /^publish_rejected$/,
    layer: 'rtmp',
    advice: 'The server refused the key: check it at the platform.',
  },
  {
    reason: REFUSED,
    text: /too many|limit|overload/i,
    layer: 'rtmp',
    advice: 'The server takes no more connections: end others at the platform, or wait.',
  },
  {
    reason: /^connect_rejected$/,
    layer: 'rtmp',
    advice: 'The server refused the connection: check the URL and the account at the platform.',
  },
  {
    reason: /^stream_id_mismatch$/,
    layer: 'rtmp',
    advice: 'The server uses other stream ids: set kmp_rtmp_out_stream_id negotiate.',
  },
  {
    reason: /^recv_failed$/,
    text: /no answer/,
    layer: 'rtmp',
    advice: 'The server did not answer: check its state at the platform.',
  },
  {
    reason: /^recv_failed$/,
    text: /not RTMP/,
    layer: 'rtmp',
    advice: 'The server does not speak RTMP correctly: check that the port in the URL is its port for RTMP.',
  },
  {
    reason: /^recv_failed$/,
    layer: 'tcp',
    advice:
      'The server closed the connection. If it does so each time, check the key and the settings of the event at the platform.',
  },
  {
    reason: /^(send|flush)_failed$/,
    text: /took no byte/,
    layer: 'tcp',
    advice: 'The server, or the network to it, takes no data: check the uplink, or lower the bitrate.',
  },
  {
    reason: /^(send|flush)_failed$/,
    layer: 'tcp',
    advice: 'The connection to the server broke: check the network between this machine and the server.',
  },
  {
    reason: /^input_timeout$/,
    layer: null,
    advice: 'The sender is connected but sends nothing: check the encoder, and its network.',
  },
  {
    reason:
      /^(mem_limit_exceeded|get_buf_failed|alloc_\w+|push_frame_failed|process_frame_failed|create_track_failed)$/,
    layer: null,
    advice:
      'The server takes less than arrives, up to the memory limit: lower the bitrate, set kmp_rtmp_out_overload drop_frames, or raise kmp_rtmp_out_mem_limit.',
  },
];

/**
 * What to do about a failure.
 *
 * @param reason the close reason
 * @param message of the failure
 * @param status the last status of the server
 */
export function adviceFor(reason: string, message: string, status: LastStatus | null): Advice {
  const said =
    status === null || !/rejected$/.test(reason) ? message : `${message} ${status.code} ${status.description}`;
  for (const rule of RULES) {
    if (rule.reason.test(reason) && (rule.text?.test(said) ?? true)) return { layer: rule.layer, advice: rule.advice };
  }
  return { layer: null, advice: '' };
}
