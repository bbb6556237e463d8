import { hostname } from 'node:os';
import { isIP } from 'node:net';
import type { Request, RequestHandler } from 'express';
import { answerError } from './answer.js';

/**
 * Sets headers for responses that are not pages: scripts, frames, content sniffing and referrers are disabled. The
 * status page replaces Content-Security-Policy. Access-Control-Allow-Origin is not set, so pages of other origins
 * cannot read a response.
 */
export const securityHeaders: RequestHandler = (_req, res, next) => {
  res.removeHeader('X-Powered-By');
  res.setHeader('Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'; base-uri 'none'");
  res.setHeader('X-Content-Type-Options', 'nosniff');
  res.setHeader('X-Frame-Options', 'DENY');
  res.setHeader('Referrer-Policy', 'no-referrer');
  res.setHeader('Cross-Origin-Resource-Policy', 'same-origin');
  next();
};

/**
 * Returns whether a request comes from a page of another site. A browser would send such a request with the stored
 * credentials of the user, or from inside the network of the user.
 *
 * Browsers send Sec-Fetch-Site: only `same-origin` (the status page) and `none` (typed by the user) are accepted. Over
 * plain http to hosts other than localhost, they do not send it. Then Origin, which every browser sends with DELETE and
 * POST, must match the host of the request. A request without both headers is not from a browser and needs no
 * protection.
 */
export function isCrossSite(req: Pick<Request, 'headers'>): boolean {
  const site = req.headers['sec-fetch-site'];
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  const { origin } = req.headers;
  if (origin === undefined) return false;
  return !URL.canParse(origin) || new URL(origin).host !== req.headers.host?.toLowerCase();
}

/** Answers 403 to requests that change something and come from a page of another site (see {@link isCrossSite}). */
export const sameSiteOnly: RequestHandler = (req, res, next) => {
  if (req.method === 'GET' || req.method === 'HEAD' || req.method === 'OPTIONS' || !isCrossSite(req)) next();
  else answerError(res, 403, 'cross_site', 'a page of another origin may not change anything here');
};

/**
 * Protects against DNS rebinding: a foreign page makes its own host name resolve to the address of this service, and
 * the browser of the operator then treats responses of this service as those of the page. So a request must use an IP
 * address, `localhost`, the name of this machine, or one of `names` as its host; else the answer is 421.
 * A request with two hosts gets 400.
 *
 * @param names the names of `server_name` and `listen`; `*.NAME` stands for all names below NAME
 */
export function hostCheck(names: readonly string[] = []): RequestHandler {
  const all = ['localhost', '*.localhost', hostname(), ...names].map((name) => name.toLowerCase().replace(/\.$/, ''));
  const known = new Set(all.filter((name) => !name.startsWith('*.')));
  const endings = all.filter((name) => name.startsWith('*.')).map((name) => name.slice(1));
  const isKnown = (host: string): boolean => known.has(host) || endings.some((ending) => host.endsWith(ending));
  return (req, res, next) => {
    if (hasSeveralHosts(req)) {
      answerError(res, 400, 'bad_request', 'the request has more than one Host');
    } else if (isKnownHost(req.headers.host, isKnown)) {
      next();
    } else {
      const message = `${JSON.stringify(req.headers.host)} is not a name of this server; add it to server_name`;
      answerError(res, 421, 'unknown_host', message);
    }
  };
}

/** Node keeps the first Host. A proxy in front of the service may have checked the last one. */
function hasSeveralHosts({ rawHeaders }: Request): boolean {
  return rawHeaders.filter((name, i) => i % 2 === 0 && name.toLowerCase() === 'host').length > 1;
}

function isKnownHost(header: string | undefined, isKnown: (host: string) => boolean): boolean {
  // HTTP/1.0 clients may omit Host; browsers never do.
  if (header === undefined) return true;
  const url = `http://${header}`;
  if (!URL.canParse(url)) return false;
  const host = new URL(url).hostname.replace(/\.$/, '');
  return isIP(host.replace(/^\[|\]$/g, '')) !== 0 || isKnown(host);
}
