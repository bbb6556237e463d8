// The service inside an existing Express app: the routes of the app, and beside them the management API, the status
// page, metrics and health. KMP is received on the first port, HTTP on the second.
//
//   node dist/examples/express-app.js 8005 8001
import express from 'express';
import {
  healthRouter,
  hostCheck,
  Logging,
  managementRouter,
  metricsRouter,
  parseConfig,
  Service,
  statusRouter,
} from 'kmp-rtmp';

const [kmpPort = '8005', httpPort = '8001'] = process.argv.slice(2);

const config = parseConfig(`
  stream {
    server {
      listen 127.0.0.1:${kmpPort};
      kmp_rtmp;
      kmp_rtmp_out_reconnects unlimited;
    }
  }
`);
const { log } = new Logging(config.errorLogs);
const service = new Service(config, { log });
await service.start();

const app = express();
app.get('/hello', (_req, res) => void res.send('an app that was there before\n'));
// The app decides about access. Here, only this machine has access, because the app listens on 127.0.0.1. A page in a
// browser of this machine must not have it under a host name of its own (DNS rebinding).
app.use('/live', hostCheck());
app.use('/live/api', managementRouter(service.management, { write: true }));
app.use('/live/status', statusRouter(service.management, { api: '/live/api' }));
app.use('/live/metrics', metricsRouter(service.management, { upstreams: true }));
app.use('/live', healthRouter({ ready: () => service.ready }));

const server = app.listen(Number(httpPort), '127.0.0.1', () => {
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : httpPort;
  log.info(`KMP on port ${service.kmpAddresses[0]?.port}, http://127.0.0.1:${port}/live/status/`);
});

process.once('SIGTERM', () => {
  void service.stop().then(() => {
    server.closeAllConnections();
    server.close();
  });
});
