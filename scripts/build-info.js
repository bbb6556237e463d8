// Writes what the API shows of the build (`compiler`, `built`). Run by `npm run build`, behind the compiler.
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';

const { version } = JSON.parse(readFileSync('node_modules/typescript/package.json', 'utf8'));
writeFileSync(
  'dist/lib/build-info.json',
  JSON.stringify({ compiler: `typescript ${version}`, built: new Date().toISOString() }) + '\n',
);
// The compiler makes a plain file; npx and links run it as a program.
chmodSync('dist/bin/kmp-rtmp.js', 0o755);
