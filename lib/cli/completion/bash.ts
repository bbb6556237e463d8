import type { CommandTree, Flag, ProgramTree, Values } from './tree.js';

/** Flags and choices have letters, digits and dashes only. Other characters must not get into a script. */
function words(all: readonly string[]): string {
  return all.filter((word) => /^[\w-]+$/.test(word)).join(' ');
}

function patterns(flag: Flag, command: string): string {
  return flag.names.map((name) => `"${command} ${name}"`).join(' | ');
}

/** What to complete after a flag with a value. Without words, bash completes file names (`-o default`). */
function valueCase(flag: Flag, command: string): string[] {
  const { values } = flag;
  if (values === 'none') return [];
  const reply = Array.isArray(values) ? `COMPREPLY=($(compgen -W "${words(values)}" -- "$cur"))` : 'COMPREPLY=()';
  return [`    ${patterns(flag, command)}) ${reply}; return ;;`];
}

function argumentWords(values: Values): string {
  return Array.isArray(values) ? words(values) : '';
}

function commandCase({ name, flags, values }: CommandTree): string {
  const names = words(flags.flatMap((flag) => flag.names));
  return `    ${name}) flags="${names}"; others="${argumentWords(values)}" ;;`;
}

/** The script for bash, 3.2 and newer: `source <(kmp-rtmp completion bash)`. */
export function bashScript({ name, flags, commands, defaultCommand }: ProgramTree): string {
  const func = `_${name.replaceAll('-', '_')}`;
  const names = words(commands.map((command) => command.name));
  const ownFlags = words(flags.flatMap((flag) => flag.names));
  return [
    `# Completion of ${name} for bash. In ~/.bashrc:  source <(${name} completion bash)`,
    `${func}() {`,
    '  local cur prev command flags others',
    '  cur=${COMP_WORDS[COMP_CWORD]}',
    '  prev=${COMP_WORDS[COMP_CWORD-1]}',
    '  # bash cuts --flag=value into three words.',
    '  if [[ $cur == "=" ]]; then cur=""; elif [[ $prev == "=" ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi',
    '  # A command comes first; further on, the same word is a value, as in -c check.',
    '  command=""',
    '  if ((COMP_CWORD > 1)); then case "${COMP_WORDS[1]}" in',
    `    ${names.replaceAll(' ', ' | ')}) command=\${COMP_WORDS[1]} ;;`,
    '  esac; fi',
    `  case "\${command:-${defaultCommand}} $prev" in`,
    ...commands.flatMap((command) => command.flags.flatMap((flag) => valueCase(flag, command.name))),
    '  esac',
    `  case "\${command:-${defaultCommand}}" in`,
    ...commands.map(commandCase),
    '  esac',
    `  if [[ -z $command ]]; then flags="$flags ${ownFlags}"; fi`,
    `  if ((COMP_CWORD == 1)); then others="${names}"; fi`,
    '  case "$cur" in',
    '    -*) COMPREPLY=($(compgen -W "$flags" -- "$cur")) ;;',
    '    *) COMPREPLY=($(compgen -W "$others" -- "$cur")) ;;',
    '  esac',
    '}',
    `complete -o bashdefault -o default -F ${func} ${name}`,
    '',
  ].join('\n');
}
