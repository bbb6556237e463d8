import type { Config } from '../config/config.js';
import type { Logger } from '../base/logger.js';
import { messageOf } from '../base/errors.js';
import { slateFiles, slatePath } from '../upstream/slate/slate-files.js';

/** The files that `kmp_rtmp_out_slate` names. */
export function slatePathsOf(config: Pick<Config, 'kmpServers'>): Set<string> {
  const paths = config.kmpServers.map(({ media }) => slatePath(media.outSlate));
  return new Set(paths.filter((path) => path !== undefined));
}

/**
 * Loads the slates of a configuration, and forgets others. One that cannot be played any more is logged: its upstreams
 * repeat the last picture.
 */
export async function loadSlates(config: Pick<Config, 'kmpServers'>, log: Logger): Promise<void> {
  const paths = slatePathsOf(config);
  for (const path of paths) {
    await slateFiles.load(path).catch((error: unknown) => {
      log.error(`kmp_rtmp_out_slate: ${messageOf(error)}; the last picture is repeated instead`);
    });
  }
  slateFiles.keepOnly(paths);
}
