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

  /** The app, behind a check of the Host header (RFC 9112, 3.2). The server needs `requireHostHeader: false`. */
  guard(app: RequestListener): RequestListener {
    return (req, res) => {
      this.answers.set(req.socket, res);
      if (req.headers.host !== undefined || req.httpVersion === '1.0') app(req, res);
      else req.socket.end(answer('bad_request', 'the request has no Host header'));
    };
  }

  /** Handles what the parser of `server` refuses. */
  handle(server: Server): void {
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      const earlier = this.answers.get(socket);
      const isAnswering = earlier !== undefined && earlier.headersSent && !earlier.writableFinished;
      const [code, message] = CODES.get(error.code ?? '') ?? ['bad_request', 'the request is not valid HTTP'];
      if (socket.writable && error.code !== 'ECONNRESET' && !isAnswering) socket.write(answer(code, message));
      socket.destroy();
    });
    server.on('checkExpectation', (req) => {
      req.socket.end(answer('bad_request', 'the Expect header is not 100-continue'));
    });
  }
}

/** A complete answer that closes the connection. */
function answer(error: ApiErrorCode, message: string): string {
  const body: ErrorBody = { error, message };
  const json = JSON.stringify(body);
  const { status } = API_ERRORS[error];
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(json)}`,
    'Cache-Control: no-store',
    'X-Content-Type-Options: nosniff',
    'Connection: close',
  ];
  return `${lines.join('\r\n')}\r\n\r\n${json}`;
}
