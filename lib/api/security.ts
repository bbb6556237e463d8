import { hostname } from 'node:os';
import { isIP } from 'node:net';
import type { Request, RequestHandler } from 'express';
import { answerError } from './answer.js';

/**
 * Headers for answers that no browser has to draw: nothing may run, frame, sniff or refer. The status page replaces
 * Content-Security-Policy by one of its own. There is no Access-Control-Allow-Origin on purpose: pages of other origins
 * cannot read an answer.
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
 * Whether a request that changes something comes from a page of another site, which a browser sends along with the
 * user's stored credentials, or from inside the user's network.
 *
 * Browsers that are not ancient say so in Sec-Fetch-Site: only `same-origin` (our own page) and `none` (typed by the
 * user) pass. Sec-Fetch-Site is missing over plain http to anything but localhost; then Origin, which every browser sends with
 * DELETE and POST, must name the host that the request was sent to. Neither header: not a browser, nothing to protect.
 */
export function isCrossSite(req: Pick<Request, 'headers'>): boolean {
  const site = req.headers['sec-fetch-site'];
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  const { origin } = req.headers;
  if (origin === undefined) return false;
  return !URL.canParse(origin) || new URL(origin).host !== req.headers.host?.toLowerCase();
}

/** 403 for requests that change something and come from another site's page (see {@link isCrossSite}). */
export const sameSiteOnly: RequestHandler = (req, res, next) => {
  if (req.method === 'GET' || req.method === 'HEAD' || req.method === 'OPTIONS' || !isCrossSite(req)) next();
  else answerError(res, 403, 'cross_site', 'a page of another origin may not change anything here');
};

/**
 * Against DNS rebinding: a page on the operator's machine points its own name at 127.0.0.1, and the browser then takes our
 * answers for that page's. What arrives over the loopback interface must therefore be addressed to an IP address, to
 * `localhost`, to this machine's name, or to one of `names` (`server_name`); else 421. What arrives from outside is not
 * looked at: there allow/deny and the token decide, and the names under which a service is known inside a network are many.
 */
export function hostCheck(names: readonly string[] = []): RequestHandler {
  const known = new Set(['localhost', hostname(), ...names].map((name) => name.toLowerCase()));
  return (req, res, next) => {
    if (!isLoopback(req.socket.localAddress) || isKnownHost(req.headers.host, known)) next();
    else {
      const message = `this server is not known as ${JSON.stringify(req.headers.host)}; add it to server_name`;
      answerError(res, 421, 'unknown_host', message);
    }
  };
}

function isKnownHost(header: string | undefined, known: ReadonlySet<string>): boolean {
  // HTTP/1.0 may leave Host out; a browser never does.
  if (header === undefined) return true;
  const url = `http://${header}`;
  if (!URL.canParse(url)) return false;
  const host = new URL(url).hostname.replace(/\.$/, '');
  return isIP(host.replace(/^\[|\]$/g, '')) !== 0 || host.endsWith('.localhost') || known.has(host);
}

function isLoopback(address: string | undefined): boolean {
  if (address === undefined) return false;
  return address === '::1' || /^(::ffff:)?127\./.test(address);
}
