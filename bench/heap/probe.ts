/**
 * Loaded into a process that is measured (`--import`): takes a sample of what its JavaScript heap allocates. Each
 * connection to the local socket is one sample: it begins with the connection, and ends when the other side ends it.
 */
import { Session, type HeapProfiler } from 'node:inspector';
import net from 'node:net';
import { HEAP_SOCKET } from './sample.js';

/** Bytes between two samples, in the mean. A smaller number costs more and tells more. */
const INTERVAL = 64 * 1024;

const path = process.env[HEAP_SOCKET];

function sample(socket: net.Socket): void {
  const session = new Session();
  session.connect();
  const options = {
    samplingInterval: INTERVAL,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  };
  session.post('HeapProfiler.startSampling', options);
  socket.on('error', () => session.disconnect());
  socket.on('end', () => {
    session.post('HeapProfiler.stopSampling', (_error: Error | null, result?: HeapProfiler.StopSamplingReturnType) => {
      socket.end(JSON.stringify(result?.profile.head ?? null));
      session.disconnect();
    });
  });
  socket.resume().unref();
}

// A worker process finds the socket taken: only the first process is sampled.
if (path !== undefined) {
  net
    .createServer({ allowHalfOpen: true }, sample)
    .on('error', () => undefined)
    .listen(path)
    .unref();
}
