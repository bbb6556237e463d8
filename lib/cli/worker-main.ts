// The process of one worker (lib/cluster). Started by the primary, which tells it all it has to know.
import type { Socket } from 'node:net';
import type { ToPrimary, ToWorker } from '../cluster/messages.js';
import { Worker } from '../cluster/worker.js';
import { Logging } from '../logging/winston-log.js';
import { ExitCode } from './exit.js';
import { tuneHeap } from './heap.js';

let worker: Worker | undefined;
let logging: Logging | undefined;

const host = {
  send(message: ToPrimary, socket?: Socket): void {
    if (!process.connected) socket?.destroy();
    else if (socket === undefined) process.send?.(message);
    else {
      // Node would have the server keep count of connections that other processes have: nobody asks for that here.
      Reflect.set(socket, 'server', null);
      // The descriptor is the primary's now; what is left here is a shell.
      process.send?.(message, socket, {}, () => socket.destroy());
    }
  },
};

function handle(message: ToWorker, socket: Socket | undefined): void {
  if (message.kind === 'start') {
    logging = new Logging(message.config.errorLogs);
    worker = new Worker(message, host, logging.log);
    void worker.run();
    tuneHeap();
  } else if (message.kind === 'reopen') {
    logging?.reopen();
  } else {
    if (message.kind === 'reload') logging?.configure(message.config.errorLogs);
    worker?.handle(message, socket);
  }
}

process.on('message', (message, socket) => handle(message as ToWorker, socket as Socket | undefined));

// Signals go to the whole group of processes at a terminal; what they mean, the primary says.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGQUIT', 'SIGHUP', 'SIGUSR2'] as const) process.on(signal, () => {});

process.on('disconnect', () => {
  // The primary is gone: what is queued still goes out.
  void (worker?.stop() ?? Promise.resolve()).finally(() => process.exit(ExitCode.failed));
});

process.on('uncaughtException', (error) => {
  logging?.log.error(`unexpected error, please report it: ${error.stack ?? String(error)}`);
  logging?.flushSync();
  process.exit(ExitCode.failed);
});

host.send({ kind: 'online' });
