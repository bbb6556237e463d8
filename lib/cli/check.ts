import { Command } from 'commander';
import { readConfiguration, type ConfigurationOptions } from './configuration.js';
import { CommandError } from './exit.js';
import { checkFiles } from './files.js';

/** Checks a configuration as it would be started with, and says what there is to say about it. @throws ConfigError, CommandError */
export function checkConfiguration(options: ConfigurationOptions): void {
  const config = readConfiguration(options);
  checkFiles(config);
  const { file, warnings } = config;
  for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`);
  process.stdout.write(`${file}: the configuration is good\n`);
}

/** `kmp-rtmp check FILE`: what `kmp-rtmp -t -c FILE` does, and spelled that way, too. */
export function checkCommand(): Command {
  return new Command('check')
    .description('Check a configuration file and exit: 0 if the service could start with it, else 1.')
    .argument('[file]', 'configuration in nginx syntax')
    .option('-c, --config <file>', 'the same, as serve takes it')
    .addHelpText('after', '\nExamples:\n  kmp-rtmp check /etc/kmp-rtmp.conf')
    .action((argument: string | undefined, { config }: { config?: string }) => {
      const [file, ...more] = [argument, config].filter((name) => name !== undefined);
      if (file === undefined) throw new CommandError('check: which file? kmp-rtmp check FILE');
      if (more.length > 0) throw new CommandError(`check: ${file} or ${more.join()}? One file at a time`);
      checkConfiguration({ config: file });
    });
}
