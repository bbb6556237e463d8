// The layers of the house (docs/architecture.md): which folder of lib/ may import which. Everything not listed is
// forbidden, so a new folder has to state its place here first.
import js from '@eslint/js';
import tseslint from 'typescript-eslint';

/** Files of lib/ itself that know no layer and that every layer may use. */
const BASE = ['cadence', 'clock', 'errors', 'listen', 'listener-set', 'log', 'mask', 'streams', 'version'];

const LAYERS = {
  config: [],
  media: [],
  kmp: ['media'],
  rtmp: ['media'],
  merge: ['media'],
  upstream: ['media', 'kmp', 'rtmp', 'merge', 'config'],
  api: ['upstream', 'config'],
  send: ['media', 'kmp', 'rtmp'],
  ingest: ['media', 'rtmp'],
  inspect: ['media', 'kmp', 'rtmp'],
  control: ['config'],
  compose: ['media', 'kmp', 'rtmp', 'merge', 'upstream', 'config'],
  logging: ['config'],
  cluster: ['upstream', 'config', 'kmp', 'api'],
};

/** One `../` for each folder between a file and lib/: those nearer are the layer's own. */
const DEPTHS = [
  { folder: '*.ts', up: '(\\.\\./)' },
  { folder: '*/**/*.ts', up: '(\\.\\./){2,}' },
];

const layers = Object.entries(LAYERS).flatMap(([layer, allowed]) =>
  DEPTHS.map((depth) => ({ layer, allowed, ...depth })),
);

const layerRules = layers.map(({ layer, allowed, folder, up }) => ({
  files: [`lib/${layer}/${folder}`],
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: [
          {
            // `../x/…` of a folder that is not allowed, and files of lib/ that are not of the base.
            regex: `^${up}(?!(${[...allowed, layer].join('|')})/|(${BASE.join('|')})\\.js$|\\.\\./)[a-z]`,
            message: `lib/${layer} may import ${[...allowed, 'the base files of lib/'].join(', ')} only (docs/architecture.md).`,
          },
          {
            regex: '^(stream|node:stream|readable-stream|pumpify)$',
            message: 'Streams come through lib/streams.ts, the one door.',
          },
        ],
      },
    ],
  },
}));

export default tseslint.config(
  { ignores: ['dist/**', 'node_modules/**', 'docs/**', 'demo-out/**', 'bench-out/**'] },
  js.configs.recommended,
  ...tseslint.configs.recommended,
  {
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      eqeqeq: 'error',
      'no-console': 'off',
      'prefer-const': 'error',
    },
  },
  {
    files: ['**/*.js', '**/*.mjs'],
    languageOptions: {
      globals: Object.fromEntries(
        ['Buffer', 'URL', 'console', 'process', 'setTimeout'].map((name) => [name, 'readonly']),
      ),
    },
  },
  {
    files: ['lib/**/*.ts', 'bin/**/*.ts'],
    ignores: ['lib/streams.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: '^(stream|node:stream|readable-stream|pumpify)$',
              message: 'Streams come through lib/streams.ts, the one door.',
            },
          ],
        },
      ],
    },
  },
  ...layerRules,
);
