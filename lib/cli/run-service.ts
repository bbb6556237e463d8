import { addressName } from '../listen.js';
import type { Config } from '../config/config.js';
import { messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import { Logging } from '../logging.js';
import { Service } from '../service.js';
import { version } from '../version.js';
import { ExitCode } from './exit.js';

/**
 * Runs the service until a signal ends it.
 *
 * @param read gives the configuration; called again for each reload
 * @throws ConfigError, CommandError, ListenError if it cannot start
 */
export async function runService(read: () => Config): Promise<void> {
  const config = read();
  const logging = new Logging(config.errorLogs);
  const { log } = logging;
  for (const warning of config.warnings) log.warn(warning);
  const service = new Service(config, { log });
  await service.start();
  onSignals(service, read, logging);
  log.info(`kmp-rtmp ${version} started, pid ${process.pid}`);
  announce(service, log);
}

/** One line for each address. */
function announce(service: Service, log: Logger): void {
  for (const address of service.kmpAddresses) log.info(`takes KMP on ${addressName(address)}`);
  for (const address of service.httpAddresses) log.info(`answers HTTP on http://${addressName(address)}/`);
}

function onSignals(service: Service, read: () => Config, logging: Logging): void {
  let ending = false;
  const exit = (): void => {
    logging.flushSync();
    process.exit(ExitCode.ok);
  };
  const end = (signal: NodeJS.Signals): void => {
    if (ending) exit();
    ending = true;
    logging.log.info(`${signal}: ending gracefully; once more to end at once`);
    void service.stop().finally(exit);
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  process.on('SIGHUP', () => {
    void reload(service, read, logging);
  });
}

async function reload(service: Service, read: () => Config, logging: Logging): Promise<void> {
  const { log } = logging;
  try {
    const config = read();
    await service.reload(config);
    logging.configure(config.errorLogs);
    for (const warning of config.warnings) log.warn(warning);
    log.info('reloaded the configuration');
    announce(service, log);
  } catch (error) {
    log.error(`the configuration stays as it was: ${messageOf(error)}`);
  }
}
