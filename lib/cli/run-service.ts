import type { Config } from '../config/config.js';
import { regularFiles, type Source } from '../config/nginx/source.js';
import { addressName } from '../net/listen.js';
import type { Logger } from '../base/logger.js';
import { Logging } from '../logging/winston-log.js';
import { writePidFile } from '../process/pid-file.js';
import { Service } from '../service.js';
import { handleSignals } from '../process/signals.js';
import { version } from '../base/version.js';
import { ExitCode } from './exit.js';
import { checkFiles } from './files.js';
import { tuneHeap } from '../node-internals/heap.js';
import { allowInternals } from '../node-internals/internals.js';

/**
 * Runs the service until a signal ends it.
 *
 * @param read returns the configuration; called again for each reload, then with the source of its files
 * @throws ConfigError, CommandError, LogFileError, PidFileError, ListenError if it cannot start
 */
export async function runService(read: (source?: Source) => Config): Promise<void> {
  const config = read();
  const warnings = await checkFiles(config);
  // The service goes on if the reader of its log goes away. Other commands end then (lib/cli/exit.ts).
  process.stderr.removeAllListeners('error').on('error', () => {});
  const logging = new Logging(config.errorLogs);
  const { log } = logging;
  endOnBug(logging);
  for (const warning of [...config.warnings, ...warnings]) log.warn(warning);
  const pid = new PidFile(config.pid);
  allowInternals(config.nodeInternals);
  const service = new Service(config, { log });
  const started = service.start();
  // Before the log says that the service runs: a signal may follow at once.
  handleSignals(
    {
      async quit() {
        await service.stop();
        await logging.close();
      },
      stop() {
        service.kill();
        logging.flushSync();
      },
      async reload() {
        await started;
        // A pipe can be read once, at the start. A second read would wait for a writer, and all media with it.
        const next = read(regularFiles);
        const found = await checkFiles(next);
        await service.reload(next);
        logging.configure(next.errorLogs);
        pid.move(next.pid);
        for (const warning of [...next.warnings, ...found]) log.warn(warning);
        announce(service, log);
      },
      ...(config.fleet === undefined ? {} : { drain: () => service.startDrain() }),
      reopen: () => {
        logging.reopen();
        service.reopenLogs();
      },
    },
    { log },
  );
  await started;
  void tuneHeap().then((problem) => problem !== undefined && log.warn(problem));
  log.info(`kmp-rtmp ${version} started, pid ${process.pid}`);
  announce(service, log);
}

/** Logs one line for each address. */
function announce(service: Service, log: Logger): void {
  for (const address of service.kmpAddresses) log.info(`takes KMP on ${addressName(address)}`);
  for (const { ssl, ...address } of service.httpAddresses) {
    log.info(`answers HTTP on ${ssl ? 'https' : 'http'}://${addressName(address)}/`);
  }
}

/** The pid file. It is removed when the process ends. */
class PidFile {
  private remove = (): void => {};

  /** @throws PidFileError */
  constructor(private path: string | undefined) {
    if (path !== undefined && path !== '') this.remove = writePidFile(path);
    process.on('exit', () => this.remove());
  }

  /** @throws PidFileError; then the old file stays */
  move(path: string | undefined): void {
    if (path === this.path) return;
    const remove = path === undefined || path === '' ? (): void => {} : writePidFile(path);
    this.remove();
    this.remove = remove;
    this.path = path;
  }
}

/** An uncaught error is a bug of this program. It is written to the log, where the operator looks first. */
function endOnBug(logging: Logging): void {
  process.on('uncaughtException', (error) => {
    logging.log.error(`unexpected error, please report it: ${error.stack ?? String(error)}`);
    logging.flushSync();
    process.exit(ExitCode.failed);
  });
}
