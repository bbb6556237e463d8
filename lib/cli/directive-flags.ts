import { Option, type Command } from 'commander';
import { groups } from '../config/directives.js';
import { overrideNames, type OverrideName } from '../config/overrides.js';

/** What a flag's value is called in the help: the directive's own syntax, where that is short enough to stand in a flag. */
function placeholder({ row }: OverrideName): string {
  const { syntax } = row.type;
  return /^[a-z]+( \| [a-z]+)*$/.test(syntax) ? syntax.replaceAll(' | ', '|') : 'value';
}

/** `listen` stands for two flags: the paragraph of the table does not say which is which. */
const LISTEN = {
  listen: 'Where to take KMP: a port, or address:port',
  httpListen: 'Where to answer HTTP: a port, or address:port',
} as const;

/** The first sentence of the directive's paragraph (parentheses hold none), and what holds without it. */
function summary({ row, setting }: OverrideName): string {
  if (setting === 'listen' || setting === 'httpListen') return LISTEN[setting];
  const [sentence = row.doc] = /^(?:\([^)]*\)|[^(])*?(?=[.;](?: |$))/.exec(row.doc) ?? [];
  const effect = row.noEffect === undefined ? sentence : `Accepted, but has no effect here. ${sentence}`;
  return row.defaultText === '' ? effect : `${effect} (default: ${row.defaultText})`;
}

function gather(value: string, earlier: readonly string[] | undefined): readonly string[] {
  return [...(earlier ?? []), value];
}

/** Adds a flag for each directive, grouped as on the reference page. Those that may be repeated in a file may be here. */
export function addDirectiveFlags(command: Command): Command {
  for (const { title, rows } of groups) {
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

/** Those of a command's options that stand for directives, by flag, as `applyOverrides` takes them. */
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
