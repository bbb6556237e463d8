import { destinationRule } from '../access.js';
import { header } from '../header.js';
import { listed, row, type Context } from '../row.js';
import { choice, choices, flag, msec, num, numOrUnlimited, path, size, str, url } from '../types.js';
import { version } from '../../base/version.js';

const contexts: readonly Context[] = ['stream', 'stream server'];

/** What holds for upstreams: their RTMP connection, memory, times and limits. */
export const outputDirectives = {
  kmp_rtmp_out_mem_limit: row(size(1024), '16m', {
    contexts,
    doc: `Most bytes held for an upstream: frames that wait for their turn, and chunks that the kernel has not taken yet. What
      happens past it, kmp_rtmp_out_overload says.`,
  }),
  kmp_rtmp_out_overload: row(choice('drop_upstream', 'drop_frames'), 'drop_upstream', {
    contexts,
    doc: `What gives way when an upstream nears its memory limit. drop_upstream: at the limit the upstream ends with all its
      inputs. drop_frames: shortly before it, video frames are left out up to the next key frame; audio and sequence headers
      always go.`,
  }),
  kmp_rtmp_out_buffer_size: row(size(1, 16 * 2 ** 20), '64k', {
    contexts,
    doc: `How many bytes are gathered for an upstream before they are written to its connection. Half as many go out when no
      further frame is due, and whatever there is when kmp_rtmp_out_flush_timeout has passed.`,
  }),
  kmp_rtmp_out_buffer_bin_count: row(num(1, 1_000_000), '8', {
    contexts,
    doc: `In the module: how many classes, by how much of them is in use, output buffers are kept in.`,
    noEffect: `payloads are written straight from the blocks they were read into, never copied to output buffers; there is no
      allocator with bins to tune`,
  }),
  kmp_rtmp_out_max_free_buffers: row(num(0, 1_000_000), '4', {
    contexts,
    doc: `In the module: how many empty output buffers are kept for later use.`,
    noEffect: `the garbage collector keeps and reuses memory by its own measure; there is no list of free buffers`,
  }),
  kmp_rtmp_out_timeout: row(msec, '10s', {
    contexts,
    doc: `How long an upstream's connect, each step of its handshake, and each write may go without progress before the upstream
      ends.`,
  }),
  kmp_rtmp_out_flush_timeout: row(msec, '500ms', {
    contexts,
    doc: `How long bytes are gathered before they are written even if kmp_rtmp_out_buffer_size is not reached. 0: they are
      written at once.`,
  }),
  kmp_rtmp_out_flash_ver: row(str, `FMLE/3.0 (compatible; KalturaLive/${version})`, {
    contexts,
    shown: 'FMLE/3.0 (compatible; KalturaLive/{version})',
    doc: `The flashVer that the RTMP connect command carries, unless the connect data has a flash_ver of its own.`,
  }),
  kmp_rtmp_out_chunk_size: row(size(128, 16_777_215), '64k', {
    contexts,
    doc: `Largest payload of the RTMP chunks written. Some servers refuse more than 65536.`,
  }),
  kmp_rtmp_out_write_meta_timeout: row(msec, '3s', {
    contexts,
    doc: `How long a stream with one track waits for the other before its metadata is written without it. What happens to a
      track that comes later, kmp_rtmp_out_late_tracks says.`,
  }),
  kmp_rtmp_out_late_tracks: row(choice('reject', 'accept'), 'reject', {
    contexts,
    doc: `A track whose stream has already written its metadata: reject closes its KMP connection; accept writes the metadata
      anew and the track joins.`,
  }),
  kmp_rtmp_out_min_process_delay: row(msec, '500ms', {
    contexts,
    doc: `How long a frame waits for earlier ones of other tracks, so that audio and video leave in the order of their
      timestamps.`,
  }),
  kmp_rtmp_out_max_process_delay: row(msec, '1s', {
    contexts,
    doc: `Longest wait of a frame before it leaves whatever the order, so that no track starves when timestamps jump back.`,
  }),
  kmp_rtmp_out_early_release: row(flag, 'off', {
    contexts,
    doc: `Lets a frame leave before kmp_rtmp_out_min_process_delay as soon as every track of its stream has a later frame
      waiting, since none earlier can come then. Switches kmp_rtmp_in_read_interval off.`,
  }),
  kmp_rtmp_out_onfi_period: row(msec, '5s', {
    contexts,
    doc: `Period of the onFI messages, which carry the wall-clock time of the frames. 0: none are sent.`,
  }),
  kmp_rtmp_out_metadata_name: row(str, '@onMetaData', {
    contexts,
    doc: `Name of the data message that carries a stream's metadata. Most servers know onMetaData.`,
  }),
  kmp_rtmp_out_stream_id: row(choice('auto', 'assume', 'negotiate'), 'auto', {
    contexts,
    doc: `How a stream is published, and with which message stream id. All wait for the answer to connect before they send
      another command. auto: as negotiate, and as assume with a server that says nothing at all (see
      kmp_rtmp_out_answer_timeout). negotiate: the id is the one in the server's answer to createStream, and media follows when
      the server has confirmed the publish; if the server gives an id twice, the stream gets a connection of its own. assume:
      the ids are 1, 2, 3 ... in the order of creation, and media follows at once; for servers that do not confirm a publish.`,
  }),
  kmp_rtmp_out_answer_timeout: row(msec, '5s', {
    contexts,
    doc: `How long a server may say nothing after the handshake before it counts as one that never answers: then everything is
      sent without waiting. A server that has said anything has kmp_rtmp_out_timeout for its answer to connect, and again for
      each further one. 0: nothing is waited for, as in the module that this service replaces.`,
  }),
  kmp_rtmp_out_connection: row(choice('upstream', 'stream'), 'upstream', {
    contexts,
    doc: `Which RTMP connections the streams of an upstream use. upstream: all share one, unless the server gives two of them one id. stream: each
      stream has an RTMP connection of its own, for servers that know one stream a connection and do not say so, such as
      node-media-server.`,
  }),
  kmp_rtmp_out_enhanced: row(choice('auto', 'off'), 'auto', {
    contexts,
    doc: `Enhanced RTMP for Opus, AC-3 and E-AC-3, announced in the connect command only where such a codec is used. off: tracks
      of these codecs are refused.`,
  }),
  kmp_rtmp_out_reconnects: row(numOrUnlimited(1_000_000), '0', {
    contexts,
    doc: `How often in a row a broken RTMP connection is made anew before the upstream ends; the KMP inputs stay meanwhile and
      frames queue within the memory limit. 0: the upstream ends with its connection. Where no sender has been left for a
      minute, it ends whatever is said here.`,
  }),
  kmp_rtmp_out_reconnect_interval: row(msec, '1s', {
    contexts,
    doc: `Wait before the first reconnect. It doubles with every further one, with some jitter, up to 30 s, and is back at the
      start after a stable minute.`,
  }),
  kmp_rtmp_out_resend: row(msec, '1s', {
    contexts,
    doc: `With reconnects on: how much of what the kernel had taken before a break counts as doubtful. It is sent again on the
      new connection, from the key frame before it. A server is asked to acknowledge what it reads: what it has acknowledged
      is not doubtful, however young, and what it should have acknowledged by then and has not is, however old. A track whose
      sender is gone ends when nothing of it is doubtful any more. 0: nothing is sent twice, and no acknowledgements are asked
      for.`,
  }),
  kmp_rtmp_out_ssl_verify: row(flag, 'on', {
    contexts,
    doc: `Checks the certificate of rtmps servers. off: any certificate is taken, and anyone on the way can read stream keys.`,
  }),
  kmp_rtmp_out_ssl_trusted_certificate: row(path, '', {
    contexts,
    doc: `File of certificates (PEM) of the authorities that rtmps servers are checked against. Empty: those that come with
      Node.`,
  }),
  kmp_rtmp_out_ssl_name: row(str, '', {
    contexts,
    doc: `Name that the certificate of an rtmps server is checked for and that is sent by SNI. Empty: the host of the URL.`,
  }),
  kmp_rtmp_out_allow: listed(destinationRule('allow'), {
    contexts,
    setting: 'outAccess',
    doc: `Lets upstreams connect to a destination. Rules of allow and deny are asked in the order written and the first that fits
      decides; what none fits is allowed. A host name fits the name in the URL, an address or network what it resolved to. Put
      the deny of inner networks first, so that no allowed name can point inside. Rules are inherited only if the inner
      block has none.`,
  }),
  kmp_rtmp_out_deny: listed(destinationRule('deny'), {
    contexts,
    setting: 'outAccess',
    doc: `Keeps upstreams from connecting to a destination; see kmp_rtmp_out_allow.`,
  }),
  kmp_rtmp_out_dump_folder: row(path, '', {
    contexts,
    doc: `Folder to save every byte received from RTMP servers to, one file a connection:
      ngx_kmp_rtmp_dump_{date}_{upstream_id}_{connection}.dat. Empty: nothing is saved.`,
  }),
  kmp_rtmp_out_notif_url: row(url, '', {
    contexts,
    doc: `Address that a JSON notification is posted to when an upstream ends. Empty: none is sent.`,
  }),
  kmp_rtmp_out_notif_events: row(choices('rtmp_close', 'rtmp_reconnect'), 'rtmp_close', {
    contexts,
    doc: `What is notified of: the end of an upstream, and each reconnect of one.`,
  }),
  kmp_rtmp_out_notif_add_header: listed(header, {
    contexts,
    doc: `Header to add to the requests of notifications. May be repeated. Headers are inherited only if the inner block has
      none.`,
  }),
  kmp_rtmp_out_notif_timeout: row(msec, '2s', {
    contexts,
    doc: `Time limit to connect to the notification's address and to send the request.`,
  }),
  kmp_rtmp_out_notif_read_timeout: row(msec, '20s', {
    contexts,
    doc: `Time limit to read the answer to a notification.`,
  }),
  kmp_rtmp_out_notif_buffer_size: row(size(1, 16 * 2 ** 20), '4k', {
    contexts,
    doc: `Most bytes of the answer to a notification that are read.`,
  }),
} as const;
