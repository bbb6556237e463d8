import { Amf0Reader, type AmfLimits, type AmfValue } from '../amf0/amf0-reader.js';
import { RtmpError } from '../errors.js';
import { MessageType } from '../message-type.js';

/** A command message: `connect`, `_result`, `onStatus` and so on. */
export interface Command {
  readonly name: string;
  /** 0 if no answer is wanted, or the sender left it out. */
  readonly transaction: number;
  /** All values behind the transaction: the command object first. */
  readonly args: readonly AmfValue[];
  /** The error that ended the arguments early; those before it are in `args`. */
  readonly fault?: RtmpError;
}

/** Message type of commands in the AMF3 envelope: one byte, then AMF0. */
const COMMAND_AMF3 = 17;

/** True for message types that carry a command. */
export function isCommand(type: number): boolean {
  return type === MessageType.command || type === COMMAND_AMF3;
}

/**
 * Reads a command message. Its name must be readable. Arguments are read up to the first damaged or unknown (AMF3)
 * value: the answer is useful without it.
 *
 * @throws RtmpError `rtmp_bad_amf`; `rtmp_bad_message` if there is no name
 */
export function readCommand(type: number, payload: Buffer, limits?: AmfLimits): Command {
  const reader = new Amf0Reader(type === COMMAND_AMF3 ? payload.subarray(1) : payload, limits);
  const name = reader.next();
  if (typeof name !== 'string')
    throw new RtmpError('rtmp_bad_message', `a command message begins with ${typeof name}, not with its name`);
  const values: AmfValue[] = [];
  let fault: RtmpError | undefined;
  try {
    while (!reader.atEnd) values.push(reader.next());
  } catch (error) {
    if (!(error instanceof RtmpError)) throw error;
    fault = error;
  }
  const [transaction, ...args] = values;
  return {
    name,
    transaction: typeof transaction === 'number' ? transaction : 0,
    args,
    ...(fault === undefined ? {} : { fault }),
  };
}
