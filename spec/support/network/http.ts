import http from 'node:http';
import https from 'node:https';
import express, { type RequestHandler } from 'express';
import { freePort } from './free-port.js';

export interface Reply {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
  /** The body parsed as JSON; undefined where it is empty. */
  readonly json: unknown;
}

export interface TestServer {
  readonly port: number;
  /** Sends exactly this path: unlike fetch, no dot segment or escape of it is touched. */
  request(method: string, path: string, headers?: http.OutgoingHttpHeaders, body?: string): Promise<Reply>;
  get(path: string, headers?: http.OutgoingHttpHeaders): Promise<Reply>;
  close(): Promise<void>;
}

/** An Express app with `handler` at `path`, as a user of the library has it. */
export function appWith(path: string, handler: RequestHandler): http.RequestListener {
  return express().use(path, handler);
}

/** Sends exactly this path, on a connection of its own. */
export function send(
  port: number,
  method: string,
  path: string,
  headers: http.OutgoingHttpHeaders = {},
  address = '127.0.0.1',
  body?: string,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const options = { host: address, port, method, path, headers, agent: false };
    const sent = http.request(options, (res) => {
      const parts: Buffer[] = [];
      res.on('data', (part: Buffer) => parts.push(part));
      res.on('error', reject);
      res.on('end', () => {
        const text = Buffer.concat(parts).toString();
        const isJson = res.headers['content-type']?.startsWith('application/json') === true && text !== '';
        const json: unknown = isJson ? JSON.parse(text) : undefined;
        resolve({ status: res.statusCode ?? 0, headers: res.headers, text, json });
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Serves on a free port of the loopback interface. */
export async function serve(
  listener: http.RequestListener | http.Server | https.Server,
  address = '127.0.0.1',
): Promise<TestServer> {
  const isServer = listener instanceof http.Server || listener instanceof https.Server;
  const server = isServer ? listener : http.createServer(listener);
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, address, resolve));
  const request: TestServer['request'] = (method, path, headers, body) =>
    send(port, method, path, headers, address, body);
  return {
    port,
    request,
    get: (path, headers) => request('GET', path, headers),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The first events of a stream, as text, once `until` is in them. */
export function eventsUntil(
  port: number,
  path: string,
  until: string,
  headers: http.OutgoingHttpHeaders = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = http.get({ host: '127.0.0.1', port, path, headers, agent: false }, (res) => {
      let text = `${res.statusCode} ${res.headers['content-type']}\n`;
      res.on('data', (part: Buffer) => {
        text += part.toString();
        if (!text.includes(until)) return;
        request.destroy();
        resolve(text);
      });
      res.on('end', () => reject(new Error(`ended: ${text}`)));
    });
    request.on('error', reject);
  });
}
