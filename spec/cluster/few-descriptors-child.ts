// A primary that has few descriptors: its worker dies while none is free. Started by few-descriptors.spec.ts.
import cluster from 'node:cluster';
import { closeSync, openSync } from 'node:fs';
import type { Logger } from '../../lib/base/logger.js';
import { ClusterMediaService } from '../../lib/cluster/cluster-media-service.js';
import { parseConfig } from '../../lib/config/load.js';
import { eventually } from '../support/time/eventually.js';

const taken: number[] = [];

function takeAll(): void {
  try {
    for (;;) taken.push(openSync('/dev/null', 'r'));
  } catch {
    // None is free any more.
  }
}

const log: Logger = {
  debug() {},
  info() {},
  warn() {},
  child: () => log,
  error(message) {
    console.log(message);
    // The next worker could not be started.
    if (!message.includes('EMFILE')) return;
    clearInterval(taking);
    for (const fd of taken.splice(0)) closeSync(fd);
  },
};

const config = parseConfig('worker_processes 1; stream { server { listen 127.0.0.1:0; kmp_rtmp; } }');
const service = new ClusterMediaService(config, { log });
await service.start();
takeAll();
// Those of the worker become free when it dies.
const taking = setInterval(takeAll, 10);
for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGKILL');
await eventually(() => taken.length === 0 && service.ready, 'the next worker');
console.log('ready again');
service.kill();
process.exit();
