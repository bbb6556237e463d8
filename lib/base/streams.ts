/**
 * The one door to readable-stream and pumpify. The classes are readable-stream's (the same behaviour on every Node), and
 * carry the types of `node:stream`, which they mirror: the types published for readable-stream do not accept a net.Socket
 * where it is accepted at run time.
 */
import readableStream from 'readable-stream';
import type * as node from 'node:stream';
import pumpifyModule from 'pumpify';

const streams = readableStream as unknown as typeof node;

export const { Readable, Writable, Transform, Duplex, PassThrough, finished, pipeline } = streams;
export type Readable = node.Readable;
export type Writable = node.Writable;
export type Transform = node.Transform;
export type Duplex = node.Duplex;
export type { TransformCallback, TransformOptions, WritableOptions, ReadableOptions } from 'node:stream';

/**
 * Joins streams into one line; if one of them ends early or fails, all are destroyed. In object mode, since what runs
 * between our stages are batches, not bytes.
 */
export const pumpify = pumpifyModule.obj as unknown as new (...line: (node.Stream | node.Duplex)[]) => node.Duplex;
