import { readSync, writeSync } from 'node:fs';

const isBusy = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'EAGAIN';

/** @returns the bytes read; 0: the peer has ended or the connection is broken; -1: nothing is there now */
export function readNow(fd: number, to: Buffer, at: number, length: number): number {
  try {
    return readSync(fd, to, at, length, null);
  } catch (error) {
    return isBusy(error) ? -1 : 0;
  }
}

/** @returns the bytes that the kernel took */
export function writeNow(fd: number, from: Buffer, at: number, length: number): number {
  try {
    return writeSync(fd, from, at, length, null);
  } catch (error) {
    if (isBusy(error)) return 0;
    throw error;
  }
}
