/**
 * The only import of readable-stream and pumpify. The classes of readable-stream behave the same on every version of
 * Node. They have the types of `node:stream` here: the published types of readable-stream do not accept a net.Socket,
 * although the code does.
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
 * Joins streams into a pipeline. If one of them ends early or fails, all are destroyed. It is in object mode, because
 * the stages pass batches, not bytes.
 */
export const pumpify = pumpifyModule.obj as unknown as new (...line: (node.Stream | node.Duplex)[]) => node.Duplex;
