// The process of one worker (lib/cluster). The primary starts it, and sends it all settings.
import '../process/no-debugger.js';
import './start-small.js';
import { Socket } from 'node:net';
import { Deliveries } from '../cluster/deliveries.js';
import { CHANNEL_FD, MessageChannel } from '../cluster/message-channel.js';
import type { Connection, Misplaced, ToPrimary, ToWorker } from '../cluster/messages.js';
import { Worker } from '../cluster/worker.js';
import { Logging } from '../logging/winston-log.js';
import { ExitCode } from './exit.js';
import { tuneHeap } from '../node-internals/heap.js';
import { allowInternals } from '../node-internals/internals.js';
import { takeTestResults } from '../node-internals/self-test.js';

let worker: Worker | undefined;
let logging: Logging | undefined;

const channel = new MessageChannel<ToPrimary, ToWorker>(new Socket({ fd: CHANNEL_FD }), handle);
const transfers = new Deliveries<Misplaced>();
transfers.sendAll({ send: (message, socket, options, sent) => process.send?.(message, socket, options, sent) });

const host = {
  send: (message: ToPrimary) => channel.send(message),
  pass(message: Misplaced, socket: Socket, gone: () => void): void {
    if (process.connected) {
      transfers.add(message, socket, gone);
      return;
    }
    socket.destroy();
    gone();
  },
};

function handle(message: ToWorker): void {
  if (message.kind === 'start') {
    allowInternals(message.config.nodeInternals);
    takeTestResults(message.internals);
    logging = new Logging(message.config.errorLogs);
    worker = new Worker(message, host, logging.log);
    void worker.run();
    void tuneHeap();
  } else if (message.kind === 'ping') {
    host.send({ kind: 'alive' });
  } else if (message.kind === 'reopen') {
    logging?.reopen();
  } else {
    if (message.kind === 'reload') logging?.configure(message.config.errorLogs);
    worker?.handle(message);
  }
}

// Only connections come over Node's channel.
process.on('message', (message, socket) => worker?.adopt(message as Connection, socket as Socket | undefined));

// A terminal sends its signals to all processes of the group. The primary decides what they mean.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGQUIT', 'SIGHUP', 'SIGUSR2', 'SIGURG'] as const)
  process.on(signal, () => {});

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
