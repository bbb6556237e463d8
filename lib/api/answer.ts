import type { ErrorRequestHandler, RequestHandler, Response } from 'express';
import { messageOf } from '../base/errors.js';
import { noLog, type Logger } from '../base/logger.js';

/** Body of every answer that is not a success. `error` is stable and may be tested for; `message` is for people. */
export interface ErrorBody {
  readonly error: string;
  readonly message: string;
}

/**
 * Answers with `value` as JSON, serialised once and sent as it is: no ETag over a megabyte that is new at each request,
 * nothing kept by a cache. HEAD gets the same headers (Node leaves the body out).
 */
export function answerJson(res: Response, value: unknown, status = 200): void {
  answerBytes(res, jsonBytes(value), status);
}

/** A value as {@link answerBytes} takes it. */
export function jsonBytes(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

/** The same with JSON that is serialised already. */
export function answerBytes(res: Response, body: Buffer, status = 200): void {
  res.statusCode = status;
  res.setHeader('Content-Type', 'application/json');
  res.setHeader('Content-Length', body.length);
  res.setHeader('Cache-Control', 'no-store');
  res.end(body);
}

/** Answers with an {@link ErrorBody}. */
export function answerError(res: Response, status: number, error: string, message: string): void {
  const body: ErrorBody = { error, message };
  answerJson(res, body, status);
}

/** 404 for whatever no route took. */
export const notFound: RequestHandler = (req, res) => {
  answerError(res, 404, 'not_found', `nothing is served at ${shown(req.originalUrl)}`);
};

/**
 * The last word on a request that failed: what the client did wrong keeps its 4xx status and text (a malformed
 * percent-escape in a path is 400), anything else is logged and answers 500 without a word of what went wrong inside.
 */
export function errorHandler(log: Logger = noLog): ErrorRequestHandler {
  return (error: unknown, req, res, next) => {
    const status = statusOf(error);
    if (status === undefined) {
      log.error(`HTTP ${req.method} ${shown(req.originalUrl)} failed: ${messageOf(error)}`, { error });
    }
    // Too late for an answer of ours: Express then cuts the connection, so that half a body is not taken for a whole one.
    if (res.headersSent) {
      next(error);
      return;
    }
    if (status === undefined) answerError(res, 500, 'internal_error', 'the request failed; see the log of the service');
    else answerError(res, status, status === 400 ? 'bad_request' : 'refused', messageOf(error));
  };
}

function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('status' in error)) return undefined;
  const { status } = error;
  return typeof status === 'number' && status >= 400 && status < 500 ? status : undefined;
}

/** A path as it may be repeated in an answer or a log: without its query (it may hold a secret), and not without end. */
function shown(url: string): string {
  const path = url.split('?', 1)[0] ?? '';
  return path.length > 200 ? `${path.slice(0, 200)}...` : path;
}
