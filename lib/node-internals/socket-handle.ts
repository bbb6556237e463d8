import type { Socket } from 'node:net';

/** The parts of Node's handle of a socket that are used here. */
export interface SocketHandle {
  readonly fd: number;
  reading: boolean;
  readStart(): number;
  readStop(): number;
}

function handleOf(socket: Socket): object | undefined {
  const handle: unknown = Reflect.get(socket, '_handle');
  return typeof handle === 'object' && handle !== null ? handle : undefined;
}

function hasMethod(handle: object, name: string): boolean {
  return typeof Reflect.get(handle, name) === 'function';
}

/** Node's handle of a socket, if it can stop and start reading. */
export function stoppableHandle(socket: Socket): Omit<SocketHandle, 'fd'> | undefined {
  const handle = handleOf(socket);
  if (handle === undefined || !hasMethod(handle, 'readStart') || !hasMethod(handle, 'readStop')) return undefined;
  return handle as SocketHandle;
}

/** Node's handle of a socket, if it also shows the descriptor of the socket. On Windows, Node has no descriptors. */
export function socketHandle(socket: Socket): SocketHandle | undefined {
  const handle = stoppableHandle(socket);
  if (handle === undefined) return undefined;
  const fd: unknown = Reflect.get(handle, 'fd');
  return typeof fd === 'number' && fd >= 0 ? (handle as SocketHandle) : undefined;
}

/** The descriptor of a socket; -1 if Node shows none, or none any more. */
export function descriptorOf(socket: Socket): number {
  const handle = handleOf(socket);
  const fd: unknown = handle === undefined ? undefined : Reflect.get(handle, 'fd');
  return typeof fd === 'number' ? fd : -1;
}

/**
 * Bytes of the socket's writes that the kernel has not taken yet, as libuv counts them. undefined: Node does not show
 * the number.
 */
export function queuedBytes(socket: Socket): number | undefined {
  const handle = handleOf(socket);
  if (handle === undefined) return undefined;
  // With TLS, the handle below is the one that writes. The count of the upper handle stays the same until all is
  // written.
  const below: unknown = Reflect.get(handle, '_parent');
  const size: unknown = Reflect.get(typeof below === 'object' && below !== null ? below : handle, 'writeQueueSize');
  return typeof size === 'number' ? size : undefined;
}
