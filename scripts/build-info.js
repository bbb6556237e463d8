// Writes what the API shows of the build (`compiler`, `built`). Run by `npm run build`, behind the compiler.
import { chmodSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';

// The compiler makes a plain file; npx and links run it as a program.
chmodSync('dist/bin/kmp-rtmp.js', 0o755);
const { version } = JSON.parse(readFileSync('node_modules/typescript/package.json', 'utf8'));
const info = 'dist/lib/build-info.json';
writeFileSync(info, JSON.stringify({ compiler: `typescript ${version}`, built: new Date().toISOString() }) + '\n');
const began = statSync('dist/build-began').mtime;
utimesSync(info, began, began);
