import { buildConfig, type Config } from './config.js';
import { ConfigFiles } from './files/files.js';
import { parseNginx, parseNginxFile, type Directive } from './nginx/parser.js';
import { fileSystem, type Source } from './nginx/source.js';
import { applyOverrides, type OverrideTexts } from './overrides.js';
import { readScopes } from './scope.js';
import { Warnings } from './warnings.js';

export interface LoadOptions extends OverrideTexts {
  /** Source of the files. Default: the file system. */
  readonly source?: Source;
}

/** The configuration without a file: KMP and HTTP on the loopback interface. */
export const defaultConfigText = `\
stream {
    server {
        listen 127.0.0.1:8005;
        kmp_rtmp;
    }
}

http {
    server {
        listen 127.0.0.1:8001;

        location / {
            kmp_rtmp_status;
            kmp_rtmp_health;
        }
        location /kmp_rtmp_api/ {
            kmp_rtmp_api write=on;
        }
        location /metrics {
            kmp_rtmp_metrics;
        }
    }
}
`;

function build(file: string, tree: readonly Directive[], options: LoadOptions): Config {
  const warnings = new Warnings();
  const overrides = applyOverrides(options, warnings);
  const files = new ConfigFiles(file, options.source ?? fileSystem);
  return buildConfig(file, readScopes(tree, warnings), { overrides, warnings, files });
}

/**
 * Reads a configuration file with its includes, and applies flags and environment variables. The value of a setting is
 * taken from the first of: flag, environment variable, innermost block of the file, default.
 * @throws ConfigError
 */
export function loadConfig(file: string, options: LoadOptions = {}): Config {
  return build(file, parseNginxFile(file, options.source ?? fileSystem), options);
}

/**
 * Like {@link loadConfig}, for a text. `file` is its name in messages; includes are relative to its folder. @throws
 * ConfigError
 */
export function parseConfig(text: string, file = 'kmp-rtmp.conf', options: LoadOptions = {}): Config {
  return build(file, parseNginx(text, file, options.source ?? fileSystem), options);
}

/** The built-in configuration with flags and environment variables applied. @throws ConfigError */
export function defaultConfig(options: OverrideTexts = {}): Config {
  return parseConfig(defaultConfigText, '(built-in)', options);
}
