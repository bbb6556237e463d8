import http from 'node:http';
import https from 'node:https';
import fetch, { FetchError, type Response } from 'node-fetch';
import { messageOf } from '../../base/errors.js';
import { version } from '../../base/version.js';
import { formatAddress } from '../../config/access/addresses.js';
import type { NodeHttpAddress } from '../../config/fleet/arguments.js';
import type { Question } from '../../management/question.js';

import type { Clock } from '../../time/clock.js';
import { AnswerReader, PeerError, shown, type PeerAnswer } from './answer-reader.js';
import { ASKER_HEADER, MAX_ANSWER, MAX_ANSWERS, PEER_PATH, PEER_TYPE, PEER_VERSION } from './protocol.js';
import type { FleetQuestion } from './fleet-question.js';

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
    const timer = clock.after(timeout, () => abort.abort(), false);
    const agent = node.http.tls === true ? new https.Agent({ ca: this.options.ca() }) : new http.Agent();
    try {
      return await this.post(node, what, abort.signal, agent);
    } catch (error) {
      if (abort.signal.aborted) throw new PeerError(`it has not answered in ${timeout} ms`, true);
      throw error instanceof PeerError ? error : new PeerError(reasonOf(error), false, { cause: error });
    } finally {
      timer.cancel();
      // Aborting closes the connection of an answer that is not read to its end.
      abort.abort();
      agent.destroy();
    }
  }

  private async post(
    node: PeerTarget,
    what: Question | FleetQuestion,
    signal: AbortSignal,
    agent: http.Agent,
  ): Promise<PeerAnswer> {
    const { self, token } = this.options;
    const scheme = node.http.tls === true ? 'https' : 'http';
    const response = await fetch(`${scheme}://${formatAddress(node.http)}${PEER_PATH}/${PEER_VERSION}/ask`, {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${token()}`,
        'Content-Type': 'application/json',
        'User-Agent': `kmp-rtmp/${version}`,
        [ASKER_HEADER]: self,
      },
      body: JSON.stringify(what),
      redirect: 'manual',
      compress: false,
      agent,
      signal,
    });
    if (response.status !== 200) throw new PeerError(await refusalOf(response));
    if (response.headers.get('Content-Type')?.startsWith(PEER_TYPE) !== true) {
      throw new PeerError('its answer is not that of a node; is the http= address in its configuration right?');
    }
    return this.read(node, response);
  }

  private async read(node: PeerTarget, { body }: Response): Promise<PeerAnswer> {
    const reader = new AnswerReader(node.name);
    let size = 0;
    try {
      for await (const part of body ?? []) {
        const chunk = Buffer.from(part);
        size += chunk.length;
        this.reading += chunk.length;
        if (size > MAX_ANSWER) throw new PeerError(`its answer has more than ${MAX_ANSWER} bytes`);
        if (this.reading > MAX_ANSWERS) throw new PeerError(`the answers of all nodes exceed ${MAX_ANSWERS} bytes`);
        reader.push(chunk);
      }
      return reader.finish();
    } finally {
      this.reading -= size;
    }
  }
}

async function refusalOf(response: Response): Promise<string> {
  const { status } = response;
  if (status >= 300 && status < 400) return `it answers with a redirect (${status}), which is not followed`;
  if (status === 401) return 'it does not accept the peer token: peer_token_file must be the same on all nodes';
  const said = await messageIn(response);
  if (status === 403) return `it denies access: check allow and deny of its HTTP server${said}`;
  return `it answers with HTTP status ${status}${said}`;
}

/** What an error answer says, after a colon. */
async function messageIn({ body }: Response): Promise<string> {
  const parts: Buffer[] = [];
  let left = MAX_REFUSAL;
  for await (const part of body ?? []) {
    const chunk = Buffer.from(part);
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
  const code = error instanceof FetchError && error.code !== undefined ? error.code : messageOf(error);
  if (code === 'ECONNREFUSED') return 'nothing listens at its HTTP address';
  if (/^(UNABLE_TO|SELF_SIGNED|DEPTH_ZERO|CERT_|ERR_TLS_CERT)/.test(code)) {
    return `its certificate is not accepted (${shown(code)}): see peer_ca_file, and the host in its http=`;
  }
  if (code === 'ERR_STREAM_PREMATURE_CLOSE') return 'its answer was cut';
  return `it cannot be asked (${shown(code)})`;
}
