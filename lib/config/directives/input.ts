import { senderSecret } from '../access/sender-secrets.js';
import { repeatable, row, type Context } from '../row.js';
import { choice, msec, msecBounds, num, numOrAuto, path, size, msecFromOne } from '../types.js';

const contexts: readonly Context[] = ['stream', 'stream server'];

/** Who may send to a server. The files are read with the configuration. */
export const senderDirectives = {
  kmp_rtmp_in_secret: repeatable(senderSecret, {
    contexts,
    setting: 'inSecrets',
    doc: `Secret that connect data must be signed with. With it, a sender is refused unless a controller or kmp-rtmp send
      has signed its connect data: see docs/control.md, Signed connect data. kmp_rtmp_control signs its answers with the
      first secret, and all of them are accepted, so a secret is replaced by adding the new one before the old one. The
      name is that of its holder, for the log and kmp_rtmp_in_owner. May be repeated.`,
    example: 'kmp_rtmp_in_secret studio 7c1f0d9e25b84a63a5d2c4e8f1b09376;',
  }),
  kmp_rtmp_in_secret_file: repeatable(path, {
    contexts,
    setting: 'inSecretFiles',
    doc: `File with secrets of kmp_rtmp_in_secret: one for each line, as SECRET or NAME SECRET. Lines that begin with "#"
      are comments. A reload reads the file again. A relative path begins at the folder of the configuration file. May be
      repeated, and used together with kmp_rtmp_in_secret, whose secrets come first.`,
    example: 'kmp_rtmp_in_secret_file /run/secrets/kmp;',
  }),
} as const;

/** Directives for the KMP connections of a server. */
export const inputDirectives = {
  kmp_rtmp_in_read_timeout: row(msec, '20s', {
    contexts,
    doc: `Maximum time between two reads from a KMP connection. A connection that delivers nothing for this time is
      closed, and so is one whose connect packet is not complete after this time. 0: no limit.`,
  }),
  kmp_rtmp_in_send_timeout: row(msecFromOne, '10s', {
    contexts,
    doc: `Maximum time between two writes of acknowledgements to a KMP connection. A sender that does not read its
      acknowledgements for this time is disconnected.`,
  }),
  kmp_rtmp_in_mem_limit: row(size(), '256k', {
    contexts,
    doc: `Maximum number of bytes that a KMP connection may hold until its connect data is read. A connection above the
      limit is closed. After the connect data is read, the bytes count towards kmp_rtmp_out_mem_limit of the upstream.`,
  }),
  kmp_rtmp_in_buffer_size: row(size(1, 16 * 2 ** 20), '64k', {
    contexts,
    doc: `Size of the blocks of memory that data of KMP connections is read into. Frames are slices of a block. The
      block stays in memory until the last of its frames is sent.`,
  }),
  kmp_rtmp_in_buffer_bin_count: row(num(1, 1_000_000), '8', {
    contexts,
    doc: `In the nginx module, the number of bins that input buffers are grouped in.`,
    noEffect: `frames are slices of the blocks that were read, and the garbage collector frees a block when no slice is
      left: there is no allocator with bins to tune`,
  }),
  kmp_rtmp_in_max_free_buffers: row(num(0, 1_000_000), '4', {
    contexts,
    doc: `In the nginx module, the number of free input buffers that are kept for later use.`,
    noEffect: `the garbage collector decides which memory is kept and reused; there is no list of free buffers`,
  }),
  kmp_rtmp_in_log_frames: row(choice('off', 'on', 'all', 'key'), 'off', {
    contexts,
    doc: `Writes a log line for each received frame: frame id, created, dts, flags, pts delay, size and the MD5 of the
      data. "all" is the same as "on". "key" logs key frames only.`,
  }),
  kmp_rtmp_in_dump_folder: row(path, '', {
    contexts,
    doc: `Folder in which all bytes received from KMP connections are saved. Each connection gets one file:
      ngx_live_kmp_dump_{date}_{pid}_{connection}.dat. If empty, nothing is saved.`,
    example: 'kmp_rtmp_in_dump_folder /var/tmp/kmp;',
  }),
  kmp_rtmp_in_ack: row(choice('on', 'group', 'frame', 'off'), 'on', {
    contexts,
    doc: `Acknowledges frames to KMP senders, so that a sender that reconnects knows where to continue. A frame is done
      when the server is known to publish the stream, or never answers at all, and the kernel has taken the last byte of
      the frame. A frame that was skipped or dropped on purpose is done, too. "group" is the same as "on": audio is
      acknowledged frame by frame, and video up to the newest key frame that has only done frames before it. So the
      sender still has that key frame if it has to continue at another process or upstream. "frame": video is
      acknowledged frame by frame, too. A sender that knows nothing of key frames then loses the rest of a group when
      the service restarts. At the end of stream, every frame is acknowledged as soon as it is done, and the connection
      is closed after that. "off": no acknowledgements.`,
  }),
  kmp_rtmp_in_max_skip_frames: row(num(0, 2 ** 32), '2000', {
    contexts,
    doc: `Maximum number of frames that are skipped as duplicates after a sender reconnects. A sender that repeats more
      frames starts a new sequence, which begins at a key frame.`,
  }),
  kmp_rtmp_in_read_interval: row(msecBounds, '100ms 230ms', {
    contexts,
    doc: `Reads each KMP connection once per interval. In between, the kernel buffers the data, which uses much less CPU
      time. With two times, the interval adapts to the load between them: the fewer connections a process has, the
      shorter it is. With 40 connections or more it is seven eighths of the longest, and with 800 fifteen sixteenths. It is the
      longest with more than 1000, and while the process is busy. With one time, it is always the same. A frame waits for the next read or write, so its delay is
      kmp_rtmp_out_min_process_delay with up to 50 ms less, and up to the interval minus 50 ms more. The interval is at
      most four fifths of kmp_rtmp_out_min_process_delay, and with the default delay at most 230 ms. A connection that delivers less than 16 KB per interval (audio) may
      be read at every second interval, but always before a later frame of another track is written. A second sender of
      a track waits for two of the longest intervals, because the first sender may have disconnected without notice. The
      metric kmp_rtmp_process_read_interval_seconds has the present interval of each process. The interval is not used with kmp_rtmp_out_early_release, with kmp_rtmp_out_flush_timeout 0, and with a process delay close to 0.
      0: data is read as soon as it arrives.`,
    example: 'kmp_rtmp_in_read_interval 230ms;',
  }),
  kmp_rtmp_in_max_name_length: row(num(0, 1_000_000), '256', {
    contexts,
    doc: `Maximum length of upstream_id and of name in the connect data, in characters. The query of a name may be eight
      times as long, and the whole url sixteen times, because they may contain signed tokens. A connection with longer
      ones is closed. 0: no limit.`,
  }),
  kmp_rtmp_in_owner: row(choice('off', 'address', 'secret'), 'secret', {
    contexts,
    doc: `Who may add tracks to an upstream that exists, beside its first sender: off: everyone. address: senders at the
      address of the first one. secret: senders that have signed with a secret of the same name (kmp_rtmp_in_secret); as
      long as no secret has a name, everyone. Others are disconnected, until the upstream has ended. kmp_rtmp_out_linger
      is included in that time: nobody else can take a track while its sender is away. With address, a sender cannot
      continue on another machine.`,
    example: 'kmp_rtmp_in_owner address;',
  }),
  kmp_rtmp_in_max_connections: row(num(0, 10_000_000), '10000', {
    contexts,
    doc: `Maximum number of simultaneous KMP connections of a server. Further connections are closed at once. With several
      workers, it applies to each of them. 0: no limit.`,
  }),
  kmp_rtmp_in_max_connections_per_address: row(numOrAuto(0, 10_000_000), 'auto', {
    contexts,
    doc: `Maximum number of simultaneous KMP connections of a server from one address. Further connections are closed at
      once. With several workers, it applies to each of them. auto: half of kmp_rtmp_in_max_connections, so that no
      address can use up all connections, but no limit for loopback addresses. If all tracks come from one other address (one sender, NAT, a proxy without the PROXY protocol), raise kmp_rtmp_in_max_connections, or write 0.
      0: no limit.`,
    example: 'kmp_rtmp_in_max_connections_per_address 100;',
  }),
} as const;
