/** Runs node-media-server in a process of its own (it keeps all its state in globals); see node-media-server.ts. */
import { createRequire } from 'node:module';
import type { Server } from 'node:net';

interface NodeMediaServer {
  readonly rtmpServer: { readonly tcpServer?: Server; readonly tlsServer?: Server };
  readonly httpServer: { readonly httpServer?: Server };
  run(): Promise<void>;
}

const [folder = '', rtmpPort = '0', key = '', cert = ''] = process.argv.slice(2);
const load = createRequire(import.meta.url);
const Nms = load('node-media-server') as unknown as new (config: object) => NodeMediaServer;

// "0" and not 0, which it takes for none.
const port = '0';
const server = new Nms({
  bind: '127.0.0.1',
  rtmp: { port: rtmpPort },
  ...(key === '' ? {} : { rtmps: { port, key, cert } }),
  http: { port },
  webadmin: { enable: false },
  store: { path: folder },
});

const portOf = (one: Server | undefined): number => {
  const address = one?.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
};

await server.run();
const servers = [server.rtmpServer.tcpServer, server.rtmpServer.tlsServer, server.httpServer.httpServer];
for (const one of servers) {
  if (one !== undefined && !one.listening) await new Promise((resolve) => one.once('listening', resolve));
}
const [rtmp, rtmps, http] = servers.map(portOf);
process.send?.({ rtmp, rtmps, http });
process.on('disconnect', () => process.exit());
