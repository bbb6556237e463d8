import { Argument, Command } from 'commander';
import { bashScript } from './completion/bash.js';
import { fishScript } from './completion/fish.js';
import { treeOf } from './completion/tree.js';
import { zshScript } from './completion/zsh.js';
import { print } from './output.js';

const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;

const details = `
Examples:
  source <(kmp-rtmp completion bash)                       in ~/.bashrc
  source <(kmp-rtmp completion zsh)                        in ~/.zshrc, after compinit
  kmp-rtmp completion fish | source                        in ~/.config/fish/config.fish
  kmp-rtmp completion zsh > /usr/local/share/zsh/site-functions/_kmp-rtmp`;

/**
 * `kmp-rtmp completion SHELL`: prints a script that is made from the commands.
 *
 * @param program returns the program with all its commands
 * @param defaultCommand the command that runs if none is given
 */
export function completionCommand(program: () => Command, defaultCommand: string): Command {
  return new Command('completion')
    .description('Print a script that completes commands, flags and their values in bash, zsh or fish.')
    .addArgument(new Argument('<shell>', 'the shell').choices(Object.keys(scripts)))
    .addHelpText('after', details)
    .action((shell: keyof typeof scripts) => {
      print(scripts[shell](treeOf(program(), defaultCommand)));
    });
}
