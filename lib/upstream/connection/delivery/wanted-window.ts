/** Acknowledgements per second that a server is asked for. Each is a packet of 16 bytes and wakes up this process. */
const ACKS_PER_SECOND = 4;

/** Bytes: the smallest and largest window, and the window if the tracks do not state their bitrates. */
const ACK_WINDOW = { least: 16 * 1024, most: 1024 * 1024, unknown: 64 * 1024 };

/**
 * The window of acknowledgements that is useful for tracks of this bitrate, in bytes.
 *
 * @param bitrate bits per second; 0: unknown
 */
export function ackWindow(bitrate: number): number {
  if (bitrate <= 0) return ACK_WINDOW.unknown;
  const bytes = Math.round(bitrate / 8 / ACKS_PER_SECOND);
  return Math.min(Math.max(bytes, ACK_WINDOW.least), ACK_WINDOW.most);
}
