// For `node --import`: takes something away that Node does not document, as another version of Node may. WITHOUT names
// it.
import childProcess from 'node:child_process';
import { syncBuiltinESMExports } from 'node:module';
import { Socket } from 'node:net';

interface TcpWrap {
  readonly TCP: { readonly prototype: object };
}

/** What the handles of TCP sockets inherit from. The fields are defined above it, and cannot be changed there. */
function handlePrototype(): object {
  const binding = Reflect.get(process, 'binding') as (name: 'tcp_wrap') => TcpWrap;
  return binding('tcp_wrap').TCP.prototype;
}

const TAKE_AWAY: Readonly<Record<string, () => void>> = {
  fd: () => Object.defineProperty(handlePrototype(), 'fd', { get: () => undefined }),
  // Node calls it, too, so it has to be there.
  readStop: () => Object.defineProperty(handlePrototype(), 'readStop', { value: () => 0 }),
  useUserBuffer: () => Object.defineProperty(handlePrototype(), 'useUserBuffer', { value: undefined }),
  _writev: () => Reflect.deleteProperty(Socket.prototype, '_writev'),
  writeQueueSize: () => Object.defineProperty(handlePrototype(), 'writeQueueSize', { get: () => undefined }),
  copyArrayBuffer: () => {
    const binding = Reflect.get(process, 'binding') as (name: string) => object;
    // What it returns is made for each call.
    Reflect.set(process, 'binding', (name: string) => {
      const all = binding(name);
      return name === 'buffer' ? { ...all, copyArrayBuffer: undefined } : all;
    });
  },
  flags: () => {
    const fail = (...args: unknown[]): void => {
      const callback = args.at(-1);
      if (typeof callback === 'function') callback(new Error('no process can be started'));
    };
    Object.assign(childProcess, { execFile: fail });
    syncBuiltinESMExports();
  },
};

const name = process.env['WITHOUT'] ?? '';
const takeAway = TAKE_AWAY[name];
if (takeAway === undefined) throw new Error(`WITHOUT=${name}: expected one of ${Object.keys(TAKE_AWAY).join(', ')}`);
takeAway();
