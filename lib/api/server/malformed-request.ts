import { STATUS_CODES, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { API_ERRORS, type ApiErrorCode, type ErrorBody } from '../../base/api-error.js';

/** What Node finds wrong with a request before any handler gets it. */
const CODES: ReadonlyMap<string, readonly [code: ApiErrorCode, message: string]> = new Map([
  ['HPE_HEADER_OVERFLOW', ['headers_too_large', 'the request line and headers are too large']],
  ['HPE_CHUNK_EXTENSIONS_OVERFLOW', ['body_too_large', 'the extensions of a chunk are too large']],
  ['ERR_HTTP_REQUEST_TIMEOUT', ['request_timeout', 'the request did not arrive completely in time']],
]);

/**
 * Answers requests that are not HTTP, too large or too slow in the form of all other errors. Without this, Node answers
 * them without a body. The connection is closed.
 */
export class MalformedRequests {
  private readonly answers = new WeakMap<object, ServerResponse>();

  /**
   * The app, behind a check of the Host header (RFC 9112, 3.2). The server needs `requireHostHeader: false`. The
   * requests of a connection must arrive here one by one: the last one is the one that is being answered.
   */
  guard(app: RequestListener): RequestListener {
    return (req, res) => {
      this.answers.set(req.socket, res);
      if (req.headers.host !== undefined || req.httpVersion === '1.0') app(req, res);
      else refuse(res, 'the request has no Host header');
    };
  }

  /** Handles what the parser of `server` refuses. */
  handle(server: Server): void {
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      const earlier = this.answers.get(socket);
      const isAnswering = earlier !== undefined && earlier.headersSent && !earlier.writableFinished;
      const [code, message] = CODES.get(error.code ?? '') ?? ['bad_request', 'the request is not valid HTTP'];
      if (socket.writable && error.code !== 'ECONNRESET' && !isAnswering) socket.write(answerText(code, message));
      socket.destroy();
    });
    server.on('checkExpectation', (_req, res: ServerResponse) => refuse(res, 'the Expect header is not 100-continue'));
  }
}

/** Answers 400 in the turn of the request: the answers to earlier requests of the connection come first. */
function refuse(res: ServerResponse, message: string): void {
  const { status, headers, json } = answer('bad_request', message);
  res.writeHead(status, headers).end(json);
}

/** A complete answer as text, for a socket whose request Node could not parse. */
function answerText(error: ApiErrorCode, message: string): string {
  const { status, headers, json } = answer(error, message);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${json}`;
}

/** An answer after which the connection is closed. */
function answer(
  error: ApiErrorCode,
  message: string,
): { readonly status: number; readonly headers: Record<string, string | number>; readonly json: string } {
  const json = JSON.stringify({ error, message } satisfies ErrorBody);
  const headers = {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(json),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    Connection: 'close',
  };
  return { status: API_ERRORS[error].status, headers, json };
}
