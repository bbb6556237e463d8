import type { IncomingMessage } from 'node:http';
import { messageOf } from '../../base/errors.js';
import { version } from '../../base/version.js';
import type { NodeHttpAddress } from '../../config/fleet/arguments.js';
import type { Question } from '../../management/question.js';
import type { Clock } from '../../time/clock.js';
import { deadline } from '../../time/deadline.js';
import { AnswerReader, PeerError, shown, type PeerAnswer } from './answer-reader.js';
import { ASKER_HEADER, MAX_ANSWER, MAX_ANSWERS, PEER_PATH, PEER_TYPE, PEER_VERSION } from './protocol.js';
import type { FleetQuestion } from './fleet-question.js';
import { postToPeer } from './peer-request.js';

export interface PeerClientOptions {
  /** Name of this node. */
  readonly self: string;
  /** The peer token that is sent. */
  readonly token: () => string;
  /** Certificates of the authorities for other nodes, in PEM form; undefined: those of Node. */
  readonly ca: () => string | undefined;
  readonly clock: Clock;
}

/** A node that is asked. */
export interface PeerTarget {
  readonly name: string;
  readonly http: NodeHttpAddress;
}

/** The most bytes of an answer that says why there is none. */
const MAX_REFUSAL = 4096;
/** Bytes that an answer may take on the connection beyond twice its content: its head, and what has not been read. */
const MAX_FRAMING = 256 * 1024;

/**
 * Asks other nodes over HTTP. Each question is one request on a connection of its own, with one deadline for all of it.
 * Redirects are not followed: the token goes only to the address that the node has given. Answers are bounded, one by
 * one and together.
 */
export class PeerClient {
  /** Bytes of the answers that are being read. */
  private reading = 0;

  constructor(private readonly options: PeerClientOptions) {}

  /**
   * @param timeout ms, for the whole answer
   * @throws PeerError
   */
  async ask(node: PeerTarget, what: Question | FleetQuestion, timeout: number): Promise<PeerAnswer> {
    const { clock } = this.options;
    const abort = new AbortController();
    const timer = deadline(clock, timeout, () => abort.abort());
    try {
      return await this.post(node, what, abort.signal);
    } catch (error) {
      if (abort.signal.aborted) throw new PeerError(`it has not answered in ${timeout} ms`, true);
      throw error instanceof PeerError ? error : new PeerError(reasonOf(error), false, { cause: error });
    } finally {
      timer.cancel();
      // Aborting closes the connection of an answer that is not read to its end.
      abort.abort();
    }
  }

  private async post(node: PeerTarget, what: Question | FleetQuestion, signal: AbortSignal): Promise<PeerAnswer> {
    const { self, token, ca } = this.options;
    const body = JSON.stringify(what);
    const answer = await postToPeer({
      to: node.http,
      path: `${PEER_PATH}/${PEER_VERSION}/ask`,
      headers: {
        Authorization: `Bearer ${token()}`,
        'Content-Type': 'application/json',
        'Content-Length': String(Buffer.byteLength(body)),
        'User-Agent': `kmp-rtmp/${version}`,
        [ASKER_HEADER]: self,
      },
      body,
      ca: ca(),
      signal,
    });
    if (answer.statusCode !== 200) throw new PeerError(await refusalOf(answer));
    if (answer.headers['content-type']?.startsWith(PEER_TYPE) !== true) {
      throw new PeerError('its answer is not that of a node; is the http= address in its configuration right?');
    }
    return this.read(node, answer);
  }

  private async read(node: PeerTarget, answer: IncomingMessage): Promise<PeerAnswer> {
    const reader = new AnswerReader(node.name);
    let size = 0;
    try {
      for await (const part of answer) {
        const chunk = part as Buffer;
        size += chunk.length;
        this.reading += chunk.length;
        if (size > MAX_ANSWER) throw new PeerError(`its answer has more than ${MAX_ANSWER} bytes`);
        if (this.reading > MAX_ANSWERS) throw new PeerError(`the answers of all nodes exceed ${MAX_ANSWERS} bytes`);
        // Each piece costs work, also one of a single byte.
        if (answer.socket.bytesRead > 2 * size + MAX_FRAMING) throw new PeerError('its answer is in too small pieces');
        await reader.push(chunk);
      }
      return reader.finish();
    } finally {
      this.reading -= size;
    }
  }
}

async function refusalOf(answer: IncomingMessage): Promise<string> {
  const { statusCode: status = 0 } = answer;
  if (status >= 300 && status < 400) return `it answers with a redirect (${status}), which is not followed`;
  if (status === 401) return 'it does not accept the peer token: peer_token_file must be the same on all nodes';
  const said = await messageIn(answer);
  if (status === 403) return `it denies access: check allow and deny of its HTTP server${said}`;
  return `it answers with HTTP status ${status}${said}`;
}

/** What an error answer says, after a colon. */
async function messageIn(answer: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let left = MAX_REFUSAL;
  for await (const part of answer) {
    const chunk = part as Buffer;
    parts.push(chunk);
    left -= chunk.length;
    if (left < 0) return '';
  }
  try {
    const { message } = JSON.parse(Buffer.concat(parts).toString()) as { message?: unknown };
    return typeof message === 'string' ? `: ${shown(message)}` : '';
  } catch {
    return '';
  }
}

function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | undefined)?.code ?? messageOf(error);
  if (code === 'ECONNREFUSED') return 'nothing listens at its HTTP address';
  if (/^(UNABLE_TO|SELF_SIGNED|DEPTH_ZERO|CERT_|ERR_TLS_CERT)/.test(code)) {
    return `its certificate is not accepted (${shown(code)}): see peer_ca_file, and the host in its http=`;
  }
  if (code === 'ECONNRESET') return 'its answer was cut';
  return `it cannot be asked (${shown(code)})`;
}
