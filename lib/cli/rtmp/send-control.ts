import { basename, extname } from 'node:path';
import { messageOf } from '../../base/errors.js';
import { version } from '../../base/version.js';
import type { PublishTargets, TrackFields } from '../../relay/controller.js';
import { HttpController } from '../../relay/http-controller.js';
import type { KmpTarget } from '../../send/client-options.js';
import type { PlannedTrack } from '../../send/plan.js';
import type { SendRoute } from '../../send/sender.js';
import { systemClock } from '../../time/clock.js';
import { CommandError } from '../exit.js';
import type { Header } from './ingest.js';

/** Stream name of what comes through a pipe. */
const PIPE_NAME = 'live';

export interface ControlledSendOptions {
  readonly url: string;
  readonly headers: readonly Header[];
  readonly askConnect: boolean;
  readonly app: string;
  readonly tracks: readonly PlannedTrack[];
  /** The stream name of a track. */
  readonly nameOf: (track: PlannedTrack) => string;
  /** Called with what went wrong at the end. */
  readonly warn: (message: string) => void;
}

/** Where a controller sends the tracks. */
export interface ControlledSend {
  readonly routes: (track: PlannedTrack) => readonly SendRoute[];
  /** Tells the controller that the tracks have ended. */
  unpublish(): Promise<void>;
}

/** The stream name of a file: its name without folder and extension. */
export function fileStreamName(file: string): string {
  return file === '-' ? PIPE_NAME : basename(file, extname(file));
}

/**
 * Asks a controller for each track where it goes to, as nginx-kmp-out does, and again when a connection breaks.
 *
 * @throws ControlError; CommandError if the controller names no upstream
 */
export async function askController(options: ControlledSendOptions): Promise<ControlledSend> {
  const { url, headers, askConnect, app, tracks, nameOf, warn } = options;
  const controller = new HttpController({ url, headers, askConnect, clock: systemClock });
  const input = {
    ...{ app, flashVer: `kmp-rtmp/${version}`, swfUrl: '', tcUrl: `rtmp://127.0.0.1/${app}`, pageUrl: '' },
    ...{ address: '127.0.0.1', connection: process.pid },
  };
  await controller.connect(input);
  const published = new Map<PlannedTrack, { readonly fields: TrackFields; readonly targets: PublishTargets }>();
  for (const track of tracks) {
    const fields = { input, name: nameOf(track), args: '', publishType: 'live', info: track.track.info };
    const targets = await controller.publish(fields);
    if (targets.upstreams.length === 0)
      throw new CommandError(`the controller names no upstream for "${fields.name}" (${fields.info.mediaType})`);
    published.set(track, { fields, targets });
  }

  const routes = (track: PlannedTrack): readonly SendRoute[] => {
    const found = published.get(track);
    if (found === undefined) return [];
    const { upstreams, ...ids } = found.targets;
    return upstreams.map(({ id, host, port, connectData, required }) => {
      const renew = async (): Promise<KmpTarget> => ({
        connectData,
        ...(await controller.republish(found.fields, ids, id)),
      });
      return { ...ids, host, port, connectData, required, renew };
    });
  };
  const unpublish = async (): Promise<void> => {
    for (const { fields } of published.values())
      await controller.unpublish(fields, 'end_of_file').catch((error: unknown) => warn(messageOf(error)));
  };
  return { routes, unpublish };
}
