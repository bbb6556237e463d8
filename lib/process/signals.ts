import { constants } from 'node:os';
import { messageOf } from '../base/errors.js';
import { noLog, type Logger } from '../base/logger.js';

/** What signals ask for. */
export interface SignalActions {
  /** Ends in order; resolves when all is done, the log written. Has to set itself a limit (`worker_shutdown_timeout`). */
  quit(): Promise<void>;
  /** Ends at once: whatever is still done has to be done when it returns. */
  stop(): void;
  /** Reads the configuration anew; rejects if it is bad and the old one stays. */
  reload(): Promise<void>;
  /** Opens the log files anew. */
  reopen(): void;
}

export interface SignalOptions {
  readonly log?: Logger;
  /** Default: process.exit. */
  readonly exit?: (code: number) => void;
}

/** nginx ends in order by SIGQUIT, and units written for it send that; SIGTERM and SIGINT do the same here. */
const QUIT_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const;

/**
 * Lets the signals of an operator do their work: SIGTERM, SIGINT or SIGQUIT end in order with exit status 0, and a second one
 * of them at once with 128 and its number; SIGHUP reloads, and opens the log files anew; SIGUSR2 does only the latter.
 *
 * @returns takes all of it back
 */
export function handleSignals(actions: SignalActions, options: SignalOptions = {}): () => void {
  const { log = noLog, exit = (code: number) => process.exit(code) } = options;
  let quitting = false;
  let reloading = false;
  let reloadAgain = false;

  const onQuit = (signal: NodeJS.Signals): void => {
    if (quitting) {
      log.warn(`${signal} again: ends at once`);
      actions.stop();
      exit(128 + constants.signals[signal]);
      return;
    }
    quitting = true;
    log.info(`${signal}: ends in order`);
    actions.quit().then(
      () => exit(0),
      (error: unknown) => {
        log.error(`ending in order failed: ${messageOf(error)}`);
        actions.stop();
        exit(1);
      },
    );
  };

  const onReopen = (): void => {
    try {
      actions.reopen();
    } catch (error) {
      log.error(`opening the log files anew failed: ${messageOf(error)}`);
    }
  };

  const onReload = (): void => {
    if (quitting) return;
    // The file may have changed again after it was read: what comes meanwhile counts once more.
    if (reloading) {
      reloadAgain = true;
      return;
    }
    reloading = true;
    onReopen();
    log.info('SIGHUP: reloads the configuration');
    actions
      .reload()
      .then(
        () => log.info('the configuration is reloaded: it holds for new connections and upstreams'),
        (error: unknown) =>
          log.error(`the configuration is not reloaded, the one before holds on: ${messageOf(error)}`),
      )
      .finally(() => {
        reloading = false;
        if (!reloadAgain) return;
        reloadAgain = false;
        onReload();
      })
      .catch(() => {});
  };

  const listeners: [NodeJS.Signals, (signal: NodeJS.Signals) => void][] = QUIT_SIGNALS.map((signal) => [
    signal,
    onQuit,
  ]);
  listeners.push(['SIGHUP', onReload], ['SIGUSR2', onReopen]);
  // Windows knows neither of these two.
  const known = listeners.filter(([name]) => process.platform !== 'win32' || !/QUIT|USR2/.test(name));
  for (const [name, listener] of known) process.on(name, listener);
  return () => {
    for (const [name, listener] of known) process.off(name, listener);
  };
}
