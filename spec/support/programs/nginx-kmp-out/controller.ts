import http from 'node:http';
import type { Clock } from '../../../../lib/time/clock.js';

/** nginx-kmp-out's defaults, ms and bytes: kmp_ctrl_read_timeout, _buffer_size, _retries, _retry_interval. */
const READ_TIMEOUT = 20_000;
const BUFFER_SIZE = 4096;
const RETRIES = 5;
const RETRY_INTERVAL = 2000;

export type Json = { readonly [key: string]: unknown };

/** One request to a controller, as nginx-kmp-out makes it. */
export interface ControlRequest {
  readonly body: Json;
  /** Takes the answer whose `code` is ok; false if the sender could not use it, which counts as a failed try. */
  readonly onAnswer: (answer: Json) => boolean;
  /** All tries have failed. */
  readonly onFailure: (why: string) => void;
}

/** A request on its way. Cancelled, it calls nothing any more. */
export interface ControlCall {
  cancel(): void;
}

/** Asks a controller over HTTP, and tries again after a failure, five times in all after the first. */
export class Controller {
  /** Bodies of all requests, in order; each try is one. */
  readonly requests: Json[] = [];

  constructor(
    /** `http://host:port/path`, the same for all events. */
    private readonly url: string,
    private readonly clock: Clock,
  ) {}

  call({ body, onAnswer, onFailure }: ControlRequest, retries = RETRIES): ControlCall {
    let cancelled = false;
    let cancelWait = (): void => {};
    const attempt = (left: number): void => {
      this.requests.push(body);
      void post(this.url, JSON.stringify(body)).then((answer) => {
        if (cancelled || (typeof answer !== 'string' && onAnswer(answer))) return;
        if (left === 0) {
          onFailure(typeof answer === 'string' ? answer : 'the answer cannot be used');
          return;
        }
        const timer = this.clock.after(RETRY_INTERVAL, () => attempt(left - 1));
        cancelWait = () => timer.cancel();
      });
    };
    attempt(retries);
    return {
      cancel: () => {
        cancelled = true;
        cancelWait();
      },
    };
  }
}

/** The answer, or what is wrong with it. */
function post(url: string, body: string): Promise<Json | string> {
  return new Promise((resolve) => {
    const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) };
    const request = http.request(url, { method: 'POST', headers, agent: false, timeout: READ_TIMEOUT }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => (text += part));
      response.on('end', () => resolve(read(response, text)));
    });
    request.on('timeout', () => request.destroy(new Error('the controller did not answer in time')));
    request.on('error', (error) => resolve(error.message));
    request.end(body);
  });
}

function read(response: http.IncomingMessage, text: string): Json | string {
  const { statusCode, statusMessage = '', headers, rawHeaders } = response;
  // Status line, header lines, empty line and body share one buffer.
  const lines = rawHeaders.reduce((sum, part) => sum + part.length + 2, 'HTTP/1.1 200 \r\n\r\n'.length);
  const size = lines + statusMessage.length + Buffer.byteLength(text);
  if (size > BUFFER_SIZE) return `the answer has ${size} bytes; kmp_ctrl_buffer_size is ${BUFFER_SIZE}`;
  if (statusCode !== 200) return `the controller answered ${statusCode}`;
  if (headers['content-type'] !== 'application/json') return `the answer is ${headers['content-type']}, not JSON`;
  const answer = JSON.parse(text) as Json;
  return answer['code'] === 'ok' ? answer : `the controller said ${text}`;
}
