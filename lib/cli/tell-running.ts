import type { OverrideTexts } from '../config/overrides.js';
import { ConfigError } from '../config/errors.js';
import { findPid } from '../config/files/find-pid.js';
import { signalProcess, type ProcessCommand } from '../process/pid-file.js';
import { readConfiguration, type ConfigurationOptions } from './configuration.js';
import { directiveFlags } from './directive-flags.js';
import { CommandError } from './exit.js';

/**
 * `-s COMMAND`: sends a signal to the process of the pid file. Only `reload` needs a valid configuration: a service
 * must be able to end, whatever its file contains by now.
 *
 * @throws PidFileError, CommandError
 */
export async function tellRunning(command: ProcessCommand, options: ConfigurationOptions): Promise<void> {
  let pid: string | undefined;
  try {
    pid = readConfiguration(options).pid;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    if (command === 'reload') {
      const kept = 'the running service was not told to reload, and keeps its configuration';
      throw new CommandError(`${error.message}; ${kept}`, { cause: error });
    }
    pid = pidOf(options);
    if (pid === undefined || pid === '') {
      const unknown = 'no directive "pid" was found, so the process is unknown; give --pid FILE';
      throw new CommandError(`${error.message}; ${unknown}`, { cause: error });
    }
    process.stderr.write(`warning: ${error.message}; "${command}" is sent to the process of ${pid} nevertheless\n`);
  }
  if (pid === undefined || pid === '') {
    const file = options.config ?? '(built-in)';
    throw new CommandError(`${file}: there is no directive "pid", so the process is unknown; add pid FILE;`);
  }
  await signalProcess(pid, command);
}

/** The pid file, as far as it can be found: flag, variable, file. */
function pidOf(options: ConfigurationOptions): string | undefined {
  const flags: NonNullable<OverrideTexts['flags']> = directiveFlags({ ...options });
  const flag = flags['pid'];
  if (typeof flag === 'string') return flag;
  const variable = process.env['KMP_RTMP_PID'];
  if (variable !== undefined && variable !== '') return variable;
  return options.config === undefined ? undefined : findPid(options.config);
}
