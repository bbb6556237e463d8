import { constants } from 'node:os';
import { messageOf } from '../base/errors.js';
import { noLog, type Logger } from '../base/logger.js';

/** Actions of the signals. */
export interface SignalActions {
  /**
   * Shuts down gracefully; resolves when everything is finished and logs are written. Has its own time limit
   * (`worker_shutdown_timeout`).
   */
  quit(): Promise<void>;
  /** Ends at once. All work must be finished when it returns. */
  stop(): void;
  /** Reloads the configuration; rejects if it is invalid and the old one stays active. */
  reload(): Promise<void>;
  /** Reopens the log files. */
  reopen(): void;
  /** Gives all upstreams to other nodes of the fleet. Default: there is no fleet, and the log says so. */
  drain?(): void;
}

export interface SignalOptions {
  readonly log?: Logger;
  /** Default: process.exit. */
  readonly exit?: (code: number) => void;
}

/** nginx shuts down gracefully on SIGQUIT, and service units for nginx send it. SIGTERM and SIGINT do the same here. */
const QUIT_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const;

/**
 * Installs the signal handlers. SIGTERM, SIGINT and SIGQUIT shut down gracefully with exit status 0; a second one of
 * them ends the process at once with status 128 plus its number. SIGHUP reloads the configuration and reopens the log
 * files. SIGUSR1, as in nginx, and SIGUSR2 reopen the log files only. SIGURG drains a node of a fleet.
 *
 * @returns a function that removes the handlers
 */
export function handleSignals(actions: SignalActions, options: SignalOptions = {}): () => void {
  const { log = noLog, exit = (code: number) => process.exit(code) } = options;
  let quitting = false;
  let reloading = false;
  let reloadAgain = false;

  const onQuit = (signal: NodeJS.Signals): void => {
    if (quitting) {
      log.warn(`${signal} again: ending at once`);
      actions.stop();
      exit(128 + constants.signals[signal]);
      return;
    }
    quitting = true;
    log.info(`${signal}: shutting down gracefully`);
    actions.quit().then(
      () => exit(0),
      (error: unknown) => {
        log.error(`the graceful shutdown failed: ${messageOf(error)}`);
        actions.stop();
        exit(1);
      },
    );
  };

  const onReopen = (): void => {
    try {
      actions.reopen();
    } catch (error) {
      log.error(`reopening the log files failed: ${messageOf(error)}`);
    }
  };

  const onDrain = (): void => {
    if (quitting) return;
    if (actions.drain === undefined) log.warn('SIGURG: nothing is drained, because there is no fleet');
    else actions.drain();
  };

  const onReload = (): void => {
    if (quitting) return;
    // The file may have changed after it was read, so a signal during a reload causes another reload.
    if (reloading) {
      reloadAgain = true;
      return;
    }
    reloading = true;
    onReopen();
    log.info('SIGHUP: reloading the configuration');
    actions
      .reload()
      .then(
        () => log.info('the configuration is reloaded; it applies to new connections and upstreams'),
        (error: unknown) =>
          log.error(`the configuration is not reloaded, the previous one stays active: ${messageOf(error)}`),
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
  listeners.push(['SIGHUP', onReload], ['SIGUSR1', onReopen], ['SIGUSR2', onReopen], ['SIGURG', onDrain]);
  // Windows does not support these.
  const known = listeners.filter(([name]) => process.platform !== 'win32' || !/QUIT|USR|URG/.test(name));
  for (const [name, listener] of known) process.on(name, listener);
  return () => {
    for (const [name, listener] of known) process.off(name, listener);
  };
}
