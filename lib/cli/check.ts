import { Command } from 'commander';
import { readConfiguration, type ConfigurationOptions } from './configuration.js';
import { CommandError } from './exit.js';
import { checkFiles } from './files.js';
import { print } from './output.js';

/** Checks a configuration as `serve` would, and prints its warnings. @throws ConfigError */
export async function checkConfiguration(options: ConfigurationOptions): Promise<void> {
  const config = readConfiguration(options);
  const found = await checkFiles(config);
  const { file, warnings } = config;
  for (const warning of [...warnings, ...found]) process.stderr.write(`warning: ${warning}\n`);
  print(`${file}: the configuration is good\n`);
}

/** `kmp-rtmp check FILE`: the same as `kmp-rtmp -t -c FILE`. */
export function checkCommand(): Command {
  return new Command('check')
    .description('Check a configuration file. The exit code is 0 if the service can start with it, else 1.')
    .argument('[file]', 'configuration in nginx syntax')
    .option('-c, --config <file>', 'the file, given as for serve')
    .addHelpText('after', '\nExamples:\n  kmp-rtmp check /etc/kmp-rtmp.conf')
    .action((argument: string | undefined, { config }: { config?: string }) => {
      const [file, ...more] = [argument, config].filter((name) => name !== undefined);
      if (file === undefined) throw new CommandError('check: no file given; use kmp-rtmp check FILE');
      if (more.length > 0) throw new CommandError(`check: give one file at a time, not ${file} and ${more.join()}`);
      return checkConfiguration({ config: file });
    });
}
