import { row, type Context } from '../row.js';
import { choice, flag, msec, num, path, size } from '../types.js';

const contexts: readonly Context[] = ['stream', 'stream server'];

/** What holds for the KMP connections of a server. */
export const inputDirectives = {
  kmp_rtmp_in_read_timeout: row(msec, '20s', {
    contexts,
    doc: `Longest silence of a KMP sender: a connection on which nothing arrives for this long is closed. It counts from one
      read to the next.`,
  }),
  kmp_rtmp_in_send_timeout: row(msec, '10s', {
    contexts,
    doc: `How long an acknowledgement may wait for a KMP sender to take it, from one write to the next, before the connection is
      closed.`,
  }),
  kmp_rtmp_in_mem_limit: row(size(1024), '256k', {
    contexts,
    doc: `Most bytes that a KMP connection may hold until its connect data is read and its upstream known; past it the
      connection is closed. From then on its bytes count against kmp_rtmp_out_mem_limit of the upstream.`,
  }),
  kmp_rtmp_in_buffer_size: row(size(1024, 16 * 2 ** 20), '64k', {
    contexts,
    doc: `Size of the blocks that KMP connections are read into. Frames are slices of such a block, which is held in memory
      until the last of them is sent.`,
  }),
  kmp_rtmp_in_buffer_bin_count: row(num(1, 1_000_000), '8', {
    contexts,
    doc: `In the module: how many classes, by how much of them is in use, input buffers are kept in.`,
    noEffect: `frames are slices of the blocks read, and the garbage collector gives a block back once no slice is left: there
      is no allocator with bins to tune`,
  }),
  kmp_rtmp_in_max_free_buffers: row(num(0, 1_000_000), '4', {
    contexts,
    doc: `In the module: how many empty input buffers are kept for later use.`,
    noEffect: `the garbage collector keeps and reuses memory by its own measure; there is no list of free buffers`,
  }),
  kmp_rtmp_in_log_frames: row(choice('off', 'on', 'all', 'key'), 'off', {
    contexts,
    doc: `Writes a log line for each frame received: frame id, created, dts, flags, pts delay, size and MD5 of the data. "all"
      is the same as "on"; "key" keeps to key frames.`,
  }),
  kmp_rtmp_in_dump_folder: row(path, '', {
    contexts,
    doc: `Folder to save every byte received on KMP connections to, one file a connection:
      ngx_live_kmp_dump_{date}_{pid}_{connection}.dat. Empty: nothing is saved.`,
  }),
  kmp_rtmp_in_ack: row(flag, 'on', {
    contexts,
    doc: `Acknowledges frames to KMP senders once the kernel has taken the last byte of them towards RTMP, or they were skipped
      or dropped on purpose, so that a sender that comes back knows where to go on.`,
  }),
  kmp_rtmp_in_max_skip_frames: row(num(0, 2 ** 32), '2000', {
    contexts,
    doc: `How many frames that a sender repeats after it came back are skipped as duplicates. One that goes further back starts
      a new sequence, which waits for a key frame.`,
  }),
  kmp_rtmp_in_read_interval: row(msec, '230ms', {
    contexts,
    doc: `Reads each KMP connection once per interval and lets the kernel gather what arrives in between, which costs far less
      CPU. The wait counts against the process delay, so that the delay of the stream does not grow, and is at most four fifths
      of kmp_rtmp_out_min_process_delay. A connection that brings less than 16 KB an interval (audio) may be read at every second
      one, but always before a later frame of another track is written. A second sender of a track waits for two intervals, since
      the first may be gone unnoticed. Off with kmp_rtmp_out_early_release, with kmp_rtmp_out_flush_timeout 0, and with next to no process delay.
      0: whatever arrives is read at once.`,
  }),
  kmp_rtmp_in_max_connections: row(num(0, 10_000_000), '10000', {
    contexts,
    doc: `Most KMP connections of a server at a time; more are closed at once. 0: no limit.`,
  }),
  kmp_rtmp_in_max_connections_per_address: row(num(0, 10_000_000), '0', {
    contexts,
    doc: `Most KMP connections of a server from one address at a time; more are closed at once. 0: no limit.`,
  }),
} as const;
