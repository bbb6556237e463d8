import type { ErrorRequestHandler, RequestHandler, Response } from 'express';
import {
  API_ERRORS,
  clientErrorCode,
  clientErrorStatus,
  type ApiErrorCode,
  type ApiErrorStatus,
  type ErrorBody,
} from '../base/api-error.js';
import { messageOf } from '../base/errors.js';
import { noLog, type Logger } from '../base/logger.js';
import { maskUrl } from '../base/mask.js';
import { bodySender } from './send-body.js';

/**
 * Answers with `value` as JSON. There is no ETag, because the body may be large and differs for each request, and
 * caching is disabled. HEAD gets the same headers; Node omits the body.
 */
export function answerJson(res: Response, value: unknown, status = 200): void {
  answerBytes(res, jsonBytes(value), status);
}

/** Serialises a value for {@link answerBytes}. */
export function jsonBytes(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

/** Like {@link answerJson}, for serialised JSON, or another type. */
export function answerBytes(res: Response, body: Buffer, status = 200, type = 'application/json'): void {
  if (!bodySender.hasRoom(body)) {
    res.setHeader('Retry-After', '2');
    answerError(res, 503, 'busy', 'too many large answers are being sent to slow clients; try again in a few seconds');
    return;
  }
  res.statusCode = status;
  res.setHeader('Content-Type', type);
  res.setHeader('Content-Length', body.length);
  res.setHeader('Cache-Control', 'no-store');
  bodySender.send(res, body);
}

/** Answers with an {@link ErrorBody}. */
export function answerError<Code extends ApiErrorCode>(
  res: Response,
  status: ApiErrorStatus<Code>,
  error: Code,
  message: string,
): void {
  const body: ErrorBody = { error, message };
  answerJson(res, body, status);
}

/** Answers 404 if no route matched. */
export const notFound: RequestHandler = (req, res) => {
  answerError(res, 404, 'not_found', `there is nothing at ${loggableUrl(req.originalUrl)}`);
};

/**
 * Answers failed requests. Errors of the client keep their text (a malformed percent-escape in a path is 400, a body
 * above the limit 413). Other errors are logged and answered with 500 without details.
 */
export function errorHandler(log: Logger = noLog): ErrorRequestHandler {
  return (error: unknown, req, res, next) => {
    const status = clientErrorStatus(error);
    if (status === undefined) {
      log.error(`HTTP ${req.method} ${loggableUrl(req.originalUrl)} failed: ${messageOf(error)}`, { error });
    }
    // The response has begun. Express closes the connection, so the client does not mistake a partial body for a
    // complete one.
    if (res.headersSent) {
      next(error);
      return;
    }
    if (status === undefined) answerError(res, 500, 'internal_error', 'the request failed; see the log of the service');
    else {
      const code = clientErrorCode(status);
      answerError(res, API_ERRORS[code].status, code, messageOf(error));
    }
  };
}

/** A URL for a response or a log: without its query, which may contain a secret. */
function loggableUrl(url: string): string {
  return loggablePath(url.split('?', 1)[0] ?? '');
}

/**
 * A path for a response or a log: limited in length, and with masked URLs. A URL in a path is percent-encoded
 * (`/routes/rtmp%3A%2F%2Fhost%2Fapp`), so the masking of the log does not see it. It becomes
 * `/routes/<rtmp://host/app>`: the masking of the log ends at `>`, and does not take the next segment for a stream key.
 */
export function loggablePath(whole: string): string {
  const path = whole.split('/').map(maskSegment).join('/');
  return path.length > 200 ? `${path.slice(0, 200)}...` : path;
}

function maskSegment(segment: string): string {
  if (!segment.includes('%')) return segment;
  try {
    const decoded = decodeURIComponent(segment);
    return decoded.includes('://') ? `<${maskUrl(decoded)}>` : segment;
  } catch {
    return segment;
  }
}
