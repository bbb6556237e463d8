import type { RequestHandler } from 'express';

/** A handler, and the path that it is mounted at. */
export interface Mounted {
  readonly path: string;
  /** Whether only the path itself is meant, and nothing below it. */
  readonly exact?: boolean;
  readonly handler: RequestHandler;
}

/**
 * Hands a request to the handler with the longest path that holds it, and to no other. Paths are compared by decoded
 * segments, so that `/%61pi//x` is in `/api` as it is for nginx, and cannot slip past the rules of `/api` into a shorter
 * location; an encoded slash separates nothing. The handler sees the rest as its `req.url`, with its escapes as they came.
 */
export function locate(mounts: readonly Mounted[]): RequestHandler {
  const candidates = mounts
    .map((mount) => ({ ...mount, segments: split(mount.path) }))
    .sort((a, b) => b.segments.length - a.segments.length || Number(b.exact ?? false) - Number(a.exact ?? false));
  return (req, res, next) => {
    const { url, baseUrl } = req;
    // The request target may be a whole URL (RFC 9112, 3.2.2).
    const [, path = '', query = ''] = /^(?:[a-z]+:\/\/[^/?]*)?([^?]*)(.*)$/is.exec(url) ?? [];
    const raw = split(path);
    const decoded = raw.map(decode);
    const found = candidates.find(
      ({ segments, exact }) =>
        segments.every((segment, index) => segment === decoded[index]) &&
        (exact !== true || segments.length === raw.length),
    );
    if (!found) {
      next();
      return;
    }
    const depth = found.segments.length;
    req.baseUrl =
      baseUrl +
      raw
        .slice(0, depth)
        .map((segment) => `/${segment}`)
        .join('');
    req.url = `/${raw.slice(depth).join('/')}${query}`;
    void found.handler(req, res, (error?: unknown) => {
      Object.assign(req, { url, baseUrl });
      next(error);
    });
  };
}

function split(path: string): string[] {
  return path.split('/').filter((segment) => segment !== '');
}

/** A segment that is no valid escape stays as it is; the handler that gets it answers 400. */
function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
