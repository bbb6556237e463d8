import { timingSafeEqual } from 'node:crypto';
import express, { type Request, type RequestHandler, type Response, type Router } from 'express';
import { answerBytes, answerError, errorHandler, notFound } from '../../api/answer.js';
import { coalesce } from '../../api/coalesce.js';
import { messageOf, KmpRtmpError } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { version } from '../../base/version.js';
import { tokenDigest } from '../../config/access/tokens.js';
import { answerQuestion, type Answerer } from '../../management/question.js';
import { peerName } from '../../net/peer.js';
import { systemClock } from '../../time/clock.js';
import { turnShareOf } from '../../time/turn-share.js';
import type { UpstreamStatuses } from '../../upstream/report/status.js';
import type { FleetOrders } from '../view/fleet-orders.js';
import { readQuestion } from './fleet-question.js';
import { ASKER_HEADER, MAX_QUESTION, PEER_TYPE, PEER_VERSION, type HeadLine, type Line } from './protocol.js';

export interface PeerRouterOptions {
  /** Name of this node. */
  readonly self: string;
  /** The peer tokens: more than one while it is being changed. No other token is accepted. */
  readonly tokens: () => readonly string[];
  readonly media: Answerer;
  readonly orders: FleetOrders;
  readonly log: Logger;
}

/** Upstreams that are serialised in one piece of work. */
const AT_ONCE = 16;

/** Questions that change something; they are logged. */
const CHANGES: ReadonlySet<string> = new Set(['dropUpstream', 'dropTrack', 'order', 'applyElsewhere']);

/**
 * Answers other nodes of the fleet (see protocol.ts), to be mounted at `PEER_PATH`. It needs the peer token, but does
 * not restrict addresses: use `accessControl` before it.
 */
export function peerRouter(options: PeerRouterOptions): Router {
  const { log } = options;
  const status = coalesce(() => options.media.management.status());
  const router = express.Router({ caseSensitive: true });
  router.use(requirePeer(options.tokens));
  router.post('/:version/ask', sameVersion, express.json({ limit: MAX_QUESTION, strict: false }), async (req, res) => {
    const question = readQuestion(req.body);
    if (question === undefined) {
      answerError(res, 400, 'bad_request', `this node (kmp-rtmp ${version}) does not know such a question`);
      return;
    }
    const { media, orders } = options;
    const head: HeadLine = { node: options.self, version, orders: orders.digest };
    let lines: readonly Line[];
    try {
      switch (question.name) {
        case 'ping':
          lines = [];
          break;
        case 'orders':
          lines = itemLines(orders.all());
          break;
        case 'giveOrders':
          orders.merge(question.orders);
          lines = [];
          break;
        case 'status':
          lines = statusLines(await status());
          break;
        case 'statusOf':
          lines = statusLines(await options.media.management.statusOf(question.ids));
          break;
        case 'upstreamIds': {
          const { ids, ...value } = await options.media.management.upstreamIds();
          lines = [{ value }, ...itemLines(ids)];
          break;
        }
        case 'closed':
          lines = itemLines(await options.media.management.closed(question.query));
          break;
        default:
          lines = [{ value: await answerQuestion(media, question) }];
      }
      if (CHANGES.has(question.name)) log.info(`fleet: ${question.name} done, for ${asker(req)}`);
    } catch (error) {
      const code = error instanceof KmpRtmpError ? error.code : 'internal_error';
      lines = [{ failed: { code, message: messageOf(error) } }];
    }
    await respond(res, [head, ...lines, { end: true }]);
  });
  router.use(notFound);
  router.use(errorHandler(log));
  return router;
}

/** Compares digests in constant time, and with all tokens, so that the duration reveals nothing about them. */
function requirePeer(tokens: () => readonly string[]): RequestHandler {
  return (req, res, next) => {
    const [, given = ''] = /^Bearer (\S+)$/i.exec(req.headers.authorization ?? '') ?? [];
    const digest = digestOf(given);
    const same = tokens().filter((token) => timingSafeEqual(digest, digestOf(token)));
    if (given !== '' && same.length > 0) {
      next();
      return;
    }
    res.setHeader('WWW-Authenticate', 'Bearer realm="kmp-rtmp fleet"');
    answerError(res, 401, 'unauthorized', 'only nodes of the fleet are answered here; they send the peer token');
  };
}

function digestOf(token: string): Buffer {
  return Buffer.from(tokenDigest(token), 'hex');
}

const sameVersion: RequestHandler = (req, res, next) => {
  if (req.params['version'] === String(PEER_VERSION)) {
    next();
    return;
  }
  const message = `this node (kmp-rtmp ${version}) speaks version ${PEER_VERSION} of the protocol between nodes`;
  answerError(res, 404, 'fleet_protocol', message);
};

function* entries(upstreams: UpstreamStatuses['upstreams']): Generator<Line> {
  for (const [id, upstream] of Object.entries(upstreams)) yield { id, upstream };
}

function statusLines({ upstreams, ...value }: UpstreamStatuses): Line[] {
  return [{ value }, ...entries(upstreams)];
}

function itemLines(items: readonly unknown[]): Line[] {
  return items.map((item) => ({ item }));
}

async function respond(res: Response, lines: readonly (HeadLine | Line)[]): Promise<void> {
  const parts: Buffer[] = [];
  await turnShareOf(systemClock).inParts(lines, AT_ONCE, (line) =>
    parts.push(Buffer.from(`${JSON.stringify(line)}\n`)),
  );
  answerBytes(res, Buffer.concat(parts), 200, PEER_TYPE);
}

function asker(req: Request): string {
  const name = req.get(ASKER_HEADER) ?? '';
  return `node ${/^[\w.-]{1,64}$/.test(name) ? name : 'without a name'} (${peerName(req.socket)})`;
}
