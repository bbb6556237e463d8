import type { CommandTree, Flag, ProgramTree, Values } from './tree.js';

/** A word in single quotes. */
function quoted(text: string): string {
  return `'${text.replace(/\\/g, '\\\\').replaceAll("'", "\\'")}'`;
}

/** What a flag or an argument is completed with. */
function valuesOf(values: Values): string {
  if (Array.isArray(values)) return ` -x -a ${quoted(values.join(' '))}`;
  if (values === 'none') return '';
  return values === 'file' ? ' -r -F' : ' -x';
}

function flagLine(name: string, condition: string, { names, description, values }: Flag): string {
  const spelled = names.map((one) => (one.startsWith('--') ? `-l ${one.slice(2)}` : `-s ${one.slice(1)}`)).join(' ');
  return `complete -c ${name} -n ${quoted(condition)} ${spelled}${valuesOf(values)} -d ${quoted(description)}`;
}

function commandLines(name: string, none: string, defaultCommand: string, command: CommandTree): string[] {
  const seen = `__fish_seen_subcommand_from ${command.name}`;
  // Without a command, the flags are those of the default command.
  const condition = command.name === defaultCommand ? `${none}; or ${seen}` : seen;
  const { values } = command;
  const argument =
    values === 'file'
      ? [`complete -c ${name} -n ${quoted(seen)} -F`]
      : Array.isArray(values)
        ? [`complete -c ${name} -n ${quoted(seen)} -a ${quoted(values.join(' '))}`]
        : [];
  return [...command.flags.map((flag) => flagLine(name, condition, flag)), ...argument];
}

/** The script for fish, 3.0 and newer: `kmp-rtmp completion fish | source`. */
export function fishScript({ name, flags, commands, defaultCommand }: ProgramTree): string {
  const none = `not __fish_seen_subcommand_from ${commands.map((command) => command.name).join(' ')}`;
  return [
    `# Completion of ${name} for fish. As a file ~/.config/fish/completions/${name}.fish, or in config.fish:`,
    `#   ${name} completion fish | source`,
    `complete -c ${name} -f`,
    ...commands.map(
      (command) =>
        `complete -c ${name} -n ${quoted(none)} -a ${quoted(command.name)} -d ${quoted(command.description)}`,
    ),
    ...flags.filter(({ names }) => !names.includes('--help')).map((flag) => flagLine(name, none, flag)),
    ...commands.flatMap((command) => commandLines(name, none, defaultCommand, command)),
    '',
  ].join('\n');
}
