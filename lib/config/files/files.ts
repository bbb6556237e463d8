import { dirname, isAbsolute, join } from 'node:path';
import { messageOf } from '../../base/errors.js';
import { ConfigError, type Origin } from '../errors.js';
import type { Source } from '../nginx/source.js';

/** The files that a configuration names. */
export class ConfigFiles {
  private readonly folder: string;

  /** @param main the configuration file */
  constructor(
    main: string,
    private readonly source: Source,
  ) {
    this.folder = dirname(main);
  }

  /**
   * The path of a file: as in nginx, relative to the folder of the configuration file. In a flag or a variable it is
   * relative to the working directory.
   */
  resolve(path: string, origin: Origin): string {
    return isAbsolute(path) || origin.line === 0 ? path : join(this.folder, path);
  }

  /** @throws ConfigError config_file */
  read(path: string, origin: Origin, limit: number): string {
    try {
      return this.source.read(path, limit);
    } catch (error) {
      throw new ConfigError('config_file', origin, `cannot read ${path}: ${messageOf(error)}`, { cause: error });
    }
  }
}
