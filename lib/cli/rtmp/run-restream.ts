import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { maskKey } from '../../base/mask.js';
import { version } from '../../base/version.js';
import { openApis } from '../../config/access/open-api.js';
import { isAnyHost } from '../../config/access/special-addresses.js';
import type { Config } from '../../config/config.js';
import { parseConfig } from '../../config/load.js';
import type { OverrideTexts } from '../../config/overrides.js';
import { addressName } from '../../net/listen.js';
import { tuneHeap } from '../../node-internals/heap.js';
import { handleSignals } from '../../process/signals.js';
import { Relay, type RelayOptions } from '../../relay/relay.js';
import { Service } from '../../service.js';
import { systemClock } from '../../time/clock.js';
import { CommandError } from '../exit.js';
import { checkFiles } from '../files.js';
import { ignoreOutputErrors } from '../output.js';
import type { Address } from '../send/send-values.js';
import { FixedController, STREAM, type Destination } from './destinations.js';
import { EventLines } from './event-lines.js';
import { listenRtmp } from './run-ingest.js';

export interface RestreamRun {
  readonly destinations: readonly Destination[];
  readonly listen: Address;
  readonly http: Address;
  readonly relay: Partial<RelayOptions>;
  /** Returns keys and certificate; called again on SIGHUP. */
  readonly admission: () => Pick<RelayOptions, 'keys' | 'tls'>;
  /** Flags of directives. */
  readonly directives: NonNullable<OverrideTexts['flags']>;
}

/** Lines of the service that are printed: what happens to destinations, not to connections of this process itself. */
const SHOWN = /^(an operator has|publish_start|input_back|recovered|failover|upstream ended|the overload is over)\b/;
/**
 * The next encoder of a destination that still waits is another sender to the service, with other frame ids. That is no
 * loss.
 */
const HIDDEN = /^takes over at frame /;

/** Variables that would move the addresses, which have flags of their own here, or admit other senders. */
const OWN_DIRECTIVES: ReadonlySet<string> = new Set([
  ...['KMP_RTMP_LISTEN', 'KMP_RTMP_HTTP_LISTEN', 'KMP_RTMP_IN_SECRET', 'KMP_RTMP_IN_SECRET_FILE'],
]);

/**
 * The service: KMP from this process only, and the status page.
 *
 * @throws ConfigError; CommandError if other machines could change things without a token
 */
function configuration(http: Address, secret: string, flags: RestreamRun['directives']): Config {
  const text = `
stream {
    server {
        listen 127.0.0.1:0;
        kmp_rtmp;
        kmp_rtmp_in_secret ${secret};
        kmp_rtmp_out_reconnects unlimited;
        kmp_rtmp_out_overload drop_frames;
    }
}
http {
    server {
        listen ${addressName(http)};
        location / { kmp_rtmp_status; kmp_rtmp_health; }
        location /kmp_rtmp_api/ { kmp_rtmp_api write=on; }
        location /metrics { kmp_rtmp_metrics; }
    }
}`;
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !OWN_DIRECTIVES.has(name)));
  const config = parseConfig(text, '(restream)', { flags, env });
  if (config.httpServers.some((server) => openApis(server).length > 0))
    throw new CommandError(
      `everyone who reaches ${addressName(http)} could end the stream of a destination; put a token into ` +
        'KMP_RTMP_API_TOKEN, or name a file of tokens in KMP_RTMP_API_TOKEN_FILE, or limit the clients by ' +
        `KMP_RTMP_ALLOW=ADDRESS and KMP_RTMP_DENY=all, or give --http 127.0.0.1:${http.port}`,
    );
  return config;
}

/**
 * Runs ingest, service and status page until a signal ends them.
 *
 * @throws ConfigError, ListenError, CommandError, KmpRtmpError if they cannot start
 */
export async function runRestream(options: RestreamRun): Promise<void> {
  const { destinations, listen, http, admission } = options;
  const secret = randomBytes(32).toString('hex');
  const config = configuration(http, secret, options.directives);
  const warnings = await checkFiles(config);
  const admitted = admission();
  // The stream of a live event does not end with the reader of these lines.
  ignoreOutputErrors();
  const write = (text: string): void => void process.stdout.write(text);
  const upstreams = new Map(destinations.map(({ id, label }) => [id, label]));
  const lines = { write, clock: systemClock };
  const service = new Service(config, {
    log: new EventLines({ ...lines, subject: 'service', upstreams, shown: SHOWN, hidden: HIDDEN }),
  });
  const log = new EventLines({ ...lines, subject: 'encoder' });
  await service.start();
  const [kmp = { host: '', port: 0 }] = service.kmpAddresses;
  const controller = new FixedController(destinations, kmp, secret, systemClock);
  const relay = new Relay({ ...options.relay, ...admitted, name: STREAM, controller, log });
  const port = await listenRtmp(relay, listen).catch((error: unknown) => {
    service.kill();
    throw error;
  });
  handleSignals(
    {
      async quit() {
        await relay.close();
        await service.stop();
      },
      stop() {
        void relay.kill();
        service.kill();
      },
      reload: () => new Promise((resolve) => resolve(relay.reload(admission()))),
      reopen: () => {},
    },
    { log: new EventLines({ ...lines, subject: 'restream' }) },
  );
  void tuneHeap();
  for (const warning of [...config.warnings, ...warnings]) write(`warning: ${warning}\n`);
  const [page = http] = service.httpAddresses;
  write(heading({ ...admitted, destinations, listen: { host: listen.host, port }, page }));
}

interface Heading extends Pick<RelayOptions, 'keys' | 'tls'> {
  readonly destinations: readonly Destination[];
  readonly listen: Address;
  readonly page: Address;
}

/** What the user needs in the first moment: what to enter in OBS, and where to look. */
function heading({ keys, tls, destinations, listen, page }: Heading): string {
  const scheme = tls === undefined ? 'rtmp' : 'rtmps';
  const key = keys?.map((one) => maskKey(one.key)).join(' or ') ?? 'any text';
  const rows = [
    `Server       ${scheme}://${addressName(reachable(listen))}/live`,
    `Stream key   ${key}`,
    `Status page  http://${addressName(reachable(page))}/`,
  ];
  const list = destinations.map(({ label }) => `  ${label}`);
  return [
    `kmp-rtmp ${version} restream: enter Server and Stream key in OBS (Settings, Stream, Custom...)`,
    ...['', ...rows.map((row) => `  ${row}`), ''],
    ...['The stream goes to:', ...list, '', ''],
  ].join('\n');
}

/** An address that an encoder can enter: that of this machine, if it listens on all addresses. */
function reachable({ host, port }: Address): Address {
  return { host: isAnyHost(host) ? hostname() : host, port };
}
