import type { CommandTree, Flag, ProgramTree, Values } from './tree.js';

/** Quotes a text for a place where brackets and colons have a meaning for `_arguments`. */
function text(value: string): string {
  return value
    .replace(/\\/g, '\\\\')
    .replace(/[[\]:]/g, '\\$&')
    .replaceAll("'", "'\\''");
}

function action(values: Values): string {
  if (Array.isArray(values)) return `:value:(${values.join(' ')})`;
  if (values === 'none') return '';
  return values === 'file' ? ':file:_files' : ':value: ';
}

/**
 * A flag as `_arguments` takes it: `'(-c --config)'{-c,--config=}'[what it is]:file:_files'`; `=`: the value may follow
 * an equals sign.
 */
function spec({ names, description, values, repeatable }: Flag): string {
  const rest = `'[${text(description)}]${action(values)}'`;
  const star = repeatable ? "'*'" : '';
  const spelled = names.map((name) => (values !== 'none' && name.startsWith('--') ? `${name}=` : name));
  if (names.length === 1) return `${star}${spelled[0] ?? ''}${rest}`;
  return `${repeatable ? star : `'(${names.join(' ')})'`}{${spelled.join(',')}}${rest}`;
}

function argumentSpec(values: Values): string[] {
  if (values === 'none') return [];
  return [
    values === 'file' ? `'*:file:_files'` : Array.isArray(values) ? `'1:value:(${values.join(' ')})'` : `'*: : '`,
  ];
}

function argumentsCall(flags: readonly Flag[], values: Values): string {
  const specs = [...flags.map(spec), ...argumentSpec(values)];
  return `_arguments -s \\\n${specs.map((one) => `        ${one}`).join(' \\\n')}`;
}

function commandCase({ name, flags, values }: CommandTree): string {
  return `    ${name})\n      shift words; (( CURRENT-- ))\n      ${argumentsCall(flags, values)} ;;`;
}

/** The script for zsh: as a file `_kmp-rtmp` in a folder of `$fpath`, or by `source <(kmp-rtmp completion zsh)`. */
export function zshScript({ name, flags, commands, defaultCommand }: ProgramTree): string {
  const func = `_${name.replaceAll('-', '_')}`;
  const standard = commands.find((command) => command.name === defaultCommand);
  return [
    `#compdef ${name}`,
    `# Completion of ${name} for zsh: as a file _${name} in a folder of $fpath, or in ~/.zshrc, after compinit:`,
    `#   source <(${name} completion zsh)`,
    `${func}() {`,
    '  local -a commands',
    '  commands=(',
    ...commands.map((command) => `    '${command.name}:${text(command.description)}'`),
    '  )',
    '  if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then',
    '    _describe command commands',
    '    return',
    '  fi',
    '  case $words[2] in',
    ...commands.map(commandCase),
    '    *)',
    `      ${argumentsCall([...flags, ...(standard?.flags.filter(({ names }) => !names.includes('--help')) ?? [])], 'none')} ;;`,
    '  esac',
    '}',
    `if [[ $funcstack[1] == ${func} || $funcstack[1] == _${name} ]]; then`,
    `  ${func} "$@"`,
    'else',
    `  compdef ${func} ${name}`,
    'fi',
    '',
  ].join('\n');
}
