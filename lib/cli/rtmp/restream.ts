import { Command, Option } from 'commander';
import { addDirectiveFlags, directiveFlags } from '../directive-flags.js';
import type { Address } from '../send/send-values.js';
import { destinationsOf } from './destinations.js';
import { addRtmpOptions, admission, limits, listenAddress, type RtmpOptions } from './rtmp-options.js';

interface RestreamOptions extends RtmpOptions {
  readonly http: Address;
}

const details = `
OBS: Settings, Stream, Service "Custom...": enter Server and Stream Key as they are printed at the start. The stream goes to all
destinations as it is, without transcoding. A destination that refuses the stream, is slow or cannot be reached does not affect
the others: it is tried again for as long as the encoder publishes, and video is left out while it is behind.

One encoder publishes at a time. A second one is refused, unless the first one has been silent for three seconds. Put the URLs in
single quotes: keys can contain characters that the shell changes. Other users of this machine can see the arguments of a
process; the keys are masked in all output.

Encoders on other machines need --listen 0.0.0.0:1935 and a key: --key KEY (at least 8 characters), which is the stream key in
OBS then. Ctrl-C ends all streams in order; a second one ends at once.

The other flags are directives of the service, as for "kmp-rtmp serve"; by default, kmp_rtmp_out_reconnects is unlimited and
kmp_rtmp_out_overload is drop_frames.

Examples:
  kmp-rtmp restream 'rtmp://a.rtmp.youtube.com/live2/KEY' 'rtmps://live.twitch.tv/app/KEY'
  kmp-rtmp restream --listen 0.0.0.0:1935 --key 'a long key' 'rtmp://host/app/KEY'
  kmp-rtmp restream --http 127.0.0.1:8080 'rtmp://host/app/KEY'`;

/** `kmp-rtmp restream URL...`: from an encoder to several destinations, in one process. */
export function restreamCommand(): Command {
  const command = new Command('restream')
    .description('Take the stream of OBS or another encoder, and publish it to several RTMP servers at once.')
    .argument('<url...>', 'where to publish to: rtmp://HOST/APP/KEY or rtmps://HOST/APP/KEY');
  addRtmpOptions(command).addOption(
    new Option('--http <address>', 'where to answer HTTP (status page, API, metrics): a port, or ADDRESS:PORT')
      .argParser(listenAddress)
      .default({ host: '127.0.0.1', port: 8001 }, '127.0.0.1:8001'),
  );
  return addDirectiveFlags(command, ['Upstreams', 'Notifications'])
    .addHelpText('after', details)
    .action(async (urls: string[], options: RestreamOptions) => {
      const destinations = destinationsOf(urls, options.listen);
      // Imported only when needed, so that other commands start faster.
      const { runRestream } = await import('./run-restream.js');
      await runRestream({
        ...{ destinations, listen: options.listen, http: options.http, relay: limits(options) },
        ...{ admission: () => admission(options), directives: directiveFlags({ ...options }) },
      });
    });
}
