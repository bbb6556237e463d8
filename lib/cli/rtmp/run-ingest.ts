import { ListenError, addressName } from '../../net/listen.js';
import { systemClock } from '../../time/clock.js';
import { version } from '../../base/version.js';
import { Logging } from '../../logging/winston-log.js';
import { handleSignals } from '../../process/signals.js';
import { HttpController, type HttpControllerOptions } from '../../relay/http-controller.js';
import { Relay, type RelayOptions } from '../../relay/relay.js';
import type { ErrorLog } from '../../config/error-log.js';
import type { Address } from '../send/send-values.js';

export interface RunIngestOptions {
  readonly listen: Address;
  readonly log: Pick<ErrorLog, 'level' | 'format'>;
  readonly controller: Omit<HttpControllerOptions, 'clock' | 'signal'>;
  readonly relay: Partial<RelayOptions>;
  /** Returns keys and certificate; called again on SIGHUP. */
  readonly admission: () => Pick<RelayOptions, 'keys' | 'tls'>;
}

/**
 * Runs the RTMP ingest until a signal ends it.
 *
 * @throws ListenError, CommandError, KmpRtmpError if it cannot start
 */
export async function runIngest(options: RunIngestOptions): Promise<void> {
  const { listen, log: lines, controller: control, relay, admission } = options;
  const logging = new Logging([{ target: 'stderr', ...lines }]);
  const { log } = logging;
  const cancel = new AbortController();
  const warn = (message: string): void => log.warn(message);
  const controller = new HttpController({ ...control, clock: systemClock, signal: cancel.signal, warn });
  const admitted = admission();
  const running = new Relay({ ...relay, ...admitted, controller, log });
  const port = await listenRtmp(running, listen);
  handleSignals(
    {
      async quit() {
        await running.close();
        await logging.close();
      },
      stop() {
        cancel.abort();
        void running.kill();
        logging.flushSync();
      },
      reload: () => new Promise((resolve) => resolve(running.reload(admission()))),
      reopen: () => logging.reopen(),
    },
    { log },
  );
  log.info(`kmp-rtmp ${version} ingest started, pid ${process.pid}`);
  log.info(`takes ${admitted.tls === undefined ? 'RTMP' : 'RTMPS'} on ${addressName({ host: listen.host, port })}`);
}

/** @throws ListenError */
export async function listenRtmp(relay: Relay, { host, port }: Address): Promise<number> {
  try {
    return await relay.listen(port, host);
  } catch (error) {
    throw new ListenError(addressName({ host, port }), error);
  }
}
