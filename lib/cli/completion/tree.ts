import type { Command, Option } from 'commander';

/** What can be completed after a flag, or as an argument: a file name, one of some words, or nothing. */
export type Values = 'none' | 'file' | 'text' | readonly string[];

export interface Flag {
  /** The short name (`-c`), the long name (`--config`), or both. */
  readonly names: readonly string[];
  readonly description: string;
  readonly values: Values;
  readonly repeatable: boolean;
}

export interface CommandTree {
  readonly name: string;
  readonly description: string;
  readonly flags: readonly Flag[];
  /** What its arguments are completed with. */
  readonly values: Values;
}

/** The commands and flags of the program, for completion scripts. */
export interface ProgramTree {
  readonly name: string;
  /** Flags without a command. */
  readonly flags: readonly Flag[];
  readonly commands: readonly CommandTree[];
  /** The command that runs if none is given. */
  readonly defaultCommand: string;
}

const FILE = /^(file|files|path|folder)$/;

function valuesOf(option: Option): Values {
  if (!option.required && !option.optional) return 'none';
  if (option.argChoices !== undefined) return option.argChoices;
  const [, name = ''] = /[<[]([^>\]]*)[>\]]/.exec(option.flags) ?? [];
  // Directives with a few possible words have these as placeholder: <on|off>.
  if (/^[a-z]+(\|[a-z]+)+$/.test(name)) return name.split('|').filter((word) => word !== 'num');
  return FILE.test(name) ? 'file' : 'text';
}

/** True if the option's parser adds to the earlier values. The parser for choices has two parameters as well. */
function isGathered({ parseArg, argChoices }: Option): boolean {
  return parseArg !== undefined && parseArg.length === 2 && argChoices === undefined;
}

function flagOf(option: Option): Flag {
  return {
    names: [option.short, option.long].filter((name) => name !== undefined),
    description: option.description,
    values: valuesOf(option),
    repeatable: option.variadic || isGathered(option),
  };
}

function flagsOf(command: Command): Flag[] {
  return command.createHelp().visibleOptions(command).map(flagOf);
}

/** Makes the tree from the commands, so that scripts are always current. */
export function treeOf(program: Command, defaultCommand: string): ProgramTree {
  const commands = program.commands.map((command): CommandTree => {
    const [first] = command.registeredArguments;
    const values = first === undefined ? 'none' : (first.argChoices ?? (FILE.test(first.name()) ? 'file' : 'text'));
    return { name: command.name(), description: command.description(), flags: flagsOf(command), values };
  });
  const help: CommandTree = {
    name: 'help',
    description: 'Print help, of a command if one is named.',
    flags: [],
    values: commands.map(({ name }) => name),
  };
  return { name: program.name(), flags: flagsOf(program), commands: [...commands, help], defaultCommand };
}
