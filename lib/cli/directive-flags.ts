import { Option, type Command } from 'commander';
import { groups } from '../config/directives.js';
import { overrideNames, type OverrideName } from '../config/overrides.js';

/** The placeholder of a flag's value in the help: the syntax of the directive, if it is short enough. */
function placeholder({ row }: OverrideName): string {
  const { syntax } = row.type;
  return /^[a-z]+( \| [a-z]+)*$/.test(syntax) ? syntax.replaceAll(' | ', '|') : 'value';
}

/** The directive `listen` has two flags: the paragraph in the table does not distinguish them. */
const LISTEN = {
  listen: 'Where to receive KMP: a port, or address:port',
  httpListen: 'Where to answer HTTP: a port, or address:port',
} as const;

/** The first sentence of the directive's paragraph (outside of parentheses), and its default. */
function summary({ row, setting }: OverrideName): string {
  if (setting === 'listen' || setting === 'httpListen') return LISTEN[setting];
  const [sentence = row.doc] = /^(?:\([^)]*\)|[^(])*?(?=(?<!\.)[.;](?: |$))/.exec(row.doc) ?? [];
  const effect = row.noEffect === undefined ? sentence : `Accepted, but has no effect here. ${sentence}`;
  return row.defaultText === '' ? effect : `${effect} (default: ${row.defaultText})`;
}

function gather(value: string, earlier: readonly string[] | undefined): readonly string[] {
  return [...(earlier ?? []), value];
}

/**
 * Adds a flag for each directive, grouped as on the reference page. Directives that may be repeated in a file may be
 * repeated here.
 *
 * @param only the titles of the groups to add; default: all
 */
export function addDirectiveFlags(command: Command, only?: readonly string[]): Command {
  for (const { title, rows } of groups) {
    if (only?.includes(title) === false) continue;
    for (const name of overrideNames) {
      if (rows[name.directive] !== name.row) continue;
      const option = new Option(`${name.flag} <${placeholder(name)}>`, summary(name)).helpGroup(`${title}:`);
      if (name.row.type.join !== undefined) option.argParser(gather);
      command.addOption(option);
    }
  }
  return command;
}

const names = new Map(overrideNames.map(({ flag }) => [new Option(`${flag} <value>`).attributeName(), flag]));

/** The options of a command that are flags of directives, by flag, for `applyOverrides`. */
export function directiveFlags(options: Readonly<Record<string, unknown>>): Record<string, string | readonly string[]> {
  const flags: Record<string, string | readonly string[]> = {};
  for (const [attribute, value] of Object.entries(options)) {
    const flag = names.get(attribute)?.slice(2);
    if (flag === undefined) continue;
    if (typeof value === 'string') flags[flag] = value;
    else if (Array.isArray(value)) flags[flag] = value.map(String);
  }
  return flags;
}
