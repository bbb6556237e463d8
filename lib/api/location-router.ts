import type { RequestHandler } from 'express';

/** A handler and its path. */
export interface MountedLocation {
  readonly path: string;
  /** Whether only this path is matched, and nothing below it. */
  readonly exact?: boolean;
  readonly handler: RequestHandler;
}

/**
 * Passes a request only to the handler with the longest matching path. Paths are compared by decoded segments, so
 * `/%61pi//x` is in `/api`, as in nginx, and cannot bypass the rules of `/api`. An encoded slash is not a separator.
 * The handler gets the rest of the path as `req.url`, with its original escapes.
 */
export function routeByLocation(mounts: readonly MountedLocation[]): RequestHandler {
  const candidates = mounts
    .map((mount) => ({ ...mount, segments: split(mount.path) }))
    .sort((a, b) => b.segments.length - a.segments.length || Number(b.exact ?? false) - Number(a.exact ?? false));
  return (req, res, next) => {
    const { url, baseUrl } = req;
    // The request target may be an absolute URL (RFC 9112, 3.2.2).
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

/** Decodes a segment. A malformed escape is kept, and the handler answers 400. */
function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
