import type { RequestHandler } from 'express';
import type { Socket } from 'node:net';
import { answerError } from '../answer.js';

const reserved = new WeakSet<Socket>();

/** Marks a connection in which only health checks are answered, because all others are busy. */
export function reserveForHealth(socket: Socket): void {
  reserved.add(socket);
}

/** Answers 503 in connections for health checks, and closes them. To be used after the health checks. */
export const refuseInReserve: RequestHandler = (req, res, next) => {
  if (!reserved.has(req.socket)) {
    next();
    return;
  }
  res.setHeader('Connection', 'close');
  res.setHeader('Retry-After', '2');
  answerError(res, 503, 'too_many_connections', 'all connections of this server are busy');
};
