import { readFileSync } from 'node:fs';

const file = (name: string) => readFileSync(`spec/fixtures/tls/${name}`);

/** For `tls.createServer`: good for `localhost`, `ingest.example` and 127.0.0.1. */
export const serverTls = { key: file('server.key'), cert: file('server.pem') };

/** Who signed it: not known to any system. */
export const caFile = 'spec/fixtures/tls/ca.pem';
export const ca = file('ca.pem');
