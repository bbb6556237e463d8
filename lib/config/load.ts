import { buildConfig, type Config } from './config.js';
import { parseNginx, parseNginxFile, type Directive } from './nginx/parser.js';
import { disk, type Source } from './nginx/source.js';
import { applyOverrides, type OverrideTexts } from './overrides.js';
import { readScopes } from './scope.js';
import { Warnings } from './warnings.js';

export interface LoadOptions extends OverrideTexts {
  /** Where files are read from; the file system if not given. */
  readonly source?: Source;
}

/** What is served where no file is given: KMP and HTTP for this machine only. */
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
  return buildConfig(file, readScopes(tree, warnings), overrides, warnings);
}

/**
 * Reads a configuration file, and the files it includes, with what flags and variables say on top. What holds for a setting, first
 * found first: flag, environment variable, innermost block of the file that has it, default.
 * @throws ConfigError
 */
export function loadConfig(file: string, options: LoadOptions = {}): Config {
  return build(file, parseNginxFile(file, options.source ?? disk), options);
}

/** The same for a text. `file` is its name in messages, and its folder that of includes. @throws ConfigError */
export function parseConfig(text: string, file = 'kmp-rtmp.conf', options: LoadOptions = {}): Config {
  return build(file, parseNginx(text, file, options.source ?? disk), options);
}

/** The built-in configuration, with what flags and variables say on top. @throws ConfigError */
export function defaultConfig(options: OverrideTexts = {}): Config {
  return parseConfig(defaultConfigText, '(built-in)', options);
}
