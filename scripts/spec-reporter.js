// What a run of the specs prints: a line for each suite, each failure whole, and node:test's own totals as `# pass N`,
// `# fail N`, which .ci/run adds up. The built-in reporters print a line or five for every test.
import { inspect } from 'node:util';

/** Failures that only say that something inside has failed, which is printed itself. */
const OUTER = new Set(['subtestsFailed']);

function failureText({ name, file, line, details }) {
  const error = details.error.cause ?? details.error;
  const where = file === undefined ? '' : `  (${file}${line === undefined ? '' : `:${line}`})`;
  const text = typeof error === 'string' ? error : inspect(error, { depth: 5 });
  return `not ok - ${name}${where}\n${text.replace(/^/gm, '    ')}\n`;
}

export default async function* report(source) {
  const failed = [];
  for await (const { type, data } of source) {
    if (type === 'test:fail' && !OUTER.has(data.details.error?.failureType)) {
      const text = failureText(data);
      failed.push(text);
      yield text;
    }
    if ((type === 'test:pass' || type === 'test:fail') && data.nesting === 0) {
      const seconds = (data.details.duration_ms / 1000).toFixed(2);
      yield `${type === 'test:pass' ? 'ok' : 'not ok'} - ${data.name}  ${seconds} s\n`;
    }
    if (type === 'test:stdout' || type === 'test:stderr') yield data.message;
    if (type === 'test:diagnostic' && data.nesting === 0) yield `# ${data.message}\n`;
  }
  // Again at the end, where they are looked for when the run was long.
  if (failed.length > 0) yield `\n${failed.length} failed:\n${failed.join('')}`;
}
