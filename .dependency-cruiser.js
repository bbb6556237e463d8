// Rules for the imports of lib/, type imports included: its layers, and no circles.
import { BASE, LAYERS } from './layers.js';

const nested = Object.keys(LAYERS).filter((layer) => layer.includes('/'));
/** Matches the files of a layer; those of its sub-folders only where these are no layers of their own. */
function files(layer) {
  const inner = nested.filter((other) => other.startsWith(`${layer}/`)).map((other) => other.slice(layer.length + 1));
  return `^lib/${layer}/${inner.length === 0 ? '' : `(?!(${inner.join('|')})/)`}`;
}

const layers = Object.entries(LAYERS).map(([layer, allowed]) => {
  const may = [layer, ...allowed, ...BASE.filter((base) => layer !== 'base' && base !== layer)];
  return {
    name: `layer-${layer.replace('/', '-')}`,
    comment: `lib/${layer} may import ${[...allowed, ...BASE].join(', ')} only (layers.js).`,
    severity: 'error',
    from: { path: files(layer) },
    to: { path: '^lib/', pathNot: may.map(files) },
  };
});

export default {
  forbidden: [
    ...layers,
    {
      name: 'no-layer',
      comment: 'Every folder of lib/ has its place in layers.js; only index.ts and service.ts lie directly in lib/.',
      severity: 'error',
      from: {},
      to: { path: '^lib/', pathNot: [...Object.keys(LAYERS).map(files), '^lib/cli/', '^lib/(index|service)\\.ts$'] },
    },
    {
      name: 'no-circle',
      comment: 'No file may come back to itself by its imports, type imports included.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
  },
};
