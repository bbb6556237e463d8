import { Command, Option } from 'commander';
import { checkConfiguration } from './check.js';
import { readConfiguration, type ConfigurationOptions } from './configuration.js';
import { PROCESS_COMMANDS, type ProcessCommand } from '../process/pid-file.js';
import { addDirectiveFlags } from './directive-flags.js';
import { tellRunning } from './tell-running.js';

interface ServeOptions extends ConfigurationOptions {
  readonly test?: boolean;
  readonly signal?: ProcessCommand;
}

const details = `
Every directive can be given as a flag, as an environment variable (--kmp-rtmp-out-chunk-size is KMP_RTMP_OUT_CHUNK_SIZE,
--listen is KMP_RTMP_LISTEN) or in the file. The order of precedence is: flag, variable, innermost block of the file,
default. Examples of times: 500ms, 10s, 1m; of sizes: 4096, 64k, 16m.

Signals: SIGTERM, SIGINT and SIGQUIT end the service in order, a second one ends it at once. SIGHUP reads the
configuration again and reopens the log files; SIGUSR1 and SIGUSR2 reopen the log files only. SIGURG gives
the upstreams of a node of a fleet to the other nodes. -s sends a signal to the process whose id is in the file of the
directive pid.

Examples:
  kmp-rtmp                                                 with the built-in configuration
  kmp-rtmp -c /etc/kmp-rtmp.conf                           with a file in nginx syntax
  kmp-rtmp -t -c /etc/kmp-rtmp.conf                        check the file only
  kmp-rtmp -s reload -c /etc/kmp-rtmp.conf                 make the running service read the file again
  kmp-rtmp --listen 8005 --http-listen 127.0.0.1:8080      on other ports
  kmp-rtmp -c FILE --kmp-rtmp-out-chunk-size 4k            one setting that differs from the file
  KMP_RTMP_OUT_RECONNECTS=unlimited kmp-rtmp -c FILE       the same by a variable`;

/** `kmp-rtmp serve`, and `kmp-rtmp` without a command: runs the service. */
export function serveCommand(): Command {
  const command = new Command('serve')
    .description('Receive KMP and publish it over RTMP. This is the default command.')
    .option('-c, --config <file>', 'configuration in nginx syntax; without it, KMP is received on 127.0.0.1:8005')
    .option('-t, --test', 'check the configuration and exit')
    .addOption(
      new Option(
        '-s, --signal <command>',
        'tell the running process: reload, quit (in order), stop (at once), reopen, drain',
      ).choices(PROCESS_COMMANDS),
    )
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
  if (options.signal !== undefined) return tellRunning(options.signal, options);
  // Imported only when needed, so that other commands start faster.
  const { runService } = await import('./run-service.js');
  await runService((source) => readConfiguration(options, source));
}
