import type { Config } from '../config/config.js';
import { defaultConfig, loadConfig } from '../config/load.js';
import type { LogLevel } from '../base/logger.js';
import { directiveFlags } from './directive-flags.js';

/** The options of `serve` and `check` that say what the configuration is. */
export interface ConfigurationOptions {
  /** File; the built-in configuration where there is none. */
  readonly config?: string;
  readonly logFormat?: 'text' | 'json';
  readonly logLevel?: LogLevel;
}

/**
 * The configuration that flags, environment and file come to: flags first, then `KMP_RTMP_...` variables, then the file,
 * then the defaults.
 *
 * @param options as commander gives them, those that stand for directives included
 * @throws ConfigError
 */
export function readConfiguration(options: ConfigurationOptions): Config {
  const texts = { flags: directiveFlags({ ...options }), env: process.env };
  const config = options.config === undefined ? defaultConfig(texts) : loadConfig(options.config, texts);
  const { logFormat, logLevel } = options;
  const errorLogs = config.errorLogs.map((errorLog) => ({
    ...errorLog,
    format: logFormat ?? errorLog.format,
    level: logLevel ?? errorLog.level,
  }));
  return { ...config, errorLogs };
}
