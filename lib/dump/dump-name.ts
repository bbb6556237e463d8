import { createHash } from 'node:crypto';

/** The most characters of an id that a file name keeps. */
const MAX_ID = 64;

/**
 * The file of a KMP connection's dump: `ngx_live_kmp_dump_{date}_{pid}_{connection}.dat`.
 *
 * @param wall wall-clock ms since 1970
 */
export function kmpDumpName(wall: number, connection: number): string {
  return `ngx_live_kmp_dump_${localDate(wall)}_${process.pid}_${connection}.dat`;
}

/**
 * The file of an RTMP connection's dump: `ngx_kmp_rtmp_dump_{date}_{upstream_id}_{connection}.dat`.
 *
 * @param wall wall-clock ms since 1970
 */
export function rtmpDumpName(wall: number, upstreamId: string, connection: number): string {
  return `ngx_kmp_rtmp_dump_${localDate(wall)}_${fileSafe(upstreamId)}_${connection}.dat`;
}

/** `yyyy-mm-dd` in local time, as the module writes it. */
function localDate(wall: number): string {
  const at = new Date(wall);
  const parts = [at.getFullYear(), at.getMonth() + 1, at.getDate()];
  return parts.map((part) => String(part).padStart(2, '0')).join('-');
}

/**
 * An id as part of a file name. Senders choose ids, so all characters that could form a path are replaced. An id that
 * was changed or cut gets a hash of the whole id, so that two ids never share a file.
 */
function fileSafe(id: string): string {
  const safe = id.slice(0, MAX_ID).replace(/[^A-Za-z0-9.-]/g, '_');
  if (safe === id) return safe;
  return `${safe}-${createHash('sha256').update(id).digest('hex').slice(0, 12)}`;
}
