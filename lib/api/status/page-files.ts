import type { RequestHandler } from 'express';

const files = new WeakMap<RequestHandler, (path: string) => boolean>();

/** Declares which paths of a handler are files of the status page, without any data of the service. */
export function setPageFiles(handler: RequestHandler, isFile: (path: string) => boolean): void {
  files.set(handler, isFile);
}

/** Returns which paths of a handler may be served without a token; for handlers that declare nothing, none. */
export function pageFiles(handler: RequestHandler): (path: string) => boolean {
  return files.get(handler) ?? (() => false);
}
