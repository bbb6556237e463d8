import { Command, Option } from 'commander';
import { checkConfiguration } from './check.js';
import { readConfiguration, type ConfigurationOptions } from './configuration.js';
import { addDirectiveFlags } from './directive-flags.js';

interface ServeOptions extends ConfigurationOptions {
  readonly test?: boolean;
}

const details = `
Every directive can be given as a flag, as an environment variable (--kmp-rtmp-out-chunk-size is KMP_RTMP_OUT_CHUNK_SIZE,
--listen is KMP_RTMP_LISTEN) or in the file. What is first found holds: flag, variable, innermost block of the file,
default. Times are written as 500ms, 10s, 1m; sizes as 4096, 64k, 16m.

Signals: SIGTERM and SIGINT end gracefully, a second one at once; SIGHUP reads the configuration anew.

Examples:
  kmp-rtmp                                                 with the built-in configuration
  kmp-rtmp -c /etc/kmp-rtmp.conf                           with a file in nginx syntax
  kmp-rtmp -t -c /etc/kmp-rtmp.conf                        check the file only
  kmp-rtmp --listen 8005 --http-listen 127.0.0.1:8080      on other ports
  kmp-rtmp -c FILE --kmp-rtmp-out-chunk-size 4k            one setting unlike the file's
  KMP_RTMP_OUT_RECONNECTS=unlimited kmp-rtmp -c FILE       the same by a variable`;

/** `kmp-rtmp serve`, and `kmp-rtmp` alone: the service. */
export function serveCommand(): Command {
  const command = new Command('serve')
    .description('Take KMP and publish it over RTMP. This is what runs if no command is given.')
    .option('-c, --config <file>', 'configuration in nginx syntax; without one, KMP is taken on 127.0.0.1:8005')
    .option('-t, --test', 'check the configuration and exit')
    .addOption(
      new Option('--log-format <format>', 'format of the log, whatever error_log says').choices(['text', 'json']),
    )
    .addOption(
      new Option('--log-level <level>', 'least severity that is logged, whatever error_log says').choices([
        'error',
        'warn',
        'info',
        'debug',
      ]),
    );
  return addDirectiveFlags(command).addHelpText('after', details).action(serve);
}

async function serve(options: ServeOptions): Promise<void> {
  if (options.test === true) return checkConfiguration(options);
  // Not before it is needed: the other commands start the faster.
  const { runService } = await import('./run-service.js');
  await runService(() => readConfiguration(options));
}
