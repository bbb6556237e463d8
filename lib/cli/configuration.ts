import type { Config } from '../config/config.js';
import { defaultConfig, loadConfig } from '../config/load.js';
import type { Source } from '../config/nginx/source.js';
import type { LogLevel } from '../base/logger.js';
import { directiveFlags } from './directive-flags.js';

/** Options of `serve` and `check` that select the configuration. */
export interface ConfigurationOptions {
  /** The file. Default: the built-in configuration. */
  readonly config?: string;
  readonly logFormat?: 'text' | 'json';
  readonly logLevel?: LogLevel;
}

/**
 * Reads the configuration from flags, environment and file. Flags have precedence over `KMP_RTMP_...` variables, these
 * over the file, and the file over the defaults.
 *
 * @param options as commander gives them, including flags for directives
 * @param source where its files are read; default: the file system
 * @throws ConfigError
 */
export function readConfiguration(options: ConfigurationOptions, source?: Source): Config {
  const texts = {
    flags: directiveFlags({ ...options }),
    env: process.env,
    ...(source === undefined ? {} : { source }),
  };
  const config = options.config === undefined ? defaultConfig(texts) : loadConfig(options.config, texts);
  const { logFormat, logLevel } = options;
  const errorLogs = config.errorLogs.map((errorLog) => ({
    ...errorLog,
    format: logFormat ?? errorLog.format,
    level: logLevel ?? errorLog.level,
  }));
  return { ...config, errorLogs };
}
