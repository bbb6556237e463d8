import { basename, extname } from 'node:path';
import { messageOf } from '../../base/errors.js';
import { version } from '../../base/version.js';
import type { PublishTargets, TrackFields } from '../../relay/controller.js';
import { HttpController } from '../../relay/http-controller.js';
import { renewer } from '../../relay/renewer.js';
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
  /** Called with what is wrong with the controller, while it is asked again and at the end. */
  readonly warn: (message: string) => void;
  /** Stops asking. */
  readonly signal: AbortSignal;
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
 * @throws ControlError; CommandError if the controller names no upstream, or after the signal. Tracks that the
 * controller has accepted are unpublished then
 */
export async function askController(options: ControlledSendOptions): Promise<ControlledSend> {
  const { url, headers, askConnect, app, tracks, nameOf, warn, signal } = options;
  const controller = new HttpController({ url, headers, askConnect, clock: systemClock, signal, warn });
  const input = {
    ...{ app, flashVer: `kmp-rtmp/${version}`, swfUrl: '', tcUrl: `rtmp://127.0.0.1/${app}`, pageUrl: '' },
    ...{ address: '127.0.0.1', connection: process.pid },
  };
  const published = new Map<PlannedTrack, { readonly fields: TrackFields; readonly targets: PublishTargets }>();
  /** The track that the controller is asked about. */
  let asked: TrackFields | undefined;
  const unpublish = async (reason: string): Promise<void> => {
    const accepted = [...published.values()].map(({ fields }) => fields);
    for (const fields of asked === undefined ? accepted : [...accepted, asked])
      await controller.unpublish(fields, reason).catch((error: unknown) => warn(messageOf(error)));
  };
  try {
    await controller.connect(input);
    for (const track of tracks) {
      if (signal.aborted) throw stopped();
      const fields = { input, name: nameOf(track), args: '', publishType: 'live', info: track.track.info };
      asked = fields;
      const targets = await controller.publish(fields);
      asked = undefined;
      published.set(track, { fields, targets });
      if (targets.upstreams.length === 0)
        throw new CommandError(`the controller names no upstream for "${fields.name}" (${fields.info.mediaType})`);
    }
  } catch (error) {
    // An answer that was not waited for may be "ok": the controller counts the track as published then.
    if (!signal.aborted) asked = undefined;
    await unpublish('rtmp_error');
    throw signal.aborted ? stopped(error) : error;
  }

  const routes = (track: PlannedTrack): readonly SendRoute[] => {
    const found = published.get(track);
    if (found === undefined) return [];
    const { upstreams, ...ids } = found.targets;
    return upstreams.map((target) => {
      const { host, port, connectData, required } = target;
      const renew = renewer({ controller, track: found.fields, ids, target });
      return { ...ids, host, port, connectData, required, renew };
    });
  };
  return { routes, unpublish: () => unpublish('end_of_file') };
}

function stopped(cause?: unknown): CommandError {
  return new CommandError('the sending was stopped before the controller had answered', { cause });
}
