// Style and safety of the code. What may import what is layers.js's, which dependency-cruiser checks.
import js from '@eslint/js';
import tseslint from 'typescript-eslint';

const CLOCK = 'Time is handed in: take a Clock (lib/time/clock.ts), so that specs can set it.';

export default tseslint.config(
  { ignores: ['dist/**', 'node_modules/**', 'docs/**', 'demo-out/**', 'bench-out/**', 'release/**'] },
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
    ignores: ['lib/base/streams.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: '^(stream|node:stream|readable-stream|pumpify)$',
              message: 'Streams come through lib/base/streams.ts, the one door.',
            },
            {
              regex: '^(node:)?timers(/promises)?$',
              importNamePattern: '^(setTimeout|setInterval|scheduler|default)$',
              message: CLOCK,
            },
            { regex: '^(node:)?perf_hooks$', message: CLOCK },
          ],
        },
      ],
    },
  },
  {
    files: ['lib/**/*.ts', 'bin/**/*.ts'],
    // The clock itself; and the status page, which runs in a browser.
    ignores: ['lib/time/clock.ts', 'lib/api/status/public/**'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...['setTimeout', 'setInterval', 'performance'].map((name) => ({ name, message: CLOCK })),
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: CLOCK },
        { object: 'globalThis', property: 'setTimeout', message: CLOCK },
        { object: 'process', property: 'hrtime', message: CLOCK },
        { object: 'process', property: 'uptime', message: CLOCK },
      ],
      'no-restricted-syntax': [
        'error',
        { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: CLOCK },
      ],
    },
  },
);
