import { destinationRule } from '../access/access.js';
import { repeatable, row, type Context } from '../row.js';
import {
  choice,
  flag,
  msec,
  msecFromOne,
  msecOrNever,
  num,
  numOrUnlimited,
  path,
  size,
  sizeOrAuto,
  slate,
  str,
  strOrDefault,
} from '../types.js';
import { version } from '../../base/version.js';

const FLASH_VER = `FMLE/3.0 (compatible; KalturaLive/${version})`;

const contexts: readonly Context[] = ['stream', 'stream server'];

/** Directives for upstreams: their RTMP connection, memory, times and limits. */
export const outputDirectives = {
  kmp_rtmp_out_mem_limit: row(size(), '16m', {
    contexts,
    doc: `Maximum number of bytes that an upstream may hold: frames in its queues, and chunks that the kernel has not
      taken yet. kmp_rtmp_out_overload sets what happens at the limit.`,
  }),
  kmp_rtmp_out_overload: row(choice('drop_upstream', 'drop_frames'), 'drop_upstream', {
    contexts,
    doc: `What happens when an upstream reaches its memory limit. drop_upstream ends the upstream and closes all its KMP
      connections. drop_frames drops video frames up to the next key frame shortly before the limit is reached; audio
      and sequence headers are always sent.`,
    example: 'kmp_rtmp_out_overload drop_frames;',
  }),
  kmp_rtmp_out_max_lag: row(msec, '5s', {
    contexts,
    doc: `How far a server may be behind: the time since the arrival of the oldest frame that it has not taken (lag_ms
      in the API). What waits in the kernel does not count as taken. Above this limit, the upstream is degraded. With
      kmp_rtmp_out_overload drop_frames, video is dropped in whole groups of pictures, so that the lag stays near the
      limit; audio is kept. After an outage, older frames are left out. The limit is at least
      kmp_rtmp_out_max_process_delay and kmp_rtmp_out_flush_timeout together, and one second more. 0: no limit.`,
    example: 'kmp_rtmp_out_max_lag 3s;',
  }),
  kmp_rtmp_out_buffer_size: row(size(1, 16 * 2 ** 20), '64k', {
    contexts,
    doc: `Number of bytes that are buffered for an upstream before they are written to its connection. With the default
      delays, an upstream writes in turns, and everything that is due at a turn is written at once. With
      kmp_rtmp_out_early_release, or a short kmp_rtmp_out_min_process_delay, half as many bytes are enough if no further
      frame is due, and all buffered bytes are written when kmp_rtmp_out_flush_timeout expires.`,
  }),
  kmp_rtmp_out_buffer_bin_count: row(num(1, 1_000_000), '8', {
    contexts,
    doc: `In the nginx module, the number of bins that output buffers are grouped in.`,
    noEffect: `payloads are written directly from the blocks that they were read into and are never copied to output
      buffers; there is no allocator with bins to tune`,
  }),
  kmp_rtmp_out_track_mem_limit: row(sizeOrAuto(), 'auto', {
    contexts,
    doc: `Memory that one track may use of kmp_rtmp_out_mem_limit. Above a size, its KMP connection is closed, and the
      other tracks go on. auto: if the memory of an upstream runs out although its server is in time, the sender that uses
      most is disconnected, and the upstream does not end. With kmp_rtmp_out_overload drop_frames, its queue is emptied
      instead, if the upstream has senders at other addresses. off: nothing is done for a single track, as in the nginx
      module. A size also protects an upstream with a slow server, but it ends tracks that need as much in an outage.`,
    example: 'kmp_rtmp_out_track_mem_limit 8m;',
  }),
  kmp_rtmp_out_max_streams: row(num(0, 1_000_000), '64', {
    contexts,
    doc: `Maximum number of simultaneous RTMP streams of an upstream. A sender with another stream name is disconnected. 0:
      no limit.`,
  }),
  kmp_rtmp_out_max_free_buffers: row(num(0, 1_000_000), '4', {
    contexts,
    doc: `In the nginx module, the number of free output buffers that are kept for later use.`,
    noEffect: `the garbage collector decides which memory is kept and reused; there is no list of free buffers`,
  }),
  kmp_rtmp_out_timeout: row(msecFromOne, '10s', {
    contexts,
    doc: `Maximum time without progress while an upstream connects, in each step of its handshake, and in each write.
      When it expires, the connection counts as broken.`,
  }),
  kmp_rtmp_out_flush_timeout: row(msec, '500ms', {
    contexts,
    doc: `Maximum time that bytes are buffered before they are written, even if kmp_rtmp_out_buffer_size is not reached.
      0: bytes are written at once, and there are no turns (see kmp_rtmp_out_buffer_size). It is also the shortest time
      between two acks to a sender.`,
  }),
  kmp_rtmp_out_flash_ver: row(strOrDefault(FLASH_VER), '', {
    contexts,
    shown: 'FMLE/3.0 (compatible; KalturaLive/{version})',
    doc: `Value of flashVer in the RTMP connect command. The empty text stands for the default. flash_ver in the connect
      data of a sender overrides it.`,
  }),
  kmp_rtmp_out_chunk_size: row(size(128, 16_777_215), '64k', {
    contexts,
    doc: `Maximum payload of the RTMP chunks that are written. Some servers refuse more than 65536.`,
  }),
  kmp_rtmp_out_write_meta_timeout: row(msec, '3s', {
    contexts,
    doc: `Time that a stream with one track waits for its second track before the metadata is written without it.
      kmp_rtmp_out_late_tracks sets what happens to a track that arrives later.`,
  }),
  kmp_rtmp_out_late_tracks: row(choice('reject', 'accept'), 'reject', {
    contexts,
    doc: `What happens to a track that arrives after its stream has written its metadata. reject closes the KMP
      connection of the track. accept writes the metadata again and adds the track.`,
    example: 'kmp_rtmp_out_late_tracks accept;',
  }),
  kmp_rtmp_out_min_process_delay: row(msec, '500ms', {
    contexts,
    doc: `Time that a frame waits for earlier frames of other tracks, so that audio and video are written in the order
      of their timestamps.`,
  }),
  kmp_rtmp_out_max_process_delay: row(msec, '1s', {
    contexts,
    doc: `Maximum time that a frame waits. After it, the frame is written out of order. This keeps a track from starving
      when timestamps jump back.`,
  }),
  kmp_rtmp_out_early_release: row(flag, 'off', {
    contexts,
    doc: `Writes a frame before kmp_rtmp_out_min_process_delay has passed, if every track of its stream has a later
      frame in its queue. No earlier frame can arrive then. This directive disables kmp_rtmp_in_read_interval.`,
  }),
  kmp_rtmp_out_onfi_period: row(msec, '5s', {
    contexts,
    doc: `Period of the onFI messages, which carry the wall-clock time of the frames. 0: no onFI messages are sent.`,
  }),
  kmp_rtmp_out_metadata_name: row(str, '@onMetaData', {
    contexts,
    doc: `Name of the data message that carries the metadata of a stream. Most servers expect onMetaData.`,
    example: 'kmp_rtmp_out_metadata_name onMetaData;',
  }),
  kmp_rtmp_out_stream_id: row(choice('auto', 'assume', 'negotiate'), 'auto', {
    contexts,
    doc: `How a stream is published, and with which message stream id. In every mode, the answer to connect is awaited
      before another command is sent. auto is negotiate, and becomes assume with a server that sends nothing at all (see
      kmp_rtmp_out_answer_timeout). negotiate uses the id in the answer to createStream, and sends media when the server
      has confirmed the publish; if the server returns the same id twice, the second stream gets its own connection.
      assume uses the ids 1, 2, 3 and so on in the order of creation, and sends media at once; it is for servers that do
      not confirm a publish.`,
    example: 'kmp_rtmp_out_stream_id assume;',
  }),
  kmp_rtmp_out_answer_timeout: row(msec, '5s', {
    contexts,
    doc: `Time without any message of the server after the handshake, after which the server counts as one that never
      answers. Everything is then sent without waiting. A server that has sent a message has kmp_rtmp_out_timeout for
      its answer to connect, and again for each further answer. 0: no answer is awaited, as in the nginx module.`,
  }),
  kmp_rtmp_out_connection: row(choice('upstream', 'stream'), 'upstream', {
    contexts,
    doc: `RTMP connections of the streams of an upstream. With upstream, all streams share one connection, unless the
      server returns the same id for two of them. With stream, each stream has its own connection, for servers that
      support one stream for each connection and do not report it, such as node-media-server.`,
    example: 'kmp_rtmp_out_connection stream;',
  }),
  kmp_rtmp_out_enhanced: row(choice('auto', 'on', 'off'), 'auto', {
    contexts,
    doc: `Use of Enhanced RTMP. With auto, Opus, AC-3 and E-AC-3 are sent by FourCC, and announced in the connect
      command only if such a codec is used; H.265 is sent as the nginx module sends it. With on, every connect command
      announces all FourCC codecs, and the metadata names H.265 by its FourCC, as Enhanced RTMP v2 specifies. With off,
      tracks with Opus, AC-3 or E-AC-3 are rejected.`,
  }),
  kmp_rtmp_out_reconnects: row(numOrUnlimited(1_000_000), '0', {
    contexts,
    doc: `Maximum number of consecutive reconnects after an RTMP connection breaks. Meanwhile the KMP connections stay
      open and frames are queued within the memory limit. 0: the upstream ends with its connection. An upstream without
      KMP connections stops trying: at once if nothing is queued, after ten seconds if the server never accepted a
      publish, after a minute otherwise.`,
    example: 'kmp_rtmp_out_reconnects unlimited;',
  }),
  kmp_rtmp_out_reconnect_interval: row(msec, '1s', {
    contexts,
    doc: `Wait after a destination (host, port, application, stream) has failed. It doubles with each further failure,
      with some jitter, up to kmp_rtmp_out_reconnect_max_interval. It holds for all upstreams of a process that have
      this destination, for new ones too, and without kmp_rtmp_out_reconnects: they wait, one of them tries, and the
      others follow its success. The first success ends the wait. A connection that breaks within a minute counts as a
      failure; after a longer one, the waits begin with the shortest again.`,
  }),
  kmp_rtmp_out_reconnect_max_interval: row(msec, '30s', {
    contexts,
    doc: `Longest wait between two attempts to connect to a destination that fails. A shorter one finds the server
      sooner after a long outage. If it is shorter than kmp_rtmp_out_reconnect_interval, it applies to all waits.`,
    example: 'kmp_rtmp_out_reconnect_max_interval 10s;',
  }),
  kmp_rtmp_out_resend: row(msec, '1s', {
    contexts,
    doc: `With reconnects enabled: age up to which data that the kernel had taken before a break counts as possibly
      lost. This data is sent again on the new connection, starting at the preceding key frame. The server is asked to
      acknowledge what it has read. Acknowledged data is never sent again, regardless of its age. Data whose
      acknowledgement is overdue is sent again, regardless of its age. A track without a sender ends when none of its
      data can be lost any more. 0: nothing is sent twice, and no acknowledgements are requested.`,
  }),
  kmp_rtmp_out_linger: row(msec, '0', {
    contexts,
    doc: `Time for which a track stays when its sender is gone: closed, cut, killed, silent for
      kmp_rtmp_in_read_timeout, or ended (end of stream). Its RTMP stream stays published, and its connection open; a
      connection that breaks meanwhile is restored as kmp_rtmp_out_reconnects says. A sender that returns in time
      continues the stream without a new publish. If its timestamps do not continue, they get an offset, so that the
      stream continues by the time that has passed. Many services drop a publisher that sends nothing for ten to thirty
      seconds. DELETE of the API, a reload that drains and the end of the service end the stream at once. 0: the stream
      ends when all frames are sent.`,
    example: 'kmp_rtmp_out_linger 30s;',
  }),
  kmp_rtmp_out_slate: row(slate, 'none', {
    contexts,
    doc: `What is sent in the place of missing media, when a track has received no frame for kmp_rtmp_out_slate_after:
      its sender is connected and silent, or away within kmp_rtmp_out_linger. freeze repeats the last key frame once a
      second, and sends silence as AAC-LC or Opus; audio of other codecs pauses. A file (.mp4, .flv, up to 10 minutes
      and 32 MB of media) is played in a loop, with its own sequence headers; its codecs must be those of the tracks.
      Make it with their picture size, sample rate and channels: many players, and HLS made by remuxing, do not follow a
      change. The first key frame of the sender takes over from the slate, and so does audio; frames that are older than
      the slate are dropped. A track without a frame so far has no slate. none: nothing is sent.`,
    example: 'kmp_rtmp_out_slate /etc/kmp-rtmp/back-soon.mp4;',
  }),
  kmp_rtmp_out_slate_after: row(msec, '2s', {
    contexts,
    doc: `Time without a frame of a track after which kmp_rtmp_out_slate begins. It must be longer than the pauses of
      senders that send in bursts, and than the time between two frames.`,
    example: 'kmp_rtmp_out_slate_after 1s;',
  }),
  kmp_rtmp_out_failback: row(msecOrNever, '1m', {
    contexts,
    doc: `Time after which the primary destination is tried again while a backup is in use (backup_urls in the connect
      data, or url|url in kmp_rtmp_route). It is tried beside the backup, and the stream moves only when the primary
      destination has accepted it, at a key frame. Each failed attempt doubles the wait, up to 5 minutes. never: the
      backup stays in use until it fails.`,
    example: 'kmp_rtmp_out_failback never;',
  }),
  kmp_rtmp_out_failover_lag: row(msecOrNever, '5s', {
    contexts,
    doc: `Lag (lag_ms of the API) above which the next destination is tried, if the upstream has backups. It is tried
      beside the present one. When it has accepted the streams, they move at once, and what the present server has not
      taken is sent there. A destination that has lagged is not tried again for this reason for a minute. never: the lag
      has no effect.`,
    example: 'kmp_rtmp_out_failover_lag 3s;',
  }),
  kmp_rtmp_out_failover_timeout: row(msecFromOne, '1500ms', {
    contexts,
    doc: `Maximum time of an attempt to connect while there is another destination to try: from the look-up of the host
      name to the end of the RTMP handshake. It doubles with each failure in sequence at this destination, so that a
      slow server is still reached. Without another destination, kmp_rtmp_out_timeout holds for each step.`,
  }),
  kmp_rtmp_out_ssl_verify: row(flag, 'on', {
    contexts,
    doc: `Verifies the certificates of rtmps servers. off accepts any certificate: an attacker on the network path can
      then read stream keys.`,
  }),
  kmp_rtmp_out_ssl_trusted_certificate: row(path, '', {
    contexts,
    doc: `File with the certificates (PEM) of the certificate authorities that rtmps servers are verified against. If
      empty, the certificate authorities of Node are used.`,
    example: 'kmp_rtmp_out_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt;',
  }),
  kmp_rtmp_out_ssl_name: row(str, '', {
    contexts,
    doc: `Name that the certificate of an rtmps server must have; it is also sent by SNI. If empty, the host of the URL
      is used.`,
    example: 'kmp_rtmp_out_ssl_name live.example.com;',
  }),
  kmp_rtmp_out_header: row(choice('on', 'off', 'proxy'), 'on', {
    contexts,
    doc: `What a sender may let the service write before the RTMP handshake (header in the connect data). on: anything.
      proxy: only a header of the PROXY protocol, version 1. off: nothing. The connection of a sender with another
      header is closed. With off or proxy, a sender cannot make the service send bytes of another protocol.`,
    example: 'kmp_rtmp_out_header proxy;',
  }),
  kmp_rtmp_out_allow: repeatable(destinationRule('allow'), {
    contexts,
    setting: 'outAccess',
    doc: `Allows upstreams to connect to a destination. The rules of kmp_rtmp_out_allow and kmp_rtmp_out_deny are
      checked in the order of the file; the first match decides. A destination that matches no rule is allowed, with
      these exceptions: link-local addresses (such as 169.254.169.254, where clouds keep credentials), 0.0.0.0 and ::,
      and loopback addresses unless the sender is on this machine, too. A rule that names the address, its network or
      the complete host name can allow those. The service's own listeners are never a destination. A host name is
      compared with the host of the URL; an address or a network is compared with the addresses that the host resolves
      to. Write the deny rules for internal networks first: an allowed host name could resolve to an internal address.
      Rules of an outer block are inherited only if the inner block has none.`,
    example: 'kmp_rtmp_out_deny 10.0.0.0/8; kmp_rtmp_out_allow *.example.com:1935; kmp_rtmp_out_deny all;',
  }),
  kmp_rtmp_out_deny: repeatable(destinationRule('deny'), {
    contexts,
    setting: 'outAccess',
    doc: `Prevents upstreams from connecting to a destination; see kmp_rtmp_out_allow.`,
    example: 'kmp_rtmp_out_deny 10.0.0.0/8;',
  }),
  kmp_rtmp_out_dump_folder: row(path, '', {
    contexts,
    doc: `Folder in which all bytes received from RTMP servers are saved. Each connection gets one file:
      ngx_kmp_rtmp_dump_{date}_{upstream_id}_{connection}.dat. If empty, nothing is saved.`,
    example: 'kmp_rtmp_out_dump_folder /var/tmp/rtmp;',
  }),
} as const;
